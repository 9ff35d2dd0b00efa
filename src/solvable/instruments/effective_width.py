"""How many units a layer really uses: ranks, active units and rays of its weights."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from solvable.errors import OutsideDomain, check_non_negative, is_concrete
from solvable.numerics import entropy_count


def effective_rank(matrix: Float[Array, "rows columns"], *, threshold: float = 0.01) -> Int[Array, ""]:
    """Number of singular values of a matrix that matter.

    The effective width of linear units, whose directions are learned one at a time. ``entropy_rank`` is a smooth one.

    Parameters
    ----------
    matrix
        Any matrix, (rows, columns); for a layer, its first weights (width, input_dim) or the map it computes.
    threshold
        A singular value counts when it exceeds this share of the largest one; in [0, 1).

    Returns
    -------
    Array
        Integer scalar; 0 for the zero matrix.

    Raises
    ------
    OutsideDomain
        A threshold outside [0, 1); entries that are not finite (outside of ``jit``).

    References
    ----------
    Zhang, Saxe, Latham (2026), Theorem 3(iv) and Fig. 1B, C [effective width = rank of the weights].
    """
    _check_threshold(threshold)
    _check_finite("matrix", matrix)
    values = jnp.linalg.svdvals(matrix)
    return jnp.sum(values > threshold * values[0])


def stable_rank(matrix: Float[Array, "rows columns"]) -> Float[Array, ""]:
    r"""The smooth substitute of the rank, :math:`\|W\|_F^2 / \|W\|_2^2`.

    Parameters
    ----------
    matrix
        Any matrix, (rows, columns).

    Returns
    -------
    Array
        Between 1 and the rank; 0 for the zero matrix.

    Raises
    ------
    OutsideDomain
        Entries that are not finite (outside of ``jit``).

    References
    ----------
    Rudelson, Vershynin (2007), Sampling from large matrices, Sec. 1 [numerical rank].
    """
    _check_finite("matrix", matrix)
    return _stable_rank(matrix)


@jax.jit
def _stable_rank(matrix: Array) -> Array:
    largest = jnp.max(jnp.abs(matrix), initial=0)
    thin = (matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T) / jnp.where(largest > 0, largest, 1)
    # The squares of the singular values, from the shorter side alone.
    values = jnp.linalg.eigvalsh(thin @ thin.T)
    return jnp.sum(values) / jnp.where(values[-1] > 0, values[-1], 1)


def entropy_rank(matrix: Float[Array, "rows columns"]) -> Float[Array, ""]:
    r"""The smooth rank that weighs all singular values by their share of the nuclear norm.

    .. math:: \exp\Big(-\sum_r p_r \ln p_r\Big), \qquad p_r = s_r \Big/ \sum_q s_q

    ``effective_rank`` counts singular values above a threshold instead, ``stable_rank`` weighs squares.

    Parameters
    ----------
    matrix
        Any matrix, (rows, columns).

    Returns
    -------
    Array
        Between 1 and the rank, the rank itself where all singular values are equal; 0 for the zero matrix.

    Raises
    ------
    OutsideDomain
        Entries that are not finite (outside of ``jit``).

    References
    ----------
    Roy, Vetterli (2007), effective rank; arora2019b and li2021a, effective rank of completions.
    """
    _check_finite("matrix", matrix)
    return entropy_count(jnp.linalg.svdvals(matrix))


def active_units(
    first: Float[Array, "width input_dim"],
    second: Float[Array, "output_dim _"],
    *,
    threshold: float = 0.01,
    floor: float = 0.0,
) -> Int[Array, ""]:
    r"""Number of units whose strength :math:`\|u_i\|\,\|v_i\|` is not negligible.

    The effective width of units that grow one at a time, such as quadratic units and attention heads.

    Parameters
    ----------
    first
        Incoming weights :math:`u_i`, one unit a row, (width, input_dim).
    second
        Outgoing weights :math:`v_i`, one unit a column, (output_dim, width).
    threshold
        A unit counts when its strength exceeds this share of the strongest one's; in [0, 1).
    floor
        And when it exceeds this number, in the weights' own units squared: a strength well above that of the initial
        weights keeps the untrained layer at 0. Not negative.

    Returns
    -------
    Array
        Integer scalar.

    Raises
    ------
    OutsideDomain
        Widths that differ, a threshold outside [0, 1), a negative floor; entries that are not finite (outside of
        ``jit``).

    References
    ----------
    Zhang, Saxe, Latham (2026), Theorem 3(ii) and Fig. 1F, G [all other units at zero].
    """
    return jnp.sum(_find_active(first, second, threshold, floor)[0])


def count_rays(
    first: Float[Array, "width input_dim"],
    second: Float[Array, "output_dim _"],
    *,
    angle: float = math.pi / 18,
    threshold: float = 0.01,
    floor: float = 0.0,
) -> Int[Array, ""]:
    r"""Number of distinct rays :math:`u_i / \|u_i\|` among the active units.

    The effective width of units that agree up to a positive factor, such as ReLU units at one kink. The strongest
    unit left takes with it all units within ``angle``, until none is left.

    Parameters
    ----------
    first
        Incoming weights :math:`u_i`, one unit a row, (width, input_dim). Opposite weights are two rays.
    second
        Outgoing weights :math:`v_i`, one unit a column, (output_dim, width); they only decide which units are active.
    angle
        Largest angle between a unit and the strongest one of its ray, in radians; 10 degrees unless told. In
        (0, pi).
    threshold, floor
        Which units are active, as in ``active_units``.

    Returns
    -------
    Array
        Integer scalar; 0 when no unit is active.

    Raises
    ------
    OutsideDomain
        As ``active_units``; an angle outside (0, pi).

    References
    ----------
    Zhang, Saxe, Latham (2026), Theorem 3(i), (iii) and Fig. 1D, E [equal and proportional units].
    """
    if is_concrete(angle) and not 0 < angle < math.pi:
        raise OutsideDomain(f"`angle` is {angle}; it must lie between 0 and pi, in radians; pi/18 is usual.")
    active, strength = _find_active(first, second, threshold, floor)
    norms = jnp.linalg.norm(first, axis=1, keepdims=True)
    directions = first / jnp.where(norms > 0, norms, 1)
    return _take_rays(directions, strength, active, jnp.cos(jnp.asarray(angle, first.dtype)))


@jax.jit
def _take_rays(
    directions: Float[Array, "width input_dim"],
    strength: Float[Array, " width"],
    active: Bool[Array, " width"],
    cosine: Float[Array, ""],
) -> Int[Array, ""]:
    """Number of rays, each taken at its strongest unit; compiled once, since a loop would be at every call."""

    def take_ray(state: tuple[Bool[Array, " width"], Int[Array, ""]]) -> tuple[Bool[Array, " width"], Int[Array, ""]]:
        left, count = state
        strongest = jnp.argmax(jnp.where(left, strength, -1))
        near = directions @ directions[strongest] > cosine
        # Set apart because rounding may put a unit outside a very small angle from itself.
        return (left & ~near).at[strongest].set(False), count + 1

    return jax.lax.while_loop(lambda state: state[0].any(), take_ray, (active, jnp.array(0)))[1]


def _find_active(
    first: Float[Array, "width input_dim"], second: Float[Array, "output_dim _"], threshold: float, floor: float
) -> tuple[Bool[Array, " width"], Float[Array, " width"]]:
    """Which units are active, and the strength of every unit."""
    _check_threshold(threshold)
    check_non_negative("floor", floor)
    if first.shape[0] != second.shape[1]:
        raise OutsideDomain(
            f"`first` has {first.shape[0]} units as rows and `second` {second.shape[1]} as columns; they must agree; "
            "transpose the one that is stored the other way."
        )
    _check_finite("first", first)
    _check_finite("second", second)
    strength = jnp.linalg.norm(first, axis=1) * jnp.linalg.norm(second, axis=0)
    return strength > jnp.maximum(threshold * strength.max(), floor), strength


def _check_threshold(threshold: float) -> None:
    """Raise OutsideDomain unless ``threshold`` is in [0, 1); tracers pass unchecked."""
    if is_concrete(threshold) and not 0 <= threshold < 1:
        raise OutsideDomain(f"`threshold` is {threshold}; it must be a share in [0, 1); 0.01 is usual.")


def _check_finite(name: str, weights: Float[Array, "rows columns"]) -> None:
    """Raise OutsideDomain unless all entries are finite, since a count would hide it; tracers pass unchecked."""
    if is_concrete(weights) and not jnp.isfinite(weights).all():
        raise OutsideDomain(f"`{name}` has entries that are not finite; measure weights from before the divergence.")
