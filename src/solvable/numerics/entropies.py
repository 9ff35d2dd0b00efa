"""Entropies of tables of probabilities."""

import numpy as np
from jaxtyping import Float


def entropy(probabilities: Float[np.ndarray, "..."], keep: tuple[int, ...] | None = None) -> float:
    """Entropy in bits of a joint table, or of the marginal on some of its axes; 0 log 0 = 0.

    Parameters
    ----------
    probabilities
        One axis a variable, not negative, summing to 1.
    keep
        Axes of the marginal; all if left out.

    Raises
    ------
    Raises nothing.

    References
    ----------
    Shannon (1948).
    """
    axes = range(probabilities.ndim)
    marginal = (
        probabilities if keep is None else probabilities.sum(axis=tuple(axis for axis in axes if axis not in keep))
    )
    positive = marginal[marginal > 0]
    return float(-np.sum(positive * np.log2(positive)))
