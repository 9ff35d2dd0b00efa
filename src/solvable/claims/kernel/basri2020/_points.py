"""The densities and the sampled kernel of these claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import numerics, tasks

if TYPE_CHECKING:
    import jax


def equal_arcs(masses: tuple[float, ...]) -> tasks.CircleDensity:
    """Arcs of one length, as many as masses, which are shares up to a factor."""
    import numpy as np

    edges = np.linspace(0, 2 * np.pi, len(masses) + 1)
    return tasks.CircleDensity(edges, np.array(masses) / sum(masses))


def sampled_kernel(points: tasks.CirclePoints) -> tuple[jax.Array, jax.Array]:
    """The kernel of points that stand for shares of the density, made symmetric by their roots; and these roots."""
    import jax
    import jax.numpy as jnp

    root = jnp.sqrt(jnp.asarray(points.weights))
    gram = jax.jit(numerics.gram_matrix)(numerics.ReluLayerKernel(), points.inputs)
    return root[:, None] * gram * root[None, :], root
