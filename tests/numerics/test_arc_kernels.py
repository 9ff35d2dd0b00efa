"""Tangent kernels of ReLU networks whose biases start at 0, against wide networks and at their ends."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.numerics import DeepReluTangentKernel, ReluLayerKernel, ReluTangentKernel, arc_cosines, gram_matrix

gram = eqx.filter_jit(gram_matrix)


def test_the_deep_kernel_is_that_of_wide_networks():
    """Mean over draws of all gradients of two hidden layers, written out; weights N(0, 1), biases 0."""
    beta, width, draws, rng = 0.7, 300, 150, np.random.default_rng(0)
    inputs = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [-0.9, 0.3, 0.2]])
    sampled, scale = np.zeros((3, 3)), (2 / width) ** 0.5
    for _ in range(draws):
        first, second, last = rng.normal(size=(width, 3)), rng.normal(size=(width, width)), rng.normal(size=width)
        before = inputs @ first.T
        hidden = scale * np.maximum(before, 0)
        above = hidden @ second.T
        top = scale * np.maximum(above, 0)
        back = scale * (above > 0) * last
        below = scale * (before > 0) * (back @ second)
        sampled += top @ top.T + beta**2
        sampled += back @ back.T * (hidden @ hidden.T + beta**2) + below @ below.T * (inputs @ inputs.T + beta**2)
    kernel = gram(DeepReluTangentKernel(2, beta, normalised=False), jnp.asarray(inputs))
    np.testing.assert_allclose(kernel, sampled / draws, rtol=0.03, atol=0.03)
    own = 3 * (np.sum(inputs**2, axis=1) + beta**2)
    np.testing.assert_allclose(np.diag(kernel), own, rtol=1e-7)
    normalised = gram(DeepReluTangentKernel(2, beta), jnp.asarray(inputs))
    np.testing.assert_allclose(normalised, kernel / np.sqrt(np.outer(own, own)), rtol=1e-7)


def test_one_layer_is_the_known_kernel_and_ends_are_exact():
    inputs = jnp.asarray([[1.0, 0.5], [1.0, 0.5], [-1.0, -0.5], [0.0, 0.0]])

    @jax.jit
    def both(inputs):
        kernels = DeepReluTangentKernel(1, 0.0, normalised=False), ReluTangentKernel(), ReluLayerKernel(1.0)
        slopes = jax.grad(lambda x: sum(jnp.sum(gram_matrix(kernel, x)) for kernel in kernels))(inputs)
        right_angle = kernels[2](jnp.zeros(()), jnp.ones(()), jnp.ones(()))
        ends = arc_cosines(jnp.asarray([-1.0 - 1e-9, 0.0, 1.0 + 1e-9]))
        return [gram_matrix(kernel, inputs) for kernel in kernels], slopes, right_angle, ends

    (deep, known, _), slopes, right_angle, ends = both(inputs)
    np.testing.assert_allclose(deep, 2 * known, rtol=1e-12)
    assert np.all(np.isfinite(slopes))
    np.testing.assert_allclose(right_angle, 1 / 8)  # (cos + 1)(pi - angle)/(4 pi)
    np.testing.assert_allclose(ends, [[0, 0.5, 1], [0, 1 / np.pi, 1]], rtol=1e-12)


def test_parameters_without_meaning_are_refused():
    with pytest.raises(OutsideDomain, match="depth"):
        DeepReluTangentKernel(0)
    with pytest.raises(OutsideDomain, match="`bias_scale`"):
        ReluLayerKernel(-1.0)
