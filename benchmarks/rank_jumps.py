"""Rank jumps under SGD: hundreds of runs as one compiled batch against the same runs in eager PyTorch.

    python benchmarks/rank_jumps.py

One thread each, float64 on both sides, the same starts, entries, rate, ridge and steps. The rival follows a few of the
runs for a part of their steps; its time is scaled to all of them, and its weights must agree where it stops.
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import saddle_to_saddle  # noqa: F401  its import chooses one core, one thread and float64
import torch

from solvable import networks, tasks, training

RUNS, STEPS, RATE, RIDGE, DEPTH, WIDTH = 400, 6000, 0.1, 0.075, 3, 4
FOLLOWED, PART = 2, 500
LEAST = 100


def make_task():
    """Singular values 1 and 0.45 along turned axes, all four entries observed."""
    left, right = (np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in (0.6, -0.4))
    return tasks.MatrixCompletion(jnp.asarray((left * [1.0, 0.45]) @ right.T), jnp.ones((2, 2), bool))


def make_starts(key):
    """Weights of all runs, each layer (run, above, below)."""
    sizes = (2, *(WIDTH,) * (DEPTH - 1), 2)
    draws = 0.5 * jax.random.normal(key, (RUNS, DEPTH, WIDTH, WIDTH))
    return tuple(draws[:, layer, : sizes[layer + 1], : sizes[layer]] for layer in range(DEPTH))


def train_batch(task, keys, starts, steps):
    """Weights of all runs in the end, one call."""

    def run(key, weights):
        return training.completion_sgd(
            networks.linear_network(weights), task, key=key, learning_rate=RATE, steps=steps, ridge=RIDGE, record=2
        ).network.weights

    return jax.vmap(run)(keys, starts)


def train_eagerly(task, entries, weights):
    """One run in PyTorch; seconds and weights."""
    target = torch.tensor(np.asarray(task.target))
    weights = [torch.tensor(np.asarray(layer), requires_grad=True) for layer in weights]
    optimiser = torch.optim.SGD(weights, lr=RATE)
    start = time.perf_counter()
    for entry in entries:
        optimiser.zero_grad()
        product = weights[2] @ weights[1] @ weights[0]
        gap = (product - target).flatten()[entry]
        (target.numel() * gap**2 / 2 + RIDGE * sum((layer**2).sum() for layer in weights)).backward()
        optimiser.step()
    return time.perf_counter() - start, [layer.detach().numpy() for layer in weights]


def main():
    task, key = make_task(), jax.random.key(0)
    starts, keys = make_starts(key), jax.random.split(jax.random.key(1), RUNS)
    compiled = jax.jit(lambda keys, starts, steps=STEPS: train_batch(task, keys, starts, steps))
    part = jax.block_until_ready(jax.jit(lambda k, s: train_batch(task, k, s, PART))(keys, starts))
    jax.block_until_ready(compiled(keys, starts))
    begin = time.perf_counter()
    jax.block_until_ready(compiled(keys, starts))
    ours, rival = time.perf_counter() - begin, 0.0
    draw = jax.jit(jax.vmap(lambda key, step: training.draw_entry(key, step, task), (None, 0)))
    for run in range(FOLLOWED):
        entries = np.asarray(draw(keys[run], jnp.arange(PART))).tolist()
        seconds, weights = train_eagerly(task, entries, [layer[run] for layer in starts])
        rival += seconds / FOLLOWED
        for found, expected in zip(weights, part, strict=True):
            np.testing.assert_allclose(found, expected[run], rtol=1e-8, atol=1e-12)
    ratio = rival / PART * STEPS * RUNS / ours
    print(f"{RUNS} runs of {STEPS} steps: {ours:.2f} s in one call; eager PyTorch, one after the other, {ratio:.0f}x")
    return 0 if ratio >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
