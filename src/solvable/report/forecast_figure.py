"""The picture of a forecast: loss and strengths, theory as lines and training as markers."""

import textwrap

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solvable.report.figures import PALETTE

_MARKERS = 45
_KIND = {
    "linear": "a two-layer linear network",
    "relu": "a two-layer ReLU network",
    "diagonal": "a diagonal linear network",
    "quadratic": "a two-layer quadratic network",
    "attention": "linear attention",
    "deep-linear": "a deep linear network",
}


def forecast_figure(result: xr.Dataset) -> Figure:
    """Loss above and strengths of the modes learned below, against gradient steps.

    Parameters
    ----------
    result
        From ``solvable.forecast``.

    Returns
    -------
    Figure
        Unknown to pyplot, not saved.

    Raises
    ------
    KeyError
        A data set that is no forecast.

    References
    ----------
    zhang2026, Fig. 3 (the same two quantities).
    """
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    loss, strength = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _draw_loss(loss, result)
    _draw_strengths(strength, result)
    strength.set_xlabel("gradient step")
    engine = result.attrs["engine"]
    figure.suptitle(textwrap.fill(f"{engine[0].upper()}{engine[1:]}: {_KIND[result.attrs['model']]}", 70))
    return figure


def _draw_loss(ax: Axes, result: xr.Dataset) -> None:
    steps = result["step"].values
    ax.plot(steps, result["predicted_loss"], color=PALETTE[0], label="theory")
    if "measured_loss" in result:
        _draw_markers(ax, steps, result["measured_loss"], PALETTE[1], "training")
    if "predicted_test_loss" in result:
        ax.plot(steps, result["predicted_test_loss"], color=PALETTE[2], label="theory, test")
        ax.axvline(result.attrs["best_step"], color=PALETTE[2], ls=":", lw=1)
    if "measured_test_loss" in result:
        _draw_markers(ax, steps, result["measured_test_loss"], PALETTE[3], "test")
    _name_stages(ax, result)
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.set_ylabel(r"loss $\frac{1}{2P}\sum_\mu\,|y_\mu - f(x_\mu)|^2$")
    ax.legend(frameon=False, loc="center right")


def _name_stages(ax: Axes, result: xr.Dataset) -> None:
    """A line at each stage's step with what it learns, each name a line of text below the one before."""
    last = result["step"].values[-1]
    top = ax.get_ylim()[1]
    for number, (step, learned) in enumerate(
        zip(result["predicted_step"].values, result["learned"].values, strict=True), 1
    ):
        ax.axvline(step, color="0.75", lw=0.8, zorder=0)
        side = 1 if step < last / 2 else -1
        ax.annotate(
            f"{number}: {learned}", (step, top), xytext=(4 * side, 8 - 12 * number), textcoords="offset points",
            va="top", ha="left" if side > 0 else "right", fontsize="small",
        )  # fmt: skip


def _draw_strengths(ax: Axes, result: xr.Dataset) -> None:
    steps = result["step"].values
    if "predicted_strength" in result:
        for mode in range(result.sizes["mode"]):
            ax.plot(steps, result["predicted_strength"].isel(mode=mode), color=PALETTE[0])
    if "measured_strength" in result:
        for mode in range(result.sizes["mode_measured"]):
            curve = result["measured_strength"].isel(mode_measured=mode)
            _draw_markers(ax, steps, curve, PALETTE[(mode + 1) % len(PALETTE)], f"{mode + 1}")
        ax.legend(frameon=False, fontsize="small", ncols=3)
    ax.set_ylabel(textwrap.fill(result.attrs["strength"], 20))


def _draw_markers(ax: Axes, steps: np.ndarray, curves: xr.DataArray, color: str, label: str) -> None:
    """Mean over seeds with its standard deviation, at few enough records to leave the line visible."""
    chosen = np.unique(np.linspace(0, steps.size - 1, _MARKERS).round().astype(int))
    mean = curves.mean("seed").values[chosen]
    error = curves.std("seed").values[chosen] if curves.sizes["seed"] > 1 else None
    ax.errorbar(steps[chosen], mean, error, fmt="o", ms=4, mfc="none", capsize=2, color=color, label=label)
