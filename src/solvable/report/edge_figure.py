"""The picture of an edge of validity: error against one parameter, with the tolerance."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from solvable.report.figures import PALETTE


def edge_figure(edge: Any) -> Figure:
    """Error of a claim against the parameter that was pushed, on logarithmic axes, the failing side shaded.

    Parameters
    ----------
    edge
        A ``solvable.claims.Edge``.

    Returns
    -------
    Figure
        Unknown to pyplot, not saved. Runs without a finite error are crosses on the upper rim.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    The claim's ``source``.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    ax = figure.subplots()
    values, errors, tolerance = edge.values, edge.errors, edge.claim.tolerance
    finite = np.isfinite(errors)
    ax.plot(values[finite], errors[finite], "o-", color=PALETTE[1], mfc="none", label="error")
    ax.axhline(tolerance, color="0.3", ls="--", lw=1, label="tolerance")
    ax.set_xscale("log" if values[0] > 0 else "symlog")
    if np.any(errors[finite] > 0):
        ax.set_yscale("log")
    if not finite.all():
        lost = values[~finite]
        ax.plot(
            lost, np.full(lost.size, 0.97), "x", color=PALETTE[6], transform=ax.get_xaxis_transform(), label="no run"
        )
    if np.isfinite(edge.fails_from):
        beyond = values[-1] if edge.fails_from > edge.holds_until else values[0]
        ax.axvspan(np.sqrt(edge.fails_from * edge.holds_until), beyond, color="0.92", zorder=0, label="fails")
    ax.set_xlabel(edge.parameter)
    ax.set_ylabel(edge.claim.metric.name.replace("_", " "))
    ax.legend(fontsize="small")
    figure.suptitle(textwrap.fill(edge.claim.says, 70), fontsize="medium", parse_math=False)
    figure.supxlabel(textwrap.fill(edge.sentence, 90), fontsize="small", color="0.35", parse_math=False)
    return figure
