"""Figures of evidence: theory is a line, a measurement is markers with error bars over seeds."""

import textwrap
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

# Okabe and Ito's colours, told apart with every common colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MOST_MARKERS = 40
_MOST_LABELS = 7


def draw_default(ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset, variable: str) -> list[Artist]:
    """Draw one observable: prediction as lines, measurement as markers with standard deviations over seeds.

    Parameters
    ----------
    ax
        Axes to draw into.
    prediction, measurement
        Data sets that hold ``variable``. Its last dimension runs along the horizontal axis, every entry of the other
        dimensions but ``seed`` has its own colour. The attrs ``long_name``, ``units`` and ``scale="log"`` of the
        variable and of the horizontal coordinate label and scale the axes.
    variable
        Name of the observable.

    Returns
    -------
    list of Artist
        What was drawn, lines before markers.

    Raises
    ------
    KeyError
        Either side lacks the variable.

    References
    ----------
    Okabe, Ito (2008), Color universal design: the palette.
    """
    theory, _ = _over_seeds(prediction[variable])
    mean, spread = (side.transpose(*theory.dims) for side in _over_seeds(measurement[variable]))
    artists: list[Artist] = []
    for colour, (label, curve) in zip(cycle(PALETTE), _curves(theory), strict=False):
        artists.append(_draw_line(ax, curve, color=colour, label=label))
    for colour, (_, curve), (_, error) in zip(cycle(PALETTE), _curves(mean), _curves(spread), strict=False):
        artists += _draw_markers(ax, curve, error if "seed" in measurement[variable].dims else None, color=colour)
    _dress(ax, prediction[variable], theory.dims)
    return artists


def figure_of(evidence: Any) -> Figure:
    """The figure of a claim's evidence: one panel an observable, or the claim's own ``draw``.

    Parameters
    ----------
    evidence
        A ``solvable.claims.Evidence``, or anything with its ``claim``, ``prediction``, ``measurement``, ``verdict``.

    Returns
    -------
    Figure
        Titled with what the claim says, captioned with its source, error, tolerance and verdict. Not saved, and
        unknown to pyplot.

    Raises
    ------
    Nothing of its own: observables that cannot be drawn are replaced by the verdict's reason.

    References
    ----------
    The claim's ``source``, in the caption.
    """
    claim, prediction, measurement = evidence.claim, evidence.prediction, evidence.measurement
    custom = getattr(claim, "draw", None)
    variables = claim.metric.variables
    panels = 1 if custom or evidence.verdict.reason else len(variables)
    figure = Figure(figsize=(max(6.4, 4.2 * panels), 4.6), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    if evidence.verdict.reason:
        axes[0].text(0.5, 0.5, textwrap.fill(evidence.verdict.reason, 60), ha="center", va="center", parse_math=False)
        axes[0].set_axis_off()
    elif custom:
        custom(axes[0], prediction, measurement)
    else:
        for ax, variable in zip(axes, variables, strict=True):
            draw_default(ax, prediction, measurement, variable)
    # The docstring's backticks and dollars are text, not markup.
    figure.suptitle(textwrap.fill(claim.says, 45 * panels + 25), fontsize="medium", parse_math=False)
    figure.supxlabel(_caption(evidence), fontsize="small", color="0.35", parse_math=False)
    return figure


def _caption(evidence: Any) -> str:
    source, verdict = evidence.claim.source, evidence.verdict
    outcome = verdict.verdict if verdict.as_expected else f"{verdict.verdict}, against expectation"
    return f"{source.paper}, {source.where}: error {verdict.error:.3g}, tolerance {verdict.tolerance:g}, {outcome}"


def _over_seeds(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean and standard deviation over seeds; the values themselves and 0 where there are none."""
    return (values.mean("seed"), values.std("seed")) if "seed" in values.dims else (values, xr.zeros_like(values))


def _curves(values: xr.DataArray) -> Iterator[tuple[str | None, xr.DataArray]]:
    """Each curve along the last dimension with its label; an unlabelled one where there is nothing to tell apart."""
    leading = values.dims[:-1]
    for index in np.ndindex(*(values.sizes[dim] for dim in leading)):
        curve = values.isel(dict(zip(leading, index, strict=True)))
        label = ", ".join(f"{dim} {_at(curve, dim, place)}" for dim, place in zip(leading, index, strict=True))
        yield label or None, curve


def _at(curve: xr.DataArray, dim: Any, place: int) -> str:
    if dim not in curve.coords:
        return str(place)
    value = curve[dim].item()
    return value if isinstance(value, str) else f"{value:g}"


def _draw_line(ax: Axes, curve: xr.DataArray, **style: Any) -> Artist:
    if curve.size == 1:
        return ax.axhline(curve.item(), **style)
    places = _horizontal(curve)
    if places.dtype.kind in "UO":
        # Between words there is nothing for a line to pass through.
        return ax.plot(places, curve.values, "_", ms=30, mew=2, **style)[0]
    return ax.plot(places, curve.values, **style)[0]


def _draw_markers(ax: Axes, curve: xr.DataArray, error: xr.DataArray | None, **style: Any) -> list[Artist]:
    # Evenly spread records: markers on each of thousands would hide the line.
    chosen = np.unique(np.linspace(0, curve.size - 1, _MOST_MARKERS).round().astype(int))
    places, heights = _horizontal(curve)[chosen], np.atleast_1d(curve.values)[chosen]
    bars = None if error is None else np.atleast_1d(error.values)[chosen]
    return ax.errorbar(places, heights, bars, fmt="o", ms=4, mfc="none", capsize=2, **style).get_children()


def _horizontal(curve: xr.DataArray) -> np.ndarray:
    """Positions along the last dimension: its coordinate, or the index where it has none."""
    return curve[curve.dims[-1]].values if curve.dims else np.zeros(1)


def _dress(ax: Axes, theory: xr.DataArray, dims: tuple[Any, ...]) -> None:
    ax.set_ylabel(_label(theory))
    # Setting a scale, even the same one, would replace the ticks of an axis of words.
    if "scale" in theory.attrs:
        ax.set_yscale(theory.attrs["scale"])
    if not dims:
        ax.set_xticks([])
    else:
        ax.set_xlabel(_label(theory[dims[-1]]))
        if "scale" in theory[dims[-1]].attrs:
            ax.set_xscale(theory[dims[-1]].attrs["scale"])
    curves, _ = ax.get_legend_handles_labels()
    line = Line2D([], [], color="0.3", label="theory")
    marker = Line2D([], [], color="0.3", label="measured", marker="o", mfc="none", ls="none")
    ax.legend(handles=[line, marker, *(curves if len(curves) <= _MOST_LABELS else [])], fontsize="small")


def _label(values: xr.DataArray) -> str:
    words = str(values.attrs.get("long_name", values.name)).replace("_", " ")
    return f"{words} ({values.attrs['units']})" if "units" in values.attrs else words
