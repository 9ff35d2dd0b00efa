"""Finite steps: the matrix recursion itself, bounds that hold, counts of steps, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.theory.linear import (
    learning_steps,
    one_layer_mode,
    one_layer_steps,
    strength_bounds,
    two_layer_mode,
    two_layer_steps,
)

SIGMA, SPREAD = np.array([1.5, 1.0, 0.6, 0.4, 0.2]), np.array([2.0, 1.5, 1.2, 1.0, 0.7])


def descend(start, learning_rate, steps):
    """Both layers of a network in random bases, by the plain matrix recursion."""
    rng = np.random.default_rng(0)
    inputs, outputs, hidden = (np.linalg.qr(rng.normal(size=(size, size)))[0] for size in (6, 5, 5))
    spread = inputs @ np.diag([*SPREAD, 0.5]) @ inputs.T
    correlation = inputs[:, :5] @ np.diag(SIGMA) @ outputs.T
    first, second = inputs[:, :5] @ np.diag(start) @ hidden, hidden.T @ np.diag(start) @ outputs.T
    strengths = []
    for _ in range(steps + 1):
        strengths.append(np.diag(inputs[:, :5].T @ first @ second @ outputs))
        residual = correlation - spread @ first @ second
        first, second = first + learning_rate * residual @ second.T, second + learning_rate * first.T @ residual
    return np.array(strengths)


def test_matrices_do_what_the_scalar_recursion_says():
    start = np.exp(-6) * np.ones(5)
    found = two_layer_steps(200, jnp.asarray(SIGMA), jnp.asarray(SPREAD), jnp.asarray(start**2), 0.2)
    np.testing.assert_allclose(found, descend(start, 0.2, 200), rtol=1e-9)


def test_descent_tends_to_the_flow_in_proportion_to_the_step():
    sigma, spread, start = map(jnp.asarray, (SIGMA, SPREAD, np.full(5, np.exp(-12.0))))
    gaps = []
    for rate in (0.1, 0.01):
        found = two_layer_steps(int(40 / rate), sigma, spread, start, rate)
        times = jnp.asarray(rate * np.arange(found.shape[0]))[:, None]
        flow = two_layer_mode(times, sigma[None], spread[None], start[None])
        gaps.append(np.max(np.abs(np.asarray(found - flow)) * SPREAD / SIGMA))
    assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.35)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 0.49), st.floats(1e-6, 1.0), st.floats(0.2, 4))
def test_strengths_stay_between_their_bounds(rise, share, variance):
    sigma, spread = jnp.full(1, 0.8), jnp.full(1, variance)
    start, rate = share * sigma / spread, rise / 0.8
    found = two_layer_steps(300, sigma, spread, start, rate)[:, 0]
    bounds = strength_bounds(jnp.arange(301), sigma, spread, start, rate)
    assert np.all(bounds.lower <= found * (1 + 1e-12) + 1e-15)
    assert np.all(found <= bounds.upper * (1 + 1e-12) + 1e-15)


@pytest.mark.parametrize(("rate", "delta"), [(0.1, 6.0), (0.5, 6.0), (0.5, 20.0), (0.5, 60.0)])
def test_half_of_the_strength_comes_within_a_step_of_the_count(rate, delta):
    sigma, spread, start = map(jnp.asarray, (SIGMA[:3], SPREAD[:3], np.full(3, np.exp(-2 * delta))))
    found = two_layer_steps(1500, sigma, spread, start, rate)
    steps = np.argmax(np.asarray(found) >= SIGMA[:3] / SPREAD[:3] / 2, axis=0)
    predicted = np.asarray(learning_steps(sigma, spread, start, rate))
    assert np.all(np.abs(steps - predicted) < 1.3)
    if (rate, delta) == (0.5, 60.0):
        np.testing.assert_allclose(predicted, [106.96, 147.48, 227.37], atol=0.01)


@pytest.mark.parametrize("rate", [1e-9, 0.3, 0.5, 0.9, 1.0, 1.7])
def test_one_layer_is_its_recursion(rate):
    sigma, spread, start = jnp.array([1.0, -0.5, 0.7]), jnp.array([1.0, 0.6, 0.0]), jnp.array([0.2, 0.0, 0.1])
    strength = np.asarray(start)
    for _ in range(7):
        strength = strength + rate * (np.asarray(sigma) - np.asarray(spread) * strength)
    np.testing.assert_allclose(one_layer_steps(jnp.full(3, 7), sigma, spread, start, rate), strength, rtol=1e-12)


def test_one_layer_in_many_small_steps_is_its_flow():
    sigma, spread, start = jnp.array([1.0, 0.5]), jnp.array([2.0, 0.0]), jnp.array([0.1, 0.1])
    steps = one_layer_steps(jnp.full(2, 1_000_000), sigma, spread, start, 1e-6)
    np.testing.assert_allclose(steps, one_layer_mode(jnp.ones(2), sigma, spread, start), rtol=2e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"covariance": -1.0}, "`covariance` is"), ({"start": 3.0}, "`start` is 3"), ({"learning_rate": 0.6}, "below 1/"),
     ({"learning_rate": 0.0}, "`learning_rate` is 0")],
)  # fmt: skip
def test_bounds_refuse_modes_that_may_overshoot(changes, message):
    given_ = {"covariance": 1.0, "variance": 1.0, "start": 0.1, "learning_rate": 0.1} | changes
    rate = given_.pop("learning_rate")
    with pytest.raises(OutsideDomain, match=message):
        strength_bounds(jnp.asarray(3), *(jnp.asarray(value) for value in given_.values()), rate)


def test_recursion_refuses_weights_without_a_root():
    with pytest.raises(OutsideDomain, match="`starts`"):
        two_layer_steps(3, jnp.ones(1), jnp.ones(1), -jnp.ones(1), 0.1)
