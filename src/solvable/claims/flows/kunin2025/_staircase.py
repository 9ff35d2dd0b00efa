"""What the staircases share: stages read off recorded losses, and the figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments
from solvable.claims import observables

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.theory.flows import SaddlePath


def predict_stages(path: SaddlePath, **more) -> xr.Dataset:
    """Times at which saddles are reached, in the unit of the path, and levels but the last, which is 0 here."""
    return _label(path.times[1:], path.loss[:-1], {"end": path.loss[-1], **more})


def read_stages(times, loss, units, unit_name: str = "log(1/α)") -> xr.Dataset:
    """Half-way times of all drops in ``units`` of time, and the levels they fall from.

    ``times`` and ``loss`` have shape (scale, record), for initial weights that get smaller. Where there are several
    scales, a time is what each further unit adds to it, which is free of the constant that the fall itself takes;
    NaN where scales differ in their number of drops. Levels are those of the smallest, read at records ``rest``.
    """
    import numpy as np

    times, loss, units = (np.asarray(values) for values in (times, loss, units))
    found = [instruments.find_stages(at, curve) for at, curve in zip(times, loss, strict=True)]
    drops = [np.array([drop.time for drop in stages.drops]) for stages in found]
    if len({len(drop) for drop in drops}) > 1:
        each = np.full(len(drops[-1]), np.nan)
    else:
        each = drops[0] / units[0] if len(drops) == 1 else (drops[-1] - drops[0]) / (units[-1] - units[0])
    rests = found[-1].plateaus[: len(each)]
    flattest = [int(np.argmin(np.abs(times[-1] - rest.time))) for rest in rests]
    curves = {"at": (("scale", "record"), times / units[:, None]), "loss": (("scale", "record"), loss)}
    return _label(
        each,
        [rest.level for rest in rests],
        {**curves, "unit": ("scale", units, {"long_name": unit_name}), "rest": ("saddle", flattest)},
    )


def _label(times, levels, more) -> xr.Dataset:
    stages = ("stage", range(1, len(times) + 1), {"long_name": "stage"})
    saddles = ("saddle", range(len(levels)), {"long_name": "saddle"})
    return observables(
        coords={"stage": stages, "saddle": saddles}, time=("stage", times), level=("saddle", levels), **more
    )


def draw_staircase(ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
    """The predicted staircase as a line, what was recorded from each scale of the weights as markers."""
    from solvable.report.figures import PALETTE

    artists: list[Artist] = []
    for colour, scale in zip(PALETTE[1:], range(measurement.sizes["scale"]), strict=False):
        curve = measurement.isel(scale=scale)
        shown = slice(None, None, max(curve.sizes["record"] // 150, 1))
        label = f"measured, {curve['unit'].attrs['long_name']} = {curve['unit'].item():.3g}"
        artists += ax.plot(curve["at"][shown], curve["loss"][shown], ".", ms=4, color=colour, label=label)
    end = measurement["at"].values.max(axis=1).min()
    steps, levels = [0, *prediction["time"].values, end], [*prediction["level"].values, prediction["end"].item()]
    artists.append(ax.stairs(levels, steps, baseline=None, color=PALETTE[0], lw=1.5, label="theory, vanishing weights"))
    ax.set(xlabel=f"time, in units of {measurement['unit'].attrs['long_name']}", ylabel="loss", xlim=(0, end))
    ax.set_ylim(-0.04 * levels[0], 1.08 * levels[0])
    ax.legend(fontsize="small")
    return artists
