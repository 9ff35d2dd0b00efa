"""Formulas of the kernel of linear networks against the Jacobian, and their limits."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import instruments, networks
from solvable.errors import OutsideDomain
from solvable.numerics import activations
from solvable.theory.linear import (
    TwoLayerPath,
    converged_alignment,
    converged_kernel,
    linear_tangent_kernel,
    two_layer_tangent_kernel,
)

measure = jax.jit(lambda network: instruments.tangent_kernel(network, jnp.eye(network.first.shape[1])))
alignment = jax.jit(instruments.kernel_alignment)
converged_kernel = jax.jit(converged_kernel, static_argnums=1)
linear_tangent_kernel = jax.jit(linear_tangent_kernel)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def linear_network(weights):
    identity = activations.identity
    return networks.DeepNetwork(tuple(weights), networks.Neuron(identity), (identity,) * (len(weights) - 2))


@pytest.mark.parametrize("sizes", [(4, 3, 2), (3, 1, 4, 2)])
def test_kernel_of_any_depth_is_the_jacobian_product(sizes):
    weights = [normal(seed, above, below) for seed, (below, above) in enumerate(pairwise(sizes))]
    np.testing.assert_allclose(linear_tangent_kernel(weights), measure(linear_network(weights)), atol=1e-12)


def test_linear_regression_has_the_constant_kernel():
    kernel = linear_tangent_kernel([normal(0, 2, 3)])
    np.testing.assert_allclose(kernel, np.einsum("ij,ab->ijab", np.eye(3), np.eye(2)))
    np.testing.assert_allclose(kernel, converged_kernel(normal(0, 2, 3), 1))


def test_kernel_of_a_path_is_the_kronecker_form_of_its_layers():
    first, second = normal(1, 3, 4), normal(2, 2, 3)
    path = TwoLayerPath(*((x @ y)[None] for x, y in ((second, first), (first.T, first), (second, second.T))))
    kernel = jax.jit(two_layer_tangent_kernel)(path)
    np.testing.assert_allclose(kernel[0], linear_tangent_kernel([first, second]), atol=1e-12)
    # As a matrix on the row-major entries (output, input) of the map.
    matrix = np.transpose(kernel[0], (2, 0, 3, 1)).reshape(8, 8)
    kronecker = np.kron(np.eye(2), path.first_gram[0]) + np.kron(path.second_gram[0], np.eye(4))
    np.testing.assert_allclose(matrix, kronecker, atol=1e-12)


@pytest.mark.parametrize(("depth", "rank"), [(2, 1), (3, 3)])
def test_converged_kernel_is_that_of_balanced_weights_in_the_tasks_directions(depth, rank):
    left, right, hidden = (np.linalg.qr(normal(size, size, size))[0][:, :rank] for size in (3, 4, 5))
    values = np.array([2.0, 1.0, 0.3])[:rank]
    bases = [right, *[hidden] * (depth - 1), left]
    weights = [jnp.asarray(up * values ** (1 / depth) @ down.T) for down, up in pairwise(bases)]
    expected = linear_tangent_kernel(weights)
    np.testing.assert_allclose(converged_kernel(jnp.asarray(left * values @ right.T), depth), expected, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_converged_kernel_of_one_output_and_its_alignment(depth):
    """The printed form s^(2 - 2/L) (I + (L - 1) beta beta^T)."""
    beta = jnp.array([0.6, 0.0, -0.8])
    kernel = converged_kernel(1.5 * beta[None, :], depth)[:, :, 0, 0]
    expected = 1.5 ** (2 - 2 / depth) * (np.eye(3) + (depth - 1) * np.outer(beta, beta))
    np.testing.assert_allclose(kernel, expected, atol=1e-14)
    aligned = alignment(kernel, beta)
    np.testing.assert_allclose(aligned, converged_alignment(depth, 3), rtol=1e-14)
    if depth == 2:
        assert converged_alignment(2, 10) == pytest.approx(2 / 13**0.5)


def test_a_task_without_correlation_ends_without_a_kernel():
    np.testing.assert_array_equal(converged_kernel(jnp.zeros((2, 3)), 3), np.zeros((3, 3, 2, 2)))


def test_follows_the_inputs_dtype():
    layers = [normal(0, 2, 2).astype(jnp.float32)] * 2
    assert linear_tangent_kernel(layers).dtype == jnp.float32
    assert converged_kernel(layers[0], 3).dtype == jnp.float32


def test_refusals():
    with pytest.raises(OutsideDomain, match="`depth` is 0"):
        converged_kernel(normal(0, 2, 3), 0)
    with pytest.raises(OutsideDomain, match="`input_dim` is 0"):
        converged_alignment(2, 0)
