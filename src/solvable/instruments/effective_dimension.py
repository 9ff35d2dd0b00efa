"""How many directions a kernel matrix has, at a ridge, and how its spectrum and the target along it fall."""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from solvable.errors import OutsideDomain, check_count, check_non_negative
from solvable.numerics import clear_rounding

# A slope over less than a decade, or through fewer bins, is no evidence of a power law.
_LEAST_RANGE, _BINS = 10, 12


class EffectiveDimension(NamedTuple):
    r"""Degrees of freedom :math:`\mathrm{df}_k = \mathrm{tr}\,[K (K + \delta)^{-1}]^k`, k = 1 and 2.

    Attributes
    ----------
    df1, df2
        df2 is at most df1, which is at most the rank.

    References
    ----------
    caponnetto2007, effective dimension; canatar2021 [gamma = df2/n].
    """

    df1: Float[Array, "*ridges"]
    df2: Float[Array, "*ridges"]


@dataclass(frozen=True)
class SourceCapacity:
    r"""Exponents of :math:`\lambda_i \sim i^{-a}` and :math:`v_i^2 \sim i^{-(1 + 2 a r)}`, with standard errors.

    Attributes
    ----------
    capacity, capacity_error
        a.
    source, source_error
        r.
    first, last
        The modes that were looked at, counted from 1.

    References
    ----------
    cui2023; caponnetto2007 [b = a, c = 2r].
    """

    capacity: float
    capacity_error: float
    source: float
    source_error: float
    first: int
    last: int


def effective_dimension(
    gram: Float[Array, "num_samples num_samples"], ridge: float | Float[Array, "*ridges"]
) -> EffectiveDimension:
    """Degrees of freedom of any kernel matrix at one ridge or many.

    Parameters
    ----------
    gram
        K, symmetric and positive semi-definite.
    ridge
        delta >= 0 of the sum over samples; at 0 both are the rank.

    Raises
    ------
    OutsideDomain
        A negative ridge.

    References
    ----------
    caponnetto2007, effective dimension; simon2023a, learnabilities of which these are the sums.
    """
    check_non_negative("ridge", ridge)
    values = jnp.linalg.eigvalsh(gram)
    ridge = jnp.asarray(ridge, values.dtype)[..., None]
    values = jnp.expand_dims(clear_rounding(values, values.size), range(ridge.ndim - 1))
    shares = jnp.where(values > 0, values / jnp.where(values > 0, values + ridge, 1), 0)
    return EffectiveDimension(jnp.sum(shares, axis=-1), jnp.sum(shares**2, axis=-1))


def fit_source_capacity(
    eigenvalues: ArrayLike, target_power: ArrayLike, *, first: int | None = None, last: int | None = None
) -> SourceCapacity:
    """Exponents of a spectrum and of a target along it, over a range of modes.

    Parameters
    ----------
    eigenvalues
        Descending, shape (mode,).
    target_power
        v_i^2 along each; what noise adds to it should be taken off first.
    first, last
        Modes to look at, counted from 1; unless given, from the fourth to a tenth of all, as eigenvalues of a sample
        further down are the sample's own.

    Returns
    -------
    SourceCapacity
        Slopes through means of equal ranges of ln i; each error is the larger of the fit's own and half the difference
        between the slopes of the two halves of the range, so that a spectrum that bends shows it.

    Raises
    ------
    OutsideDomain
        A range of less than a decade, shapes that differ, values that are not positive within it.

    References
    ----------
    cui2023, source and capacity of data sets; caponnetto2007.
    """
    values, power = np.asarray(eigenvalues, float), np.asarray(target_power, float)
    if values.ndim != 1 or values.shape != power.shape:
        raise OutsideDomain(
            f"`eigenvalues` has shape {values.shape} and `target_power` {power.shape}; both must be (mode,), alike."
        )
    first = 4 if first is None else first
    last = values.size // 10 if last is None else last
    check_count("first", first)
    if not first * _LEAST_RANGE <= last <= values.size:
        raise OutsideDomain(
            f"modes {first} to {last} of {values.size} are too short a range; exponents need a decade, such as 4 to 40."
        )
    rows = slice(first - 1, last)
    if not (np.all(values[rows] > 0) and np.all(power[rows] >= 0) and np.any(power[rows] > 0)):
        raise OutsideDomain(
            f"modes {first} to {last} hold an eigenvalue of 0 or no power of the target; end before the rank."
        )
    order = np.arange(first, last + 1.0)
    place = np.minimum((_BINS * np.log(order / first) / np.log(last / first)).astype(int), _BINS - 1)
    capacity, capacity_error = _slope(order, np.log(values[rows]), place, np.mean)
    fall, fall_error = _slope(order, power[rows], place, lambda part: np.log(max(part.mean(), np.finfo(float).tiny)))
    source = (fall - 1) / (2 * capacity)
    error = np.hypot(fall_error / (2 * capacity), source * capacity_error / capacity)
    return SourceCapacity(capacity, capacity_error, source, float(error), first, last)


def _slope(order: np.ndarray, values: np.ndarray, place: np.ndarray, mean) -> tuple[float, float]:
    """Minus the slope of the bins' means over ln i, and its error."""
    bins, counts = np.unique(place, return_counts=True)
    across = np.array([np.log(order[place == each]).mean() for each in bins])
    heights = np.array([mean(values[place == each]) for each in bins])
    # A mean of few modes scatters more.
    weights = np.sqrt(counts)
    slope, height = np.polyfit(across, heights, 1, w=weights)
    rest = weights * (heights - slope * across - height)
    spread = weights * (across - np.average(across, weights=counts))
    own = np.sqrt(np.sum(rest**2) / max(bins.size - 2, 1) / np.sum(spread**2))
    first, second = np.array_split(np.arange(bins.size), 2)
    halves = [np.polyfit(across[half], heights[half], 1, w=weights[half])[0] for half in (first, second)]
    return float(-slope), float(max(own, abs(halves[1] - halves[0]) / 2))
