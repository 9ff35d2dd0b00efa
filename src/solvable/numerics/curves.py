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
