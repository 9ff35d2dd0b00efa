"""One mode of two layers: ODE solutions, signs, zeros, saddles, long times, both precisions; random starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solvable.theory.linear import (
    gram_schmidt_start,
    imbalanced_mode,
    imbalanced_rate,
    imbalanced_strength,
    logistic_mode,
)

logistic, imbalanced, strength_of = jax.jit(logistic_mode), jax.jit(imbalanced_mode), jax.jit(imbalanced_strength)
TIMES = np.linspace(0, 3, 7)
strengths = st.floats(-3, 3).map(lambda value: round(value, 3))


def solve(first, second, target):
    """Both weights along the flow, by a Runge-Kutta method."""
    flow = lambda _, x: (target - x[0] * x[1]) * x[::-1]  # noqa: E731
    return solve_ivp(flow, (0, TIMES[-1]), [first, second], "DOP853", TIMES, rtol=1e-11, atol=1e-13).y


@settings(max_examples=60, deadline=None)
@given(strengths, strengths, strengths)
@example(0.0, 0.0, 1.0)
@example(0.5, -0.5, 1.0)
@example(0.5, 0.0, 1.0)
@example(0.5, 0.2, 0.0)
@example(0.5, 0.5, 0.0)
@example(-0.5, 0.5, -1.0)
@example(2.0, 2.0, 1.0)
def test_weights_follow_their_flow(first, second, target):
    found = np.stack(imbalanced(jnp.asarray(TIMES), first, second, target))
    np.testing.assert_allclose(found, solve(first, second, target), rtol=1e-6, atol=1e-8)
    product = strength_of(jnp.asarray(TIMES), first, second, target)
    np.testing.assert_allclose(product, found[0] * found[1], rtol=1e-12, atol=1e-300)


@settings(max_examples=40, deadline=None)
@given(strengths, strengths)
@example(0.0, 1.0)
@example(-0.5, 1.0)
@example(0.5, 0.0)
@example(0.5, -1.0)
def test_logistic_mode_is_the_balanced_one(start, target):
    weight = np.sqrt(abs(start))
    a, b = imbalanced(jnp.asarray(TIMES), weight, np.sign(start) * weight, target)
    np.testing.assert_allclose(logistic(jnp.asarray(TIMES), target, start), a * b, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(strengths, strengths, strengths)
def test_imbalance_is_conserved(first, second, target):
    a, b = imbalanced(jnp.asarray(TIMES), first, second, target)
    np.testing.assert_allclose(a**2 - b**2, first**2 - second**2, atol=1e-12)


def test_the_printed_sigmoid_and_its_half_time():
    target, start = 3.0, 1e-3
    half = np.log(target / start - 1) / (2 * target)
    assert float(logistic(half, target, start)) == pytest.approx(target / 2, rel=1e-12)
    expected = target * np.exp(2 * target * 0.8) / (np.exp(2 * target * 0.8) - 1 + target / start)
    assert float(logistic(0.8, target, start)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "target", "end"),
    [(1e-3, 1e-3, 2.0, 2.0), (3.0, 0.1, 2.0, 2.0), (0.1, 3.0, -2.0, -2.0), (1.0, -1.0, 1.0, 0.0), (0.0, 0.0, 1.0, 0.0)],
)
def test_very_late_modes_have_learned_or_rest_on_their_saddle(first, second, target, end):
    a, b = imbalanced(jnp.array([1e3, 1e4]), first, second, target)
    np.testing.assert_allclose(a * b, end, rtol=1e-12, atol=1e-12)
    if abs(first) == abs(second):
        np.testing.assert_allclose(logistic(jnp.array([1e3, 1e4]), target, first * second), end, atol=1e-12)


def test_without_target_a_balanced_mode_decays_algebraically():
    np.testing.assert_allclose(logistic(1e4, 0.0, jnp.array([0.5, -0.5])), np.array([0.5, -0.5]) / 10001, rtol=1e-12)


def test_imbalance_tending_to_zero_is_continuous():
    balanced = np.prod(imbalanced(jnp.asarray(TIMES), 0.3, 0.3, 1.5), axis=0)
    for gap in (1e-6, -1e-6, 1e-12):
        np.testing.assert_allclose(
            np.prod(imbalanced(jnp.asarray(TIMES), 0.3 + gap, 0.3, 1.5), axis=0), balanced, rtol=1e-4
        )


@pytest.mark.parametrize("imbalance", [0.0, 1.0, -4.0, 4.0])
def test_late_error_decays_at_the_rate(imbalance):
    first, second = np.sqrt(0.01 + np.maximum([imbalance, -imbalance], 0))
    a, b = imbalanced(jnp.array([5.0, 6.0]), first, second, 1.0)
    early, late = np.abs(a * b - 1)
    assert np.log(early / late) == pytest.approx(
        float(imbalanced_rate(jnp.asarray(imbalance), jnp.asarray(1.0))), rel=5e-3
    )


def test_time_to_one_percent_falls_with_imbalance():
    times = jnp.linspace(0, 6, 60_001)
    for imbalance, expected in ((0.0, 4.595), (1.0, 2.455), (4.0, 1.011), (-4.0, 1.011)):
        first, second = np.sqrt(0.01 + np.maximum([imbalance, -imbalance], 0))
        error = np.abs(np.prod(imbalanced(times, first, second, 1.0), axis=0) - 1)
        assert times[np.argmax(error < 0.01)] == pytest.approx(expected, abs=1e-3)


def test_single_precision_follows_and_stays():
    times, ones = jnp.asarray([0.0, 1.0, 1e4], jnp.float32), jnp.ones((), jnp.float32)
    for found in (logistic_mode(times, 2 * ones, 1e-3 * ones), *imbalanced_mode(times, 0.1 * ones, 0.3 * ones, ones)):
        assert found.dtype == jnp.float32
        assert np.all(np.isfinite(found))
    found = logistic_mode(times, 2 * ones, 1e-3 * ones)
    np.testing.assert_allclose(found, [1e-3, 2 / (1 + 1999 * np.exp(-4)), 2], rtol=1e-5)


def make_start(seed, width, scale=1e-3):
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(size, 4)))[0] for size in (8, 12))
    first, second = scale * rng.normal(size=(width, 12)), scale * rng.normal(size=(8, width))
    return tuple(map(jnp.asarray, (first, second, left, right)))


def test_gram_schmidt_takes_what_faster_modes_used():
    first, second, left, right = make_start(0, 10)
    found = gram_schmidt_start(first, second, left, right)
    common = np.asarray(first @ right + second.T @ left) / 2
    for mode in range(4):
        others = common[:, :mode]
        rest = (
            common[:, mode] - others @ np.linalg.lstsq(others, common[:, mode], rcond=None)[0] if mode else common[:, 0]
        )
        assert float(found[mode]) == pytest.approx(rest @ rest, rel=1e-9)


def test_a_narrow_network_never_learns_the_modes_beyond_its_width():
    assert np.count_nonzero(gram_schmidt_start(*make_start(0, 2))) == 2


def test_gram_schmidt_is_the_start_itself_for_decoupled_weights():
    _, _, left, right = make_start(1, 4)
    basis, weights = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 4)))[0], np.array([0.1, 0.2, 0.3, 0.4])
    found = gram_schmidt_start(
        jnp.asarray(basis * weights) @ right.T, left @ jnp.asarray(basis * weights).T, left, right
    )
    np.testing.assert_allclose(found, weights**2, rtol=1e-12)
