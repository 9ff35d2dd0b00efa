"""Gaussian cubature is exact: every monomial up to its degree against Isserlis' theorem."""

from itertools import combinations_with_replacement

import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.numerics import gaussian_cubature

COVARIANCES = {
    "scalar": np.array([[2.5]]),
    "correlated": np.array([[1.0, 1.0], [1.0, 4.0]]),
    "singular": np.array([[1.0, 2.0], [2.0, 4.0]]),
    "three": np.array([[2.0, 0.5, -0.3], [0.5, 1.0, 0.2], [-0.3, 0.2, 0.7]]),
}


def isserlis(covariance, indices):
    """E[x_i x_j x_k ...] as the sum over pairings."""
    if not indices:
        return 1.0
    first, *rest = indices
    return sum(covariance[first, j] * isserlis(covariance, rest[:n] + rest[n + 1 :]) for n, j in enumerate(rest))


@pytest.mark.parametrize("covariance", COVARIANCES.values(), ids=COVARIANCES)
@pytest.mark.parametrize("degree", [1, 2, 4, 6, 7])
def test_every_monomial_up_to_the_degree_is_exact(covariance, degree):
    nodes, weights = gaussian_cubature(covariance, degree)
    for order in range(degree + 1):
        for indices in combinations_with_replacement(range(len(covariance)), order):
            mean = np.sum(weights * np.prod(nodes[:, list(indices)], axis=1))
            np.testing.assert_allclose(mean, isserlis(covariance, list(indices)), rtol=1e-11, atol=1e-11)


def test_no_more_nodes_than_needed():
    """Degree 4 takes 3 nodes a direction, exact to degree 5 and wrong at 6 (where E x^6 = 15)."""
    nodes, weights = gaussian_cubature(np.eye(2), 4)
    assert nodes.shape == (9, 2)
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-14)
    assert abs(weights @ nodes[:, 0] ** 6 - 15) > 1


def test_too_many_nodes_are_refused_with_their_number():
    with pytest.raises(OutsideDomain, match=r"degree 6 in 12 dimensions need 4\^12 nodes"):
        gaussian_cubature(np.eye(12), 6)
