"""Random-feature regression: its limits, its peak, a simulation of the definition, exponents and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import theory
from solvable.errors import OutsideDomain

MODES = jnp.arange(1, 401.0)
EIGENVALUES, POWER = MODES**-1.3, MODES**-1.6
SIZES = jnp.array([100.0, 100, 200, 100, 500, 100, jnp.inf, 60])
FEATURES = jnp.array([jnp.inf, 50, 100, 100, 600, 100, jnp.inf, 60])
RIDGES = jnp.array([0.1, 0.1, 2, 0, 0, 1e-20, 0, 1e-3])


@pytest.fixture(scope="module")
def table():
    """One compilation for all limits below, the named columns of SIZES, FEATURES and RIDGES."""
    return theory.kernel.random_feature_risk(EIGENVALUES, POWER, SIZES, FEATURES, ridge=RIDGES, noise=0.1)


def test_infinitely_many_features_are_the_kernel(table):
    kernel = theory.kernel.kernel_risk(EIGENVALUES, POWER, SIZES[:1], ridge=RIDGES[:1], noise=0.1)
    for name in ("test", "train", "excess", "effective_ridge", "overfitting"):
        np.testing.assert_allclose(getattr(table, name)[0], getattr(kernel, name)[0], rtol=1e-10)
    np.testing.assert_allclose(table.feature_variance[0], 0, atol=1e-12)
    np.testing.assert_allclose(table.sample_ridge[0], table.effective_ridge[0], rtol=1e-12)


def test_both_ridges_solve_their_equations(table):
    for column in (1, 2, 7):
        kappa, samples, features = table.effective_ridge[column], SIZES[column], FEATURES[column]
        # By its own S-transform each, samples after features.
        mean_learned = np.mean(EIGENVALUES / (EIGENVALUES + kappa))
        by_features = theory.kernel.wishart_s_transform(-mean_learned, 400 / float(features))
        np.testing.assert_allclose(table.sample_ridge[column] * by_features, kappa, rtol=1e-6)
        by_samples = theory.kernel.wishart_s_transform(-mean_learned, 400 / float(samples))
        np.testing.assert_allclose(table.test[column] / table.train[column], by_samples**2, rtol=1e-6)
        np.testing.assert_allclose(RIDGES[column] / samples * by_samples * by_features, kappa, rtol=1e-6)


def test_error_is_infinite_where_features_are_as_many_as_samples(table):
    assert np.isinf(table.test[3])
    assert np.isinf(table.feature_variance[3])
    assert np.isfinite(table.ensemble[3])
    assert table.train[3] == 0
    # A ridge next to none leaves it finite, of the order of its inverse root.
    assert 1e6 < table.test[5] < 1e12


def test_more_features_than_modes_lose_nothing(table):
    np.testing.assert_allclose(table.test[4], 0.1 * 500 / (500 - 400), rtol=1e-12)
    np.testing.assert_allclose(table.train[4], 0.1 * (1 - 400 / 500), rtol=1e-12)
    np.testing.assert_allclose([table.test[6], table.excess[6]], [0.1, 0], atol=1e-12)


def test_numbers_of_a_published_setting():
    modes = np.arange(1, 801.0)
    samples, features = np.array([100.0, 100, 200, 300, 100]), np.array([50.0, 200, 100, 300, 400])
    ridge = jnp.asarray(np.array([1e-3, 1e-3, 1e-2, 1e-3, 1e-4]) * samples)
    risk = theory.kernel.random_feature_risk(
        jnp.asarray(modes**-1.3), jnp.asarray(modes**-1.6), jnp.asarray(samples), jnp.asarray(features), ridge=ridge,
        noise=0.1,
    )  # fmt: skip
    np.testing.assert_allclose(risk.test, [0.7963, 0.4843, 0.4217, 0.2886, 0.4213], atol=6e-5)
    np.testing.assert_allclose(risk.train, [0.2320, 0.01496, 0.2519, 0.07533, 0.00014], atol=6e-5)


def test_exponents_are_those_of_the_risk():
    modes = np.arange(1, 5001.0)
    at = theory.kernel.random_feature_risk
    for source in (0.3, 0.8):
        spectrum = jnp.asarray(modes**-1.5), jnp.asarray(modes ** -(1 + 3 * source))
        # Features limit, samples limit, both in proportion, and the variance of many features: two sizes each.
        samples = jnp.array([jnp.inf, 32, 32, 32, jnp.inf, 128, 128, 128, 128])
        features = jnp.array([32, jnp.inf, 64, 3200, 128, jnp.inf, 256, 12800, 25600])
        risk = at(*spectrum, samples, features)
        slopes = np.log(risk.test[:4] / risk.test[4:8]) / np.log(4)
        slopes[3] = np.log(risk.feature_variance[3] / risk.feature_variance[7]) / np.log(4)
        limited = theory.kernel.feature_limited_exponent(1.5, source)
        expected = [limited, theory.kernel.noise_free_exponent(1.5, source), limited, limited]
        np.testing.assert_allclose(slopes, expected, rtol=0.06)
        # At fixed P what features add falls as 1/N.
        np.testing.assert_allclose(risk.feature_variance[7] / risk.feature_variance[8], 2, rtol=0.02)
    np.testing.assert_allclose(theory.kernel.sufficient_features_exponent(1.5, 0.8), 1 + 1.5 * 0.6)
    np.testing.assert_allclose(theory.kernel.sufficient_features_exponent(1.5, 0.3), 1)


def test_gradients_are_finite_differences():
    def error(numbers):
        scale, samples, features, ridge = numbers
        at = theory.kernel.random_feature_risk
        return at(EIGENVALUES**scale, POWER, samples, features, ridge=ridge, noise=0.1).test

    point, step = jnp.array([1.0, 60, 90, 0.01]), 1e-6
    value_at = jax.jit(jax.vmap(error))
    offsets = step * jnp.eye(4)
    differences = (value_at(point[None, :] + offsets) - value_at(point[None, :] - offsets)) / (2 * step)
    gradient = jax.jit(jax.vmap(jax.grad(error)))(jnp.stack([point, point.at[3].set(0.0)]))
    np.testing.assert_allclose(gradient[0], differences, rtol=1e-5)
    assert np.all(np.isfinite(gradient[1]))


def test_single_precision_is_kept():
    half = jnp.arange(1, 41, dtype=jnp.float32) ** -1.3
    risk = theory.kernel.random_feature_risk(half, half, 20.0, 10.0, ridge=0.1)
    assert risk.test.dtype == jnp.float32
    exact = theory.kernel.random_feature_risk(half.astype(float), half.astype(float), 20.0, 10.0, ridge=0.1)
    np.testing.assert_allclose(risk.test, exact.test, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_features": 0.0}, "`num_features` is 0.0"),
        ({"num_samples": -1.0}, "`num_samples` is -1.0"),
        ({"ridge": -1.0}, "`ridge` is -1.0"),
        ({"target_power": -POWER}, "`target_power`"),
        ({"num_samples": jnp.ones(2), "num_features": jnp.ones(3)}, "must broadcast"),
    ],
)
def test_what_has_no_meaning_is_refused(change, message):
    setting = {"target_power": POWER, "num_samples": 10.0, "num_features": 10.0, **change}
    with pytest.raises(OutsideDomain, match=message):
        theory.kernel.random_feature_risk(EIGENVALUES, **setting)
