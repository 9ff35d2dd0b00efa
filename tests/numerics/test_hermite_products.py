"""Hermite products and the order of products of factors that may repeat."""

import math
from itertools import combinations_with_replacement

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.numerics import gaussian_cubature, hermite_products, largest_products


def test_products_are_orthonormal_on_normal_variables():
    lists = [(), (0,), (2,), (1, 1), (0, 2), (2, 2, 2), (0, 1, 2), (1, 1, 2)]
    directions = jnp.asarray([row + (-1,) * (3 - len(row)) for row in lists])
    points, weights = gaussian_cubature(np.eye(3), 6)
    values = np.asarray(hermite_products(jnp.asarray(points), directions))
    np.testing.assert_allclose(values.T @ (weights[:, None] * values), np.eye(len(lists)), atol=1e-12)
    np.testing.assert_allclose(values[:, 7], (points[:, 1] ** 2 - 1) / math.sqrt(2) * points[:, 2], atol=1e-12)


def test_a_direction_that_points_lack_is_refused():
    with pytest.raises(OutsideDomain, match="directions 0 to 1"):
        hermite_products(jnp.zeros((1, 2)), jnp.asarray([[2]]))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([0.1, 0.25, 0.5, 0.7, 1.0, 1.3]), min_size=1, max_size=5),
    st.lists(st.sampled_from([0.0, 0.2, 1.0, 3.0]), min_size=1, max_size=5),
    st.integers(1, 60),
)
def test_largest_products_are_those_of_brute_force_with_ties_too(factors, scales, count):
    if not any(scales):
        return
    factors, scales = np.sort(factors)[::-1], np.array(scales)
    every = [
        (scales[size] * np.prod(factors[list(row)]), row)
        for size in range(len(scales))
        for row in combinations_with_replacement(range(len(factors)), size)
        if scales[size]
    ]
    expected = sorted((value for value, _ in every), reverse=True)[:count]
    rows = [tuple(row[row >= 0].tolist()) for row in largest_products(factors, scales, count)]
    values = {row: value for value, row in every}
    np.testing.assert_allclose([values[row] for row in rows], expected, rtol=1e-8)
    assert len(set(rows)) == len(rows)


def test_equal_factors_do_not_cost_all_their_products():
    rows = largest_products(np.full(784, 1 / 784), np.full(9, 0.5), 1000)
    assert np.bincount((rows >= 0).sum(axis=1)).tolist() == [1, 784, 215]
