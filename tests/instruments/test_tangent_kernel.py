"""The measured tangent kernel against finite steps, and what its alignment and distance mean."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.instruments import alignment_at_drop, kernel_alignment, kernel_distance, tangent_kernel
from solvable.networks import Neuron, UnitLayer
from solvable.numerics import activations


def test_kernel_is_the_change_of_outputs_by_a_gradient_step():
    rng = np.random.default_rng(0)
    first, second, inputs = (jnp.asarray(rng.normal(size=shape)) for shape in ((4, 3), (2, 4), (5, 3)))
    network = UnitLayer(first, second, Neuron(activations.tanh))
    kernel = jax.jit(tangent_kernel)(network, inputs)
    assert kernel.shape == (5, 5, 2, 2)
    slope = jax.jit(jax.grad(lambda network: network(inputs[1])[0]))(network)
    step = UnitLayer(first + 1e-6 * slope.first, second + 1e-6 * slope.second, network.unit)
    change = (jax.vmap(step)(inputs) - jax.vmap(network)(inputs)) / 1e-6
    np.testing.assert_allclose(kernel[:, 1, :, 0], change, rtol=1e-4, atol=1e-5)


def test_alignment_is_one_for_the_targets_own_kernel_and_blind_to_scale():
    targets = jnp.array([1.0, -2.0, 0.5])
    assert kernel_alignment(targets[:, None] * targets[None, :], targets) == pytest.approx(1)
    assert kernel_alignment(3 * jnp.eye(3), targets) == pytest.approx(3**-0.5)
    assert kernel_alignment(jnp.eye(3), targets[:, None]) == pytest.approx(3**-0.5)
    assert kernel_alignment(jnp.zeros((3, 3)), targets) == 0


def test_distance():
    kernel = jnp.diag(jnp.array([1.0, 0.0]))
    assert kernel_distance(kernel, 7 * kernel) == pytest.approx(0)
    assert kernel_distance(kernel, jnp.eye(2) - kernel) == pytest.approx(1)
    assert kernel_distance(kernel, 0 * kernel) == 1


def test_alignment_when_the_loss_has_dropped():
    loss, alignment = np.array([2.0, 2.0, 1.0, 0.0]), np.array([0.1, 0.5, 0.7, 0.7])
    assert alignment_at_drop(loss, alignment, 0.25) == pytest.approx(0.6)
    assert np.isnan(alignment_at_drop(loss[:2], alignment[:2], 0.5))
    with pytest.raises(OutsideDomain, match="`share` is 1"):
        alignment_at_drop(loss, alignment, 1.0)
