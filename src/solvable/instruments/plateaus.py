"""Plateaus and abrupt drops of a recorded loss curve."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.signal import savgol_filter

from solvable.errors import OutsideDomain, check_count


@dataclass(frozen=True)
class Plateau:
    """A flat stretch of a loss curve: between two drops, before the first or after the last.

    Raises nothing.

    Attributes
    ----------
    start, end
        Times between which the curve is on the plateau: from the end of the drop before (or the first record) to the
        start of the drop after (or the last record). In the units of the recorded times.
    level
        Loss at the flattest point.
    time
        Time of the flattest point, to within half a record spacing; the middle one when several are equally flat.

    References
    ----------
    Zhang, Saxe, Latham (2026), Fig. 1 [plateaus of the loss, near saddles].
    """

    start: float
    end: float
    level: float
    time: float


@dataclass(frozen=True)
class Drop:
    """An abrupt fall of a loss curve from one level to the next.

    Raises nothing.

    Attributes
    ----------
    start, end
        Times at which a tenth and nine tenths of the fall are done, in the units of the recorded times.
    time
        Time at which half of the fall is done: the measured time of the stage.
    above, below
        Loss levels of the plateaus on either side; the first or the last recorded loss where there is no plateau.

    References
    ----------
    Zhang, Saxe, Latham (2026), Fig. 1 [abrupt drops of the loss, between saddles].
    """

    start: float
    end: float
    time: float
    above: float
    below: float


@dataclass(frozen=True)
class Stages:
    """The plateaus and the drops of a loss curve, which alternate, each in order of time.

    Raises nothing.

    Attributes
    ----------
    plateaus
        Flat stretches, the first and the last included where the curve begins or ends flat.
    drops
        Falls between them.

    References
    ----------
    Zhang, Saxe, Latham (2026), Fig. 1.
    """

    plateaus: tuple[Plateau, ...]
    drops: tuple[Drop, ...]


def find_stages(
    times: ArrayLike, loss: ArrayLike, *, min_drop: float = 0.01, contrast: float = 0.5, smoothing: int = 0
) -> Stages:
    r"""The plateaus and the abrupt drops of a loss curve.

    The whole fall of the curve is cut into equal steps of at least ``min_drop`` times the initial loss. A plateau is
    where a step takes at least ``1/contrast`` times as long as the quickest step of the drop on either side.

    Parameters
    ----------
    times
        Times or steps of the records, (records,), increasing, in any unit and any spacing; at least five.
    loss
        Loss at these times, (records,), not negative, in any normalisation.
    min_drop
        Share of the initial loss, between 1e-5 and 1: no smaller fall counts as a drop, and one of three times this
        share is sure to be resolved. Larger than the noise that ``smoothing`` leaves.
    contrast
        Speed of descent on a plateau, at the most, relative to the slower of the drops beside it; between 0 and 1.
    smoothing
        Width in records of the moving average (a straight line at both ends) that the loss first passes through;
        0 or 1 for none. Drops quicker than this width come out as slow as it.

    Returns
    -------
    Stages
        Plateaus and drops in order of time. A curve that falls by less than ``min_drop`` is one plateau; one that
        falls steadily is one drop.

    Raises
    ------
    OutsideDomain
        Fewer than five records, lengths that differ, times that do not increase, entries that are not finite,
        a negative loss, or an option outside its range.

    Notes
    -----
    Speeds are compared at equal falls of the loss, and with the neighbouring drops only. The answer therefore does
    not depend on the unit of time or of loss nor on how the records are spaced; a plateau that is passed without
    being reached counts as one that lasts for decades; a stretch of rising loss counts as flat, since the curve is
    replaced by the lowest loss so far. Times of drops are interpolated linearly between records.

    References
    ----------
    Zhang, Saxe, Latham (2026), Fig. 1 [panels B to G: what is to be found; the criterion is ours].

    Examples
    --------
    >>> times = np.arange(100.0)
    >>> stages = find_stages(times, 1 / (1 + np.exp((times - 40) / 2)))
    >>> [round(drop.time) for drop in stages.drops]
    [40]
    """
    times, loss = _check_curve(times, loss)
    _check_options(times.size, min_drop, contrast, smoothing)
    smooth = savgol_filter(loss, smoothing, polyorder=1) if smoothing > 1 else loss
    lowest = np.minimum.accumulate(smooth)
    num_steps = int((lowest[0] - lowest[-1]) / (min_drop * loss[0])) if loss[0] > 0 else 0
    if num_steps == 0:
        return Stages((_join_plateau(times[0], times[-1], *_find_flattest(times, lowest, times[0], times[-1])),), ())
    edges = _pass_levels(times, lowest, np.linspace(lowest[0], lowest[-1], num_steps + 1))
    edges[0] = times[0]
    quick, slow = _find_turns(np.diff(edges), contrast)
    return _build_stages(times, lowest, [_find_flattest(times, lowest, edges[j], edges[j + 1]) for j in slow],
                         opens_flat=bool(slow) and slow[0] < quick[0], closes_flat=bool(slow) and slow[-1] > quick[-1])
