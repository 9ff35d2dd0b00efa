"""A ReLU layer of trained hidden weights: nothing to begin with, and its wide kernel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import networks, numerics
from solvable.errors import OutsideDomain


def test_it_starts_from_0_with_the_kernel_of_infinite_width():
    network = networks.paired_hidden_layer(jax.random.key(0), width=40_000, input_dim=2, bias_scale=0.5)
    inputs = jnp.asarray([[1.0, 0.0], [0.6, -0.8], [-1.0, 0.1]])

    @jax.jit
    def look(network, inputs):
        gradients = jax.vmap(jax.grad(lambda net, x: net(x)[0]), (None, 0))(network, inputs)
        first = gradients.first.reshape(3, -1)
        kernel = numerics.gram_matrix(numerics.ReluLayerKernel(0.5), inputs)
        return jax.vmap(network)(inputs), first @ first.T, kernel, gradients.second

    outputs, empirical, kernel, frozen = look(network, inputs)
    np.testing.assert_allclose(outputs, 0, atol=1e-12)
    np.testing.assert_allclose(empirical, kernel, atol=0.01)
    assert not np.any(frozen)
    assert network.features((2,)) is None
    with pytest.raises(OutsideDomain, match="even"):
        networks.paired_hidden_layer(jax.random.key(0), width=3, input_dim=2)
    with pytest.raises(OutsideDomain, match="polynomial"):
        network.coefficients()
