"""Planted fixed points: no gradient, a residual of the size asked for."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from solvable import networks, training
from solvable.errors import OutsideDomain
from solvable.numerics import activations


@pytest.mark.parametrize("activation", [activations.identity, activations.relu, activations.tanh])
@pytest.mark.parametrize("outputs", [1, 2])
def test_the_gradient_is_zero_and_the_loss_is_that_of_the_residual(activation, outputs):
    key = jax.random.key(0)
    network = networks.initialise(
        networks.Neuron(activation), key, width=3, input_shape=(4,), output_dim=outputs, init_scale=1.0
    )
    inputs = jax.random.normal(key, (50, 4))
    samples = networks.plant_fixed_point(network, inputs, key, residual_scale=0.7)
    loss = training.make_objective(network, samples)
    assert float(loss(network)) == pytest.approx(outputs * 0.7**2 / 2, rel=1e-12)
    for gradient in jax.tree.leaves(eqx.filter_grad(loss)(network)):
        assert float(jnp.abs(gradient).max()) < 1e-14


def test_training_from_the_point_goes_nowhere():
    key = jax.random.key(1)
    network = networks.initialise_deep(
        networks.Neuron(activations.tanh),
        key,
        widths=(3, 2),
        input_shape=(3,),
        activation=activations.tanh,
        init_scale=1.0,
    )
    samples = networks.plant_fixed_point(network, jax.random.normal(key, (60, 3)), key)
    run = training.gradient_descent(network, samples, learning_rate=0.01, steps=20, record=2)
    assert eqx.tree_equal(run.network, network, rtol=1e-10, atol=1e-12)


def test_too_few_samples_are_refused():
    key = jax.random.key(2)
    network = networks.initialise(networks.Neuron(activations.relu), key, width=4, input_shape=(3,), init_scale=1.0)
    with pytest.raises(OutsideDomain, match="5 samples with 5 targets in all, which 16 weights"):
        networks.plant_fixed_point(network, jax.random.normal(key, (5, 3)), key)
    with pytest.raises(OutsideDomain, match="`residual_scale` is -1"):
        networks.plant_fixed_point(network, jax.random.normal(key, (50, 3)), key, residual_scale=-1.0)
