"""The edges of validity that were measured last, kept beside the claims in edges.json for pages that show them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from solvable.claims.base import Claim

EDGES = Path(__file__).parent / "edges.json"


def known_edge(claim: type[Claim]) -> dict[str, Any] | None:
    """Where a claim stopped to hold when ``docs/update_edges.py`` last looked.

    Parameters
    ----------
    claim
        A claim class.

    Returns
    -------
    dict or None
        ``parameter``, ``holds_until``, ``fails_from`` (None where no value failed) and ``remark``, as from
        ``Edge.to_row``. None where nothing was measured, or the claim has another setting by now.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    The claim's ``source``.
    """
    found = read_edges().get(claim.key)
    return found if found and found["setting"] == setting_of(claim) else None


@functools.cache
def read_edges() -> dict[str, Any]:
    """All of the file, by claim. Raises nothing. References: none."""
    return json.loads(EDGES.read_text(encoding="utf-8"))


def setting_of(claim: type[Claim]) -> str:
    """What an edge depends on: the parameter, the metric, the tolerance, the values that the search begins with.

    Raises nothing. References: none.
    """
    return f"{claim.breaks}: {claim.metric.name} <= {claim.tolerance:g} at {claim().to_json()}"
