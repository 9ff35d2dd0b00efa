"""Kernels of inner products: positive, known values, against networks of many units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.numerics import GaussianKernel, LaplaceKernel, LinearKernel, ReluTangentKernel, gram_matrix

KERNELS = [LinearKernel(), GaussianKernel(2.0), LaplaceKernel(2.0), ReluTangentKernel(1.5, 0.5)]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_kernels_are_symmetric_positive_and_blind_to_rotations(kernel):
    rng = np.random.default_rng(0)
    inputs = jnp.asarray(rng.normal(size=(12, 4)))
    turn = jnp.asarray(np.linalg.qr(rng.normal(size=(4, 4)))[0])
    gram = gram_matrix(kernel, inputs)
    np.testing.assert_allclose(gram, gram.T, rtol=1e-12)
    assert float(jnp.linalg.eigvalsh(gram)[0]) > -1e-12
    np.testing.assert_allclose(gram_matrix(kernel, inputs @ turn), gram, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(gram_matrix(kernel, inputs[:3], inputs[5:]), gram[:3, 5:], rtol=1e-12)


def test_distances_are_what_they_say():
    inputs = jnp.asarray(np.random.default_rng(1).normal(size=(5, 3)))
    apart = jnp.linalg.norm(inputs[:, None] - inputs[None], axis=2)
    np.testing.assert_allclose(gram_matrix(GaussianKernel(2.0), inputs), jnp.exp(-(apart**2) / 8), rtol=1e-12)
    np.testing.assert_allclose(gram_matrix(LaplaceKernel(2.0), inputs), jnp.exp(-apart / 2), rtol=1e-7)


def test_the_tangent_kernel_is_that_of_many_random_units():
    """Gradients in both layers and the hidden biases of ReLU units, at random weights."""
    key, units, (weight, bias) = jax.random.key(0), 400_000, (1.5, 0.5)
    inputs = jnp.asarray([[1.0, 0.5], [-0.3, 0.8], [0.0, 0.0]])
    draws = jax.random.normal(key, (units, 4))
    before = jnp.sqrt(weight) * inputs @ draws[:, :2].T + jnp.sqrt(bias) * draws[None, :, 2]
    active, after = jnp.where(before > 0, draws[None, :, 3], 0), jnp.maximum(before, 0)
    sampled = weight * (after @ after.T + active @ active.T * (bias + weight * inputs @ inputs.T)) / units
    np.testing.assert_allclose(gram_matrix(ReluTangentKernel(weight, bias), inputs), sampled, atol=0.015)


def test_slopes_are_finite_between_equal_inputs():
    inputs = jnp.asarray([[1.0, 0.5], [1.0, 0.5], [-1.0, -0.5], [0.0, 0.0]])
    for kernel in (LaplaceKernel(1.0), ReluTangentKernel()):
        assert np.all(np.isfinite(jax.grad(lambda x, k=kernel: jnp.sum(gram_matrix(k, x)))(inputs)))


@pytest.mark.parametrize(
    ("make", "name"),
    [(lambda: GaussianKernel(0.0), "width"), (lambda: LaplaceKernel(-1.0), "width"),
     (lambda: ReluTangentKernel(0.0), "weight_variance"), (lambda: ReluTangentKernel(1.0, -1.0), "bias_variance")],
)  # fmt: skip
def test_parameters_without_meaning_are_refused(make, name):
    with pytest.raises(OutsideDomain, match=f"`{name}`"):
        make()
