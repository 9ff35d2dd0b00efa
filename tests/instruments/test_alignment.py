"""Alignment against projections done by hand, leading singular values against the full decomposition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.instruments import cosine_to, measure_alignment, top_singular_values

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])


def make_matrix(rows, columns, values, dtype, seed=0):
    """Matrix with given singular values and random singular vectors."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(size, len(values))))[0] for size in (rows, columns))
    return jnp.asarray(left * np.array(values) @ right.T, dtype)


@given(seed=st.integers(0, 1000), count=st.sampled_from([1, 3]), scale=st.floats(1e-6, 1e6))
@settings(max_examples=30, deadline=None)
def test_alignment_with_a_span_and_its_complement_sum_to_one(seed, count, scale):
    keys = jax.random.split(jax.random.key(seed), 2)
    weights, vectors = jax.random.normal(keys[0], (9, 5)), jax.random.normal(keys[1], (5, 5))
    basis = jnp.linalg.qr(vectors)[0].T
    inside = measure_alignment(weights, basis[:count])
    assert inside + measure_alignment(weights, basis[count:]) == pytest.approx(1)
    projected = weights @ basis[:count].T
    assert inside == pytest.approx(float(jnp.sum(projected**2) / jnp.sum(weights**2)))
    mixing = jnp.eye(count) + 0.1 * jax.random.normal(keys[0], (count, count))
    mixed = jnp.concatenate([mixing @ basis[:count], scale * basis[:1]])
    assert measure_alignment(scale * weights, mixed) == pytest.approx(float(inside), rel=1e-6)


@DTYPES
def test_alignment_ignores_dependent_directions(dtype):
    weights = jnp.eye(3, dtype=dtype)
    direction = jnp.array([[1.0, 2.0, 2.0]], dtype)
    shares = [measure_alignment(weights, jnp.concatenate([direction] * k)) for k in (1, 2, 5)]
    np.testing.assert_allclose(shares, 1 / 3, rtol=1e-5)
    assert shares[0].dtype == dtype


def test_zero_weights_or_directions_give_zero():
    assert measure_alignment(jnp.zeros((4, 3)), jnp.eye(3)) == 0
    assert measure_alignment(jnp.eye(3), jnp.zeros((2, 3))) == 0
    assert not cosine_to(jnp.zeros((4, 3)), jnp.ones(3)).any()
    assert not cosine_to(jnp.ones((4, 3)), jnp.zeros(3)).any()


@DTYPES
def test_cosines_of_known_angles(dtype):
    weights = jnp.array([[2.0, 0.0], [-1.0, 0.0], [3.0, 3.0], [0.0, 5.0], [0.0, 0.0]], dtype)
    cosines = cosine_to(weights, jnp.array([-4.0, 0.0], dtype))
    np.testing.assert_allclose(cosines, [1, 1, 0.5**0.5, 0, 0], atol=1e-6)
    assert cosines.dtype == dtype


def test_alignment_with_one_direction_is_the_weighted_mean_of_squared_cosines():
    keys = jax.random.split(jax.random.key(1), 2)
    weights, direction = jax.random.normal(keys[0], (30, 6)), jax.random.normal(keys[1], (6,))
    powers = jnp.sum(weights**2, axis=1)
    mean = jnp.sum(powers * cosine_to(weights, direction) ** 2) / jnp.sum(powers)
    assert measure_alignment(weights, direction[None, :]) == pytest.approx(float(mean))


@DTYPES
@pytest.mark.parametrize("shape", [(50, 2), (3, 40), (120, 90)])
def test_top_singular_values_of_weights_with_few_large_ones(shape, dtype):
    rank = min(*shape, 60)
    values = np.concatenate([[5.0, 3.0, 0.2], 1e-6 * np.linspace(1, 0.1, 60)])[:rank]
    found = top_singular_values(make_matrix(*shape, values, dtype), min(3, rank))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, values[:3], rtol=5e-6 if dtype == jnp.float32 else 1e-12)


def test_top_singular_values_are_close_and_never_high_without_a_gap():
    smooth = make_matrix(120, 90, np.arange(1, 91) ** -0.5, jnp.float64)
    np.testing.assert_allclose(top_singular_values(smooth, 3), np.arange(1, 4) ** -0.5, rtol=1e-3)
    flat = jax.random.normal(jax.random.key(0), (120, 90))
    exact = jnp.linalg.svdvals(flat)[:3]
    found = top_singular_values(flat, 3)
    assert (found <= exact * (1 + 1e-12)).all()
    np.testing.assert_allclose(found, exact, rtol=0.1)


def test_top_singular_values_of_a_zero_matrix():
    np.testing.assert_array_equal(top_singular_values(jnp.zeros((120, 90)), 3), 0)


@DTYPES
def test_compiles_and_maps_over_a_trajectory(dtype):
    weights = jnp.stack([make_matrix(120, 90, [scale, 1.0, 1e-5], dtype) for scale in (2.0, 3.0, 4.0)])
    values = jax.jit(jax.vmap(lambda w: top_singular_values(w, 2)))(weights)
    np.testing.assert_allclose(values, [[2, 1], [3, 1], [4, 1]], rtol=1e-5)
    direction = weights[0, :1]
    shares = jax.jit(jax.vmap(measure_alignment, in_axes=(0, None)))(weights, direction)
    np.testing.assert_allclose(shares, [measure_alignment(w, direction) for w in weights], rtol=1e-5)
    assert jax.jit(jax.vmap(cosine_to, in_axes=(0, None)))(weights, direction[0]).shape == (3, 120)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda w: measure_alignment(w, jnp.ones((2, 4))), "`weights` has dimension 3 and the directions 4"),
        (lambda w: cosine_to(w, jnp.ones(5)), "`weights` has dimension 3 and the directions 5"),
        (lambda w: top_singular_values(w, 4), r"`count` is 4; .* has 3 singular values"),
        (lambda w: top_singular_values(w, 0), "`count` is 0"),
    ],
)
def test_mistakes_are_named(measure, message):
    with pytest.raises(OutsideDomain, match=message):
        measure(jnp.ones((8, 3)))
