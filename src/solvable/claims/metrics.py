"""How far a measurement is from its prediction: one number a claim, larger is worse, never NaN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

Over = Literal["each", "mean"]


class Comparison(NamedTuple):
    """The distance, and why none could be taken (empty where one was; the error is then infinite).

    References
    ----------
    None.
    """

    error: float
    reason: str = ""


@dataclass(frozen=True)
class Metric:
    """A distance between prediction and measurement, the largest over ``variables``.

    Attributes
    ----------
    name
        As shown in tables and verdicts.
    variables
        The observables compared.
    distance
        From the arrays of prediction and measurement, the seeds leading if the measurement has them, to a number.
    over
        Where only the measurement has a ``seed``: compare ``each`` of them, or their ``mean``.

    Raises
    ------
    Nothing. Observables that cannot be compared are infinitely far apart, and ``compare`` says why.

    References
    ----------
    None.
    """

    name: str
    variables: tuple[str, ...]
    distance: Callable[[np.ndarray, np.ndarray], float]
    over: Over = "each"

    def __call__(self, prediction: xr.Dataset, measurement: xr.Dataset) -> float:
        return self.compare(prediction, measurement).error

    def compare(self, prediction: xr.Dataset, measurement: xr.Dataset) -> Comparison:
        """The error and, where none can be taken, the reason."""
        try:
            pairs = [_pair(prediction, measurement, variable, self.over) for variable in self.variables]
            with np.errstate(divide="ignore", invalid="ignore"):
                return Comparison(max(float(self.distance(*pair)) for pair in pairs))
        except _Incomparable as refusal:
            return Comparison(float("inf"), str(refusal))


def max_relative_error(*variables: str, over: Over = "each") -> Metric:
    """Largest ``|prediction - measurement| / |prediction|`` over all entries; a miss of an exact 0 is infinite.

    Raises nothing. References: none.
    """

    def distance(prediction: np.ndarray, measurement: np.ndarray) -> float:
        gap = np.abs(prediction - measurement)
        return np.max(np.where(gap == 0, 0.0, gap / np.abs(prediction)))

    return _metric("max_relative_error", variables, distance, over)


def max_curve_gap(*variables: str, over: Over = "each") -> Metric:
    """Largest ``|prediction - measurement|`` along each curve, in units of where the predicted curve starts.

    A curve runs along the prediction's last dimension and starts at its first entry. Raises nothing. References: none.
    """

    def distance(prediction: np.ndarray, measurement: np.ndarray) -> float:
        gap = np.abs(prediction - measurement)
        return np.max(np.where(gap == 0, 0.0, gap / np.abs(np.atleast_1d(prediction)[..., :1])))

    return _metric("max_curve_gap", variables, distance, over)


def fraction_wrong(*variables: str, over: Over = "each") -> Metric:
    """Share of entries in which prediction and measurement differ at all: for orders, ranks and counts.

    Raises nothing. References: none.
    """

    def distance(prediction: np.ndarray, measurement: np.ndarray) -> float:
        return float(np.mean(prediction != measurement))

    return _metric("fraction_wrong", variables, distance, over)


def perturbed(prediction: xr.Dataset, variable: str, factor: float) -> xr.Dataset:
    """The prediction with one observable multiplied by ``factor``: a claim that still holds is vacuous.

    Raises
    ------
    KeyError
        The prediction has no such variable.

    References
    ----------
    None.
    """
    return prediction.assign({variable: prediction[variable] * factor})


class _Incomparable(Exception):
    pass


def _metric(name: str, variables: tuple[str, ...], distance: Callable, over: Over) -> Metric:
    arguments = ", ".join((*variables, *(["over='mean'"] if over == "mean" else [])))
    return Metric(f"{name}({arguments})", variables, distance, over)


def _pair(prediction: xr.Dataset, measurement: xr.Dataset, variable: str, over: Over) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays that broadcast: the measurement's own seeds first, the other dims as the prediction has them."""
    for side, dataset in (("prediction", prediction), ("measurement", measurement)):
        if variable not in dataset:
            raise _Incomparable(f"the {side} has no variable `{variable}`")
        if not np.all(np.isfinite(dataset[variable].values)):
            raise _Incomparable(f"the {side}'s `{variable}` holds a value that is not finite")
        if dataset[variable].size == 0:
            raise _Incomparable(f"the {side}'s `{variable}` is empty")
    theory, sample = prediction[variable], measurement[variable]
    if over == "mean" and "seed" in sample.dims and "seed" not in theory.dims:
        sample = sample.mean("seed")
    seeds = [dim for dim in sample.dims if dim == "seed" and dim not in theory.dims]
    _check_aligned(variable, theory, sample, ignoring=seeds)
    return theory.values, sample.transpose(*seeds, *theory.dims).values


def _check_aligned(variable: str, theory: xr.DataArray, sample: xr.DataArray, ignoring: list) -> None:
    sizes = {dim: size for dim, size in sample.sizes.items() if dim not in ignoring}
    if sizes != dict(theory.sizes):
        raise _Incomparable(f"`{variable}` is {dict(theory.sizes)} in the prediction and {sizes} in the measurement")
    for dim in sizes:
        if dim in theory.coords and dim in sample.coords and not _same(theory[dim].values, sample[dim].values):
            raise _Incomparable(f"`{variable}` has other values of `{dim}` in the prediction than in the measurement")


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    # Two routes to the same time or size may round differently.
    numeric = left.dtype.kind in "iuf" and right.dtype.kind in "iuf"
    return np.allclose(left, right, rtol=1e-9, atol=0) if numeric else np.array_equal(left, right)
