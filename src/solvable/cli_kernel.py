"""What ``solvable forecast --model kernel`` prints."""

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

_ESTIMATES = {"gcv": "by GCV", "leave_one_out": "by leave-one-out", "held_out_error": "by hold-out"}


def kernel_summary(result: "xr.Dataset") -> dict[str, Any]:
    """Plain values of a forecast of kernel regression, None where nothing was predicted or measured.

    Parameters
    ----------
    result
        From ``solvable.forecast(..., model="kernel")``.

    Raises
    ------
    KeyError
        A data set that is no such forecast.

    References
    ----------
    None.
    """
    attrs = result.attrs
    return {
        "stages": [],
        "samples": int(attrs["samples"]),
        "variance": attrs["variance"],
        "curve": curve_rows(result),
        "ridges": {name: _best(result, "ridge", name, "held_out_error") for name in _ESTIMATES},
        "stopping": {name: _best(result, "time", name, "stopped_error") for name in ("halves_error", "stopped_error")},
        "halving": {name: _plain(attrs[f"halving_{name}"]) for name in ("samples", "low", "high")},
        **{name: attrs.get(name) for name in ("capacity", "capacity_error", "source", "source_error")},
        "curve_gap": attrs.get("curve_gap"),
    }


def curve_rows(result: "xr.Dataset") -> list[dict[str, Any]]:
    """One row for each number of samples that was forecast, and for each that was measured.

    Parameters
    ----------
    result
        As for ``kernel_summary``.

    Raises
    ------
    KeyError
        A data set that is no such forecast.

    References
    ----------
    None.
    """
    import numpy as np

    from solvable.numerics import interpolate_logs

    sizes = result["size"].values
    measured = result["part_size"].values if "part_size" in result else np.array([])
    rows = []
    for size in np.unique(np.append(sizes, measured)):
        row: dict[str, Any] = {"samples": int(size)}
        for name in ("predicted_error", "predicted_low", "predicted_high", "covariance_error"):
            row[name] = _plain(float(interpolate_logs(size, sizes, result[name].values)))
        parts = measured == size
        for name in ("measured_error", "measured_sampling", "measured_wrong", "measured_ridge"):
            found = result[name].values[parts] if parts.any() else np.array([])
            row[name] = _plain(float(np.mean(found))) if found.size else None
            row[f"{name}_std"] = _plain(float(np.std(found))) if found.size > 1 else None
        rows.append(row)
    return rows


def show_kernel(result: "xr.Dataset", files: list[str]) -> None:
    """Print a forecast of kernel regression.

    Parameters
    ----------
    result
        As for ``kernel_summary``.
    files
        What was written.

    Raises
    ------
    KeyError
        A data set that is no such forecast.

    References
    ----------
    None.
    """
    from rich.console import Console

    from solvable.report.tables import curve_table

    console = Console(highlight=False)
    summary, settings = kernel_summary(result), json.loads(result.attrs["settings"])
    say = lambda text: console.print(text, markup=False)  # noqa: E731
    say(f"Kernel regression ({settings['kernel']}), ridge {settings['ridge']}, {summary['samples']} training samples.")
    say(f"Engine: {result.attrs['engine']}. Error: {result.attrs['loss']}; of labels {summary['variance']:.3g}.")
    console.print(curve_table(_shown(summary["curve"], summary["samples"])))
    if "measured_error" in result:
        share = float(result["measured_sampling"][-1] / result["measured_error"][-1])
        say(f"All measured errors share the test part: a standard error of {share:.1%}.")
    say(f"Best ridge at {int(result.sizes['mode'])} samples: {_say_ridges(summary['ridges'])}.")
    say(_say_stopping(summary["stopping"]))
    say(_say_halving(result))
    if summary["capacity"] is not None:
        say(
            f"Exponents: capacity {summary['capacity']:.2f} ± {summary['capacity_error']:.2f}, source "
            f"{summary['source']:.2f} ± {summary['source_error']:.2f}."
        )
    for warning in json.loads(result.attrs["warnings"]):
        say(f"Warning: {warning}")
    console.print(f"Figure and data: {', '.join(files)}", markup=False, soft_wrap=True)


def _say_ridges(ridges: dict[str, dict[str, float | None]]) -> str:
    words = []
    for name, by in _ESTIMATES.items():
        best = ridges[name]
        if best["ridge"] is not None:
            measured = "" if best["held_out"] is None else f" (held-out error {best['held_out']:.4g})"
            words.append(f"{by} {best['ridge']:.3g}{measured}")
    return "; ".join(words)


def _say_stopping(stopping: dict[str, dict[str, float | None]]) -> str:
    by_halves, by_held_out = stopping["halves_error"], stopping["stopped_error"]
    words = (
        f"Without a ridge, stop gradient descent at learning rate × steps {by_halves['time']:.2g} by cross-validation"
    )
    if by_held_out["time"] is None:
        return f"{words}."
    return (
        f"{words} (held-out error {by_halves['held_out']:.4g}); by hold-out {by_held_out['time']:.2g} "
        f"({by_held_out['held_out']:.4g})."
    )


def _say_halving(result: "xr.Dataset") -> str:
    attrs, limit = result.attrs, f"more than {_round(result['size'].values[-1])}"
    needed, low, high = (
        _round(attrs[f"halving_{name}"]) if math.isfinite(attrs[f"halving_{name}"]) else limit
        for name in ("samples", "low", "high")
    )
    about = needed if needed == limit else f"about {needed}"
    now = int(attrs["samples"])
    return f"To halve the error that {now} samples have, you need {about} samples (80% interval: {low} to {high})."


def _round(number: float) -> str:
    """To two digits."""
    return f"{float(f'{number:.2g}'):,.0f}"


def _shown(rows: list[dict[str, Any]], samples: int) -> list[dict[str, Any]]:
    """Rows that were measured, and a few beyond the data."""
    measured = [row for row in rows if row["measured_error"] is not None]
    beyond = [row for row in rows if row["samples"] > samples]
    below = [] if measured else [row for row in rows if row["samples"] <= samples][::-3][::-1]
    return [*below, *measured, *beyond[2::4]]


def _best(result: "xr.Dataset", axis: str, name: str, measured: str) -> dict[str, float | None]:
    """Where an estimate is least along an axis, what it says there, and what is measured there."""
    import numpy as np

    values = result[name].values
    if np.all(np.isnan(values)):
        return {axis: None, "estimate": None, "held_out": None}
    best = int(np.nanargmin(values))
    return {
        axis: float(result[axis].values[best]),
        "estimate": float(values[best]),
        "held_out": _plain(float(result[measured].values[best])),
    }


def _plain(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
