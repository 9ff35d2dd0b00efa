"""Where a network's kernel goes in training: distances between checkpoints, their growth, their picture, phases.

Pure functions of arrays: the kernels may be full, traced over outputs, or applied to the same random vectors.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, check_count, check_positive

Steps = Int[np.ndarray, " record"] | Int[Array, " record"]
Distances = Float[np.ndarray, "rows columns"] | Float[Array, "rows columns"]


class Phases(NamedTuple):
    """What the kernel did.

    Attributes
    ----------
    kind
        ``"lazy"``: it never left its start. ``"rich"``: it left, then stood still. ``"cone"``: it left, then kept
        moving within a bound. ``"no second phase"``: it was still leaving at the last record.
    end_of_first
        The step at which the first phase was over: 0 for a lazy kernel, infinity where there is no second phase.
    start_distance
        Largest distance from the first record.
    cone_distance
        Largest distance from the record at ``end_of_first`` to a later one; infinity where there is no second phase.

    References
    ----------
    Fort et al. (2020), two phases; zhou2025, cone effect.
    """

    kind: Literal["lazy", "rich", "cone", "no second phase"]
    end_of_first: float
    start_distance: float
    cone_distance: float


@jax.jit
def kernel_distances(kernels: Float[Array, "record ..."]) -> Float[Array, "record record"]:
    r"""Kernel distances between all pairs of checkpoints.

    .. math:: S_{tt'} = 1 - \frac{\langle H_t, H_{t'} \rangle}{|H_t|\,|H_{t'}|}
       = \frac12 \left| \frac{H_t}{|H_t|} - \frac{H_{t'}}{|H_{t'}|} \right|^2

    Parameters
    ----------
    kernels
        One a record, all on the same inputs and of the same outputs; or products H_t Z with the same random Z, whose
        entries are independent signs, which estimates the distances of H_t itself.

    Returns
    -------
    Array
        Symmetric with a diagonal of 0, taken from differences, so that small distances keep their digits in float32.

    Raises
    ------
    Raises nothing; a kernel of zeros is at distance 1 from all others.

    Notes
    -----
    Over inputs and outputs (full), over inputs alone (traced over outputs) or for one output, distances differ by
    factors of ten: compare them within one convention only.

    References
    ----------
    zhou2025, Eq. 4; Fort et al. (2020), kernel distance.
    """
    flat = kernels.reshape(len(kernels), -1)
    sizes = jnp.linalg.norm(flat, axis=1)
    units = flat / jnp.where(sizes > 0, sizes, 1)[:, None]
    halves = jax.lax.map(lambda unit: jnp.sum((units - unit[None, :]) ** 2, axis=1) / 2, units)
    known = (sizes > 0)[:, None] & (sizes > 0)[None, :]
    return jnp.where(known, halves, 1 - jnp.eye(len(flat), dtype=flat.dtype))


def adjacent_distances(
    steps: Steps, distances: Distances, gap: int
) -> tuple[Int[np.ndarray, " pair"], Float[np.ndarray, " pair"]]:
    """Distances S(t, t + gap) between records exactly so far apart, and the steps t; over ``gap`` it is the velocity.

    Parameters
    ----------
    steps
        Of the records, increasing.
    distances
        From ``kernel_distances``.
    gap
        dt, in steps.

    Raises
    ------
    OutsideDomain
        Shapes that differ, or no two records so far apart.

    References
    ----------
    zhou2025, Eq. 5 and Fig. 1b.
    """
    _check(steps, distances)
    check_count("gap", gap)
    earlier, later = np.nonzero(np.asarray(steps)[None, :] - np.asarray(steps)[:, None] == gap)
    if earlier.size == 0:
        raise OutsideDomain(f"`gap` is {gap}; no two of the recorded steps {list(map(int, steps))} are so far apart.")
    return np.asarray(steps)[earlier], np.asarray(distances)[earlier, later]


def distance_growth(steps: Steps, distances: Distances, *, least_gap: float = 1) -> Float[np.ndarray, " rows"]:
    r"""The exponent :math:`a` in :math:`S(\tau, \tau + \Delta) \sim \Delta^a`, for each record tau.

    Parameters
    ----------
    steps, distances
        As for ``adjacent_distances``.
    least_gap
        Shortest Delta, in steps, to enter the fit.

    Returns
    -------
    Array
        Slopes of least squares on logarithmic axes: 2 for a kernel that moves straight on, 1 for one that diffuses, 0
        where it stays within a bound; negative where it comes back. NaN with fewer than two later records, or where a
        distance is 0.

    Raises
    ------
    OutsideDomain
        Shapes that differ.

    References
    ----------
    zhou2025, cone effect.
    """
    _check(steps, distances)
    check_positive("least_gap", least_gap)
    return np.array([_slope(gaps, values) for gaps, values in _later(steps, distances, least_gap)])


def embed_distances(distances: Distances, *, dims: int = 2) -> Float[np.ndarray, "rows {dims}"]:
    r"""A picture of the kernels: points whose distances are, as well as they can, the angles between the kernels.

    Parameters
    ----------
    distances
        S of all pairs; the angles are :math:`\arccos(1 - S)`, in radians.
    dims
        Of the picture.

    Returns
    -------
    Array
        Classical multidimensional scaling, the first record at the origin, axes of decreasing extent, turned so that
        the last record has no negative coordinate.

    Raises
    ------
    OutsideDomain
        Distances that are not square, or more dimensions than records.

    References
    ----------
    zhou2025, Fig. 1c; Torgerson (1952), classical multidimensional scaling.
    """
    _check(np.arange(len(distances)), distances)
    check_count("dims", dims)
    if dims > len(distances):
        raise OutsideDomain(f"`dims` is {dims}; it must be at most {len(distances)}, the number of records.")
    squares = np.arccos(np.clip(1 - np.asarray(distances, float), -1, 1)) ** 2
    centred = squares - squares.mean(axis=0)[None, :] - squares.mean(axis=1)[:, None] + squares.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    points = vectors[:, ::-1][:, :dims] * np.sqrt(np.maximum(values[::-1][:dims], 0))[None, :]
    points = points - points[:1]
    return points * np.where(points[-1] < 0, -1, 1)[None, :]


def find_phases(
    steps: Steps, distances: Distances, *, bound: float = 0.25, lazy: float = 0.01, still: float = 0.001
) -> Phases:
    """Whether the kernel is lazy, rich and then still, confined to a cone, or goes on moving; and since when.

    The first phase ends at the earliest record from which all later ones stay within ``bound`` times the largest
    distance from the start, growing more slowly than the square root of the steps; at least three must follow.

    Parameters
    ----------
    steps, distances
        As for ``adjacent_distances``; the first record is the start.
    bound
        Largest radius of the cone, as a share of the largest distance from the start; below 1.
    lazy
        A kernel that never gets so far from its start is lazy.
    still
        It stands still if distances within the later half of the second phase are all below. Both thresholds are for
        the full kernel; that of one output or of a trace over outputs moves by about a tenth.

    Raises
    ------
    OutsideDomain
        Shapes that differ, fewer than five records, or bounds without meaning.

    References
    ----------
    zhou2025, Fig. 1 and Fig. 3 [they read phases off by eye; the thresholds are ours].
    """
    _check(steps, distances)
    for name, value in (("bound", bound), ("lazy", lazy), ("still", still)):
        check_positive(name, value)
    if bound >= 1 or len(steps) < 5:
        raise OutsideDomain(
            f"`bound` is {bound} with {len(steps)} records; it must be below 1, with at least 5 records."
        )
    distances = np.asarray(distances, float)
    start = float(np.max(distances[0]))
    if start < lazy:
        return Phases("lazy", 0.0, start, start)
    for end, (gaps, values) in enumerate(_later(steps, distances, 1)[:-3]):
        widest = float(values.max())
        if widest < still or (widest < bound * start and _slope(gaps, values) < 0.5):
            half = (end + len(steps)) // 2
            rests = np.max(distances[half:, half:]) < still
            return Phases("rich" if rests else "cone", float(steps[end]), start, widest)
    return Phases("no second phase", np.inf, start, np.inf)


def _later(steps: Steps, distances: Distances, least_gap: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each record the gaps to later ones and the distances from it."""
    gaps = np.asarray(steps)[None, :] - np.asarray(steps)[:, None]
    return [
        (row[row >= least_gap], np.asarray(far)[row >= least_gap]) for row, far in zip(gaps, distances, strict=True)
    ]


def _slope(gaps: np.ndarray, values: np.ndarray) -> float:
    if len(gaps) < 2 or not np.all(values > 0):
        return np.nan
    return float(np.polyfit(np.log(gaps), np.log(values), 1)[0])


def _check(steps: Steps, distances: Distances) -> None:
    if np.shape(distances) != (len(steps), len(steps)) or np.any(np.diff(steps) <= 0):
        raise OutsideDomain(
            f"`distances` has shape {np.shape(distances)} for {len(steps)} steps; it must have a row and a column for "
            "each of the steps, which must increase."
        )
    if not np.all(np.isfinite(distances)):
        raise OutsideDomain("`distances` holds a value that is not finite; leave out the kernels of diverged training.")
