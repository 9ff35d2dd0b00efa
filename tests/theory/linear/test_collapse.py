"""Collapse: exponents against SciPy's quadrature, windows and their closing, the Gamma law by integration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from solvable.errors import OutsideDomain
from solvable.theory import linear

EXPONENT, WINDOW = jax.jit(linear.growth_exponent), jax.jit(linear.collapse_window)


@settings(max_examples=15, deadline=None)
@given(drift=st.floats(-4, 4), noise=st.floats(0.01, 5))
def test_exponent_is_that_of_quadrature_through_the_singularity(drift, noise):
    integrand = lambda x: np.log(abs(1 + drift + noise * x)) * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)  # noqa: E731
    singular = -(1 + drift) / noise
    points = [singular] if abs(singular) < 12 else None
    value, _ = quad(integrand, -12, 12, points=points, limit=500, epsabs=1e-11)
    assert float(EXPONENT(drift, noise)) == pytest.approx(value, abs=1e-8)


def test_limits_of_the_exponent():
    assert float(EXPONENT(0.1, 0.0)) == pytest.approx(np.log(1.1))
    assert float(EXPONENT(-3.0, 0.0)) == pytest.approx(np.log(2))
    assert float(EXPONENT(-1.0, 0.0)) == -np.inf
    assert float(EXPONENT(-1.0, 1.0)) == pytest.approx(-(np.euler_gamma + np.log(2)) / 2)
    assert float(EXPONENT(1e-4, 0.01)) == pytest.approx(1e-4 - 0.5e-4, rel=1e-3)
    assert EXPONENT(jnp.float32(0.1), jnp.float32(0.2)).dtype == jnp.float32
    draws = 0.3 * np.random.default_rng(0).normal(size=(2, 200_000))
    np.testing.assert_allclose(linear.sampled_growth_exponent(jnp.asarray(draws)), EXPONENT(0.0, 0.3), atol=2e-3)


def test_the_window_closes_and_its_ends_are_zeros():
    drifts = np.array([0.01, 0.05, 0.1, 0.278, 0.2781, 0.3, -0.5, -1.0, -2.5, -2.1])
    window = WINDOW(jnp.asarray(drifts))
    small_steps = np.asarray(window.low)[:3] / np.sqrt(2 * drifts[:3])
    np.testing.assert_allclose(small_steps, [0.992, 0.952, 0.922], atol=5e-4)
    ends = [EXPONENT(drifts[:4], end[:4]) for end in (window.low, window.high)]
    np.testing.assert_allclose(ends, 0, atol=1e-12)
    np.testing.assert_array_equal(window.low[4:], [np.inf, np.inf, 0, 0, np.inf, window.low[2]])
    np.testing.assert_array_equal(np.asarray(window.high)[[4, 5, 8]], 0)
    np.testing.assert_allclose(EXPONENT(drifts[6:8], window.high[6:8]), 0, atol=1e-12)
    np.testing.assert_allclose(EXPONENT(0.3, window.strongest[5]), 0.017, atol=5e-4)


def test_near_the_threshold_the_sign_turns_within_a_part_in_a_million():
    low = WINDOW(jnp.asarray(0.05)).low
    assert EXPONENT(0.05, low * (1 - 1e-6)) > 0 > EXPONENT(0.05, low * (1 + 1e-6))


@settings(max_examples=6, deadline=None)
@given(drift=st.floats(0.3, 2), share=st.floats(0.1, 0.9))
def test_the_stationary_law_is_normalised_and_has_its_moments(drift, share):
    law = linear.quartic_law(drift, (2 * drift * share) ** 0.5)
    # In ln|theta|, where it is smooth at 0.
    logs = np.linspace(-400, 3, 40_001)
    values = np.exp(np.asarray(law.log_density(jnp.exp(logs))) + logs)
    for power, moment in ((0, 1.0), (2, law.mean_square), (4, law.mean_fourth)):
        assert np.trapezoid(values * np.exp(power * logs), logs) == pytest.approx(float(moment), rel=1e-3)


def test_the_law_in_its_limits():
    law = linear.quartic_law(jnp.array([1.0, 1.0, -1.0, 0.0]), jnp.array([0.0, 1.5, 0.5, 0.0]))
    np.testing.assert_allclose(law.mean_square, [1, 0, 0, 0])
    np.testing.assert_allclose(law.mean_fourth, [1, 0, 0, 0])
    assert np.all(np.asarray(law.log_density(jnp.full(4, 0.5))) == -np.inf)
    np.testing.assert_allclose(linear.label_noise_mean(jnp.array([0.5, -0.5, 0.01]), 1.0, 0.1), [0.45, -0.45, 0])
    with pytest.raises(OutsideDomain, match="`noise_std` is"):
        linear.label_noise_mean(0.5, -1.0, 0.1)
    with pytest.raises(OutsideDomain, match="`learning_rate` is 0"):
        linear.label_noise_exponent(0.5, 1.0, 0.0)


def test_a_negative_signal_dies_as_a_positive_one():
    exponents = linear.label_noise_exponent(jnp.array([0.3, -0.3]), jnp.array([2.385, 2.386]), 0.1)
    assert exponents[0] > 0 > exponents[1]
