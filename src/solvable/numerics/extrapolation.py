"""Limits from what is seen at two finite scales."""

import numpy as np
from jaxtyping import Array, Float


def two_scale_limit(
    values: Float[Array, "scale *batch"] | Float[np.ndarray, "scale *batch"], scales: tuple[float, float]
) -> Float[Array, "*batch"] | Float[np.ndarray, "*batch"]:
    """The limit of values that approach it as 1/scale, from two scales.

    Parameters
    ----------
    values
        Seen at the two scales, first axis.
    scales
        l_1 and l_2, different: the limit is (l_2 v_2 - l_1 v_1) / (l_2 - l_1).

    Raises
    ------
    Raises nothing; equal scales give inf or NaN.

    References
    ----------
    Richardson (1911), extrapolation to the limit; pesme2023 with l = ln(1/alpha).
    """
    low, high = scales
    return (high * values[1] - low * values[0]) / (high - low)
