"""The edge of validity: one parameter of a claim pushed away from its value until the error passes the tolerance."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solvable.claims.base import Claim, is_number
from solvable.claims.catalogue import find
from solvable.claims.evidence import Verdict, destination
from solvable.claims.runner import Effort, check_many
from solvable.errors import OutsideDomain
from solvable.report.publish import check_destination, publish

if TYPE_CHECKING:
    import xarray as xr

# Away from the value by these powers of two, then four halvings of the last gap. The far ones are for scales that
# begin at 1e-100; whole numbers, which cost the more the larger they are, end at 256 times theirs.
_POWERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_WHOLE_POWERS = 4
_HALVINGS = 4
# The first value tried where the parameter is 0.
_FROM_ZERO = 1e-3
# Seconds; where one run takes longer, no value farther out is tried.
_LONGEST_RUN = 60.0


@dataclass(frozen=True)
class Edge:
    """Where a claim stops to hold along one of its parameters.

    Attributes
    ----------
    claim
        The claim at the value that the search began with.
    parameter
        Its name.
    verdicts
        One a value that was run, in the order of the values.
    values
        Of the parameter, ascending, shape (run,).
    holds_until
        The value farthest on the holding side that was run.
    fails_from
        The nearest value that was run beyond it and fails; NaN where none was found.
    remark
        A sentence where the search ended otherwise: a value that the claim refuses, or no edge in reach.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    The claim's ``source``.
    """

    claim: Claim
    parameter: str
    verdicts: tuple[Verdict, ...]
    values: np.ndarray
    holds_until: float
    fails_from: float
    remark: str = ""

    @property
    def errors(self) -> np.ndarray:
        """Of each run, shape (run,); inf where nothing could be compared, such as diverged training."""
        return np.array([verdict.error for verdict in self.verdicts])

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        begin = getattr(self.claim, self.parameter)
        if math.isfinite(self.fails_from):
            found = f"from {self.parameter} = {begin:g} it holds until {self.holds_until:.4g}, fails from " + (
                f"{self.fails_from:.4g}."
            )
        else:
            found = f"no value of {self.parameter} between {self.values[0]:g} and {self.values[-1]:g} makes it fail."
        return f"{self.claim.key}: {found}{' ' + self.remark if self.remark else ''}"

    def to_dataset(self) -> xr.Dataset:
        """``error (run)`` with coordinate ``value``; tolerance and edge as attributes."""
        import xarray as xr

        attrs = {
            "claim": self.claim.key,
            "parameter": self.parameter,
            "parameters": self.claim.to_json(),
            "metric": self.claim.metric.name,
            "tolerance": self.claim.tolerance,
            "holds_until": self.holds_until,
            "fails_from": self.fails_from,
            "remark": self.remark,
        }
        return xr.Dataset({"error": ("run", self.errors)}, {"value": ("run", self.values)}, attrs)

    def to_row(self) -> dict[str, Any]:
        """What ``solvable check --edge --json`` prints: plain values, None for what is not finite."""
        known = lambda value: float(value) if math.isfinite(value) else None  # noqa: E731
        return {
            "claim": self.claim.key,
            "parameter": self.parameter,
            "tolerance": self.claim.tolerance,
            "holds_until": known(self.holds_until),
            "fails_from": known(self.fails_from),
            "remark": self.remark,
            "runs": [
                {"value": float(value), "error": known(verdict.error), "verdict": verdict.verdict}
                for value, verdict in zip(self.values, self.verdicts, strict=True)
            ],
        }

    def save(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``edge.nc``, ``edge.png`` and ``edge.json`` into ``directory/area/paper/Claim/edge-PARAMETER``.

        Raises
        ------
        OutsideDomain
            The target exists and ``overwrite`` is not set, or no directory can be made there.
        """
        from solvable.report.edge_figure import edge_figure

        target = _target(type(self.claim), self.parameter, directory)
        with publish(target, overwrite=overwrite) as fresh:
            self.to_dataset().to_netcdf(fresh / "edge.nc", engine="h5netcdf")
            edge_figure(self).savefig(fresh / "edge.png", dpi=150)
            text = json.dumps(self.to_row(), indent=2, allow_nan=False)
            (fresh / "edge.json").write_text(text + "\n", encoding="utf-8")
        return target


def find_edge(
    claim: type[Claim] | str,
    parameter: str = "auto",
    *,
    effort: Effort = "quick",
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    report: Callable[[type[Claim], Verdict | None], None] | None = None,
) -> Edge:
    """Push one parameter of a claim until its error passes its tolerance: upwards, and where that never is, downwards.

    Parameters
    ----------
    claim
        A claim class, or a key of one claim.
    parameter
        Name of a parameter that is one plain number; ``"auto"`` takes the one that the claim says it breaks along.
        Whole numbers stay whole; from 0 the search goes up from 0.001.
    effort, seed, overrides, out, overwrite, report
        As for ``check_many``.

    Returns
    -------
    Edge
        Every run, and between which two of them the edge lies: within a factor of 2^(1/16) of itself where it is near
        the claim's own value, within 2^(1/2) where it is 65 000 times as far.

    Raises
    ------
    OutsideDomain
        An unknown claim or parameter, a parameter that is no number, a claim that does not hold where the search
        begins, or existing results.

    References
    ----------
    The claim's ``source``.
    """
    chosen, *others = find(claim) if isinstance(claim, str) else (claim,)
    if others:
        raise OutsideDomain(f"`{claim}` names {len(others) + 1} claims; an edge is that of one: say paper/Claim.")
    parameter = _name_of(chosen, parameter)
    start = chosen.of({**(chosen.full if effort == "full" else {}), **(overrides or {})})
    begin = _value_of(start, parameter)
    if out is not None:
        check_destination(_target(chosen, parameter, out), overwrite)
    search = _Search(start, parameter, effort, seed, report)
    if not search.holds(begin):
        raise OutsideDomain(
            f"{chosen.key} does not hold at `{parameter}` = {begin:g} (error {search.runs[begin].error:.3g}, tolerance "
            f"{chosen.tolerance:g}); begin the search where it does, with --set {parameter}=VALUE."
        )
    edge = search.towards(_away(begin, up=True))
    if not math.isfinite(edge[1]) and begin != 0:
        below = search.towards(_away(begin, up=False))
        edge = below if math.isfinite(below[1]) else edge
    values = np.array(sorted(search.runs))
    verdicts = tuple(search.runs[value] for value in values)
    found = Edge(start, parameter, verdicts, values.astype(float), *edge, remark=search.remark)
    if out is not None:
        found.save(out, overwrite=overwrite)
    return found


def _target(claim: type[Claim], parameter: str, directory: str | Path) -> Path:
    return destination(claim, directory) / f"edge-{parameter}"


def _name_of(claim: type[Claim], parameter: str) -> str:
    if parameter != "auto" or "auto" in claim.parameters:
        return parameter
    if not claim.breaks:
        raise OutsideDomain(
            f"{claim.key} does not say along which parameter it breaks; name one: "
            f"{', '.join(name for name, own in claim.parameters.items() if is_number(own)) or 'it has no number'}."
        )
    return claim.breaks


def _value_of(claim: Claim, parameter: str) -> float:
    if parameter not in claim.parameters:
        raise OutsideDomain(
            f"{claim.key} has no parameter `{parameter}`; its parameters are: {', '.join(claim.parameters) or 'none'}."
        )
    value = getattr(claim, parameter)
    if not is_number(value):
        numbers = [name for name, own in claim.parameters.items() if is_number(own)]
        raise OutsideDomain(
            f"`{parameter}` of {claim.key} is {value!r}; an edge is sought along one number: "
            f"{', '.join(numbers) or 'this claim has none'}."
        )
    return value


def _away(begin: float, *, up: bool) -> Iterator[float]:
    """Values ever farther from where the search begins; whole ones stay whole, positive and not too large to run."""
    powers = _POWERS if isinstance(begin, float) else _POWERS[:_WHOLE_POWERS]
    if begin == 0:
        return (_FROM_ZERO * 2.0**power if isinstance(begin, float) else 2 ** (power - 1) for power in powers)
    found = (_as_kind(begin, begin * (2.0**power if up else 2.0**-power)) for power in powers)
    return (value for value in dict.fromkeys(found) if value not in (0, begin))


def _as_kind(begin: float, value: float) -> float:
    return round(value) if isinstance(begin, int) else value


class _Search:
    """Runs of one claim along a parameter, each value once."""

    def __init__(self, start: Claim, parameter: str, effort: Effort, seed: int, report: Any):
        self.start, self.parameter, self.runs, self.remark = start, parameter, {}, ""
        self._how = {"effort": effort, "seed": seed, "report": report}

    def holds(self, value: float) -> bool:
        """Whether the error is within the tolerance, whatever the catalogue expects."""
        if value not in self.runs:
            overrides = {name: getattr(self.start, name) for name in self.start.parameters} | {self.parameter: value}
            (evidence,) = check_many([type(self.start)], overrides=overrides, **self._how)
            self.runs[value] = evidence.verdict
        return self.runs[value].verdict == "holds"

    def towards(self, values: Iterator[float]) -> tuple[float, float]:
        """The last value that holds and the first that fails, NaN where there is none, with the gap halved."""
        good = getattr(self.start, self.parameter)
        for value in values:
            try:
                if not self.holds(value):
                    return self._halve(good, value)
            except OutsideDomain as refusal:
                self.remark = f"At {value:g} the claim refuses: {str(refusal).rstrip('.')}."
                break
            good = value
            if self.runs[value].seconds > _LONGEST_RUN:
                self.remark = f"The search ended at {value:g}, which took {self.runs[value].seconds:.0f} s to run."
                break
        return good, math.nan

    def _halve(self, good: float, bad: float) -> tuple[float, float]:
        for _ in range(_HALVINGS):
            middle = _as_kind(good, math.copysign(math.sqrt(good * bad), bad) if good else bad / 2)
            if middle in (good, bad):
                break
            good, bad = (middle, bad) if self.holds(middle) else (good, middle)
        return good, bad
