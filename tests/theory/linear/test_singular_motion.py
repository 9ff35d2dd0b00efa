"""Velocities of singular values and vectors: against differences of the decomposition along the end-to-end flow."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory import linear


@jax.jit
def differences(weights, velocity):
    """Central differences of singular values and vectors, signs aligned."""
    ends = [jnp.linalg.svd(weights + step * velocity, full_matrices=False) for step in (1e-5, -1e-5)]
    signs = jnp.sign(jnp.sum(ends[0][0] * ends[1][0], axis=0))
    here = jnp.sign(jnp.sum(jnp.linalg.svd(weights, full_matrices=False)[0] * ends[0][0], axis=0))
    left = here[None] * (ends[0][0] - signs[None] * ends[1][0]) / 2e-5
    right = here[None] * (ends[0][2].T - signs[None] * ends[1][2].T) / 2e-5
    return (ends[0][1] - ends[1][1]) / 2e-5, left, right


@partial(jax.jit, static_argnums=2)
def predicted(weights, descent, depth):
    vectors = linear.singular_vector_velocity(weights, descent, depth)
    velocity = linear.end_to_end_velocity(weights, descent, depth)
    return (linear.singular_value_velocity(weights, descent, depth), *vectors), velocity


@pytest.mark.parametrize(("shape", "depth"), [((4, 4), 1), ((6, 4), 3), ((3, 5), 2)])
def test_the_decomposition_moves_as_predicted(shape, depth):
    weights, descent = (jnp.asarray(values) for values in np.random.default_rng(depth).normal(size=(2, *shape)))
    found, velocity = predicted(weights, descent, depth)
    for theory, measured in zip(found, differences(weights, velocity), strict=True):
        assert np.asarray(theory) == pytest.approx(np.asarray(measured), rel=1e-6, abs=1e-6)


def test_vectors_rest_where_the_descent_is_diagonal_in_them():
    left, sizes, right = np.linalg.svd(np.random.default_rng(0).normal(size=(4, 4)))
    descent = (left * np.array([1.0, -2.0, 0.3, 0.7])) @ right
    (values, *vectors), _ = predicted(jnp.asarray((left * sizes) @ right), jnp.asarray(descent), 3)
    assert np.asarray(values) == pytest.approx(3 * sizes ** (4 / 3) * np.array([1.0, -2.0, 0.3, 0.7]))
    assert all(np.allclose(turn, 0, atol=1e-10) for turn in vectors)


def test_zero_and_equal_singular_values_are_no_errors():
    weights = jnp.diag(jnp.array([1.0, 1.0, 0.0, 0.0]))
    (values, *vectors), _ = predicted(weights, jnp.ones((4, 4)), 2)
    assert np.all(np.isfinite(values))
    assert np.asarray(values)[2:] == pytest.approx([0, 0])
    assert all(np.all(np.isfinite(turn)) for turn in vectors)


def test_a_depth_below_one_is_refused():
    with pytest.raises(OutsideDomain, match="`depth`"):
        linear.singular_value_velocity(jnp.eye(2), jnp.eye(2), 0.5)
    with pytest.raises(OutsideDomain, match="`depth`"):
        linear.singular_vector_velocity(jnp.eye(2), jnp.eye(2), 0.5)
