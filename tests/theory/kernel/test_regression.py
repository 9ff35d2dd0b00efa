"""Effective ridge and risk: the equation itself, closed forms, limits, derivatives, the threshold."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.theory import kernel

MODES = 200


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0, 8),
    st.floats(0.5, 2.5 * MODES),
    st.sampled_from([0.0, 1e-12, 1e-3, 1e3]),
    st.integers(1, 40),
    st.integers(0, 9),
)
def test_what_is_learned_adds_up_to_the_samples(exponent, num_samples, ridge, most, seed):
    """Also: the sum of learnabilities is n at ridge 0, and the error of the modes adds up to the excess."""
    eigenvalues = np.arange(1, MODES + 1.0) ** -exponent
    counts = np.random.default_rng(seed).integers(0, most, MODES).astype(float)
    power = np.random.default_rng(seed + 1).uniform(size=MODES)
    risk = kernel.kernel_risk(
        *map(jnp.asarray, (eigenvalues, power, num_samples)),
        ridge=jnp.asarray(ridge),
        noise=jnp.asarray(0.3),
        multiplicities=jnp.asarray(counts),
    )
    kappa = float(risk.effective_ridge)
    if ridge == 0 and num_samples >= counts.sum():
        assert kappa == 0
    else:
        learned = np.sum(counts * eigenvalues / (eigenvalues + kappa))
        assert learned + ridge / kappa == pytest.approx(num_samples, rel=1e-12)
    assert float(jnp.sum(counts * risk.learnability)) <= num_samples * (1 + 1e-12)
    if np.isfinite(risk.test):
        np.testing.assert_allclose(jnp.sum(risk.mode_error), risk.excess, rtol=1e-9)
        assert 0 <= float(risk.train) <= float(risk.test) * (1 + 1e-12)


def test_white_spectrum_and_power_law_have_closed_forms():
    """kappa = N/n - 1 and E0 = 1/(1 - n/N); and for lambda = i^-b, kappa -> ((pi/b)/sin(pi/b)/n)^b, E0 -> b."""
    white = kernel.kernel_risk(jnp.ones(MODES), jnp.full(MODES, 1 / MODES), jnp.asarray([20.0, 199.0]))
    np.testing.assert_allclose(white.effective_ridge, MODES / np.array([20, 199]) - 1, rtol=1e-13)
    np.testing.assert_allclose(white.overfitting, 1 / (1 - np.array([20, 199]) / MODES), rtol=1e-11)
    np.testing.assert_allclose(white.test, 1 - np.array([20, 199]) / MODES, rtol=1e-11)
    eigenvalues = jnp.arange(1, 1e5 + 1) ** -2.0
    law = kernel.kernel_risk(eigenvalues, eigenvalues, 300)
    assert float(law.effective_ridge) == pytest.approx(2.72578145580e-05, rel=1e-11)
    assert float(law.overfitting) == pytest.approx(1.99911282098, rel=1e-11)
    assert float(law.effective_ridge) == pytest.approx((np.pi / 2 / 300) ** 2, rel=0.01)


def test_a_large_spectrum_is_solved_as_exactly_as_a_small_one():
    """A million modes by way of a coarser spectrum, for many numbers of samples and ridges at once."""
    samples = jnp.asarray([1.0, 1e3, 1e6 - 1, 2e6])
    for exponent in (1.1, 8.0):
        eigenvalues = jnp.arange(1, 1e6 + 1) ** -exponent
        kappa = kernel.effective_ridge(eigenvalues, samples, ridge=jnp.asarray([0.0, 1e-3, 0.0, 1e-9]))
        learned = np.array([float(jnp.sum(eigenvalues / (eigenvalues + one))) for one in kappa])
        by_ridge = np.divide([0, 1e-3, 0, 1e-9], kappa, out=np.zeros(4), where=np.asarray(kappa) > 0)
        # Beyond as many samples as modes the ridge alone is left, in proportion.
        np.testing.assert_allclose(learned + by_ridge, samples, rtol=1e-11)


def test_at_the_threshold_the_risk_diverges_and_says_so():
    """inf at as many samples as modes without ridge, unless there is nothing to fit; never NaN on either side."""
    eigenvalues = jnp.asarray([1.0, 0.5, 0.25, 0.0])
    power = jnp.asarray([1.0, 0.0, 0.0, 0.0])
    samples = jnp.asarray([2.0, 3.0, 4.0, 1e9])
    noisy = kernel.kernel_risk(eigenvalues, power, samples, noise=0.5)
    assert np.isinf(noisy.test[1])
    assert np.all(np.isfinite(np.asarray(noisy.test)[[0, 2, 3]]))
    assert not np.any(np.isnan(noisy.mode_error))
    assert float(noisy.test[3]) == pytest.approx(0.5)
    # One sample more than modes: test = s2 n/(n - r), train = s2 (1 - r/n).
    assert float(noisy.test[2]) == pytest.approx(0.5 * 4)
    assert float(noisy.train[2]) == pytest.approx(0.5 / 4)
    clean = kernel.kernel_risk(eigenvalues, power, samples)
    np.testing.assert_allclose(clean.test[1:], 0, atol=1e-15)


def test_a_target_along_a_mode_that_the_kernel_lacks_is_noise():
    """Power on an eigenvalue of 0, or the same number as noise: one test error, other excess."""
    eigenvalues = jnp.asarray([1.0, 0.3, 0.1, 0.0])
    inside = kernel.kernel_risk(eigenvalues, jnp.asarray([1.0, 0.5, 0.2, 0.4]), 2.0, ridge=0.1)
    outside = kernel.kernel_risk(eigenvalues, jnp.asarray([1.0, 0.5, 0.2, 0.0]), 2.0, ridge=0.1, noise=0.4)
    assert float(inside.test) == pytest.approx(float(outside.test), rel=1e-13)
    assert float(inside.excess - outside.excess) == pytest.approx(0.4)


def test_derivatives_are_those_of_the_implicit_function():
    """Against differences, in samples, ridge and eigenvalues; E0 is d kappa / d lambda with lambda = ridge / n."""
    eigenvalues = jnp.arange(1, 41.0) ** -1.5
    at = (eigenvalues, jnp.asarray(12.0), jnp.asarray(0.2))
    kappa = lambda spectrum, samples, ridge: kernel.effective_ridge(spectrum, samples, ridge=ridge)  # noqa: E731
    by_spectrum, by_samples, by_ridge = jax.grad(kappa, (0, 1, 2))(*at)
    step = 1e-5
    assert float(by_samples) == pytest.approx(
        float((kappa(at[0], at[1] + step, at[2]) - kappa(at[0], at[1] - step, at[2])) / (2 * step)), rel=1e-7
    )
    bump = jnp.zeros(40).at[3].set(step)
    assert float(by_spectrum[3]) == pytest.approx(
        float((kappa(at[0] + bump, at[1], at[2]) - kappa(at[0] - bump, at[1], at[2])) / (2 * step)), rel=1e-6
    )
    overfitting = kernel.kernel_risk(eigenvalues, eigenvalues, 12.0, ridge=0.2).overfitting
    assert float(by_ridge) * 12 == pytest.approx(float(overfitting), rel=1e-10)


def test_single_precision_follows_its_inputs():
    eigenvalues = jnp.arange(1, 51, dtype=jnp.float32) ** -1.5
    risk = kernel.kernel_risk(eigenvalues, eigenvalues, 10.0, ridge=0.01)
    exact = kernel.kernel_risk(eigenvalues.astype(float), eigenvalues.astype(float), 10.0, ridge=0.01)
    assert risk.test.dtype == jnp.float32
    assert float(risk.test) == pytest.approx(float(exact.test), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(num_samples=0.0), "`num_samples`"),
        (dict(ridge=-1.0), "`ridge`"),
        (dict(noise=-1.0), "`noise`"),
        (dict(eigenvalues=jnp.asarray([1.0, -1.0])), "`eigenvalues`"),
        (dict(target_power=jnp.asarray([1.0, -1.0])), "`target_power`"),
        (dict(multiplicities=jnp.ones(3)), "`multiplicities`"),
        (dict(num_samples=jnp.asarray([1.0, 2.0]), ridge=jnp.asarray([1.0, 2.0, 3.0])), "must broadcast"),
    ],
)
def test_requests_without_meaning_are_refused(change, words):
    given = dict(eigenvalues=jnp.ones(2), target_power=jnp.ones(2), num_samples=1.0) | change
    with pytest.raises(OutsideDomain, match=words):
        inspect.unwrap(kernel.kernel_risk)(**given)  # without the tests' own check of shapes
