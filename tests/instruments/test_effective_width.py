"""Effective widths of weights whose structure is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.instruments import active_units, count_rays, effective_rank, stable_rank

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])


def make_orthogonal(seed, size):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def make_ray_weights(directions, per_ray, seed, dtype=jnp.float64):
    """Units on rays at multiples of 30 degrees, of random strength, with as many inactive units, shuffled."""
    rng = np.random.default_rng(seed)
    radians = np.repeat(np.pi / 6 * np.array(directions), per_ray) + rng.uniform(-0.05, 0.05, len(directions) * per_ray)
    first = rng.uniform(0.5, 2, (radians.size, 1)) * np.stack([np.cos(radians), np.sin(radians)], axis=1)
    first = np.concatenate([first, 1e-4 * rng.normal(size=first.shape)])
    second = np.concatenate([rng.choice([-1, 1], (2, radians.size)), 1e-4 * rng.normal(size=(2, radians.size))], axis=1)
    order = rng.permutation(first.shape[0])
    return jnp.asarray(first[order], dtype), jnp.asarray(second[:, order], dtype)


@DTYPES
@pytest.mark.parametrize(("values", "rank"), [((3.0, 2.0, 1.0), 3), ((3.0, 0.02, 1e-6), 1), ((3.0, 0.04, 1e-6), 2)])
def test_effective_rank_counts_large_singular_values(values, rank, dtype):
    matrix = jnp.asarray(make_orthogonal(0, 7)[:, :3] * np.array(values) @ make_orthogonal(1, 3), dtype)
    assert effective_rank(matrix) == effective_rank(matrix.T) == effective_rank(1e-5 * matrix) == rank


@DTYPES
def test_stable_rank_lies_between_one_and_the_rank(dtype):
    values = np.array([2.0, 1.0, 1.0, 0.0])
    matrix = jnp.asarray(make_orthogonal(2, 4) * values @ make_orthogonal(3, 4), dtype)
    assert stable_rank(matrix).dtype == dtype
    np.testing.assert_allclose(stable_rank(matrix), 6 / 4, rtol=1e-6)
    np.testing.assert_allclose(stable_rank(jnp.eye(5, dtype=dtype)), 5, rtol=1e-6)


@DTYPES
def test_zero_weights_use_nothing(dtype):
    first, second = jnp.zeros((5, 3), dtype), jnp.zeros((2, 5), dtype)
    measured = [effective_rank(first), stable_rank(first), active_units(first, second), count_rays(first, second)]
    assert [float(value) for value in measured] == [0, 0, 0, 0]


@given(order=st.permutations(range(12)), rays=st.sampled_from([1, 2, 3, 4, 6]), rotation=st.floats(0, 6.3))
@settings(max_examples=30, deadline=None)
def test_rays_and_active_units_of_known_weights(order, rays, rotation):
    first, second = make_ray_weights(order[:rays], 12 // rays, seed=order[0])
    turn = jnp.array([[jnp.cos(rotation), -jnp.sin(rotation)], [jnp.sin(rotation), jnp.cos(rotation)]])
    assert active_units(first, second) == 12
    assert count_rays(first, second) == count_rays(1e-3 * first @ turn, second) == rays


def test_opposite_units_are_two_rays_but_one_rank():
    first, second = jnp.array([[1.0, 1.0], [-2.0, -2.0]]), jnp.ones((1, 2))
    assert count_rays(first, second) == 2
    assert effective_rank(first) == 1


def test_angle_decides_which_units_share_a_ray():
    first = jnp.stack([jnp.cos(jnp.array([0.0, 0.3])), jnp.sin(jnp.array([0.0, 0.3]))], axis=1)
    second = jnp.ones((1, 2))
    assert count_rays(first, second, angle=0.31) == 1
    assert count_rays(first, second, angle=0.29) == 2
    assert count_rays(first, second, angle=1e-9) == 2


@DTYPES
def test_equal_units_at_a_tiny_angle_end_the_count(dtype):
    """Rounding must not keep a unit from its own ray for ever."""
    first = jnp.asarray(np.random.default_rng(0).normal(size=(40, 7)), dtype)
    assert count_rays(first, jnp.ones((1, 40), dtype), angle=1e-12, threshold=0.0) == 40


def test_floor_silences_the_initial_weights():
    first, second = 1e-6 * jax.random.normal(jax.random.key(0), (20, 3)), 1e-6 * jnp.ones((2, 20))
    assert active_units(first, second) > 10
    assert active_units(first, second, floor=1e-4) == count_rays(first, second, floor=1e-4) == 0


@DTYPES
def test_compiles_and_maps_over_a_trajectory(dtype):
    weights = [make_ray_weights(directions, 6 // len(directions), 0, dtype) for directions in ([0], [0, 3], [0, 4, 8])]
    first, second = (jnp.stack(layer) for layer in zip(*weights, strict=True))
    np.testing.assert_array_equal(jax.jit(jax.vmap(count_rays))(first, second), [1, 2, 3])
    np.testing.assert_array_equal(jax.jit(jax.vmap(active_units))(first, second), [6, 6, 6])
    np.testing.assert_array_equal(jax.jit(jax.vmap(effective_rank))(first), [2, 2, 2])
    np.testing.assert_allclose(jax.jit(jax.vmap(stable_rank))(first), [stable_rank(w) for w in first], rtol=1e-5)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda u, v: active_units(u, v[:, :3]), "`first` has 4 units as rows and `second` 3"),
        (lambda u, v: count_rays(u.T, v), "`first` has 2 units"),
        (lambda u, v: count_rays(u, v, angle=10.0), "`angle` is 10.0; .* radians"),
        (lambda u, v: count_rays(u, v, threshold=1.0), "`threshold` is 1.0"),
        (lambda u, v: active_units(u, v, floor=-1.0), "`floor` is -1.0"),
        (lambda u, v: active_units(u, jnp.nan * v), "`second` has entries that are not finite"),
        (lambda u, v: effective_rank(u, threshold=-0.1), "`threshold` is -0.1"),
        (lambda u, v: effective_rank(jnp.inf * u), "`matrix` has entries that are not finite"),
        (lambda u, v: stable_rank(jnp.nan * u), "`matrix` has entries that are not finite"),
    ],
)
def test_mistakes_are_named(measure, message):
    with pytest.raises(OutsideDomain, match=message):
        measure(jnp.ones((4, 2)), jnp.ones((3, 4)))
