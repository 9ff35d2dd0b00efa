"""Gradient flow is the limit of descent and keeps what the equations conserve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import Diverged, OutsideDomain
from solvable.networks import AttentionHead, ConvolutionKernel, Neuron, initialise
from solvable.numerics import activations
from solvable.tasks import InContextRegression, linear_teacher, make_samples
from solvable.training import gradient_descent, gradient_flow

LINEAR = Neuron(activations.identity)
TASK = linear_teacher(jnp.array([[1.0, 0.5], [-0.5, 1.0]]), jnp.array([[1.0, 1.0], [1.0, 4.0]]))
WEIGHTS = {"first": lambda network: network.first, "second": lambda network: network.second}


def draw_network(unit=LINEAR, *, width=4, input_shape=(2,), output_dim=2, init_scale=0.3):
    key = jax.random.key(0)
    return initialise(unit, key, width=width, input_shape=input_shape, output_dim=output_dim, init_scale=init_scale)


def test_descent_converges_to_the_flow_at_first_order():
    """The error at a fixed time halves with the learning rate."""
    network, times = draw_network(), np.array([0.5, 1.0, 2.0])
    flow, errors = gradient_flow(network, TASK, times=times, observables=WEIGHTS), []
    for steps in (1000, 2000, 4000):
        run = gradient_descent(
            network, TASK, learning_rate=2 / steps, steps=steps, record=steps * np.array([1, 2, 4]) // 4,
            observables=WEIGHTS,
        )  # fmt: skip
        np.testing.assert_allclose(run.times, times, rtol=1e-12)
        errors.append([np.max(np.abs(run.observables[name] - flow.observables[name])) for name in ("first", "second", "loss")])
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 2, atol=0.02)


def test_one_unit_and_one_input_follow_the_known_sigmoid():
    """Balanced v = u = a: a^2 = s e^{2st} / (e^{2st} - 1 + s/a_0^2), through a long plateau."""
    scale, rate, times = 1e-6, 1.5, np.linspace(0, 14, 50)
    network = draw_network(width=1, input_shape=(1,), output_dim=1)
    network = type(network)(jnp.full((1, 1), scale), jnp.full((1, 1), scale), LINEAR)
    flow = gradient_flow(network, linear_teacher(jnp.array([[rate]])), times=times, observables=WEIGHTS)
    grown = np.exp(2 * rate * times)
    expected = rate * grown / (grown - 1 + rate / scale**2)
    np.testing.assert_allclose(flow.observables["first"][:, 0, 0] ** 2, expected, rtol=1e-5)


# Unit, task, degree of homogeneity in u.
CONSERVING = {
    "linear": (LINEAR, TASK, 1),
    "relu": (Neuron(activations.relu), TASK, 1),
    "cubic": (Neuron(activations.cube), linear_teacher(jnp.ones((2, 2))), 3),
    "convolution": (ConvolutionKernel(activations.square, 2), linear_teacher(jnp.ones((1, 4))), 2),
    "attention": (AttentionHead(mean_over_context=True), InContextRegression(jnp.eye(2), 4), 2),
}


@pytest.mark.parametrize(("unit", "task", "degree"), CONSERVING.values(), ids=CONSERVING)
def test_homogeneous_units_conserve_their_balance(unit, task, degree):
    """d/dt (|u_i|^2 - p |v_i|^2) = 0 for units homogeneous of degree p; this is v_i'v_i = u_i'u_i / p, unit by unit."""
    samples = task.sample(jax.random.key(1), 12)
    network = draw_network(unit, input_shape=task.input_shape, output_dim=samples.targets.shape[1])
    balance = lambda n: jnp.sum(n.first**2, axis=1) - degree * jnp.sum(n.second**2, axis=0)  # noqa: E731
    flow = gradient_flow(network, samples, times=np.linspace(0, 2, 5), observables={"balance": balance})
    assert flow.loss[-1] < 0.99 * flow.loss[0]
    # The kinks of a ReLU cost the solver a few digits.
    np.testing.assert_allclose(np.diff(flow.observables["balance"], axis=0), 0, atol=1e-6)


def test_linear_units_conserve_the_whole_matrix():
    """U U^T - V^T V, through the whole of training."""
    imbalance = {"imbalance": lambda n: n.first @ n.first.T - n.second.T @ n.second}
    flow = gradient_flow(draw_network(), TASK, times=np.geomspace(0.1, 30, 6), observables=imbalance)
    assert flow.loss[-1] < 1e-6
    np.testing.assert_allclose(np.diff(flow.observables["imbalance"], axis=0), 0, atol=1e-6)


def test_the_loss_falls_at_the_rate_of_the_squared_gradient():
    """dL/dt = -|grad L|^2."""
    at, width = 0.7, 1e-4
    flow = gradient_flow(draw_network(), TASK, times=np.array([at - width, at, at + width]), observables=WEIGHTS)
    first, second = (np.asarray(flow.observables[name][1]) for name in ("first", "second"))
    residual = (np.asarray(TASK.first) - second @ first) @ np.asarray(TASK.covariance)
    squared_gradient = np.sum((residual @ first.T) ** 2) + np.sum((second.T @ residual) ** 2)
    slope = (flow.loss[2] - flow.loss[0]) / (2 * width)
    np.testing.assert_allclose(slope, -squared_gradient, rtol=1e-5)


def test_small_starts_keep_their_relative_precision_over_the_plateau():
    """Left out, the absolute tolerance follows the initial weights: e-folds of 1e-9 weights are exact."""
    network = draw_network(init_scale=1e-9)
    sigma_yz = np.asarray(TASK.first @ TASK.covariance)
    generator = np.block([[np.zeros((2, 2)), sigma_yz], [sigma_yz.T, np.zeros((2, 2))]])
    values, vectors = np.linalg.eigh(generator)
    start = np.concatenate([network.second, network.first.T])
    flow = gradient_flow(network, TASK, times=np.array([2.0]), observables=WEIGHTS)
    grown = vectors @ (np.exp(2.0 * values)[:, None] * (vectors.T @ start))
    np.testing.assert_allclose(flow.observables["second"][0], grown[:2], rtol=1e-5, atol=1e-14)
    np.testing.assert_allclose(flow.observables["first"][0], grown[2:].T, rtol=1e-5, atol=1e-14)


def test_records_are_at_the_times_asked_for_and_repeat_bit_by_bit():
    network, times = draw_network(), np.array([0.0, 0.3, 1.0])
    first, again = (gradient_flow(network, TASK, times=times) for _ in range(2))
    assert first.steps is None
    np.testing.assert_array_equal(first.times, times)
    np.testing.assert_array_equal(first.loss, again.loss)
    np.testing.assert_allclose(first.loss[0], gradient_descent(network, TASK, learning_rate=0.1, steps=1).loss[0])
    error = np.asarray(TASK.first) - np.asarray(first.network.second @ first.network.first)
    np.testing.assert_allclose(first.loss[-1], np.sum(error @ np.asarray(TASK.covariance) * error) / 2, rtol=1e-9)


def test_scales_are_swept_by_vmap():
    draw = lambda scale: initialise(LINEAR, jax.random.key(0), width=3, input_shape=(2,), output_dim=2, init_scale=scale)  # noqa: E731
    train = lambda scale: gradient_flow(draw(scale), TASK, times=jnp.array([1.0, 2.0])).loss  # noqa: E731
    scales = jnp.array([0.01, 0.3])
    np.testing.assert_allclose(jax.vmap(train)(scales), [train(scale) for scale in scales], rtol=1e-6)


def test_float32_stays_float32_and_arrives():
    network, samples = jax.tree.map(lambda a: a.astype(jnp.float32), (draw_network(), TASK.sample(jax.random.key(1), 8)))
    flow = gradient_flow(network, samples, times=np.array([1.0, 3.0]), observables=WEIGHTS)
    assert {flow.loss.dtype, flow.times.dtype, flow.network.first.dtype} == {jnp.dtype(jnp.float32)}
    exact = gradient_flow(draw_network(), make_samples(*map(np.float64, (samples.inputs, samples.targets))), times=np.array([1.0, 3.0]))
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
