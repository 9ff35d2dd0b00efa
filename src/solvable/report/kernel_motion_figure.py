"""Where a kernel goes in training: its distances from several steps on, and the picture of all of them."""

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from solvable.report.figures import PALETTE


def draw_kernel_distances(ax: Axes, distances: xr.DataArray, references: tuple[int, ...]) -> list[Artist]:
    """Kernel distances S(tau, t) from each of some steps tau to all later ones.

    Parameters
    ----------
    ax
        Axes to draw into; the vertical one becomes logarithmic.
    distances
        Dims ``since`` and ``step``, both with the recorded steps as coordinate.
    references
        The steps tau, each among those recorded.

    Returns
    -------
    list of Artist
        One curve a reference.

    Raises
    ------
    KeyError
        From xarray, for a reference that was not recorded.

    References
    ----------
    zhou2025, Fig. 1a.
    """
    artists = []
    for color, reference in zip(PALETTE, references, strict=False):
        curve = distances.sel(since=reference).where(distances["step"] > reference, drop=True)
        artists += ax.plot(curve["step"], curve, "o-", color=color, ms=4, lw=1, label=f"$\\tau$ = {reference}")
    ax.set_yscale("log")
    ax.set_xlabel("step $t$")
    ax.set_ylabel("kernel distance $S(\\tau, t)$")
    return artists


def draw_kernel_picture(ax: Axes, points: np.ndarray) -> list[Artist]:
    """Kernels as points of the plane, darker with each step, the start in black.

    Parameters
    ----------
    ax
        Axes to draw into; both axes are angles in radians, drawn alike.
    points
        From ``instruments.embed_distances``: their distances are angles.

    Returns
    -------
    list of Artist
        The path and its points.

    Raises nothing.

    References
    ----------
    zhou2025, Fig. 1c.
    """
    shade = np.linspace(0.25, 1, len(points) - 1)
    artists: list[Artist] = [*ax.plot(*points.T, color="0.8", lw=0.8, zorder=1)]
    artists.append(ax.scatter(*points[1:].T, c=shade, cmap="Blues", vmin=0, vmax=1, s=16, zorder=2))
    artists.append(ax.scatter(*points[0], color="black", s=24, zorder=3))
    ax.set_aspect("equal", adjustable="datalim")
    return artists
