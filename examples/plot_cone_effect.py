"""
Does a network's tangent kernel settle while it trains?
=======================================================

A lazy network keeps its tangent kernel, a rich one turns it. LeNet on digits does both in one run: the kernel turns at
first, then stays within a narrow cone, but does not stand still. With labels drawn at random it goes on turning.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from solvable import networks, tasks, training
from solvable.instruments import embed_distances, find_phases, kernel_distances, tangent_kernel
from solvable.report import draw_kernel_distances, draw_kernel_picture

digits = tasks.load_digits()
order = np.random.default_rng(0).permutation(len(digits.labels))[:1000]
images = digits.inputs[order].reshape(-1, 1, 14, 2, 14, 2).mean(axis=(3, 5))  # half as many pixels a side
images = jnp.asarray((images - images.mean()) / images.std(), jnp.float32)
labels = digits.labels[order]
drawn = np.random.default_rng(1).permutation(labels)

# %%
# Train by SGD, keep the network at some steps, and compare its kernel on a few images between all pairs of them.

network = networks.lenet(jax.random.key(0), image_side=14, channels=(12,), widths=(32,), dtype=jnp.float32)
steps = np.array([0, 10, *range(100, 1001, 100)])


def follow_kernel(labels):
    checkpoints = training.record_classifier(
        network, images, labels, key=jax.random.key(1), batch_size=32, learning_rate=0.05, steps=1000, record=steps
    )
    kernels = jax.jit(lambda: checkpoints.map(lambda network: tangent_kernel(network, images[:20])))()
    return np.asarray(kernel_distances(kernels))


# %%
# Left, distances from the start and from later steps on; right, the kernels as points whose distances are the angles
# between them, the start in black.

figure, panels = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
for row, (name, given) in zip(panels, {"the right labels": labels, "random labels": drawn}.items(), strict=True):
    distances = follow_kernel(given)
    phases = find_phases(steps, distances)
    print(f"{name}: {phases.kind}; end of the first phase {phases.end_of_first:g}, cone {phases.cone_distance:.3f}")
    draw_kernel_distances(row[0], xr.DataArray(distances, {"since": steps, "step": steps}), (0, 100, 200, 400, 600))
    row[0].set(title=name, ylim=(3e-3, 1))
    draw_kernel_picture(row[1], embed_distances(distances))
    row[1].set(title=phases.kind, xticks=[], yticks=[])
panels[0, 0].legend(fontsize="small")

plt.show()
