"""The picture of a watched run: loss, how the kernel moves, what it looks like, and what it is made of."""

import textwrap
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solvable.instruments import embed_distances
from solvable.report.figures import PALETTE

_REFERENCES = 4
# What a diverging run grows to is no longer drawn.
_LARGEST = 1e30


def run_figure(run: xr.Dataset, sentences: list[str]) -> Figure:
    """Loss and sharpness, kernel distances, the path of the kernel in a plane, alignment and widths.

    Parameters
    ----------
    run
        From ``Monitor.result`` or ``read_run``.
    sentences
        What it shows, for the title: the first that says more than the cost.

    Returns
    -------
    Figure
        Unknown to pyplot, not saved.

    Raises
    ------
    KeyError
        A data set that is no run.

    References
    ----------
    zhou2025, Fig. 1 [distances from references, between neighbours, the picture of the kernels].
    """
    run = run.where(np.abs(run) < _LARGEST)
    figure = Figure(figsize=(9.5, 6.6), layout="constrained")
    (loss, distance), (picture, rest) = figure.subplots(2, 2)
    steps = np.maximum(run["step"].values, 0.5)
    _draw_loss(loss, steps, run)
    _draw_distances(distance, steps, run)
    _draw_picture(picture, run)
    _draw_widths(rest, steps, run)
    for ax in (loss, distance, rest):
        ax.set_xscale("log")
        ax.set_xlabel("step")
    figure.suptitle(textwrap.fill(sentences[0], 100), fontsize="medium")
    return figure


def _draw_loss(ax: Axes, steps: np.ndarray, run: xr.Dataset) -> None:
    ax.plot(steps, run["loss"], color=PALETTE[0], marker=".", label="loss")
    ax.set_ylabel("loss")
    _set_log(ax, run["loss"].values)
    if np.any(np.isfinite(run["sharpness"].values)):
        beside = ax.twinx()
        beside.plot(steps, run["sharpness"], color=PALETTE[1], label="sharpness (right)")
        beside.set_ylabel("sharpness")
        _set_log(beside, run["sharpness"].values)
        ax.plot([], [], color=PALETTE[1], label="sharpness (right)")
    ax.legend(fontsize="small")


def _draw_distances(ax: Axes, steps: np.ndarray, run: xr.Dataset) -> None:
    distances = run["kernel_distance"].values
    chosen = np.unique(np.linspace(0, 0.75 * (len(steps) - 1), _REFERENCES).astype(int))
    for color, i in zip(PALETTE, chosen, strict=False):
        ax.plot(steps[i + 1 :], distances[i, i + 1 :], color=color, label=f"to step {int(run['step'][i])}")
    ax.plot(steps, run["distance_to_previous"], color="0.5", linestyle="none", marker=".", label="to the look before")
    ax.set_ylabel("kernel distance")
    _set_log(ax, distances)
    ax.legend(fontsize="small")


def _draw_picture(ax: Axes, run: xr.Dataset) -> None:
    distances = run["kernel_distance"].values
    known = np.flatnonzero(np.isfinite(np.diagonal(distances)))
    ax.set(xlabel="angle in radians", ylabel="angle in radians", aspect="equal", title="the kernel's path")
    ax.set_adjustable("datalim")
    if len(known) < 2:
        return
    points = embed_distances(distances[np.ix_(known, known)])
    ax.plot(*points.T, color="0.8", zorder=1)
    dots = ax.scatter(*points.T, c=np.log10(np.maximum(run["step"].values[known], 0.5)), cmap="viridis", s=18, zorder=2)
    ax.plot(*points[0], color="k", marker="o", zorder=3)
    bar = ax.figure.colorbar(dots, ax=ax)
    bar.set_label("log10 of the step (black: start)")


def _draw_widths(ax: Axes, steps: np.ndarray, run: xr.Dataset) -> None:
    for i, name in enumerate(run["weight"].values):
        color = PALETTE[i % len(PALETTE)]
        ax.plot(steps, run["effective_width"][:, i], color=color, label=str(name), linewidth=1)
    ax.set_ylabel("effective width (stable rank)")
    if np.any(np.isfinite(run["alignment"].values)):
        beside = ax.twinx()
        beside.plot(steps, run["alignment"], color="k", linestyle="--")
        beside.set_ylabel("alignment with the targets (dashed)")
    if 0 < run.sizes["weight"] <= len(PALETTE):
        ax.legend(fontsize="x-small", loc="center left")


def _set_log(ax: Any, values: np.ndarray) -> None:
    finite = values[np.isfinite(values)]
    if finite.size and np.any(finite > 0):
        ax.set_yscale("log")
