"""The best fit by one unit: exact levels, a second method, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from solvable import tasks
from solvable.errors import OutsideDomain
from solvable.numerics import activations
from solvable.theory.flows import fit_one_unit, greedy_fixed_points, linear_attention_levels, quadratic_network_levels


def identity(inputs):
    return inputs


def outer(inputs):
    return (inputs[:, None] * inputs[None, :]).ravel()


def make_random_moments(seed, size, num_samples=40):
    inputs, targets = jax.random.normal(jax.random.key(seed), (2, num_samples, size))
    return tasks.sample_moments(tasks.make_samples(inputs, targets[:, :1] + inputs[:, :1]), identity)


def test_shared_patches_rest_at_two_fifths():
    fit = fit_one_unit(tasks.sample_moments(tasks.convolution_points(), identity), (2, 2))
    assert 2 * fit.loss == pytest.approx(0.4, abs=1e-12)
    assert np.abs(fit.factors[1]) == pytest.approx([1, 0], abs=1e-9)


def test_quadratic_unit_rests_at_the_level_of_one_eigenvalue():
    eigenvalues = jnp.array([1.5, 0.5])
    task = tasks.TeacherNetwork(jnp.eye(2), eigenvalues[None, :], activations.square, jnp.eye(2))
    samples = tasks.Samples(*task_nodes(task))
    fit = fit_one_unit(tasks.sample_moments(samples, outer), (2, 2))
    levels = quadratic_network_levels(eigenvalues)
    assert fit.loss == pytest.approx(float(levels.loss[1]), rel=1e-9)
    assert fit.coefficients[0, 0] == pytest.approx(float(levels.strength[1, 0]), rel=1e-6)


def task_nodes(task):
    from solvable.numerics import gaussian_cubature

    nodes, weights = gaussian_cubature(np.eye(2), 8)
    return jnp.asarray(nodes), jax.vmap(task.targets)(jnp.asarray(nodes)), jnp.asarray(weights)


def test_head_of_attention_rests_at_its_level():
    moments = tasks.InContextRegression(jnp.diag(jnp.array([1.0, 0.5])), 8).moments(tasks.ContextStatistics(2))
    fit = fit_one_unit(moments, (3, 3, 2))
    assert fit.loss == pytest.approx(float(linear_attention_levels(jnp.array([1.0, 0.5]), 8).loss[1]), rel=1e-9)


def test_a_vector_is_least_squares():
    moments = make_random_moments(0, 3)
    assert fit_one_unit(moments, (1, 3)).loss == pytest.approx(float(greedy_fixed_points(moments).loss[1]), rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_no_descent_does_better(seed):
    moments = make_random_moments(seed, 6)
    fit = fit_one_unit(moments, (2, 3))
    sigma_yz, sigma_zz = np.asarray(moments.sigma_yz[0]), np.asarray(moments.sigma_zz)

    def loss(weights):
        product = np.outer(weights[:2], weights[2:]).ravel()
        return (moments.target_power - 2 * sigma_yz @ product + product @ sigma_zz @ product) / 2

    starts = np.random.default_rng(seed).standard_normal((10, 5))
    assert fit.loss == pytest.approx(min(minimize(loss, start).fun for start in starts), rel=1e-6)


def test_float32_stays_float32():
    moments = jax.tree.map(lambda x: x.astype(jnp.float32), make_random_moments(0, 4))
    fit = fit_one_unit(moments, (2, 2))
    assert fit.loss.dtype == fit.coefficients.dtype == jnp.float32


@pytest.mark.parametrize("shape", [(2, 2), (6,), (2, 4)])
def test_mistakes_are_named(shape):
    with pytest.raises(OutsideDomain, match="`shape`"):
        fit_one_unit(make_random_moments(0, 6), shape)
