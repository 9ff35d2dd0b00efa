"""Speed of the interpolator that training picks, and of runs of SGD, against plain NumPy and SciPy.

    python benchmarks/interpolator.py

Float64, all cores for both sides. Each row of ours is timed after one call of its own, which compiles.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from linear_solutions import best_of  # its import chooses float64
from rich.console import Console
from rich.table import Table
from scipy.integrate import solve_ivp

from solvable import networks, tasks, training
from solvable.theory import linear


def once(run):
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def sparse_regression(samples, dim, seed=0):
    inputs = np.random.default_rng(seed).normal(size=(samples, dim))
    return inputs, inputs[:, :3] @ np.array([1.0, -0.7, 0.5])


def flow_by_scipy(inputs, targets, scale):
    """Both weights along gradient flow, by their logarithms, until the residual is gone."""
    dim = inputs.shape[1]

    def velocity(_, logs):
        first, second = np.exp(2 * logs[:dim]), np.exp(2 * logs[dim:])
        slope = 2 * inputs.T @ (inputs @ (first - second) - targets) / targets.size
        return np.concatenate([-slope, slope])

    def fitted(_, logs):
        strength = np.exp(2 * logs[:dim]) - np.exp(2 * logs[dim:])
        return np.linalg.norm(inputs @ strength - targets) - 1e-8

    fitted.terminal = True
    start = np.full(2 * dim, np.log(scale))
    end = solve_ivp(velocity, (0, 1e12), start, method="LSODA", events=fitted, rtol=1e-9, atol=1e-11).y[:, -1]
    return np.exp(2 * end[:dim]) - np.exp(2 * end[dim:])


def sgd_by_numpy(inputs, targets, scale, rate, steps, runs):
    ends = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        first, second = np.full(inputs.shape[1], scale), np.full(inputs.shape[1], scale)
        for _ in range(steps):
            chosen = rng.integers(targets.size)
            push = 2 * rate * (inputs[chosen] @ (first**2 - second**2) - targets[chosen]) * inputs[chosen]
            first, second = first * (1 - push), second * (1 + push)
        ends.append(first**2 - second**2)
    return np.array(ends)


def main():
    table = Table("work", "against", "measured", "asked")
    inputs, targets = sparse_regression(100, 10_000)
    x, y = jnp.asarray(inputs), jnp.asarray(targets)
    seconds = best_of(lambda: linear.flow_interpolator(x, y, 1e-3).predictor)
    table.add_row("interpolator, n = 100, d = 10 000, alpha = 1e-3", "", f"{seconds:.2f} s", "1 s")
    scales = jnp.geomspace(1e-4, 10.0, 100)
    sweep = jax.jit(jax.vmap(lambda x, y, scale: linear.flow_interpolator(x, y, scale).predictor, (None, None, 0)))
    seconds = best_of(lambda: sweep(x, y, scales), 1)
    table.add_row("the same for 100 scales, 1e-4 to 10, by vmap", "", f"{seconds:.1f} s", "10 s")

    inputs, targets = sparse_regression(20, 100)
    x, y = jnp.asarray(inputs), jnp.asarray(targets)
    ours = best_of(lambda: linear.flow_interpolator(x, y, 0.01).predictor)
    found = np.asarray(linear.flow_interpolator(x, y, 0.01).predictor)
    theirs, end = once(lambda: flow_by_scipy(inputs, targets, 0.01))
    gap = np.abs(found - end).max()
    table.add_row("interpolator, n = 20, d = 100", "SciPy LSODA", f"{theirs / ours:.0f}x, agree to {gap:.0e}", "20x")

    rate, steps, runs = 0.005, 10_000, 64
    data, start = tasks.make_samples(x, y), networks.power_difference_start(jnp.full(100, 0.1))
    run = jax.jit(
        jax.vmap(
            lambda key: training.sgd(
                start, data, key=key, batch_size=1, learning_rate=rate, steps=steps, record=2, replacement=True
            ).network.coefficients()[0]
        )
    )
    keys = jax.random.split(jax.random.key(0), runs)
    ours, found = best_of(lambda: run(keys)), np.asarray(run(keys))
    theirs, end = once(lambda: sgd_by_numpy(inputs, targets, 0.1, rate, steps, 4))
    gap = np.linalg.norm(found.mean(0) - end.mean(0)) / np.linalg.norm(end.mean(0))
    ratio = theirs / 4 * runs / ours
    table.add_row(f"{runs} runs of SGD, {steps} steps", "NumPy loop", f"{ratio:.0f}x, means agree to {gap:.0e}", "20x")
    Console().print(table)


if __name__ == "__main__":
    main()
