"""Monomials are the multinomial theorem, and small products are products."""

from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.numerics import Monomials, contract

dims, degrees, seeds = st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1)


@given(dims, degrees)
def test_every_monomial_is_there_once(dim, degree):
    monomials = Monomials(dim, degree)
    assert len(monomials.factors) == comb(dim + degree - 1, degree)
    assert len(np.unique(monomials.factors, axis=0)) == len(monomials.factors)
    assert monomials.multiplicities.sum() == dim**degree


@given(dims, degrees, seeds)
@settings(max_examples=15, deadline=None)
def test_multinomial_theorem(dim, degree, seed):
    """(u . x)^p = sum_m multiplicity_m z_m(u) z_m(x)."""
    u, x = np.random.default_rng(seed).normal(size=(2, dim))
    monomials = Monomials(dim, degree)
    total = np.sum(monomials.multiplicities * np.asarray(monomials(jnp.array(u)) * monomials(jnp.array(x))))
    np.testing.assert_allclose(total, (u @ x) ** degree, rtol=1e-9, atol=1e-9)


@given(dims, degrees, st.integers(1, 5), st.integers(1, 3), seeds)
@settings(max_examples=15, deadline=None)
def test_coefficients_give_the_sum_over_units(dim, degree, width, output_dim, seed):
    rng = np.random.default_rng(seed)
    first, second, x = rng.normal(size=(width, dim)), rng.normal(size=(output_dim, width)), rng.normal(size=dim)
    monomials = Monomials(dim, degree)
    coefficients = monomials.coefficients(jnp.array(first), jnp.array(second))
    np.testing.assert_allclose(coefficients @ monomials(jnp.array(x)), second @ (first @ x) ** degree, atol=1e-9)


def test_degree_one_is_the_vector_and_the_plain_product():
    first, second = jnp.arange(6.0).reshape(3, 2), jnp.ones((2, 3))
    np.testing.assert_array_equal(Monomials(2, 1)(first[1]), first[1])
    np.testing.assert_array_equal(Monomials(2, 1).coefficients(first, second), second @ first)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 5), (40, 50, 60)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_contract_is_the_matrix_product_whatever_the_size(shape, dtype):
    rows, inner, columns = shape
    left = jax.random.normal(jax.random.key(0), (rows, inner), dtype)
    right = jax.random.normal(jax.random.key(1), (inner, columns), dtype)
    result = contract(left, right)
    assert result.dtype == dtype
    exact = np.asarray(left, float) @ np.asarray(right, float)
    np.testing.assert_allclose(result, exact, atol=1e3 * float(jnp.finfo(dtype).eps))


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_float32_stays_float32(degree):
    first, second = jnp.ones((3, 2), jnp.float32), jnp.ones((1, 3), jnp.float32)
    assert Monomials(2, degree)(first[0]).dtype == jnp.float32
    assert Monomials(2, degree).coefficients(first, second).dtype == jnp.float32
