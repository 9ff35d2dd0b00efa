"""Speed of the deep networks of Figs. 5 and 6 against eager PyTorch, as ratios measured in one run.

    python benchmarks/deep_networks.py          # every row
    python benchmarks/deep_networks.py 5A relu  # some

As in ``saddle_to_saddle.py``: one thread each, float64 on both sides, the same weights, samples, rate and steps.
"""

import sys

import eager
import jax.numpy as jnp
import saddle_to_saddle as shallow  # its import chooses one core, one thread and float64
import torch
from report import report

from solvable import networks, tasks, training
from solvable.numerics import activations

STEPS, LEAST = 1000, 10
SKIPS = ((1, 3),)


def identity(values):
    return values


def settings():
    """Name -> unit, activation above, samples, rival, widths, skips, init_scale, learning rate on the half loss."""
    draw = lambda task: task.sample(shallow.KEY, shallow.SAMPLES)  # noqa: E731
    plain = draw(tasks.linear_teacher(jnp.eye(2), jnp.array([[1.0, 1.0], [1.0, 4.0]])))
    patches = draw(tasks.linear_teacher(tasks.split_convolution_teacher(), jnp.diag(jnp.array([1.0, 1.0, 2.0, 1.0]))))
    context = draw(tasks.InContextRegression(jnp.eye(2), 32))
    squares = draw(tasks.TeacherNetwork(jnp.eye(2), jnp.eye(2), activations.square, jnp.eye(2)))
    points = tasks.make_samples(tasks.orthogonal_pair().inputs, jnp.eye(2))
    linear, relu, neuron = activations.identity, activations.relu, networks.Neuron
    kernel = networks.ConvolutionKernel(linear, 2, 2)
    dense, rectified = eager.neurons(identity), eager.neurons(torch.relu)
    return {
        "5A": (neuron(linear), linear, plain, eager.deep(dense, identity), (50, 50), (), 0.005, 0.04),
        "5B": (kernel, linear, patches, eager.deep(eager.kernels(identity), identity), (50, 50), (), 0.005, 0.04),
        "5C": (
            neuron(relu), relu, tasks.orthogonal_pair(), eager.deep(rectified, torch.relu), (50, 50), (), 0.005, 0.04,
        ),
        "5E": (networks.AttentionHead(), linear, context, eager.deep(eager.heads, identity), (10, 10), (), 0.005, 0.04),
        "5F": (
            neuron(activations.square), linear, squares, eager.deep(eager.neurons(torch.square), identity),
            (10, 10), (), 0.05, 0.04,
        ),
        "linear": (neuron(linear), linear, plain, eager.deep(dense, identity, SKIPS), (50, 50, 50), SKIPS, 0.02, 0.02),
        "relu": (
            neuron(relu), relu, points, eager.deep(rectified, torch.relu, SKIPS), (50, 50, 50), SKIPS, 0.02, 0.05,
        ),
    }  # fmt: skip


def time_network(name):
    unit, activation, samples, rival, widths, skips, scale, rate = settings()[name]
    network = networks.initialise_deep(
        unit,
        shallow.KEY,
        widths=widths,
        input_shape=samples.inputs.shape[1:],
        output_dim=samples.targets.shape[1],
        activation=activation,
        skips=skips,
        init_scale=scale,
    )

    def run():
        return training.gradient_descent(network, samples, learning_rate=rate, steps=STEPS)

    work = f"Fig. {name[0]} {name[1:]}" if name[0] == "5" else f"Fig. 6, {name}, skip 2"
    yield shallow.compare(work, run, rival, samples, network.weights, rate, STEPS, LEAST)


ROWS = {name: (lambda name=name: time_network(name)) for name in ("5A", "5B", "5C", "5E", "5F", "linear", "relu")}


if __name__ == "__main__":
    sys.exit(report(ROWS, sys.argv[1:]))
