"""Speed of the exact solutions of linear networks, and of the same equations integrated by SciPy.

    python benchmarks/linear_solutions.py

Float64, all cores for both sides. Each row is timed after one call of its own; the rival is SciPy's DOP853 at a
tolerance at which both agree to the accuracy shown.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.integrate import solve_ivp

from solvable.theory import linear

jax.config.update("jax_enable_x64", True)

RUNS = 256


def best_of(run, times=5):
    """Least seconds of some calls after one that compiles."""
    jax.block_until_ready(run())
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        jax.block_until_ready(run())
        taken.append(time.perf_counter() - start)
    return min(taken)


def time_closed_forms():
    """100,000 times by 100 modes in one compiled call each."""
    times = jnp.linspace(0, 20, 100_000)[:, None]
    targets, starts = jnp.linspace(0.1, 3, 100)[None], jnp.full((1, 100), 1e-3)
    calls = {
        "logistic_mode": (jax.jit(linear.logistic_mode), (times, targets, starts)),
        "imbalanced_strength": (jax.jit(linear.imbalanced_strength), (times, starts, 2 * starts, targets)),
    }
    for name, (solve, given) in calls.items():
        seconds = best_of(lambda solve=solve, given=given: solve(*given))
        yield name, "100 000 times x 100 modes", f"{seconds:.3f} s", "", "0.1 s asked"


def time_modes():
    """Unbalanced modes, each its own ODE, for a batch of runs."""
    rng = np.random.default_rng(0)
    first, second, target = rng.normal(size=(3, RUNS)) * np.array([[0.1], [0.3], [1.0]]) + np.array([[0], [0], [2.0]])
    times = np.linspace(0, 5, 200)
    solve = jax.jit(linear.imbalanced_mode)
    given = [jnp.asarray(values) for values in (times[:, None], first[None], second[None], target[None])]
    ours = best_of(lambda: solve(*given))

    def rival(a, b, s):
        velocity = lambda _, y: [y[1] * (s - y[0] * y[1]), y[0] * (s - y[0] * y[1])]  # noqa: E731
        return solve_ivp(velocity, (0, times[-1]), [a, b], t_eval=times, method="DOP853", rtol=1e-9, atol=1e-11).y

    start = time.perf_counter()
    found = np.stack([rival(*run) for run in zip(first, second, target, strict=True)], axis=-1)
    theirs = time.perf_counter() - start
    gap = float(np.max(np.abs(found - np.stack(solve(*given)))))
    yield "imbalanced_mode", f"{RUNS} runs x 200 times", f"{ours:.2g} s", f"{theirs:.2g} s", ratio(theirs, ours, gap)


def time_networks():
    """Whole two-layer networks from balanced weights, 8 inputs, 5 units, 6 outputs, for a batch of runs."""
    rng = np.random.default_rng(1)
    inputs, width, outputs = 8, 5, 6
    times = np.linspace(0, 10, 50)
    tasks = rng.normal(size=(RUNS, outputs, inputs)) / 2
    frames = [np.linalg.qr(rng.normal(size=(RUNS, size, width)))[0] for size in (inputs, outputs)]
    size = 0.1 * np.abs(rng.normal(size=(RUNS, 1, width)))
    first, second = np.swapaxes(frames[0] * size, 1, 2), frames[1] * size
    solve = jax.jit(jax.vmap(lambda task, w1, w2: linear.two_layer_path(task, w1, w2, jnp.asarray(times)).map))
    given = [jnp.asarray(values) for values in (tasks, first, second)]
    ours = best_of(lambda: solve(*given))

    def rival(task, w1, w2):
        def velocity(_, flat):
            one, two = flat[: w1.size].reshape(w1.shape), flat[w1.size :].reshape(w2.shape)
            gap = task - two @ one
            return np.concatenate([(two.T @ gap).ravel(), (gap @ one.T).ravel()])

        start = np.concatenate([w1.ravel(), w2.ravel()])
        flow = solve_ivp(velocity, (0, times[-1]), start, t_eval=times, method="DOP853", rtol=1e-9, atol=1e-11).y.T
        shape = (len(times), -1)
        one, two = flow[:, : w1.size].reshape(*shape, inputs), flow[:, w1.size :].reshape(*shape, width)
        return two @ one

    start = time.perf_counter()
    found = np.stack([rival(*run) for run in zip(tasks, first, second, strict=True)])
    theirs = time.perf_counter() - start
    gap = float(np.max(np.abs(found - solve(*given))))
    yield "two_layer_path", f"{RUNS} networks x 50 times", f"{ours:.2g} s", f"{theirs:.2g} s", ratio(theirs, ours, gap)


def ratio(theirs, ours, gap):
    return f"{theirs / ours:.0f}x, agree to {gap:.0e}"


def main():
    table = Table("solution", "size", "here", "SciPy DOP853", "")
    for rows in (time_closed_forms(), time_modes(), time_networks()):
        for row in rows:
            table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
