"""Imbalance between layers: its definition, its conservation by the flow, its drift under finite steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import instruments, networks, numerics, tasks, training
from solvable.errors import OutsideDomain

LINEAR = networks.Neuron(numerics.activations.identity)
SIZES = {"width": 4, "input_shape": (3,), "output_dim": 2}


def test_definition_in_shallow_and_deep_networks():
    layer = networks.initialise(LINEAR, jax.random.key(0), init_scale=1.0, **SIZES)
    expected = (
        np.asarray(layer.second).T @ np.asarray(layer.second) - np.asarray(layer.first) @ np.asarray(layer.first).T
    )
    np.testing.assert_allclose(instruments.layer_imbalance(layer), expected, atol=1e-13)
    deep = networks.orthogonal_start(jax.random.key(0), widths=(3, 3), input_dim=3, output_dim=3)
    for layer in (1, 2):
        np.testing.assert_allclose(instruments.layer_imbalance(deep, layer), np.zeros((3, 3)), atol=1e-13)


def test_descent_drifts_in_proportion_to_the_learning_rate_only():
    layer = networks.initialise(LINEAR, jax.random.key(1), init_scale=0.5, **SIZES)
    task = tasks.linear_teacher(jnp.array([[1.0, 0.0, 2.0], [0.5, -1.0, 0.0]]), jnp.diag(jnp.array([1.0, 0.5, 2.0])))

    @jax.jit
    def drift(rate):
        run = training.gradient_descent(
            layer, task, learning_rate=rate, steps=600, record=7, observables={"kept": instruments.layer_imbalance}
        )
        return instruments.imbalance_drift(run.observables["kept"])

    coarse, fine = drift(0.02), drift(0.01)
    assert float(coarse[0]) == 0
    assert 1e-4 < float(fine[-1]) < 0.2
    assert float(coarse[-1] / fine[-1]) == pytest.approx(2, rel=0.1)


def test_what_has_no_imbalance_is_refused():
    layer = networks.initialise(LINEAR, jax.random.key(0), **SIZES)
    for wrong in (0, 2):
        with pytest.raises(OutsideDomain, match=f"`layer` is {wrong}"):
            instruments.layer_imbalance(layer, wrong)
    kernels = networks.ConvolutionKernel(numerics.activations.identity, 2)
    deep = networks.initialise_deep(kernels, jax.random.key(0), widths=(2, 3), input_shape=(4,))
    with pytest.raises(OutsideDomain, match="one output each"):
        instruments.layer_imbalance(deep)
