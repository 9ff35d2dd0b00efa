"""The same gradient descent, written plainly in PyTorch, ends at the same loss: the rivals of the benchmarks agree."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.networks import AttentionHead, ConvolutionKernel, Neuron, initialise_for
from solvable.numerics import activations
from solvable.tasks import (
    InContextRegression,
    TeacherNetwork,
    convolution_points,
    linear_teacher,
    orthogonal_pair,
)
from solvable.training import gradient_descent

torch = pytest.importorskip("torch")


def load_rivals():
    path = Path(__file__).parents[2] / "benchmarks" / "eager.py"
    spec = importlib.util.spec_from_file_location("eager", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


eager = load_rivals()
KEY = jax.random.key(0)
SQUARES = TeacherNetwork(jnp.eye(2), jnp.ones((1, 2)), activations.square, jnp.eye(2))
SETTINGS = {
    "linear": (Neuron(activations.identity), linear_teacher(jnp.eye(2)).sample(KEY, 64), eager.linear),
    "relu": (Neuron(activations.relu), orthogonal_pair(), eager.relu),
    "quadratic": (Neuron(activations.square), SQUARES.sample(KEY, 64), eager.quadratic),
    "linear convolution": (
        ConvolutionKernel(activations.identity, 2, 2),
        convolution_points(),
        eager.convolution(lambda z: z),
    ),
    "relu convolution": (
        ConvolutionKernel(activations.relu, 2, 2),
        convolution_points(),
        eager.convolution(torch.relu),
    ),
    "attention": (AttentionHead(), InContextRegression(jnp.eye(2), 8).sample(KEY, 64), eager.linear_attention),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_gradient_descent_agrees_with_torch(name):
    unit, samples, rival = SETTINGS[name]
    network = initialise_for(unit, samples, jax.random.key(1), width=7, init_scale=0.3)
    ours = gradient_descent(network, samples, learning_rate=0.01, steps=40).loss
    assert ours[-1] < ours[0]
    inputs, targets, *weights = map(np.asarray, (samples.inputs, samples.targets, network.first, network.second))
    _, theirs = eager.train(rival, inputs, targets, tuple(weights), 0.01, 40)
    assert float(ours[-1]) == pytest.approx(theirs, rel=1e-10)
