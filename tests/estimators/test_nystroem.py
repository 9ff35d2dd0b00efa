"""Landmarks: all of them are kernel ridge regression, few of them the best function of their span."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.estimators import factor_kernel, nystroem_weights, ridge_weights
from solvable.numerics import GaussianKernel, gram_matrix

KERNEL = GaussianKernel(1.5)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(40, 3))), jnp.asarray(rng.normal(size=(40, 2)))


def test_all_landmarks_are_exact(data):
    inputs, targets = data
    gram = gram_matrix(KERNEL, inputs)
    exact = factor_kernel(gram, targets).dual_weights(0.1)
    np.testing.assert_allclose(ridge_weights(gram, targets, 0.1), exact, rtol=1e-8)
    np.testing.assert_allclose(gram @ nystroem_weights(KERNEL, inputs, targets, 40, 0.1), gram @ exact, rtol=1e-6)


def test_few_landmarks_minimise_their_cost(data):
    """A second route: the normal equations of the penalised least squares."""
    inputs, targets = data
    some = gram_matrix(KERNEL, inputs, inputs[:8])
    weights = nystroem_weights(KERNEL, inputs, targets, 8, 0.1)
    direct = np.linalg.solve(some.T @ some + 0.1 * some[:8], some.T @ targets)
    np.testing.assert_allclose(some @ weights, some @ direct, rtol=1e-7)


def test_requests_without_meaning_are_refused(data):
    with pytest.raises(OutsideDomain, match="at most the 40 samples"):
        nystroem_weights(KERNEL, *data, 41, 0.1)
    with pytest.raises(OutsideDomain, match="`ridge`"):
        ridge_weights(jnp.eye(2), jnp.ones((2, 1)), 0.0)
