"""In-context regression: sequences that can be solved, and exact moments of what linear attention reads."""

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.numerics import Monomials
from solvable.tasks import ContextStatistics, InContextRegression

COVARIANCES = {
    1: jnp.array([[1.7]]),
    2: jnp.array([[1.0, 0.6], [0.6, 2.0]]),
    3: jnp.array([[1.0, 0.3, 0.0], [0.3, 0.5, -0.2], [0.0, -0.2, 0.8]]),
}


def largest_z_score(exact, sums, squares, count):
    mean = sums / count
    errors = np.sqrt(np.maximum(squares / count - mean**2, 0) / count)
    return np.max(np.abs(mean - exact) / np.maximum(errors, 1e-12))


@pytest.mark.parametrize("mean_over_context", [False, True])
@pytest.mark.parametrize("dim", COVARIANCES)
def test_population_moments_are_the_limit_of_sample_averages(dim, mean_over_context):
    """Entries are products of ten Gaussians: half a million sequences make their averages nearly normal."""
    task, features = InContextRegression(COVARIANCES[dim], 3), ContextStatistics(dim, mean_over_context)
    moments, count = task.moments(features), 500_000

    @jax.jit
    def sum_products(key):
        samples = task.sample(key, 20_000)
        z, y = jax.vmap(features)(samples.inputs), samples.targets
        return y.T @ z, (y**2).T @ z**2, z.T @ z, (z**2).T @ z**2, jnp.sum(y**2), jnp.sum(y**4)

    totals = [sum_products(key) for key in jax.random.split(jax.random.key(0), count // 20_000)]
    yz, yz_square, zz, zz_square, yy, yy_square = (np.sum(parts, axis=0) for parts in zip(*totals, strict=True))
    assert largest_z_score(moments.sigma_yz, yz, yz_square, count) < 4.5
    assert largest_z_score(moments.sigma_zz, zz, zz_square, count) < 4.5
    assert largest_z_score(moments.target_power, yy, yy_square, count) < 4.5


@pytest.mark.parametrize(("dim", "distinct"), [(1, 3), (2, 12), (3, 30)])
def test_features_hold_as_many_distinct_monomials_as_the_symmetry_leaves(dim, distinct):
    """(X X^T)_jk is symmetric: (D+1)(D+2)/2 entries times D of the query."""
    moments = InContextRegression(COVARIANCES[dim], 4).moments(ContextStatistics(dim))
    assert np.linalg.matrix_rank(moments.sigma_zz) == distinct
    np.testing.assert_allclose(moments.sigma_zz, moments.sigma_zz.T, rtol=1e-12, atol=1e-12)


def test_best_map_on_these_features_is_as_good_as_known():
    """White inputs, D = 2, N = 32: E|y|^2 = 2, and linear attention takes away 2 N/(N + D + 1) = 64/35."""
    moments = InContextRegression(jnp.eye(2), 32).moments(ContextStatistics(2))
    learned = np.trace(moments.sigma_yz @ np.linalg.pinv(moments.sigma_zz, hermitian=True) @ moments.sigma_yz.T)
    np.testing.assert_allclose([moments.target_power, learned], [2, 64 / 35], rtol=1e-9)


def test_mean_over_context_divides_by_the_length():
    task = InContextRegression(COVARIANCES[2], 5)
    summed, averaged = (task.moments(ContextStatistics(2, mean)) for mean in (False, True))
    np.testing.assert_allclose(averaged.sigma_yz, summed.sigma_yz / 5, rtol=1e-12)
    np.testing.assert_allclose(averaged.sigma_zz, summed.sigma_zz / 25, rtol=1e-12)


def test_the_features_are_the_products_they_are_said_to_be():
    sequence = InContextRegression(COVARIANCES[2], 4).sample(jax.random.key(0), 1).inputs[0]
    gram = np.asarray(sequence) @ np.asarray(sequence).T
    expected = np.einsum("jk,l->jkl", gram, sequence[:-1, -1]).ravel()
    np.testing.assert_allclose(ContextStatistics(2)(sequence), expected, rtol=1e-12)
    np.testing.assert_allclose(ContextStatistics(2, mean_over_context=True)(sequence), expected / 4, rtol=1e-12)


@pytest.mark.parametrize("dim", COVARIANCES)
def test_the_context_determines_the_target(dim):
    """Labels have no noise: least squares on D or more tokens gives the map, and the map the target."""
    task = InContextRegression(COVARIANCES[dim], dim + 2)
    samples = task.sample(jax.random.key(0), 20)
    assert samples.inputs.shape == (20, *task.input_shape) == (20, dim + 1, dim + 3)
    np.testing.assert_array_equal(samples.inputs[:, -1, -1], 0)
    for sequence, target in zip(np.asarray(samples.inputs), np.asarray(samples.targets), strict=True):
        learned = np.linalg.lstsq(sequence[:-1, :-1].T, sequence[-1, :-1])[0]
        np.testing.assert_allclose(learned @ sequence[:-1, -1], target[0], rtol=1e-8, atol=1e-8)


def test_float32_stays_float32_and_the_same_key_gives_the_same_bits():
    task = InContextRegression(COVARIANCES[2].astype(jnp.float32), 4)
    first, again = (task.sample(jax.random.key(0), 3) for _ in range(2))
    assert {first.inputs.dtype, first.targets.dtype, first.weights.dtype} == {jnp.dtype(jnp.float32)}
    np.testing.assert_array_equal(first.inputs, again.inputs)
    moments = task.moments(ContextStatistics(2))
    assert {moments.target_power.dtype, moments.sigma_yz.dtype, moments.sigma_zz.dtype} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("covariance", [[[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.0, 1.0]]], ids=["negative", "skew"])
def test_matrices_that_are_no_covariance_are_refused(covariance):
    with pytest.raises(OutsideDomain, match="positive semi-definite"):
        InContextRegression(jnp.array(covariance), 4)


def test_inputs_of_a_singular_covariance_stay_in_its_range():
    samples = InContextRegression(jnp.ones((2, 2)), 3).sample(jax.random.key(0), 5)
    assert np.all(np.isfinite(samples.inputs))
    np.testing.assert_allclose(samples.inputs[:, 1], samples.inputs[:, 0], atol=1e-6)


def test_requests_without_meaning_are_refused():
    task = InContextRegression(COVARIANCES[2], 4)
    with pytest.raises(OutsideDomain, match=r"known for ContextStatistics\(2\) only, not for Monomials"):
        task.moments(Monomials(2, 1))
    with pytest.raises(OutsideDomain, match=r"known for ContextStatistics\(2\) only"):
        task.moments(ContextStatistics(3))
    with pytest.raises(OutsideDomain, match="`context_length` is 0"):
        InContextRegression(COVARIANCES[2], 0)
    with pytest.raises(OutsideDomain, match="`num_samples` is 0"):
        task.sample(jax.random.key(0), 0)
    with pytest.raises(OutsideDomain, match="need a concrete covariance"):
        jax.jit(lambda c: InContextRegression(c, 4).moments(ContextStatistics(2)).target_power)(COVARIANCES[2])


def test_moments_in_more_than_four_dimensions_are_refused_before_they_fill_the_memory():
    with pytest.raises(OutsideDomain, match="in 5 dimensions"):
        InContextRegression(jnp.eye(5), 4).moments(ContextStatistics(5))


def test_a_covariance_that_is_not_square_is_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users, who run without shape checks
    with pytest.raises(OutsideDomain, match=r"`covariance` has shape \(2, 3\); it must be \(input_dim, input_dim\)"):
        InContextRegression(jnp.ones((2, 3)), 4)
