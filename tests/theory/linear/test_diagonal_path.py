"""The path at finite scale against the trained network, and its limit against the successive-saddle algorithm."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.numerics import first_crossing, two_scale_limit
from solvable.tasks import Moments, make_samples, sample_moments
from solvable.theory.flows import diagonal_stages
from solvable.theory.linear import diagonal_path


def moments(seed, samples=5, dim=7):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(samples, dim))
    teacher = np.array([1.0, -2.0, 0.6] + [0.0] * (dim - 3))
    return sample_moments(make_samples(inputs, inputs @ teacher), lambda x: x)


def test_saddles_of_a_design_in_which_a_coordinate_leaves():
    path = diagonal_stages(moments(0))
    np.testing.assert_allclose(path.times, [0, 0.7672, 0.8050, 1.8010, 3.9327], atol=6e-5)
    np.testing.assert_allclose(path.loss, [1.387, 0.8186, 0.4842, 0.1044, 0], atol=6e-4)
    supports = [set(np.flatnonzero(saddle.strength)) for saddle in path.saddles[1:]]
    assert supports == [{5}, {0}, {0, 1}, {0, 1, 2}]
    first = np.max(np.abs(moments(0).sigma_yz))
    np.testing.assert_allclose(path.times[1], 1 / first)


@pytest.mark.parametrize("seed", [0, 9])
def test_two_scales_extrapolate_to_the_times_of_the_algorithm(seed):
    path, data = diagonal_stages(moments(seed)), moments(seed)
    levels = (path.loss[1:] + path.loss[:-1]) / 2
    found = []
    for log_scale in (200.0, 400.0):
        times = np.linspace(0, 1.2 * path.times[-1], 40_001)
        loss = diagonal_path(data, log_scale, times).loss
        found.append([first_crossing(times, loss, level) for level in levels])
    errors = np.abs(np.array(found) / path.times[None, 1:] - 1)
    assert np.max(errors) > 1e-3
    np.testing.assert_allclose(two_scale_limit(jnp.asarray(found), (200.0, 400.0)), path.times[1:], rtol=1e-4)


def test_path_is_that_of_both_weights():
    from scipy.integrate import solve_ivp

    data, alpha, times = moments(1), 1e-3, np.linspace(0.1, 2.0, 20)
    sigma, goal = np.asarray(data.sigma_zz), np.asarray(data.sigma_yz[0])

    def velocity(_, weights):
        u, v = weights[:7], weights[7:]
        pull = goal - sigma @ (u * v)
        return np.concatenate([v * pull, u * pull])

    start = np.concatenate([np.full(7, alpha * 2**0.5), np.zeros(7)])
    unit = np.log(1 / alpha)
    flow = solve_ivp(velocity, (0, 2 * unit), start, t_eval=times * unit, method="LSODA", rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(diagonal_path(data, unit, times).strength, (flow.y[:7] * flow.y[7:]).T, atol=1e-6)


def test_degenerate_inputs_and_nothing_to_learn():
    data = Moments(jnp.asarray(1.0), jnp.array([[1.0, 1.0]]), jnp.ones((2, 2)))
    path = diagonal_path(data, 50.0, np.array([0.5, 2.0]))
    np.testing.assert_allclose(path.strength[-1], [0.5, 0.5], atol=1e-6)
    still = diagonal_path(Moments(jnp.asarray(0.0), jnp.zeros((1, 2)), jnp.eye(2)), 50.0, np.array([1.0]))
    np.testing.assert_array_equal(still.strength, np.zeros((1, 2)))


def test_refusals():
    with pytest.raises(OutsideDomain, match="alpha must be below 1"):
        diagonal_path(moments(0), 0.0, np.array([1.0]))
    with pytest.raises(OutsideDomain, match="2 outputs"):
        diagonal_path(Moments(jnp.asarray(1.0), jnp.ones((2, 2)), jnp.eye(2)), 1.0, np.array([1.0]))
    with pytest.raises(OutsideDomain, match="increasing"):
        diagonal_path(moments(0), 1.0, np.array([1.0, 0.5]))
