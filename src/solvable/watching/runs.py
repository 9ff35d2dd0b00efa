"""Runs on disk: read back, and said in words."""

import os
from pathlib import Path

import numpy as np
import xarray as xr

from solvable.errors import OutsideDomain
from solvable.instruments import find_phases
from solvable.instruments.kernel_space import Phases

_FEWEST_LOOKS = 5


def read_run(path: str | os.PathLike[str]) -> xr.Dataset:
    """A run that a ``Monitor`` saved.

    Parameters
    ----------
    path
        Of the netCDF file.

    Raises
    ------
    OutsideDomain
        A file that is not there, cannot be read, or holds no run.

    References
    ----------
    None.
    """
    if not Path(path).is_file():
        raise OutsideDomain(f"There is no file {str(path)!r}; name one that `Monitor.save` wrote.")
    try:
        run = xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise OutsideDomain(
            f"{str(path)!r} cannot be read as netCDF; name a file that `Monitor.save` wrote."
        ) from error
    if run.attrs.get("kind") != "run":
        raise OutsideDomain(f"{str(path)!r} holds no run; name a file that `Monitor.save` wrote.")
    return run


def run_phases(run: xr.Dataset) -> Phases | None:
    """The phases of a run, or None where it has too few finite looks.

    Raises
    ------
    KeyError
        A data set that is no run.

    References
    ----------
    zhou2025; see ``find_phases``.
    """
    distances = run["kernel_distance"].values
    known = np.flatnonzero(np.isfinite(np.diagonal(distances)))
    if len(known) < _FEWEST_LOOKS:
        return None
    scale = 1.0 if run.attrs["outputs"] == "full" else 0.1
    return find_phases(
        run["step"].values[known], distances[np.ix_(known, known)], lazy=0.01 * scale, still=0.001 * scale
    )


def describe_run(run: xr.Dataset) -> list[str]:
    """What a run shows, a sentence each.

    Parameters
    ----------
    run
        From ``Monitor.result`` or ``read_run``.

    Raises
    ------
    KeyError
        A data set that is no run.

    References
    ----------
    zhou2025; the thresholds are those of ``find_phases``.
    """
    steps = run["step"].values
    sentences = [f"{len(steps)} looks in {steps[-1]} steps took {100 * run.attrs['share_of_time']:.1f}% of the time."]
    bad = np.flatnonzero(~np.isfinite(np.diagonal(run["kernel_distance"].values)))
    if bad.size:
        sentences.append(f"From step {steps[bad[0]]} on numbers are not finite: training diverged.")
    sentences.append(_say_phases(run_phases(run)))
    for name, what in (("sharpness", "sharpness"), ("alignment", "alignment of the kernel with the targets")):
        values = run[name].values[np.isfinite(run[name].values)]
        if values.size > 1:
            sentences.append(f"The {what} went from {values[0]:.3g} to {values[-1]:.3g}.")
    return [*sentences, *_say_widths(run)]


def _say_phases(phases: Phases | None) -> str:
    if phases is None:
        return f"Too few looks to tell phases apart; {_FEWEST_LOOKS} are needed."
    start = f"{phases.start_distance:.3g}"
    if phases.kind == "lazy":
        return f"Lazy: the kernel never went further than {start} from its start, as in linear training."
    if phases.kind == "no second phase":
        return f"Rich: the kernel went {start} from its start and was still leaving at the end; no second phase."
    end, radius = int(phases.end_of_first), f"{phases.cone_distance:.3g}"
    if phases.kind == "rich":
        return (
            f"Rich until step {end} (kernel {start} from its start), then lazy: it stayed within {radius} and stopped."
        )
    return (
        f"Rich until step {end} (phase I, kernel {start} from its start); since then in a cone of kernel distance "
        f"{radius}: it keeps moving, within a bound."
    )


def _say_widths(run: xr.Dataset) -> list[str]:
    widths = run["effective_width"].values
    if not widths.size or not np.all(np.isfinite(widths[[0, -1]])):
        return []
    change = np.abs(np.log(np.maximum(widths[-1], 1e-12) / np.maximum(widths[0], 1e-12)))
    most = int(np.argmax(change))
    name, first, last = run["weight"].values[most], widths[0, most], widths[-1, most]
    return [f"The effective width (stable rank) of {name} changed most: from {first:.2f} to {last:.2f}."]
