"""Laws of learnability: its budget, hard modes, alignment, scatter."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory import kernel as theory

VALUES = jnp.asarray(np.append([1.0, 0.5, 0.3], np.full(300, 0.01)))


def risk_of(values, num_samples, **more):
    return theory.kernel_risk(values, jnp.ones_like(values), num_samples, **more)


def test_the_budget_is_the_number_of_samples_less_what_the_ridge_takes():
    sizes = jnp.array([5.0, 100.0, 1000.0])
    np.testing.assert_allclose(theory.total_learnability(risk_of(VALUES, sizes)), [5, 100, 303], rtol=1e-12)
    with_ridge = risk_of(VALUES, sizes, ridge=0.5)
    expected = sizes - 0.5 / with_ridge.effective_ridge
    np.testing.assert_allclose(theory.total_learnability(with_ridge), expected, rtol=1e-10)
    learned = theory.target_learnability(with_ridge)
    np.testing.assert_allclose(learned, theory.total_learnability(with_ridge) / 303, rtol=1e-12)


def test_modes_below_the_threshold_are_misled_by_the_first_samples():
    threshold = float(theory.misled_threshold(VALUES))
    assert threshold == pytest.approx(0.1427, abs=1e-4)
    values = jnp.append(VALUES, jnp.array([0.99 * threshold, 1.01 * threshold]))
    # Two modes more, of no weight.
    counts = jnp.append(jnp.ones(303), jnp.zeros(2))
    error = theory.lone_mode_error(risk_of(values, jnp.asarray(1e-3), multiplicities=counts))
    assert float(error[-2]) > 1 > float(error[-1])
    assert np.all(np.isfinite(theory.lone_mode_error(risk_of(VALUES, jnp.asarray(400.0)))))
    with pytest.raises(OutsideDomain, match="all 0"):
        theory.misled_threshold(jnp.zeros(3))


def test_better_aligned_targets_have_less_error_everywhere():
    values = jnp.array([1.0, 0.1, 0.1, 0.01])
    easy, hard = jnp.array([0.5, 0.0, 0.5, 0.0]), jnp.array([0.4, 0.5, 0.0, 0.1])
    assert bool(theory.is_better_aligned(values, easy, hard))  # whichever comes first of two equal modes
    assert not bool(theory.is_better_aligned(values, hard, easy))
    sizes = jnp.array([0.5, 1.0, 2.0, 3.5])
    errors = [theory.kernel_risk(values, power, sizes, ridge=0.1).excess for power in (easy, hard)]
    assert np.all(errors[0] < errors[1])


def test_variances_and_bias_make_up_the_mode_errors_without_their_small_parts():
    values = jnp.arange(1.0, 301.0) ** -1.3
    coefficients = jnp.zeros(300).at[jnp.array([5, 20, 60])].set(jnp.array([-0.7, 0.5, 0.4]))
    law = theory.coefficient_law(values, coefficients, 90, ridge=0.05, noise=0.03)
    signs = theory.coefficient_law(values, coefficients, 90, ridge=0.05, noise=0.03, kurtosis=1.0)
    # Measured over 4000 training sets: 0.00129(3), 0.000503(11), 0.0001473(33); covariance 0.000187(13).
    variance, covariance = np.asarray(law.variance), np.asarray(law.covariance)
    np.testing.assert_allclose(variance[[20, 60, 100]], [0.00126, 0.000524, 0.0001445], rtol=5e-3)
    np.testing.assert_allclose(covariance[20, 60], 0.000179, rtol=5e-3)
    np.testing.assert_allclose(np.asarray(signs.variance)[[20, 60]], [0.001055, 0.000314], rtol=5e-3)
    np.testing.assert_allclose(np.diag(covariance), variance, rtol=1e-12)
    threshold = theory.coefficient_law(values, coefficients, 300)
    assert not np.any(np.isnan(threshold.covariance))
    with pytest.raises(OutsideDomain, match="kurtosis"):
        theory.coefficient_law(values, coefficients, 90, kurtosis=0.5)


def test_duplicates_count_once():
    assert theory.distinct_samples(64, 256) == pytest.approx(56.7, abs=0.1)
    assert theory.distinct_samples(0, 5) == 0
