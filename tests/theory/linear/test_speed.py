"""Times of unbalanced modes and the rate that imbalance guarantees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solvable.theory.linear import depth_time, guaranteed_rate, imbalanced_mode, imbalanced_time

weights = st.floats(-2, 2).map(lambda value: round(value, 2))
time_of = jax.jit(lambda *arguments: imbalanced_time(*map(jnp.asarray, arguments)))
mode_of = jax.jit(lambda *arguments: imbalanced_mode(*map(jnp.asarray, arguments)))


@settings(max_examples=50, deadline=None)
@given(weights, weights, weights)
@example(0.5, -0.5, 1.0)
@example(0.5, -0.5, -1.0)
@example(0.5, 0.5, 0.0)
@example(0.5, 0.3, 0.0)
@example(0.0, 0.5, 1.0)
def test_time_inverts_the_strength(first, second, target):
    times = np.array([0.05, 0.3, 1.0])
    a, b = mode_of(times, first, second, target)
    strengths, start = np.asarray(a * b), first * second
    # Where the strength hardly moves any more, or at all, rounding of it hides the time.
    moving = np.abs(strengths - target) * np.asarray(a**2 + b**2) > 1e-3
    found = time_of(np.full(3, start), strengths, np.full(3, first**2 - second**2), np.full(3, target))
    np.testing.assert_allclose(np.asarray(found)[moving], times[moving], rtol=1e-6, atol=1e-8)


def test_without_imbalance_it_is_the_time_of_two_layers():
    starts, ends, targets = jnp.array([1e-6, 0.1, 3.0]), jnp.array([0.5, 1.4, 1.6]), jnp.full(3, 1.5)
    found = imbalanced_time(starts, ends, jnp.zeros(3), targets)
    np.testing.assert_allclose(found, depth_time(starts, ends, targets, 2), rtol=1e-10)
    np.testing.assert_allclose(imbalanced_time(starts, ends, jnp.full(3, 1e-9), targets), found, rtol=1e-6)


def test_what_a_balanced_mode_never_reaches():
    starts, ends = np.array([-0.5, 0.0, 0.5, 0.1, 0.5, 0.0]), np.array([0.5, 0.5, 0.0, 2.0, 1.0, 0.0])
    found = time_of(starts, ends, np.zeros(6), np.ones(6))
    np.testing.assert_array_equal(found, [np.inf, np.inf, np.inf, np.nan, np.inf, 0.0])
    assert np.isfinite(time_of(-0.5, 0.5, 0.1, 1.0)), "imbalance takes a mode past 0"


def test_the_printed_hyperbolic_form():
    c, s, theta = 1.3, 2.0, np.array([0.2, 0.9])
    k = np.hypot(c, 2 * s)
    printed = np.log((k + c + 2 * s * np.tanh(theta / 2)) / (k - c - 2 * s * np.tanh(theta / 2))) / k
    assert float(time_of(*(c / 2 * np.sinh(theta)), c, s)) == pytest.approx(printed[1] - printed[0], rel=1e-12)


def flow_losses(correlation, first, second, times):
    shapes = first.shape, second.shape

    def velocity(_, packed):
        w1, w2 = packed[: first.size].reshape(shapes[0]), packed[first.size :].reshape(shapes[1])
        residual = correlation - w2 @ w1
        return np.concatenate([(w2.T @ residual).ravel(), (residual @ w1.T).ravel()])

    start = np.concatenate([first.ravel(), second.ravel()])
    path = solve_ivp(velocity, (0, times[-1]), start, "DOP853", times, rtol=1e-9, atol=1e-12).y.T
    maps = [p[first.size :].reshape(shapes[1]) @ p[: first.size].reshape(shapes[0]) for p in path]
    return np.array([np.sum((correlation - found) ** 2) / 2 for found in maps])


@pytest.mark.parametrize("seed", range(10))
def test_no_flow_is_slower_than_guaranteed(seed):
    rng = np.random.default_rng(seed)
    width, scale = rng.integers(3, 12), rng.uniform(0.3, 1)
    first, second = scale * rng.normal(size=(width, 3)), scale * rng.normal(size=(4, width))
    correlation, times = rng.normal(size=(4, 3)), np.linspace(0, 4, 41)
    losses = flow_losses(correlation, first, second, times)
    rate = float(guaranteed_rate(jnp.asarray(first), jnp.asarray(second)))
    assert rate >= 0
    resolved = losses > 1e-13 * losses[0]
    assert np.max((np.log(losses / losses[0]) + 2 * rate * times)[resolved]) < 1e-8


def test_guarantees_nothing_without_imbalance_or_units():
    frame = jnp.eye(4)
    assert float(guaranteed_rate(frame[:, :3], frame[:3])) == 0
    assert float(guaranteed_rate(jnp.zeros((2, 3)), jnp.ones((4, 2)))) == 0
    assert float(guaranteed_rate(jnp.zeros((1, 1)), jnp.full((1, 1), 2.0))) == 4
    assert float(guaranteed_rate(jnp.full((1, 1), 2.0), jnp.zeros((1, 1)))) == 4
