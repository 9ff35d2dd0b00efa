"""What a claim produced when run: both sides' observables and the verdict, kept on disk whole or not at all."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from solvable.claims.base import Claim
from solvable.claims.catalogue import find
from solvable.errors import OutsideDomain
from solvable.report.publish import publish

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Verdict:
    """The outcome of one claim at one setting.

    Attributes
    ----------
    paper, claim, effort, seed, parameters, version
        What was run: the parameters in plain JSON values, the version of this library.
    error, metric, tolerance
        The distance, infinite where none could be taken; how it was taken; the largest at which the claim holds.
    verdict, expected
        ``"holds"`` or ``"fails"``, as it came out and as the catalogue expects it.
    seconds
        Wall time of both sides.
    reason
        Why no distance could be taken, such as diverged training; empty where one was.

    Raises
    ------
    Nothing.

    References
    ----------
    None.
    """

    paper: str
    claim: str
    effort: str
    seed: int
    error: float
    tolerance: float
    metric: str
    verdict: Literal["holds", "fails"]
    expected: Literal["holds", "fails"]
    seconds: float
    parameters: dict[str, Any]
    version: str
    reason: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether it came out as the catalogue says. A run that could not be compared never did."""
        return self.verdict == self.expected and not self.reason

    def to_row(self) -> dict[str, Any]:
        """All fields in plain JSON values; an infinite error is None."""
        return asdict(self) | {"error": self.error if math.isfinite(self.error) else None}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """The verdict that ``to_row`` gave."""
        error = math.inf if row["error"] is None else row["error"]
        return cls(**{**row, "error": error})


@dataclass(frozen=True, eq=False)
class Evidence:
    """A claim at its parameters, what theory said, what was measured, and the verdict.

    Attributes
    ----------
    claim
        The claim at the parameters that were run.
    prediction, measurement
        The observables of either side; each one's wall time in ``attrs["seconds"]``. Empty where it raised.
    verdict
        Their distance, and whether the claim holds.

    Raises
    ------
    Nothing.

    References
    ----------
    The claim's ``source``.
    """

    claim: Claim
    prediction: xr.Dataset
    measurement: xr.Dataset
    verdict: Verdict

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Evidence)
            and (self.claim, self.verdict) == (other.claim, other.verdict)
            and self.prediction.identical(other.prediction)
            and self.measurement.identical(other.measurement)
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # Data sets have no hash.

    def save(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``evidence.nc``, ``figure.png`` and ``verdict.json`` into ``directory/area/paper/Claim``, all or none.

        Raises
        ------
        OutsideDomain
            The target exists and ``overwrite`` is not set, or no directory can be made there.
        """
        target = destination(type(self.claim), directory)
        with publish(target, overwrite=overwrite) as fresh:
            self._write(fresh)
        return target

    def _write(self, directory: Path) -> None:
        import xarray as xr

        from solvable.report.figures import figure_of

        tree = xr.DataTree.from_dict({"/prediction": self.prediction, "/measurement": self.measurement})
        source, verdict = self.claim.source, self.verdict
        tree.attrs |= {
            "claim": self.claim.key,
            "says": self.claim.says,
            "source": f"{source.paper}, {source.where}",
            "parameters": self.claim.to_json(),
            "seed": verdict.seed,
            "effort": verdict.effort,
            "version": verdict.version,
        }
        tree.to_netcdf(directory / "evidence.nc", engine="h5netcdf")
        figure_of(self).savefig(directory / "figure.png", dpi=150)
        text = json.dumps(verdict.to_row(), indent=2, allow_nan=False)
        (directory / "verdict.json").write_text(text + "\n", encoding="utf-8")


def load(directory: str | Path) -> Evidence:
    """The evidence that ``Evidence.save`` wrote into ``directory``, equal to what was saved.

    Parameters
    ----------
    directory
        The one that holds ``evidence.nc`` and ``verdict.json``.

    Raises
    ------
    OutsideDomain
        A file is missing, or the claim is not in the catalogue.

    References
    ----------
    The claim's ``source``.
    """
    import xarray as xr

    data, verdict_file = Path(directory, "evidence.nc"), Path(directory, "verdict.json")
    for file in (data, verdict_file):
        if not file.is_file():
            raise OutsideDomain(f"`{file}` does not exist; name the directory of one claim, as `save` returned it.")
    verdict = Verdict.from_row(json.loads(verdict_file.read_text(encoding="utf-8")))
    with xr.open_datatree(data, engine="h5netcdf") as tree:
        prediction, measurement = (tree[side].to_dataset().load() for side in ("prediction", "measurement"))
        parameters = tree.attrs["parameters"]
    (claim,) = find(f"{verdict.paper}/{verdict.claim}")
    return Evidence(claim.from_json(parameters), prediction, measurement, verdict)


def destination(claim: type[Claim], directory: str | Path) -> Path:
    """Where a claim's evidence goes under ``directory``: ``area/paper/Claim``. Raises nothing.

    References
    ----------
    None.
    """
    return Path(directory, claim.area, claim.source.paper, claim.__name__)
