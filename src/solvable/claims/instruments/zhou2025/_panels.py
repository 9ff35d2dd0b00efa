"""The three panels of Figures 1 and 3: distances from references, distances over equal times, and the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, report

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def draw_panels(ax: Axes, distances: xr.DataArray, references: tuple[int, ...], gap: int) -> list[Artist]:
    """Distances from the start and from each reference; over once, twice and four times the gap; as a plane."""
    from solvable.report.figures import PALETTE

    place = ax.get_subplotspec()
    assert place is not None
    grid = place.subgridspec(2, 2, width_ratios=(1.6, 1))
    ax.set_subplotspec(grid[:, 0])
    artists = report.draw_kernel_distances(ax, distances, (0, *references))
    ax.legend(fontsize="small")
    above = ax.figure.add_subplot(grid[0, 1], yscale="log")
    steps = distances["step"].values.astype(int)
    for time, color in zip((gap, 2 * gap, 4 * gap), PALETTE[3:], strict=False):
        if time in steps:
            starts, values = instruments.adjacent_distances(steps, distances.values, time)
            artists += above.plot(starts, values, "o-", color=color, ms=3, lw=1, label=f"$dt$ = {time}")
    above.set(xlabel="step $t$", ylabel="$S(t, t + dt)$")
    above.legend(fontsize="x-small")
    for panel in (ax, above):
        panel.set_ylim(min(panel.get_ylim()[0], 0.01), 1)
    below = ax.figure.add_subplot(grid[1, 1], xlabel="kernels by their angles", xticks=[], yticks=[])
    return artists + report.draw_kernel_picture(below, instruments.embed_distances(distances.values))
