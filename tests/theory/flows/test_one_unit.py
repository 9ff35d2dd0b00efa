"""The best fit by one unit: exact levels, a second method, and what is refused."""

from functools import reduce

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from solvable import tasks
from solvable.errors import OutsideDomain
from solvable.numerics import activations
from solvable.theory.flows import (
    OuterProduct,
    fit_one_unit,
    greedy_fixed_points,
    linear_attention_levels,
    quadratic_network_levels,
)

# Compiled once for all moments of one shape.
fit = eqx.filter_jit(fit_one_unit)


def identity(inputs):
    return inputs


def make_random_moments(seed, size, num_samples=40, output_dim=1):
    inputs, targets = jax.random.normal(jax.random.key(seed), (2, num_samples, size))
    targets = (targets + inputs)[:, :output_dim]
    return tasks.sample_moments(tasks.make_samples(inputs, targets), identity)


def test_shared_patches_rest_at_two_fifths():
    found = fit(tasks.sample_moments(tasks.convolution_points(), identity), (2, 2))
    assert 2 * found.loss == pytest.approx(0.4, abs=1e-12)
    assert np.abs(found.factors[1]) == pytest.approx([1, 0], abs=1e-9)


def test_quadratic_unit_rests_at_the_level_of_one_eigenvalue():
    eigenvalues = jnp.array([1.5, 0.5])
    task = tasks.TeacherNetwork(jnp.eye(2), eigenvalues[None, :], activations.square, jnp.eye(2))
    found = fit(task.moments(OuterProduct()), (2, 2))
    levels = quadratic_network_levels(eigenvalues)
    assert found.loss == pytest.approx(float(levels.loss[1]), rel=1e-9)
    assert found.coefficients[0, 0] == pytest.approx(float(levels.strength[1, 0]), rel=1e-6)


def test_head_of_attention_rests_at_its_level():
    moments = tasks.InContextRegression(jnp.diag(jnp.array([1.0, 0.5])), 8).moments(tasks.ContextStatistics(2))
    found = fit(moments, (3, 3, 2))
    assert found.loss == pytest.approx(float(linear_attention_levels(jnp.array([1.0, 0.5]), 8).loss[1]), rel=1e-9)


def test_a_vector_is_least_squares():
    moments = make_random_moments(0, 3)
    assert fit(moments, (1, 3)).loss == pytest.approx(float(greedy_fixed_points(moments).loss[1]), rel=1e-9)


def test_several_targets_of_a_vector_are_the_best_map_of_rank_one():
    moments = make_random_moments(0, 4, output_dim=3)
    assert fit(moments, (3, 4)).loss == pytest.approx(float(greedy_fixed_points(moments).loss[1]), rel=1e-9)


@pytest.mark.parametrize("shape", [(2, 2, 2), (4, 2)], ids=["one reader", "any readers"])
def test_split_convolution_rests_where_the_scalar_one_does(shape):
    found = fit(tasks.sample_moments(tasks.convolution_points(split=True), identity), shape)
    assert 2 * found.loss == pytest.approx(0.4, abs=1e-12)
    assert np.abs(found.factors[-1]) == pytest.approx([1, 0], abs=1e-9)


def test_two_squares_rest_at_one_of_them():
    # One unit (u.x)^2 read by w: loss 6 - |E[y (u.x)^2]|^2 / 3, least at u on an axis, where w = (1, 1/3).
    task = tasks.TeacherNetwork(jnp.eye(2), jnp.eye(2), activations.square, jnp.eye(2))
    found = fit(task.moments(OuterProduct()), (2, 2, 2))
    assert 2 * found.loss == pytest.approx(8 / 3, rel=1e-9)
    assert np.sort(np.abs(found.factors[0])) == pytest.approx(np.array([1, 3]) / np.sqrt(10), rel=1e-6)


@pytest.mark.parametrize(("seed", "output_dim"), [(0, 1), (1, 1), (2, 1), (0, 2)])
def test_no_descent_does_better(seed, output_dim):
    moments = make_random_moments(seed, 6, output_dim=output_dim)
    shape = (output_dim, 2, 3) if output_dim > 1 else (2, 3)
    found = fit(moments, shape)
    sigma_yz, sigma_zz = np.asarray(moments.sigma_yz), np.asarray(moments.sigma_zz)

    def loss(weights):
        product = reduce(np.multiply.outer, np.split(weights, np.cumsum(shape)[:-1])).reshape(output_dim, -1)
        return (moments.target_power - np.sum(product * (2 * sigma_yz - product @ sigma_zz))) / 2

    starts = np.random.default_rng(seed).standard_normal((10, sum(shape)))
    assert found.loss == pytest.approx(min(minimize(loss, start).fun for start in starts), rel=1e-6)


def test_float32_stays_float32():
    moments = jax.tree.map(lambda x: x.astype(jnp.float32), make_random_moments(0, 4))
    found = fit(moments, (2, 2))
    assert found.loss.dtype == found.coefficients.dtype == jnp.float32


@pytest.mark.parametrize("shape", [(2, 2), (6,), (2, 4)])
def test_mistakes_are_named(shape):
    with pytest.raises(OutsideDomain, match="`shape`"):
        fit_one_unit(make_random_moments(0, 6), shape)
