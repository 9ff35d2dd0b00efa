"""Points on a circle that are dense in some arcs of it and sparse in others."""

from collections.abc import Sequence
from math import isclose

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count


def _plain(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


class CirclePoints(eqx.Module):
    """Points on the unit circle that stand for a density.

    Attributes
    ----------
    angles
        Shape (point,), increasing.
    weights
        Share of the density that each stands for, of sum 1, shape (point,).
    regions
        Number of the arc that each is in, shape (point,).

    References
    ----------
    basri2020, non-uniform density on the circle.
    """

    angles: Float[np.ndarray, " point"]
    weights: Float[np.ndarray, " point"]
    regions: np.ndarray

    @property
    def inputs(self) -> Float[Array, "point 2"]:
        """The points in the plane. Raises nothing. References: basri2020."""
        return jnp.asarray(np.stack([np.cos(self.angles), np.sin(self.angles)], axis=1), float)


class CircleDensity(eqx.Module):
    """A density on the circle that is constant in each of several arcs.

    Attributes
    ----------
    edges
        Angles between which the arcs lie, increasing; the last one is the first one plus 2 pi, and they are one more
        than the arcs.
    masses
        Share of all points in each arc, above 0 and of sum 1.

    Raises
    ------
    OutsideDomain
        Edges that do not go around the circle once, masses that are no shares.

    References
    ----------
    basri2020, piecewise constant density.
    """

    edges: Sequence[float] | np.ndarray = eqx.field(static=True, converter=_plain)
    masses: Sequence[float] | np.ndarray = eqx.field(static=True, converter=_plain)

    def __check_init__(self):
        edges, masses = np.asarray(self.edges), np.asarray(self.masses)
        if edges.size != masses.size + 1 or np.any(np.diff(edges) <= 0) or not isclose(edges[-1] - edges[0], 2 * np.pi):
            raise OutsideDomain(
                f"`edges` is {self.edges}; it must hold {masses.size + 1} increasing angles around {masses.size} arcs, "
                "the last one 2 pi above the first."
            )
        if not np.all(masses > 0) or not isclose(masses.sum(), 1):
            raise OutsideDomain(f"`masses` is {self.masses}; it must hold shares above 0 whose sum is 1.")

    @property
    def densities(self) -> Float[np.ndarray, " region"]:
        """p in each arc, a mass for each radian. Raises nothing. References: basri2020."""
        return np.asarray(self.masses) / np.diff(self.edges)

    def spread(self, num_points: int) -> CirclePoints:
        """Points at the middles of equal cells of each arc, as many as its share of the mass asks for.

        Parameters
        ----------
        num_points
            About how many; each arc has at least one.

        Raises
        ------
        OutsideDomain
            No points.

        Notes
        -----
        No cell crosses an edge, so that sums over points are integrals up to the square of a cell's length.

        References
        ----------
        basri2020, experiments with one point for each equal share.
        """
        check_count("num_points", num_points)
        masses, edges = np.asarray(self.masses), np.asarray(self.edges)
        counts = np.maximum(np.rint(num_points * masses), 1).astype(int)
        places = [
            low + (high - low) * (np.arange(count) + 0.5) / count
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
        ]
        return CirclePoints(
            np.concatenate(places), np.repeat(masses / counts, counts), np.arange(counts.size).repeat(counts)
        )
