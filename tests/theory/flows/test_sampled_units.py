"""Finite sets of units on samples against orthogonal data that are solved by hand, and against closed settings."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.tasks import make_samples, orthogonal_pair, sample_moments
from solvable.theory.flows import SampledUnits, alternate, diagonal_stages, early_velocity, relu_stages, relu_unit


def balanced(width, input_dim, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(width, input_dim))
    second = np.where(np.arange(width) % 2, 1.0, -1.0)[None, :] * np.linalg.norm(first, axis=1)
    return jnp.asarray(first), jnp.asarray(second)


def test_relu_on_two_orthogonal_points():
    """|D_-| = 1.118 and |D_+| = 0.559: the negative point first, and 1/|D| a further log(1/epsilon)."""
    paths = [relu_stages(orthogonal_pair(), *balanced(30, 2), init_scale=scale) for scale in (1e-8, 1e-16)]
    for path in paths:
        np.testing.assert_allclose(path.loss, [0.5, 0.25, 0], atol=1e-6)
    slopes = (paths[1].flow_times(1e-16) - paths[0].flow_times(1e-8)) / (8 * np.log(10))
    np.testing.assert_allclose(slopes[1:], [1 / 1.1180340, 1 / 0.5590170], rtol=1e-4)
    first, second = paths[0].saddles[1], paths[0].saddles[2]
    assert np.count_nonzero(first.strength) == 1
    assert np.count_nonzero(second.strength) == 2
    # The active unit of the least norm that fits a point: v u = w*.
    weights = first.directions[first.unit] * first.strength[first.unit]
    np.testing.assert_allclose(weights[2] * weights[:2], [0.2, -0.4], atol=1e-4)


def test_four_orthogonal_points_have_the_levels_of_the_sheet():
    samples = make_samples(jnp.eye(4), jnp.array([1.0, 1.0, -0.6, -0.6]))
    path = relu_stages(samples, *balanced(40, 4, 1), init_scale=1e-8)
    assert path.loss[0] == pytest.approx(0.34)
    assert np.min(np.abs(path.loss - 0.09)) < 1e-5
    assert path.loss[-1] < 1e-6


def test_utility_is_the_early_growth_of_the_rays():
    """2 U of a unit of norm 1 is the rate at which its norm grows."""
    samples, (first, second) = orthogonal_pair(), balanced(8, 2)
    start = SampledUnits(samples, relu_unit, jnp.concatenate([first, second.T], axis=1), 1e-3, 2).start()
    first_dot, second_dot = early_velocity(samples, first, second)
    size = jnp.sum(first**2, axis=1) + jnp.sum(second**2, axis=0)
    rates = (jnp.sum(first * first_dot, axis=1) + jnp.sum(second * second_dot, axis=0)) / size
    np.testing.assert_allclose(2 * start.utility, rates, rtol=1e-10)


def test_diagonal_units_on_samples_follow_the_closed_setting():
    """Units (u, v), each in the plane of its own coordinate, which no gradient leaves."""
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(40, 3)) * np.array([1.5, 1.2, 0.8])
    samples = make_samples(inputs, inputs @ np.array([1.0, -2.0, 1.5]))
    closed = diagonal_stages(sample_moments(samples, lambda x: x))

    def unit(inputs, weights):
        return jnp.sum(weights[:3] * weights[3:] * inputs)[None]

    weights = jnp.concatenate([jnp.sqrt(2.0) * jnp.eye(3), jnp.zeros((3, 3))], axis=1)
    path = alternate(SampledUnits(samples, unit, weights, 1e-30, 2))
    np.testing.assert_allclose(path.loss[:-1], closed.loss[:-1], rtol=1e-4)
    np.testing.assert_array_equal(path.units, closed.units)
    np.testing.assert_allclose(path.times, closed.times, rtol=0.03)


@pytest.mark.parametrize(("scale", "message"), [(0.9, r"must lie above"), (1.5, "`init_scale` is 1.5")])
def test_refusals(scale, message):
    with pytest.raises(OutsideDomain, match=message):
        relu_stages(orthogonal_pair(), *balanced(4, 2), init_scale=scale)
