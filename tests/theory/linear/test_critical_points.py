"""Critical points of two-layer linear networks against gradients and full Hessians built here."""

from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from solvable import tasks, theory
from solvable.errors import OutsideDomain
from solvable.numerics import Monomials

_critical_point = jax.jit(theory.linear.critical_point, static_argnums=2)


@jax.jit
def _loss(weights, moments):
    first, second = weights
    error = second @ first
    return (
        moments.target_power - 2 * jnp.sum(error * moments.sigma_yz) + jnp.sum((error @ moments.sigma_zz) * error)
    ) / 2


@jax.jit
def _curvatures(weights, moments):
    flat, restore = ravel_pytree(weights)
    in_flat = lambda vector: _loss(restore(vector), moments)  # noqa: E731
    return jax.grad(in_flat)(flat), jnp.linalg.eigvalsh(jax.hessian(in_flat)(flat))


def _check(moments, active, width, basis=None):
    point = _critical_point(moments, jnp.asarray(active), width, basis=basis)
    weights = (point.first, point.second)
    gradient, values = _curvatures(weights, moments)
    scale = float(jnp.max(jnp.abs(values)))
    assert float(jnp.max(jnp.abs(gradient))) < 1e-9 * scale
    assert float(_loss(weights, moments)) == pytest.approx(float(point.loss), abs=1e-12 * float(moments.target_power))
    assert int(point.index) == int(jnp.sum(values < -1e-9 * scale))
    assert int(point.flat) == int(jnp.sum(jnp.abs(values) <= 1e-9 * scale))
    return point


def _moments(inputs, outputs, seed=0, count=60):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, inputs)) @ rng.normal(size=(inputs, inputs))
    y = x @ rng.normal(size=(inputs, outputs)) + rng.normal(size=(count, outputs))
    return tasks.sample_moments(tasks.make_samples(x, y), Monomials(inputs, 1))


def _sets(modes, width):
    for size in range(width + 1):
        for chosen in combinations(range(modes), size):
            yield np.isin(np.arange(modes), chosen)


@pytest.mark.parametrize(("inputs", "outputs"), [(5, 4), (2, 4)])
def test_every_set_of_modes_is_a_critical_point_of_the_counted_curvature(inputs, outputs):
    """In both shapes: with n_y > n_x some outputs have no mode at all."""
    moments = _moments(inputs, outputs)
    found = [_check(moments, active, 2) for active in _sets(min(inputs, outputs), 2)]
    assert sum(int(point.index) == 0 for point in found) == 1
    assert int(found[0].index) == 2 * min(inputs, outputs)
    assert all(int(point.flat) == 4 for point in found if jnp.sum(point.second != 0) > outputs)


def test_equal_and_zero_modes_and_inputs_that_never_occur():
    """Ties are flat, not ways down; a mode of strength 0 in use is left for every one that is not."""
    variances = jnp.array([1.0, 2.0, 1.0, 0.5, 0.0])
    teacher = jnp.zeros((4, 5)).at[jnp.arange(3), jnp.arange(3)].set(jnp.array([2.0, jnp.sqrt(2.0), 1.0]))
    sigma_yz = teacher * variances[None, :]
    moments = tasks.Moments(jnp.sum(sigma_yz * teacher), sigma_yz, jnp.diag(variances))
    assert np.allclose(theory.flows.learnable_modes(moments)[0], [4.0, 4.0, 1.0, 0.0])
    for active in _sets(4, 2):
        _check(moments, active, 2)


def test_counts_do_not_depend_on_the_basis_of_the_hidden_layer():
    moments, active = _moments(5, 4), np.array([False, True, False, False])
    basis = jnp.asarray(np.random.default_rng(1).normal(size=(2, 2)))
    plain, mixed = _check(moments, active, 2), _check(moments, active, 2, basis=basis)
    assert np.allclose(plain.second @ plain.first, mixed.second @ mixed.first)


def test_an_autoencoder_rests_on_principal_components():
    x = np.random.default_rng(2).normal(size=(40, 4)) * np.array([3.0, 2.0, 1.0, 0.5])
    covariance = jnp.asarray(x.T @ x / 40)
    moments = tasks.Moments(jnp.trace(covariance), covariance, covariance)
    values, vectors = np.linalg.eigh(x.T @ x / 40)
    point = _check(moments, np.array([False, True, True, False]), 2)
    chosen = vectors[:, [2, 1]]
    assert np.allclose(point.second @ point.first, chosen @ chosen.T)
    assert float(point.loss) == pytest.approx((values[3] + values[0]) / 2)


def test_one_unit_one_mode_and_single_precision():
    moments = tasks.Moments(jnp.float32(4.0), jnp.full((1, 1), -2.0, jnp.float32), jnp.ones((1, 1), jnp.float32))
    at_zero = _critical_point(moments, jnp.array([False]), 1)
    learned = _critical_point(moments, jnp.array([True]), 1)
    assert (int(at_zero.index), int(at_zero.flat), int(learned.index), int(learned.flat)) == (1, 0, 0, 1)
    assert learned.first.dtype == jnp.float32
    assert float((learned.second @ learned.first)[0, 0]) == pytest.approx(-2.0)


def test_sets_that_do_not_fit_are_refused():
    with pytest.raises(OutsideDomain, match="uses 2 modes"):
        theory.linear.critical_point(_moments(3, 2), jnp.array([True, True]), 1)
    with pytest.raises(OutsideDomain, match="each of the 2 modes"):
        theory.linear.critical_point(_moments(3, 2), jnp.array([True, True, False]), 3)
