"""
Depth completes a matrix where nuclear norm does not
====================================================

A 20 x 20 matrix of rank 2, of which 170 entries are seen, is fitted by products of one, two and three matrices that
start as small multiples of the identity (arora2019b). One layer leaves the unseen entries where they were. From smaller
and smaller starts deeper products end at lower rank; with three layers it is the matrix itself, although another one,
that of least nuclear norm, fits the seen entries at less cost.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from solvable import instruments, networks, tasks, theory, training

jax.config.update("jax_enable_x64", True)

DIM, SCALES = 20, np.geomspace(1e-1, 1e-3, 5)
task = tasks.low_rank_completion(jax.random.key(1), shape=(DIM, DIM), rank=2, num_observed=170)
loss = training.CompletionLoss(task)


def complete(depth):
    """Entropy rank and relative error of what training ends at, for every scale of the start, in one compiled call."""

    def train(scale):
        start = networks.balanced_factors(scale * jnp.eye(DIM), depth=depth)
        weights = training.gradient_descent(
            start, loss, learning_rate=0.024 / depth, steps=8000, record=2
        ).network.coefficients()
        return instruments.entropy_rank(weights), task.relative_error(weights)

    return np.stack(jax.jit(jax.vmap(train))(jnp.asarray(SCALES)))


# %%
# Training beside the convex completion, whose dual certificate proves that its nuclear norm is the least.

convex = theory.linear.least_nuclear_norm(task, tolerance=1e-4)
ends = {
    "the matrix": (instruments.entropy_rank(task.target), 0.0, jnp.linalg.norm(task.target, "nuc")),
    "least nuclear norm": (
        instruments.entropy_rank(convex.weights),
        task.relative_error(convex.weights),
        convex.nuclear_norm,
    ),
}
trained = {depth: complete(depth) for depth in (1, 2, 3)}

print(f"{'completion':<22}{'rank':>8}{'error':>8}")
for name, (rank, error, norm) in ends.items():
    print(f"{name:<22}{float(rank):>8.2f}{float(error):>8.3f}   nuclear norm {float(norm):.2f}")
for depth, (ranks, errors) in trained.items():
    name = f"{depth} layer{'s' if depth > 1 else ''} from {SCALES[-1]:g}"
    print(f"{name:<22}{ranks[-1]:>8.2f}{errors[-1]:>8.3f}")
print(f"nuclear norm is the least to a relative gap of {float(convex.gap):.1g}")

# %%
# Left: rank of the completion. Right: its error over all entries, seen or not.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for depth, results in trained.items():
    for ax, values in zip(axes, results, strict=True):
        ax.plot(SCALES, values, "o-", label=f"{depth} layer{'s' if depth > 1 else ''}")
for (name, row), style in zip(ends.items(), (":", "--"), strict=True):
    for ax, value in zip(axes, row[:2], strict=True):
        if value > 0:
            ax.axhline(float(value), color="0.4", ls=style, label=name)
for ax, label in zip(axes, ("entropy rank", "relative error"), strict=True):
    ax.set(xscale="log", yscale="log", xlabel="scale of the start", ylabel=label)
    ax.invert_xaxis()
axes[0].set_yticks([2, 3, 5, 10, 20], labels=["2", "3", "5", "10", "20"])
axes[0].minorticks_off()
axes[0].legend(fontsize="small")

plt.show()
