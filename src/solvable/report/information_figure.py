"""The two phases of performance correlation: what a simple classifier explains first, and what comes beyond it."""

import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from solvable.report.figures import PALETTE

_CURVES = {
    "learned": "$I(F;Y)$, learned",
    "correlation": r"$\mu_Y(F;L)$, explained by the reference",
    "beyond": "$I(F;Y|L)$, beyond it",
}


def draw_information_curves(ax: Axes, curves: xr.Dataset) -> list[Artist]:
    """Draw the informations of a network along its training, and that of its reference as a level.

    Parameters
    ----------
    ax
        Axes to draw into.
    curves
        From ``instruments.information_curves``.

    Returns
    -------
    list of Artist
        Curves with standard errors, then the level.

    Raises
    ------
    KeyError
        A data set without these curves.

    References
    ----------
    kalimeris2019, figures of the two phases.
    """
    artists: list[Artist] = []
    for colour, (name, label) in zip(PALETTE, _CURVES.items(), strict=False):
        errors = curves[f"{name}_error"]
        bars = ax.errorbar(curves["step"], curves[name], errors, fmt="o-", ms=4, color=colour, label=label)
        artists += bars.get_children()
    level = float(curves["reference"].mean())
    artists.append(ax.axhline(level, color="0.4", ls="--", label="$I(L;Y)$, the reference"))
    ax.set(xlabel="step", ylabel="information (bits)", xscale="log")
    return artists
