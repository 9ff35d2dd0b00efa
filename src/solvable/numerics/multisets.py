"""The largest products of factors that may repeat, in order, without forming all the others."""

import numpy as np
from jaxtyping import Float, Int

from solvable.errors import check_count

_UNIT = 2.0**32  # logarithms are compared as whole multiples of 1/_UNIT, whose sums are exact: ties stay ties


def largest_products(
    factors: Float[np.ndarray, " factor"], scales: Float[np.ndarray, " size"], count: int
) -> Int[np.ndarray, "found most"]:
    r"""The multisets of factors whose products, times a scale for each size of multiset, are largest.

    Parameters
    ----------
    factors
        Positive, descending.
    scales
        Of multisets of 0, 1, ... factors, at least 0; those of scale 0 are left out.
    count
        How many; all there are, where they are fewer.

    Returns
    -------
    Array
        Each multiset as ascending indices of its factors, then -1; the largest product first, up to a relative 1e-9.

    Raises
    ------
    OutsideDomain
        A count below 1.

    Notes
    -----
    The least product is bracketed by bisection until between ``count`` and twice as many multisets are above it, or
    all between the ends of the bracket are equal, of which any will do. Every beginning of a sorted multiset that is
    kept has an end, so that the cost is that of the multisets found.

    References
    ----------
    None: combinatorics.
    """
    check_count("count", count)
    logs = _whole_log(factors)
    sizes = np.flatnonzero(scales)
    tops = dict(zip(sizes.tolist(), _whole_log(scales[sizes]).tolist(), strict=True))
    low = min(top + size * int(logs[-1]) for size, top in tops.items())
    high = max(top + size * int(logs[0]) for size, top in tops.items()) + 1
    most, width = 2 * count, len(scales) - 1
    values, rows = _above(logs, tops, low, most, width)
    sure_values, sure_rows = values[:0], rows[:0]  # all products of at least `high`, which are fewer than `count`
    while len(values) >= most and high - low > 1:
        middle = (low + high) // 2
        tried = _above(logs, tops, middle, most, width)
        if len(tried[0]) < count:
            high, (sure_values, sure_rows) = middle, tried
        else:
            low, (values, rows) = middle, tried
    below = values < high
    values, rows = np.concatenate([sure_values, values[below]]), np.concatenate([sure_rows, rows[below]])
    return rows[np.argsort(-values, kind="stable")[:count]]


def _whole_log(values: np.ndarray) -> np.ndarray:
    return np.round(np.log(values) * _UNIT).astype(np.int64)


def _above(logs: np.ndarray, tops: dict[int, int], floor: int, most: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Log products and multisets of at least ``floor``: all of them, or the first ``most`` that are found."""
    values, rows = [np.zeros(0, np.int64)], [np.zeros((0, width), np.int32)]
    for size, top in tops.items():
        found, indices = _of_size(logs, size, floor - top, most - sum(map(len, values)))
        values.append(found + top)
        rows.append(np.pad(indices, ((0, 0), (0, width - size)), constant_values=-1))
    return np.concatenate(values), np.concatenate(rows)


def _of_size(logs: np.ndarray, size: int, floor: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Of one size, by adding one factor at a time, each no larger than the last."""
    alone = int(floor <= 0 or size > 0) if most > 0 else 0
    values, last, rows = np.zeros(alone, np.int64), np.zeros(alone, np.int64), np.zeros((alone, 0), np.int32)
    for left in range(size, 0, -1):
        # The largest end of a beginning repeats its last factor.
        need = -((values - floor) // left)
        counts = np.maximum(np.searchsorted(-logs, -need, side="right") - last, 0)
        ends = np.minimum(np.cumsum(counts), most)
        counts = np.diff(ends, prepend=0)
        parent = np.repeat(np.arange(len(values)), counts)
        last = last[parent] + np.arange(len(parent)) - (ends - counts)[parent]
        values, rows = values[parent] + logs[last], np.column_stack([rows[parent], last.astype(np.int32)])
    return values, rows
