"""The shape of a claim: a paper's statement, its parameters, two witnesses, a metric and a tolerance."""

from __future__ import annotations

import inspect
import json
import numbers
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, dataclass_transform

from solvable.claims.metrics import Metric
from solvable.errors import OutsideDomain, check_choice

if TYPE_CHECKING:
    import jax
    import xarray as xr

_WORDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a finite number",
    str: "text",
    tuple: "a non-empty list",
}


@dataclass(frozen=True)
class Source:
    """Where a statement is printed and what sort of statement it is.

    Parameters
    ----------
    paper
        Key of the paper in ``papers.bib``.
    where
        Equation, theorem or figure, as the paper numbers it.
    kind
        ``exact``, ``asymptotic`` (a limit), ``scaling`` (an exponent), ``bound`` or ``law`` (conserved or invariant).

    Raises
    ------
    OutsideDomain
        Another ``kind``.

    References
    ----------
    None: it holds them.
    """

    paper: str
    where: str
    kind: Literal["exact", "asymptotic", "scaling", "bound", "law"]

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("exact", "asymptotic", "scaling", "bound", "law"))


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Claim:
    """A statement of a paper beside a measurement of the same observables.

    A subclass becomes a frozen, keyword-only dataclass. Its annotated attributes are the setting's parameters (plain
    numbers, words, truth values or tuples of them, each with a default); its other attributes are below.

    Attributes
    ----------
    source, metric, tolerance
        Where it is printed; how far prediction and measurement are apart; the largest distance at which it holds.
    expected, reason
        ``"holds"``, or ``"fails"`` together with the reason why it does not hold.
    full
        Parameters of the full effort, where they differ from the quick defaults.
    limit
        A parameter and its values on the way to the theory's limit: the error must shrink along them.
    key, area, says, assumes, breaks, parameters
        Filled in: ``paper/Claim``, the folder it lives in, the docstring's first line and its others, the parameter
        that its sentence "Breaks as `name` grows" names (or ``""``), each parameter's default.

    Raises
    ------
    OutsideDomain
        At class creation, when something is missing; on construction, a parameter of another type than its default.

    References
    ----------
    Each subclass names its own in ``source``.
    """

    source: ClassVar[Source]
    metric: ClassVar[Metric]
    tolerance: ClassVar[float]
    expected: ClassVar[Literal["holds", "fails"]] = "holds"
    reason: ClassVar[str] = ""
    full: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    limit: ClassVar[tuple[str, tuple[Any, ...]] | None] = None

    key: ClassVar[str]
    area: ClassVar[str]
    says: ClassVar[str]
    assumes: ClassVar[str]
    breaks: ClassVar[str]
    parameters: ClassVar[Mapping[str, Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        annotations = {name: str(kind) for name, kind in inspect.get_annotations(cls).items()}
        own = {name: vars(cls).get(name) for name, kind in annotations.items() if "ClassVar" not in kind}
        cls.parameters = MappingProxyType({**getattr(cls, "parameters", {}), **own})
        cls.says, _, rest = inspect.cleandoc(cls.__doc__ or "").partition("\n")
        cls.assumes = rest.strip()
        cls.breaks = "".join(re.findall(r"\bBreaks as `(\w+)`", cls.assumes)[:1])
        _refuse_incomplete(cls)
        _refuse_parameters(cls)
        folders = cls.__module__.split(".")
        cls.area = folders[2] if folders[:2] == ["solvable", "claims"] else "own"
        cls.key = f"{cls.source.paper}/{cls.__name__}"
        dataclass(frozen=True, kw_only=True)(cls)

    def __post_init__(self) -> None:
        for name, default in self.parameters.items():
            object.__setattr__(self, name, coerce(name, getattr(self, name), default))
        self.validate()

    def validate(self) -> None:
        """Hook: raise OutsideDomain for parameters that have the right type and no meaning."""

    def predict(self) -> xr.Dataset:
        """The observables according to theory; no randomness."""
        raise NotImplementedError

    def measure(self, key: jax.Array) -> xr.Dataset:
        """The same observables from training or sampling, all randomness from ``key``."""
        raise NotImplementedError

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """The claim at these parameters, the others at their defaults; OutsideDomain names an unknown one."""
        for name in parameters:
            if name not in cls.parameters:
                known = ", ".join(cls.parameters) or "none"
                raise OutsideDomain(f"{cls.key} has no parameter `{name}`; its parameters are: {known}.")
        return cls(**parameters)

    def to_json(self) -> str:
        """The parameters as a JSON object; ``from_json`` gives an equal claim back."""
        return json.dumps({name: getattr(self, name) for name in self.parameters}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The claim whose parameters are the JSON object ``text``; OutsideDomain as on construction."""
        return cls.of(json.loads(text))


def coerce(name: str, value: Any, default: Any) -> Any:
    """``value`` in the type of ``default``: whole numbers stand for floats, lists for tuples.

    Raises
    ------
    OutsideDomain
        Any other difference of type, or a number that is not finite; the message names the parameter.

    References
    ----------
    None.
    """
    kind, is_real = type(default), issubclass(type(value), numbers.Real) and type(value) is not bool
    if kind in (bool, str) and isinstance(value, kind):
        return value
    if kind is int and is_real and issubclass(type(value), numbers.Integral):
        return int(value)
    # Not math.isfinite, which chokes on whole numbers too large for a float.
    if kind is float and is_real and abs(value) <= sys.float_info.max:
        return float(value)
    if kind is tuple and isinstance(value, list | tuple) and value and default:
        return tuple(coerce(name, entry, default[0]) for entry in value)
    allowed = _WORDS.get(kind, "a number, text, True or False, or a non-empty tuple of such")
    raise OutsideDomain(f"`{name}` is {value!r}; it must be {allowed}, like its default {default!r}.")


def observables(coords: Mapping[str, Any] | None = None, **variables: float | tuple[Any, ...] | Any) -> xr.Dataset:
    """A labelled data set of observables, in float64 NumPy whatever the arrays were.

    Parameters
    ----------
    coords
        Coordinate values by dimension: an array, or ``(dimension, values, attrs)``. Words stay words.
    **variables
        Each observable as a number, or ``(dimensions, values)`` or ``(dimensions, values, attrs)``. Figures use the
        attrs ``long_name``, ``units`` and ``scale="log"``; they work on coordinates too.

    Returns
    -------
    xr.Dataset
        Fit to be what ``predict`` and ``measure`` return.

    Raises
    ------
    ValueError
        From xarray, when the dimensions do not fit the values.

    References
    ----------
    None.
    """
    import xarray as xr

    return xr.Dataset(
        {name: _in_numpy(entry, ()) for name, entry in variables.items()},
        coords={name: _in_numpy(entry, name) for name, entry in (coords or {}).items()},
    )


def _in_numpy(entry: Any, dims: str | tuple[str, ...]) -> tuple[Any, ...]:
    import numpy as np

    dims, values, *attrs = entry if isinstance(entry, tuple) else (dims, entry)
    array = np.asarray(values)
    return (dims, array if array.dtype.kind in "UO" else array.astype(np.float64), *attrs)


def _refuse_incomplete(cls: type[Claim]) -> None:
    tolerance = getattr(cls, "tolerance", None)
    needs = {
        "a docstring whose first line is what the paper says": bool(cls.says),
        "`source = Source(paper, where, kind)`": isinstance(getattr(cls, "source", None), Source),
        "a `metric`": isinstance(getattr(cls, "metric", None), Metric),
        "a `tolerance` above 0": isinstance(tolerance, int | float) and tolerance > 0,
        "a method `predict`": cls.predict is not Claim.predict,
        "a method `measure`": cls.measure is not Claim.measure,
        "`expected` to be 'holds' or 'fails'": cls.expected in ("holds", "fails"),
        "a `reason` if it is expected to fail, and only then": bool(cls.reason) == (cls.expected == "fails"),
    }
    for what, present in needs.items():
        if not present:
            raise OutsideDomain(f"The claim {cls.__name__} needs {what}.")


def _refuse_parameters(cls: type[Claim]) -> None:
    taken = {*dir(Claim), *inspect.get_annotations(Claim)}
    for name, default in cls.parameters.items():
        if name in taken:
            raise OutsideDomain(
                f"The claim {cls.__name__} has a parameter `{name}`, a word every claim uses; rename it."
            )
        coerce(name, default, default)
    pushed = () if cls.limit is None else [(cls.limit[0], value) for value in cls.limit[1]]
    for name, value in (*cls.full.items(), *pushed):
        if name not in cls.parameters:
            raise OutsideDomain(f"The claim {cls.__name__} has no parameter `{name}`, which `full` or `limit` names.")
        coerce(name, value, cls.parameters[name])
    if cls.breaks and not is_number(cls.parameters.get(cls.breaks)):
        raise OutsideDomain(
            f"The claim {cls.__name__} breaks as `{cls.breaks}` changes, which is no parameter that is one number."
        )


def is_number(value: Any) -> bool:
    """Whether a parameter is one plain number, along which an edge can be sought. Raises nothing. References: none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
