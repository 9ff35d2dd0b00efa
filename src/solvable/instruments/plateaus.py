"""Plateaus and abrupt drops of a recorded loss curve."""

from bisect import bisect
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from solvable.errors import OutsideDomain, check_count

Curve = Float[np.ndarray, " records"]
Steps = Float[np.ndarray, " steps"]


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
    lowest = np.minimum.accumulate(_smooth(loss, smoothing) if smoothing > 1 else loss)
    num_steps = int((lowest[0] - lowest[-1]) / (min_drop * loss[0])) if loss[0] > 0 else 0
    if num_steps == 0:
        return _build_stages(times, lowest, [_find_flattest(times, lowest, times[0], times[-1])], True, True)
    edges = _pass_levels(times, lowest, np.linspace(lowest[0], lowest[-1], num_steps + 1))
    edges[0] = times[0]
    slow, quick = _find_turns(np.diff(edges), contrast)
    flattest = [_find_flattest(times, lowest, *_widen(j, quick, edges)) for j in slow]
    opens_flat, closes_flat = bool(slow) and slow[0] < quick[0], bool(slow) and slow[-1] > quick[-1]
    return _build_stages(times, lowest, flattest, opens_flat, closes_flat)


def _smooth(loss: Curve, width: int) -> Curve:
    """Moving average, continued at both ends by the straight line through the last ``width`` records."""
    from scipy.signal import savgol_filter  # here because it takes a second to import and is seldom needed

    return np.asarray(savgol_filter(loss, width, polyorder=1))


def _pass_levels(times: Curve, lowest: Curve, levels: Steps) -> Steps:
    """Times at which the falling curve passes the levels; where it rests on one, the time it leaves."""
    return np.interp(-levels, -lowest, times)


def _find_turns(durations: Steps, contrast: float) -> tuple[list[int], list[int]]:
    """Slowest step of each plateau and quickest of each drop.

    Walks along the steps and turns only where their speed has changed by the factor ``contrast`` since the last
    extreme, so that plateaus and drops alternate and lesser changes of speed are neither.
    """
    slow: list[int] = []
    quick: list[int] = []
    slowest = quickest = 0
    falling: bool | None = None
    for j, duration in enumerate(durations):
        slowest = j if duration > durations[slowest] else slowest
        quickest = j if duration < durations[quickest] else quickest
        if falling is not True and duration < contrast * durations[slowest]:
            slow.append(slowest)
            falling, quickest = True, j
        elif falling is not False and contrast * duration > durations[quickest]:
            quick.append(quickest)
            falling, slowest = False, j
    if falling is False:
        slow.append(slowest)
    else:
        quick.append(quickest)
    return slow, quick


def _widen(step: int, quick: list[int], edges: Steps) -> tuple[float, float]:
    """Start and end of a slow step with its neighbours, since its flattest record may lie just over an edge."""
    walls = [-1, *quick, edges.size - 1]
    k = bisect(walls, step)
    return edges[max(step - 1, walls[k - 1] + 1)], edges[min(step + 2, walls[k])]


def _find_flattest(times: Curve, lowest: Curve, start: float, end: float) -> tuple[float, float]:
    """Time and level of the flattest record interval between two times, the middle one of equals."""
    first = np.searchsorted(times, start, side="right") - 1
    last = max(np.searchsorted(times, end, side="left"), first + 1)
    slopes = np.diff(lowest[first : last + 1]) / np.diff(times[first : last + 1])
    candidates = np.flatnonzero(slopes == slopes.max())
    i = first + candidates[candidates.size // 2]
    time = (max(times[i], start) + min(times[i + 1], end)) / 2
    return float(time), float(np.interp(time, times, lowest))


def _build_stages(
    times: Curve, lowest: Curve, flattest: list[tuple[float, float]], opens_flat: bool, closes_flat: bool
) -> Stages:
    """Drops between successive levels, and plateaus between successive drops."""
    levels = [level for _, level in flattest]
    levels = levels if opens_flat else [float(lowest[0]), *levels]
    levels = levels if closes_flat else [*levels, float(lowest[-1])]
    drops = tuple(_measure_drop(times, lowest, above, below) for above, below in pairwise(levels))
    borders = [float(times[0]), *(time for drop in drops for time in (drop.start, drop.end)), float(times[-1])]
    gaps = list(zip(borders[::2], borders[1::2], strict=True))[not opens_flat : len(drops) + closes_flat]
    plateaus = zip(gaps, flattest, strict=True)
    return Stages(tuple(Plateau(start, end, level, time) for (start, end), (time, level) in plateaus), drops)


def _measure_drop(times: Curve, lowest: Curve, above: float, below: float) -> Drop:
    """The drop between two levels of the falling curve."""
    start, time, end = _pass_levels(times, lowest, above - np.array([0.1, 0.5, 0.9]) * (above - below))
    return Drop(float(start), float(end), float(time), above, below)


def _check_curve(times: ArrayLike, loss: ArrayLike) -> tuple[Curve, Curve]:
    """The curve as two float64 arrays, or OutsideDomain."""
    times, loss = np.asarray(times, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    if times.ndim != 1 or times.shape != loss.shape:
        raise OutsideDomain(
            f"`times` has shape {times.shape} and `loss` {loss.shape}; both must be (records,); pass one curve."
        )
    if times.size < 5:
        raise OutsideDomain(f"`loss` has {times.size} records; stages need at least 5; record more often.")
    if (wrong := np.flatnonzero(~np.isfinite(times + loss))).size:
        i = wrong[0]
        raise OutsideDomain(f"`loss` is {loss[i]} at time {times[i]}; both must be finite; cut the curve before it.")
    if (wrong := np.flatnonzero(np.diff(times) <= 0)).size:
        i = wrong[0]
        raise OutsideDomain(
            f"`times` goes from {times[i]} to {times[i + 1]}; it must increase; sort the records, drop repeated ones."
        )
    if (loss < 0).any():
        raise OutsideDomain(f"`loss` falls to {loss.min()}; it must not be negative; subtract its lower bound first.")
    return times, loss


def _check_options(num_records: int, min_drop: float, contrast: float, smoothing: int) -> None:
    """Raise OutsideDomain unless the options of find_stages have a meaning."""
    if not 1e-5 <= min_drop < 1:
        raise OutsideDomain(f"`min_drop` is {min_drop}; it must be a share of the initial loss in [1e-5, 1).")
    if not 0 < contrast < 1:
        raise OutsideDomain(f"`contrast` is {contrast}; it must lie between 0 and 1; 0.5 is usual.")
    check_count("smoothing", smoothing, at_least=0)
    if smoothing > num_records:
        raise OutsideDomain(f"`smoothing` is {smoothing}; it must not exceed the {num_records} records; use far fewer.")
