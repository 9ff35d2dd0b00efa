"""The structured kernel of a layer against its Jacobian, and the modes of a kernel on its data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.instruments import kernel_modes, layer_tangent_kernel, tangent_kernel
from solvable.networks import ConvolutionKernel, Neuron, UnitLayer, initialise
from solvable.numerics import GaussianKernel, activations, gram_matrix


@pytest.mark.parametrize("activation", [activations.relu, activations.tanh])
@pytest.mark.parametrize("bias", [False, True])
def test_it_is_the_kernel_of_the_jacobian(activation, bias):
    rng = np.random.default_rng(0)
    first, second, inputs = (jnp.asarray(rng.normal(size=shape)) for shape in ((7, 3 + bias), (1, 7), (6, 3)))
    network = UnitLayer(first, second, Neuron(activation, bias))
    whole = jax.jit(tangent_kernel)(network, inputs)[:, :, 0, 0]
    np.testing.assert_allclose(layer_tangent_kernel(network, inputs), whole, rtol=1e-12)
    np.testing.assert_allclose(layer_tangent_kernel(network, inputs[:2], inputs[2:]), whole[:2, 2:], rtol=1e-12)


def test_other_networks_are_refused():
    network = initialise(Neuron(activations.relu), jax.random.key(0), width=2, input_shape=(3,), output_dim=2)
    with pytest.raises(OutsideDomain, match="2 outputs"):
        layer_tangent_kernel(network, jnp.ones((2, 3)))
    network = initialise(ConvolutionKernel(activations.relu, 2), jax.random.key(0), width=2, input_shape=(3,))
    with pytest.raises(OutsideDomain, match="ConvolutionKernel"):
        layer_tangent_kernel(network, jnp.ones((2, 3)))


def test_modes_are_orthonormal_on_the_data_and_hold_all_of_kernel_and_targets():
    rng = np.random.default_rng(1)
    inputs, targets = jnp.asarray(rng.normal(size=(40, 3))), jnp.asarray(rng.normal(size=(40, 2)))
    gram = gram_matrix(GaussianKernel(1.5), inputs)
    modes = kernel_modes(gram, targets)
    assert float(modes.eigenvalues.sum()) == pytest.approx(1)
    assert (np.diff(modes.eigenvalues) <= 0).all()
    assert float(modes.target_power.sum()) == pytest.approx(float((targets**2).mean(0).sum()))
    # An eigenfunction of unit power is a target with one mode; a kernel of low rank has zeros.
    vectors = np.linalg.eigh(gram)[1]
    lone = kernel_modes(gram, jnp.asarray(vectors[:, -2:-1] * 40**0.5))
    np.testing.assert_allclose(lone.target_power, np.eye(40)[1], atol=1e-10)
    linear = kernel_modes(inputs @ inputs.T, targets).eigenvalues
    assert int((linear > 0).sum()) == 3
    with pytest.raises(OutsideDomain, match="`gram`"):
        kernel_modes(gram, targets[:7])
