"""Speed of deep matrix factorisation on completion problems against eager PyTorch, as ratios measured in one run.

    python benchmarks/matrix_completion.py

As in ``saddle_to_saddle.py``: one thread each, float64 on both sides, the same balanced layers, rate and steps; the
completed matrices are compared.
"""

import sys
import time

import jax.numpy as jnp
import numpy as np
import saddle_to_saddle as shallow  # its import chooses one core, one thread and float64
import torch
from report import report

from solvable import networks, tasks, training
from solvable.training.completion import layers_of

STEPS, LEAST = 2000, 20
SETTINGS = {"8 x 8": (8, 1, 35), "30 x 30": (30, 2, 300), "100 x 100": (100, 5, 2000)}  # side, rank, observed


def train_eagerly(task, layers, rate):
    """Gradient descent on half the sum over observed entries; seconds and the completed matrix."""
    layers = [torch.tensor(np.asarray(layer), requires_grad=True) for layer in layers]
    target, observed = torch.tensor(np.asarray(task.target)), torch.tensor(np.asarray(task.observed))
    optimiser = torch.optim.SGD(layers, lr=rate)

    def product():
        weights = layers[0]
        for layer in layers[1:]:
            weights = layer @ weights
        return weights

    start = time.perf_counter()
    for _ in range(STEPS):
        optimiser.zero_grad()
        (torch.where(observed, product() - target, 0) ** 2).sum().div(2).backward()
        optimiser.step()
    return time.perf_counter() - start, product().detach().numpy()


def time_completion(name, depth):
    side, rank, observed = SETTINGS[name]
    task = tasks.low_rank_completion(shallow.KEY, shape=(side, side), rank=rank, num_observed=observed)
    rate = float(0.2 / (depth * jnp.linalg.norm(task.target, 2) ** (2 - 2 / depth)))
    network, loss = networks.balanced_factors(1e-3 * jnp.eye(side), depth=depth), training.CompletionLoss(task)

    def run():
        return training.gradient_descent(network, loss, learning_rate=rate, steps=STEPS).network.coefficients()

    ours = shallow.best_of(run, 3)
    theirs, found = train_eagerly(task, layers_of(network), rate)
    gap = float(np.max(np.abs(np.asarray(run()) - found)))
    detail = f"{1e6 * ours / STEPS:.1f} us a step against {1e6 * theirs / STEPS:.0f}; matrices agree to {gap:.0e}"
    # What is asked is asked of small matrices: large products cost the same on both sides.
    yield f"{name}, {depth} layers", theirs / ours, ">=", LEAST if side <= 30 else 1, detail


ROWS = {f"{name}, {depth}": (lambda n=name, d=depth: time_completion(n, d)) for name in SETTINGS for depth in (2, 3)}


if __name__ == "__main__":
    sys.exit(report(ROWS, sys.argv[1:]))
