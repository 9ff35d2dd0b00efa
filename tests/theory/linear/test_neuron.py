"""One linear neuron: the flow itself, every sign of the imbalance, unequal rates, saddles, limits, its kernel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvable.errors import OutsideDomain
from solvable.theory.linear import (
    delayed_cosine,
    imbalanced_mode,
    kernel_turn,
    lazy_neuron,
    neuron_kernel,
    neuron_path,
    neuron_velocity,
    two_layer_path,
)

path_of = jax.jit(neuron_path, static_argnames=("first_rate", "second_rate"))
TIMES, AXIS = np.linspace(0, 5, 11), jnp.array([1.0, 0.0, 0.0])
STARTS = [
    (0.5, 0.5, 1, 1),
    (3.0, 0.1, 1, 1),
    (0.1, 3.0, 1, 1),
    (-0.5, 2.0, 2, 0.5),
    (0.0, 2.0, 0.3, 3),
    (1.0, 0.0, 1, 1),
]


def solve(first, second, target, first_rate, second_rate):
    def velocity(_, x):
        residual = target - x[0] * x[1:]
        return np.append(second_rate * x[1:] @ residual, first_rate * x[0] * residual)

    start = np.append(second, first)
    path = solve_ivp(velocity, (0, TIMES[-1]), start, "DOP853", TIMES, rtol=1e-11, atol=1e-13).y.T
    return path[:, 1:], path[:, 0]


def follow(first, second, target, times=TIMES, **rates):
    return path_of(jnp.asarray(times), jnp.asarray(first), jnp.asarray(second), jnp.asarray(target), **rates)


@pytest.mark.parametrize(("second", "size", "first_rate", "second_rate"), STARTS)
def test_path_is_that_of_the_flow(second, size, first_rate, second_rate):
    rng = np.random.default_rng(3)
    target, first = 0.7 * rng.normal(size=3), size * rng.normal(size=3)
    path = follow(first, second, target, first_rate=float(first_rate), second_rate=float(second_rate))
    expected = solve(first, second, target, first_rate, second_rate)
    np.testing.assert_allclose(path.first, expected[0], atol=1e-7)
    np.testing.assert_allclose(path.second, expected[1], atol=1e-7)
    imbalance = first_rate * np.square(path.second) - second_rate * np.sum(np.square(path.first), axis=1)
    np.testing.assert_allclose(imbalance, imbalance[0], atol=1e-9)


def test_balance_is_reached_continuously_from_both_sides():
    first = np.array([0.3, 0.4, 0.0])
    middle = follow(first, 0.5, AXIS).map
    for gap in (1e-7, -1e-7):
        np.testing.assert_allclose(follow(first, 0.5 + gap, AXIS).map, middle, atol=1e-6)


def test_along_the_target_it_is_one_mode_and_in_general_a_network_of_width_one():
    a, b = imbalanced_mode(jnp.asarray(TIMES), jnp.asarray(0.2), jnp.asarray(-0.6), jnp.asarray(1.5))
    path = follow(np.array([-0.6, 0.0, 0.0]), 0.2, 1.5 * AXIS)
    np.testing.assert_allclose(path.second, a, atol=1e-10)
    np.testing.assert_allclose(path.first[:, 0], b, atol=1e-10)
    first, target = jnp.array([0.3, -0.8, 0.1]), jnp.array([1.0, 0.5, 0.0])
    matrix = jax.jit(two_layer_path)(
        target[None], first[None], jnp.asarray([[0.4]]), jnp.asarray(TIMES), imbalance=float(0.16 - first @ first)
    )
    np.testing.assert_allclose(follow(first, 0.4, target).map, matrix.map[:, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "target", "end"),
    [
        ([0.0, 0.0, 0.0], 0.0, AXIS, 0.0),
        ([-1.0, 0.0, 0.0], 1.0, AXIS, 0.0),
        ([1.0, 0.0, 0.0], 0.0, 0 * AXIS, 0.0),
        ([0.0, 3.0, 0.0], 0.0, AXIS, 0.0),
        ([0.1, 0.2, 0.0], 40.0, AXIS, 1.0),
        ([0.3, -2.0, 0.0], 0.0, AXIS, 1.0),
    ],
)
def test_very_late_neurons_have_learned_or_rest_on_their_saddle(first, second, target, end):
    path = follow(np.array(first), second, target, times=np.array([0.0, 1e4]))
    np.testing.assert_allclose(path.map[-1], end * AXIS, atol=1e-10)


def test_kernel_moves_the_map_and_is_made_of_weights():
    first, second, target = jnp.array([0.3, -0.8, 0.1]), jnp.asarray(0.4), jnp.array([1.0, 0.5, 0.0])
    for rates in ({}, {"first_rate": 2.0, "second_rate": 0.5}):
        first_rate, second_rate = rates.get("first_rate", 1.0), rates.get("second_rate", 1.0)
        delta = first_rate * second**2 - second_rate * first @ first
        kernel = neuron_kernel(second * first, delta, **rates)
        expected = first_rate * second**2 * jnp.eye(3) + second_rate * jnp.outer(first, first)
        np.testing.assert_allclose(kernel, expected, atol=1e-12)
        step = jnp.array([0.0, 1e-6])
        maps = path_of(step, first, second, target, **rates).map
        np.testing.assert_allclose((maps[1] - maps[0]) / 1e-6, kernel @ (target - maps[0]), rtol=1e-4, atol=1e-6)


def test_kernel_at_special_maps_and_its_turn():
    np.testing.assert_allclose(neuron_kernel(0 * AXIS, jnp.asarray(2.0)), 2 * np.eye(3))
    assert np.all(np.isfinite(neuron_kernel(0 * AXIS, jnp.asarray(0.0))))
    kernels = jnp.stack([jnp.eye(3), 5 * jnp.eye(3), jnp.diag(AXIS)])
    np.testing.assert_allclose(kernel_turn(kernels), [0, 0, 1 - 1 / np.sqrt(3)], atol=1e-12)


@pytest.mark.parametrize(("second", "size", "first_rate", "second_rate"), STARTS[:4])
def test_norm_and_angle_move_as_the_path_does(second, size, first_rate, second_rate):
    rates = {"first_rate": float(first_rate), "second_rate": float(second_rate)}
    first = size * np.array([0.6, 0.8, 0.0])
    near = follow(first, second, 1.5 * AXIS, times=np.array([0.4, 0.4 + 1e-6]), **rates)
    norms = np.linalg.norm(near.first, axis=1)
    mu, phi = np.asarray(near.second) * norms, np.asarray(near.first)[:, 0] / norms
    delta = first_rate * float(near.second[0]) ** 2 - second_rate * norms[0] ** 2
    found = neuron_velocity(*map(jnp.asarray, (mu[0], phi[0], delta, 1.5)), **rates)
    np.testing.assert_allclose(found, [np.diff(mu)[0] / 1e-6, np.diff(phi)[0] / 1e-6], rtol=1e-4, atol=1e-6)


def test_lazy_error_falls_with_the_imbalance():
    first, times = np.array([-0.25, 0.43, 0.0]), np.linspace(0, 6, 30)
    errors = []
    for delta in (10.0, 100.0, 1000.0):
        second = np.sqrt(delta + first @ first)
        exact = follow(first, second, 2 * AXIS, times=times / delta).map
        lazy = lazy_neuron(jnp.asarray(times / delta), exact[0], 2 * AXIS, jnp.asarray(delta))
        errors.append(np.max(np.abs(exact - lazy)) / np.max(np.abs(exact[0] - 2 * AXIS)))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


def test_delayed_turn_is_approached_with_the_imbalance_and_keeps_its_sign():
    errors = []
    for delta in (30.0, 300.0, 3000.0):
        times = np.geomspace(10 / delta, delta, 30)
        first = np.sqrt(delta + 0.25) * np.array([-0.3, 0.91**0.5, 0.0])
        path = follow(first, 0.5, 2 * AXIS, times=times)
        cosine = np.asarray(path.first)[:, 0] / np.linalg.norm(path.first, axis=1)
        found = delayed_cosine(jnp.asarray(times), jnp.asarray(-0.3), jnp.asarray(-delta), jnp.asarray(2.0))
        errors.append(np.max(np.abs(cosine - found)))
        assert float(found[-1]) == pytest.approx(-1, abs=1e-2)
        assert path.map[-1, 0] == pytest.approx(2, abs=1e-2)
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert float(delayed_cosine(jnp.asarray(1e9), jnp.asarray(0.0), jnp.asarray(-1.0), jnp.asarray(1.0))) == 0


def test_single_precision_stays():
    arrays = [jnp.asarray(value, jnp.float32) for value in (TIMES, [0.3, -0.8, 0.1], 0.4, [1.0, 0.5, 0.0])]
    path = path_of(*arrays)
    assert path.first.dtype == path.second.dtype == neuron_kernel(path.map[3], arrays[2]).dtype == jnp.float32
    assert lazy_neuron(arrays[0], arrays[1], arrays[3], arrays[2]).dtype == jnp.float32
    expected = follow([0.3, -0.8, 0.1], 0.4, [1.0, 0.5, 0.0])
    np.testing.assert_allclose(path.map, expected.map, atol=1e-5)


def test_rates_must_be_positive():
    with pytest.raises(OutsideDomain, match="`second_rate` is 0"):
        follow(np.zeros(3), 1.0, AXIS, second_rate=0.0)
    with pytest.raises(OutsideDomain, match="`first_rate` is -1"):
        neuron_kernel(AXIS, jnp.asarray(1.0), first_rate=-1.0)
