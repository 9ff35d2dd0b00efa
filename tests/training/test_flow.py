"""Gradient flow is the limit of descent and keeps what the equations conserve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from solvable.errors import Diverged, OutsideDomain
from solvable.networks import AttentionHead, Neuron, UnitLayer, initialise
from solvable.numerics import activations
from solvable.tasks import InContextRegression, linear_teacher
from solvable.training import gradient_descent, gradient_flow

LINEAR = Neuron(activations.identity)
TASK = linear_teacher(jnp.array([[1.0, 0.5], [-0.5, 1.0]]), jnp.array([[1.0, 1.0], [1.0, 4.0]]))
WEIGHTS = {"first": lambda network: network.first, "second": lambda network: network.second}


def draw_network(unit=LINEAR, *, width=4, input_shape=(2,), output_dim=2, init_scale=0.3):
    key = jax.random.key(0)
    return initialise(unit, key, width=width, input_shape=input_shape, output_dim=output_dim, init_scale=init_scale)


def run_flow(network, times, task=TASK):
    """Always three records and the same observables: one compilation serves most tests below."""
    return gradient_flow(network, task, times=np.asarray(times), observables=WEIGHTS)


def test_descent_converges_to_the_flow_at_first_order():
    """The error at a fixed time halves with the learning rate."""
    network, errors = draw_network(), []
    flow = run_flow(network, [0.5, 1.0, 2.0])
    for steps in (1000, 2000, 4000):
        at = steps * np.array([1, 2, 4]) // 4
        run = gradient_descent(network, TASK, learning_rate=2 / steps, steps=steps, record=at, observables=WEIGHTS)
        np.testing.assert_allclose(run.times, flow.times, rtol=1e-12)
        errors.append([np.max(np.abs(values - flow.observables[name])) for name, values in run.observables.items()])
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 2, atol=0.02)


def test_balanced_modes_follow_their_sigmoids_through_a_long_plateau():
    """White inputs, u and v along the modes: a^2 = s e^{2st} / (e^{2st} - 1 + s/a_0^2) for each, alone."""
    scale, rates, times = 1e-6, np.array([1.5, 0.9]), np.array([1.0, 10.0, 17.0])
    start = np.vstack([scale * np.eye(2), np.zeros((2, 2))])
    flow = run_flow(UnitLayer(jnp.array(start), jnp.array(start.T), LINEAR), times, linear_teacher(jnp.diag(rates)))
    grown = np.exp(2 * rates * times[:, None])
    expected = rates * grown / (grown - 1 + rates / scale**2)
    modes = np.stack([np.diagonal(weights[:2]) for weights in np.asarray(flow.observables["first"])])
    np.testing.assert_allclose(modes**2, expected, rtol=1e-5)


def test_linear_units_conserve_the_whole_matrix_of_imbalances():
    """U U^T - V^T V, through the whole of training."""
    flow = run_flow(draw_network(), [1e-3, 1.0, 30.0])
    assert flow.loss[-1] < 1e-6
    first, second = flow.observables["first"], flow.observables["second"]
    imbalance = first @ first.mT - second.mT @ second
    np.testing.assert_allclose(np.diff(imbalance, axis=0), 0, atol=1e-5)


# Unit, task, degree of homogeneity in u.
CONSERVING = {
    "relu": (Neuron(activations.relu), TASK, 1),
    "attention": (AttentionHead(mean_over_context=True), InContextRegression(jnp.eye(2), 4), 2),
}


@pytest.mark.parametrize(("unit", "task", "degree"), CONSERVING.values(), ids=CONSERVING)
def test_homogeneous_units_conserve_their_balance(unit, task, degree):
    """|u_i|^2 - p |v_i|^2 is constant for units homogeneous of degree p, unit by unit."""
    samples = task.sample(jax.random.key(1), 12)
    network = draw_network(unit, input_shape=task.input_shape, output_dim=samples.targets.shape[1])
    flow = run_flow(network, [0.0, 1.0, 2.0], samples)
    assert flow.loss[-1] < 0.99 * flow.loss[0]
    first, second = flow.observables["first"], flow.observables["second"]
    balance = jnp.sum(first**2, axis=2) - degree * jnp.sum(second**2, axis=1)
    np.testing.assert_allclose(np.diff(balance, axis=0), 0, atol=1e-5)


def test_the_loss_falls_at_the_rate_of_the_squared_gradient():
    """dL/dt = -|grad L|^2."""
    flow = run_flow(draw_network(), [0.6999, 0.7, 0.7001])
    first, second = (np.asarray(flow.observables[name][1]) for name in ("first", "second"))
    residual = (np.asarray(TASK.first) - second @ first) @ np.asarray(TASK.covariance)
    squared_gradient = np.sum((residual @ first.T) ** 2) + np.sum((second.T @ residual) ** 2)
    np.testing.assert_allclose((flow.loss[2] - flow.loss[0]) / 2e-4, -squared_gradient, rtol=1e-5)


def test_small_starts_keep_their_relative_precision_over_the_plateau():
    """Left out, the absolute tolerance follows the initial weights: weights of 1e-9 grow as a matrix exponential."""
    network, sigma_yz = draw_network(init_scale=1e-9), np.asarray(TASK.first @ TASK.covariance)
    flow = run_flow(network, [0.5, 1.0, 2.0])
    generator = np.block([[np.zeros((2, 2)), sigma_yz], [sigma_yz.T, np.zeros((2, 2))]])
    grown = expm(2.0 * generator) @ np.vstack([network.second, network.first.T])
    np.testing.assert_allclose(flow.observables["second"][-1], grown[:2], rtol=1e-5, atol=1e-14)
    np.testing.assert_allclose(flow.observables["first"][-1], grown[2:].T, rtol=1e-5, atol=1e-14)


def test_records_are_at_the_times_asked_for_and_repeat_bit_by_bit():
    network, times = draw_network(), [0.0, 0.3, 1.0]
    first, again = run_flow(network, times), run_flow(network, times)
    assert first.steps is None
    np.testing.assert_array_equal(first.times, times)
    np.testing.assert_array_equal(first.loss, again.loss)
    np.testing.assert_array_equal(first.observables["first"][0], network.first)
    np.testing.assert_allclose(first.observables["first"][-1], first.network.first, rtol=1e-12)


def test_scales_are_swept_by_vmap():
    scales, times = jnp.array([0.01, 0.3]), jnp.array([0.5, 1.0, 2.0])
    swept = jax.vmap(
        lambda scale: gradient_flow(draw_network(init_scale=scale), TASK, times=times, observables=WEIGHTS).loss
    )(scales)
    alone = [run_flow(draw_network(init_scale=float(scale)), times).loss for scale in scales]
    np.testing.assert_allclose(swept, alone, rtol=1e-6)


def test_float32_stays_float32_and_arrives():
    network, task = jax.tree.map(lambda a: a.astype(jnp.float32), (draw_network(), TASK))
    flow, exact = run_flow(network, [0.5, 1.0, 2.0], task), run_flow(draw_network(), [0.5, 1.0, 2.0])
    assert {flow.loss.dtype, flow.times.dtype, flow.network.first.dtype} == {jnp.dtype(jnp.float32)}
    np.testing.assert_allclose(flow.loss, exact.loss, rtol=1e-3)


def test_a_solver_that_gives_up_says_where():
    with pytest.raises(Diverged, match="did not reach time 50; raise `max_steps` or the tolerances") as caught:
        gradient_flow(draw_network(), TASK, times=np.array([1e-3, 50.0, 100.0]), max_steps=16)
    assert caught.value.step == 50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": np.array([1.0, 0.5])}, "`times` is .* must hold increasing finite times of at least 0"),
        ({"times": np.array([-1.0, 0.5])}, "increasing finite times"),
        ({"times": np.array([])}, "increasing finite times"),
        ({"times": np.array([0.0, np.nan])}, "increasing finite times"),
        ({"times": np.array([1.0, np.inf])}, "increasing finite times"),
        ({"relative_tolerance": 0.0}, "`relative_tolerance` is 0.0"),
        ({"absolute_tolerance": -1e-9}, "`absolute_tolerance` is -1e-09"),
    ],
)
def test_requests_without_meaning_are_refused(changes, message):
    with pytest.raises(OutsideDomain, match=message):
        gradient_flow(draw_network(), TASK, **{"times": np.array([1.0])} | changes)
