"""Reading times off recorded curves."""

import numpy as np
from jaxtyping import Float

from solvable.errors import OutsideDomain


def first_crossing(times: Float[np.ndarray, " record"], values: Float[np.ndarray, " record"], level: float) -> float:
    """Time at which a curve first passes ``level``, by linear interpolation; NaN where it never does.

    Parameters
    ----------
    times, values
        The recorded curve, times increasing; any unit.
    level
        Same unit as ``values``; passed from either side.

    Raises
    ------
    OutsideDomain
        Lengths that differ, or fewer than two records.

    References
    ----------
    None: linear interpolation.
    """
    if times.shape != values.shape or times.size < 2:
        raise OutsideDomain(
            f"`times` and `values` have {times.size} and {values.size} records; they must be equally long, at least 2."
        )
    side = np.sign(values - level)
    crossed = np.flatnonzero(side != side[0])
    if crossed.size == 0:
        return float("nan")
    after = crossed[0]
    share = (level - values[after - 1]) / (values[after] - values[after - 1])
    return float(times[after - 1] + share * (times[after] - times[after - 1]))


def divergence_time(times: Float[np.ndarray, " record"], values: Float[np.ndarray, " record"]) -> float:
    """Time at which a curve diverges like 1/(T - t), its inverse extrapolated to 0; inf where it stays finite.

    Parameters
    ----------
    times, values
        The recorded curve, times increasing; any unit. Values that are not finite come after the divergence.

    Raises
    ------
    OutsideDomain
        Lengths that differ, or fewer than two finite records before the divergence.

    References
    ----------
    None: linear extrapolation.
    """
    finite = np.isfinite(values)
    last = values.size - 1 if finite.all() else int(np.argmin(finite)) - 1
    if times.shape != values.shape or last < 1:
        raise OutsideDomain(
            f"`times` and `values` have {times.size} and {values.size} records, finite up to record {last}; they must "
            "be equally long, with at least 2 finite records before the divergence."
        )
    if finite.all():
        return float("inf")
    before, after = 1 / values[last - 1], 1 / values[last]
    return float(times[last] + (times[last] - times[last - 1]) * after / (before - after))


def interpolate_logs(
    at: Float[np.ndarray, "*points"] | float, places: Float[np.ndarray, " record"], values: Float[np.ndarray, " record"]
) -> Float[np.ndarray, "*points"]:
    """A positive curve between its records, linear on logarithmic axes; level beyond its ends.

    Parameters
    ----------
    at
        Where, above 0.
    places, values
        The curve, places increasing and above 0; values that are 0 or NaN stay so.

    Raises
    ------
    Raises nothing.

    References
    ----------
    None: linear interpolation.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.interp(np.log(at), np.log(places), np.log(values))))
