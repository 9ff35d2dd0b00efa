"""Speed of the curvature instruments against gradients of the same loss, and against the dense Hessian.

    python benchmarks/curvature.py

One thread, float64. A Lanczos step is a Hessian product and making it orthogonal to all earlier directions; a call at
100,000 parameters is timed whole, after its first (compiling) use, and divided by its steps.
"""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from rich.console import Console
from rich.table import Table

from solvable import networks, numerics, tasks, training
from solvable.instruments import extreme_curvatures, hessian_product
from solvable.numerics import activations

jax.config.update("jax_enable_x64", True)

STEPS = 36


def best_of(*runs, times=7):
    """Least seconds of each of some calls, taken in turns so that all see the same machine, after one call of each."""
    seconds = [[] for _ in runs]
    for turn in range(times + 1):
        for run, taken in zip(runs, seconds, strict=True):
            start = time.perf_counter()
            jax.block_until_ready(run())
            taken += [time.perf_counter() - start] if turn else []
    return [min(taken) for taken in seconds]


def setting(activation, width, input_dim, output_dim, num_samples):
    """A network at the usual scale of its weights, and its loss on samples of a random linear teacher."""
    matrix = jax.random.normal(jax.random.key(0), (output_dim, input_dim)) / input_dim**0.5
    samples = tasks.linear_teacher(matrix).sample(jax.random.key(1), num_samples)
    unit = networks.Neuron(activation)
    network = networks.initialise_for(unit, samples, jax.random.key(2), width=width, init_scale=width**-0.5)
    return network, training.make_objective(network, samples, "samples")


def time_step(name, activation):
    """One Lanczos step at 100,000 parameters, the sum over 1000 samples, against one gradient."""
    network, loss = setting(activation, 500, 190, 10, 1000)
    gradient = eqx.filter_jit(eqx.filter_grad(lambda network, loss: loss(network)))
    weights, rebuild = ravel_pytree(eqx.filter(network, eqx.is_inexact_array))

    @eqx.filter_jit
    def lanczos(loss, network):
        product = hessian_product(loss, network)
        return numerics.tridiagonalise(lambda v: ravel_pytree(product(rebuild(v)))[0], jnp.ones(weights.size), STEPS)

    one, steps = best_of(lambda: gradient(network, loss), lambda: lanczos(loss, network))
    step = steps / STEPS
    detail = f"{weights.size} parameters: {1e3 * step:.1f} ms a step of {STEPS}, {1e3 * one:.1f} ms a gradient"
    yield f"Lanczos step / gradient, {name}", step / one, 3, detail


def time_extremes():
    """Both ends of the spectrum, against the dense Hessian with all its eigenvalues."""
    network, loss = setting(activations.tanh, 100, 19, 1, 200)

    @eqx.filter_jit
    def dense(loss, network):
        weights, rebuild = ravel_pytree(eqx.filter(network, eqx.is_inexact_array))
        fixed = eqx.filter(network, eqx.is_inexact_array, inverse=True)
        return jnp.linalg.eigvalsh(jax.hessian(lambda w: loss(eqx.combine(rebuild(w), fixed)))(weights))

    found, exact = extreme_curvatures(loss, network), dense(loss, network)
    ours, theirs = best_of(lambda: extreme_curvatures(loss, network), lambda: dense(loss, network), times=1)
    gap = max(abs(found.lowest[0] - exact[0]), abs(found.highest[0] - exact[-1])) / jnp.max(jnp.abs(exact))
    detail = f"{exact.size} parameters: {ours:.2f} s against {theirs:.2f} s; they differ by {gap:.1g} of the largest"
    yield "both ends / dense Hessian and eigvalsh", ours / theirs, 1, detail
    yield "gap between the two", float(gap), 1e-9, "share of the largest eigenvalue"


def main():
    table = Table("work", "measured", "asked", "", "detail", title="float64, one thread")
    missed = 0
    rows = [*time_step("ReLU", activations.relu), *time_step("tanh", activations.tanh), *time_extremes()]
    for work, value, bound, detail in rows:
        missed += value > bound
        table.add_row(work, f"{value:.3g}", f"<= {bound:g}", "MISSED" if value > bound else "", detail)
    Console(width=150).print(table)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
