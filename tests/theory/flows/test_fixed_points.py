"""At every fixed point of the linear layer nothing moves, the loss is Lemma 6's, and small units grow as stated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.tasks import Moments
from solvable.theory.flows import all_fixed_points, diagonalise, greedy_fixed_points, residual_correlation

# Outputs, features, rank of Sigma_zz.
SIZES = {"square": (3, 3, 3), "wide": (2, 4, 4), "tall": (4, 2, 2), "singular": (2, 5, 3), "tall singular": (4, 3, 2)}


def draw_moments(output_dim, features, rank, seed=0):
    """Moments of a finite data set whose features span ``rank`` directions, with part of y out of their reach."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(40, rank)) @ rng.normal(size=(rank, features)) / np.sqrt(features)
    y = z @ rng.normal(size=(features, output_dim)) + 0.5 * rng.normal(size=(40, output_dim))
    return Moments(jnp.array(np.mean(np.sum(y**2, axis=1))), jnp.array(y.T @ z / 40), jnp.array(z.T @ z / 40))


def rest_at(moments, directions, active):
    """Weights there: V the learned directions as columns, U = V^T Sigma_yz Sigma_zz^+."""
    second = np.asarray(directions)[np.asarray(active)].T
    best = np.asarray(moments.sigma_yz) @ np.linalg.pinv(np.asarray(moments.sigma_zz), rcond=1e-10)
    return second.T @ best, second


def loss_of(first, second, moments):
    """(1/2) E|y - V U z|^2, expanded."""
    linear = second @ first
    fitted = 2 * jnp.sum(linear * moments.sigma_yz) - jnp.sum(linear * (linear @ moments.sigma_zz))
    return (moments.target_power - fitted) / 2


value_and_gradient = jax.jit(jax.value_and_grad(loss_of, argnums=(0, 1)))


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_every_fixed_point_has_zero_gradient_and_the_stated_loss(sizes):
    moments = draw_moments(*sizes)
    points = all_fixed_points(moments)
    assert points.active.shape == (2 ** min(sizes[:2]), min(sizes[:2]))
    for active, loss in zip(points.active, points.loss, strict=True):
        first, second = rest_at(moments, points.directions, active)
        # Two units at rest at zero beside them, as a wide layer has.
        first, second = np.vstack([first, np.zeros((2, sizes[1]))]), np.hstack([second, np.zeros((sizes[0], 2))])
        value, gradient = value_and_gradient(jnp.array(first), jnp.array(second), moments)
        np.testing.assert_allclose(value, loss, rtol=1e-9)
        assert max(float(jnp.max(jnp.abs(part))) for part in gradient) < 1e-9


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_greedy_points_are_the_best_of_each_count_and_end_at_least_squares(sizes):
    moments = draw_moments(*sizes)
    greedy, every = greedy_fixed_points(moments), all_fixed_points(moments)
    counts = np.asarray(every.active).sum(axis=1)
    best = [np.min(np.asarray(every.loss)[counts == count]) for count in range(min(sizes[:2]) + 1)]
    np.testing.assert_allclose(greedy.loss, best, rtol=1e-10)
    first, second = rest_at(moments, np.eye(sizes[0]), np.ones(sizes[0], bool))
    np.testing.assert_allclose(greedy.loss[-1], loss_of(jnp.array(first), jnp.array(second), moments), rtol=1e-9)
    np.testing.assert_allclose(greedy.loss[0], moments.target_power / 2, rtol=1e-12)
    np.testing.assert_allclose(greedy.escape_rate[0], np.linalg.norm(moments.sigma_yz, 2), rtol=1e-10)


@pytest.mark.parametrize("learned", [0, 1])
def test_a_small_unit_grows_at_the_stated_rate(learned):
    """Runge-Kutta on the full equations from the fixed point and one unit of size 1e-8."""
    moments = draw_moments(3, 4, 4, seed=2)
    points = greedy_fixed_points(moments)
    first, second = rest_at(moments, points.directions, points.active[learned])
    rng = np.random.default_rng(0)
    first, second = (
        np.vstack([first, 1e-8 * rng.normal(size=(1, 4))]),
        np.hstack([second, 1e-8 * rng.normal(size=(3, 1))]),
    )
    sigma_yz, sigma_zz, rate = (
        np.asarray(moments.sigma_yz),
        np.asarray(moments.sigma_zz),
        float(points.escape_rate[learned]),
    )

    def velocity(first, second):
        residual = sigma_yz - second @ first @ sigma_zz
        return second.T @ residual, residual @ first.T

    def step(first, second, by):
        k1 = velocity(first, second)
        k2 = velocity(first + by / 2 * k1[0], second + by / 2 * k1[1])
        k3 = velocity(first + by / 2 * k2[0], second + by / 2 * k2[1])
        k4 = velocity(first + by * k3[0], second + by * k3[1])
        return tuple(
            w + by / 6 * (a + 2 * b + 2 * c + d) for w, a, b, c, d in zip((first, second), k1, k2, k3, k4, strict=True)
        )

    sizes, by = [], 0.01 / rate
    for count in range(1001):
        if count in (600, 1000):
            sizes.append(np.sqrt(np.sum(first[-1] ** 2) + np.sum(second[:, -1] ** 2)))
        first, second = step(first, second, by)
    assert sizes[-1] < 1e-2
    np.testing.assert_allclose(np.log(sizes[1] / sizes[0]) / (400 * by), rate, rtol=2e-2)


def test_the_residual_correlation_has_lost_the_learned_directions():
    moments = draw_moments(3, 4, 4)
    points = all_fixed_points(moments)
    for active, rate in zip(points.active, points.escape_rate, strict=True):
        residual = residual_correlation(moments, active)
        np.testing.assert_allclose(np.asarray(points.directions)[np.asarray(active)] @ residual, 0, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(residual, 2), rate, rtol=1e-9, atol=1e-9)
        first, second = rest_at(moments, points.directions, active)
        np.testing.assert_allclose(
            residual, moments.sigma_yz - second @ first @ np.asarray(moments.sigma_zz), atol=1e-10
        )


def test_the_basis_of_the_features_means_nothing():
    moments = draw_moments(3, 4, 4)
    points, diagonal = all_fixed_points(moments), all_fixed_points(diagonalise(moments))
    np.testing.assert_allclose(diagonal.loss, points.loss, rtol=1e-10)
    np.testing.assert_allclose(diagonal.escape_rate, points.escape_rate, rtol=1e-9, atol=1e-9)


def test_levels_of_the_correlated_gaussian_task():
    """y = x with covariance [[1, 1], [1, 4]]: halves of 5, of the smaller eigenvalue (5 - sqrt 13)/2, and 0."""
    covariance = jnp.array([[1.0, 1.0], [1.0, 4.0]])
    levels = greedy_fixed_points(Moments(jnp.array(5.0), covariance, covariance)).loss
    np.testing.assert_allclose(2 * levels, [5, (5 - np.sqrt(13)) / 2, 0], atol=1e-12)


def test_float32_stays_float32():
    moments = jax.tree.map(lambda a: a.astype(jnp.float32), draw_moments(2, 3, 3))
    points = greedy_fixed_points(moments)
    dtypes = {getattr(points, name).dtype for name in ("eigenvalues", "directions", "loss", "escape_rate")}
    assert dtypes == {jnp.dtype(jnp.float32)}
    np.testing.assert_allclose(points.loss, greedy_fixed_points(draw_moments(2, 3, 3)).loss, rtol=1e-4)


def test_more_fixed_points_than_can_be_listed_are_refused():
    with pytest.raises(OutsideDomain, match=r"`moments` has 13 modes; 2\^13 fixed points are too many"):
        all_fixed_points(Moments(jnp.array(13.0), jnp.eye(13), jnp.eye(13)))
