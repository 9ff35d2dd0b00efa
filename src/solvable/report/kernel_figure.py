"""The picture of a forecast of kernel regression: error against samples, and against the ridge."""

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solvable.report.figures import PALETTE

# How far beyond the data the curve is shown.
_SHOWN = 30


def kernel_figure(result: xr.Dataset) -> Figure:
    """Forecast and measured error against the number of samples; estimates of the error against the ridge beside it.

    Parameters
    ----------
    result
        From ``solvable.forecast(..., model="kernel")``.

    Returns
    -------
    Figure
        Unknown to pyplot, not saved.

    Raises
    ------
    KeyError
        A data set that is no such forecast.

    References
    ----------
    simon2023a and canatar2021, learning curves; jacot2020, estimates against the ridge.
    """
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    curve, ridges = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_curve(curve, result)
    _draw_ridges(ridges, result)
    settings = json.loads(result.attrs["settings"])
    figure.suptitle(f"Kernel regression ({settings['kernel']}): forecast from the {result.attrs['engine']}")
    return figure


def _draw_curve(ax: Axes, result: xr.Dataset) -> None:
    total = result.attrs["samples"]
    near = result["size"].values <= _SHOWN * total
    sizes = result["size"].values[near]
    low, high = (result[name].values[near] for name in ("predicted_low", "predicted_high"))
    ax.fill_between(sizes, low, high, color=PALETTE[0], alpha=0.25, lw=0, label="80% interval")
    ax.plot(sizes, result["predicted_error"].values[near], color=PALETTE[0], label="theory, from the spectrum")
    ax.plot(
        sizes, result["covariance_error"].values[near], color=PALETTE[2], ls="--", label="theory, from raw covariance"
    )
    if "part_size" in result:
        parts = result["measured_error"].groupby(result["part_size"])
        mean, sampling = parts.mean(), result["measured_sampling"].groupby(result["part_size"]).mean()
        spread = np.hypot(parts.std(), sampling)
        ax.errorbar(
            mean["part_size"], mean, spread, fmt="o", ms=5, mfc="none", capsize=2, color=PALETTE[1], label="measured"
        )
    ax.axvline(total, color="0.75", lw=0.8, zorder=0)
    ax.annotate("all data", (total, 0.02), xycoords=("data", "axes fraction"), xytext=(4, 0), color="0.4",
                textcoords="offset points", fontsize="small")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="training samples", ylabel="test error (mean squared)")
    ax.legend(frameon=False, fontsize="small")


def _draw_ridges(ax: Axes, result: xr.Dataset) -> None:
    ridges = result["ridge"].values
    positive = ridges > 0
    for name, label, color, style in (
        ("gcv", "GCV", PALETTE[3], "-"),
        ("leave_one_out", "leave-one-out", PALETTE[0], "-"),
        ("train_error", "training", "0.6", ":"),
        ("held_out_error", "held out", PALETTE[1], ""),
    ):
        values = np.where(result[name].values > 0, result[name].values, np.nan)
        if np.all(np.isnan(values)):
            continue
        ax.plot(
            ridges[positive], values[positive], color=color, ls=style, marker="o" if style == "" else "", ms=4,
            mfc="none", label=label,
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="ridge", title=f"at {result.sizes['mode']} samples")
    # Training errors of small ridges would leave no room for what matters.
    ax.set_ylim(bottom=0.3 * float(np.nanmin([result["gcv"].min(), result["leave_one_out"].min()])))
    ax.legend(frameon=False, fontsize="small")
