r"""Deep linear networks with ridge on every layer: where they rest, and what they cannot come back from.

Loss C(A) + lambda sum_l |W_l|^2, A = W_L ... W_1, with C half a sum of squares (for half a mean, lambda is divided by
the number of entries). On fully observed targets, modes decouple; a mode of target y at strength sigma is at rest where

.. math:: (y - \sigma)\,\sigma^{1 - 2/L} = 2 \lambda \qquad \text{or} \qquad \sigma = 0
"""

from itertools import product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete
from solvable.theory.flows.levels import Levels
from solvable.theory.linear.depth import check_depth

Numbers = float | Float[Array, "..."]

_BISECTIONS = 100
_MOST_MODES = 20


class RidgeMode(eqx.Module):
    """Where one mode may rest, in the sign of its target.

    Attributes
    ----------
    minimum
        The strength that is not 0, or 0 where there is none.
    barrier
        |sigma| of the saddle between it and 0: balanced layers below it die. 0 up to two layers, whose mode dies from
        nowhere as long as the minimum exists; inf where there is none.
    threshold
        lambda_c, the ridge from which on all dies; inf for one layer, which is ridge regression.

    References
    ----------
    wang2024, minima of regularised deep linear networks; for single modes derived.
    """

    minimum: Float[Array, "..."]
    barrier: Float[Array, "..."]
    threshold: Float[Array, "..."]


def representation_cost(
    singular_values: Float[Array, "*batch mode"], ridge: Numbers, depth: float
) -> Float[Array, "*batch"]:
    r"""The least ridge cost of a map over all its factorisations: lambda L sum_r sigma_r^{2/L}.

    Parameters
    ----------
    singular_values
        Of the map, >= 0.
    ridge
        lambda >= 0, without 1/2.
    depth
        L, at least 1.

    Raises
    ------
    OutsideDomain
        A depth below 1.

    Notes
    -----
    That of balanced layers, as all are at stationary points with lambda > 0: there it is the ridge cost itself.

    References
    ----------
    wang2024, representation cost [Schatten quasi-norm of order 2/L].
    """
    check_depth(depth)
    return ridge * depth * jnp.sum(jnp.abs(singular_values) ** (2 / depth), axis=-1)


def ridge_mode(target: Numbers, ridge: Numbers, depth: float) -> RidgeMode:
    r"""Minimum, barrier and threshold of a mode.

    .. math:: \lambda_c = \tfrac12 (y - \sigma_\star)\,\sigma_\star^{1 - 2/L}, \quad
       \sigma_\star = \frac{L - 2}{2 (L - 1)}\,y; \qquad L = 2:\; \sigma = y - 2\lambda; \qquad
       L = 1:\; \sigma = \frac{y}{1 + 2\lambda}

    Parameters
    ----------
    target
        y, of either sign.
    ridge
        lambda >= 0, without 1/2. The two broadcast.
    depth
        L, weight layers: 1, or any number from 2 on.

    Raises
    ------
    OutsideDomain
        A depth below 1 or between 1 and 2, or a negative ridge.

    Notes
    -----
    For weak ridge the barrier is near (2 lambda / y)^{L/(L - 2)}. Roots by bisection, to rounding.

    References
    ----------
    wang2024, minima of regularised deep linear networks; for single modes derived; lambda_c is half the spinodal of
    ``isotropic_transitions``.
    """
    check_depth(depth)
    if 1 < depth < 2:
        raise OutsideDomain(f"`depth` is {depth}; it must be 1, or at least 2.")
    if is_concrete(ridge) and not np.all(np.asarray(ridge) >= 0):
        raise OutsideDomain(f"`ridge` is {ridge}; it must be at least 0.")
    target, ridge = jnp.broadcast_arrays(jnp.asarray(target), jnp.asarray(ridge))
    if depth == 1:
        nowhere = jnp.zeros_like(target)
        return RidgeMode(target / (1 + 2 * ridge), nowhere, jnp.full_like(target, jnp.inf))
    return _solve_mode(target, ridge, float(depth))


def _solve_mode(target: Array, ridge: Array, depth: float) -> RidgeMode:
    size, power = jnp.abs(target), 1 - 2 / depth
    turn = (depth - 2) / (2 * (depth - 1)) * size
    threshold = (size - turn) * turn**power / 2
    alive = (ridge < threshold) & (size > 0)
    goal, force = jnp.where(alive, size, 1.0), jnp.where(alive, 2 * ridge, 0.0)
    turn = jnp.where(alive, turn, goal / 2)

    def bisect(low, high, early):
        def halve(_, bracket):
            low, high = bracket
            middle = (low + high) / 2
            before = early(middle)
            return jnp.where(before, middle, low), jnp.where(before, high, middle)

        low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (low, high))
        return (low + high) / 2

    pull = lambda strength: (goal - strength) * strength**power - force  # noqa: E731
    minimum = bisect(turn, goal, lambda strength: pull(strength) > 0)
    barrier = jnp.zeros_like(goal)
    if depth > 2:
        # In the logarithm, for weak ridge puts the barrier very low.
        weak = jnp.log(jnp.where(force > 0, force / goal, 1.0)) / power
        log = bisect(weak, jnp.log(turn), lambda log: pull(jnp.exp(log)) < 0)
        barrier = jnp.where(force > 0, jnp.exp(log), 0.0)
    return RidgeMode(jnp.where(alive, jnp.sign(target) * minimum, 0.0), jnp.where(alive, barrier, jnp.inf), threshold)


def ridge_end(start: Numbers, target: Numbers, ridge: Numbers, depth: float) -> Float[Array, "..."]:
    """Strength at which gradient flow of a balanced mode ends: at its minimum from beyond the barrier, else at 0.

    Parameters
    ----------
    start
        sigma_0, of either sign; against the sign of the target it dies (from depth 2 on).
    target, ridge, depth
        As for ``ridge_mode``.

    Raises
    ------
    OutsideDomain
        As ``ridge_mode``.

    Notes
    -----
    On the barrier itself the mode stays there, unstably; this says 0.

    References
    ----------
    wang2024, minima; for single modes derived.
    """
    mode = ridge_mode(target, ridge, depth)
    if depth == 1:
        return jnp.broadcast_arrays(mode.minimum, jnp.asarray(start))[0]
    return jnp.where(start * jnp.sign(jnp.asarray(target)) > mode.barrier, mode.minimum, 0.0)


def ridge_minima(targets: Float[Array, " mode"], ridge: float, depth: float) -> Levels:
    r"""All local minima on fully observed targets: from three layers on, every subset of the modes that can live.

    .. math:: L = \tfrac12 \sum_r (y_r - \sigma_r)^2 + \lambda L \sum_r \sigma_r^{2/L}

    Parameters
    ----------
    targets
        Singular values y_r >= 0 of the matrix to fit, at most 20.
    ridge, depth
        As for ``ridge_mode``; not traced.

    Returns
    -------
    Levels
        One row a minimum, with the regularised ``loss``, from none (rank 0) to all of the modes that can live; with one
        or two layers the one row of the only minimum.

    Raises
    ------
    OutsideDomain
        As ``ridge_mode``, or too many modes.

    Notes
    -----
    The matrix is seen whole. If entries are missing, what looks like such a minimum may be a saddle: two observed
    entries on the diagonal of a 2 by 2 matrix, fitted by a multiple of the identity, from three layers on.

    References
    ----------
    wang2024, minima of every rank.
    """
    if targets.ndim != 1 or targets.size > _MOST_MODES:
        raise OutsideDomain(f"`targets` has shape {targets.shape}; it must be one row of at most {_MOST_MODES}.")
    mode = ridge_mode(targets, ridge, depth)
    living = np.asarray(mode.minimum) != 0
    choices = product(*[([False, True] if depth > 2 else [True]) if lives else [False] for lives in living])
    active = jnp.asarray(np.array(list(choices), bool).reshape(-1, targets.size))
    strength = jnp.where(active, mode.minimum[None, :], 0.0)
    misfit = jnp.sum((targets[None, :] - strength) ** 2, axis=1) / 2
    return Levels(active, misfit + representation_cost(strength, ridge, depth), strength)


def absorbing_strength(gradient: Numbers, ridge: Numbers, depth: float) -> Float[Array, "..."]:
    r"""Below this strength an aligned balanced mode decays whatever samples are drawn: (2 lambda / G)^{L/(L - 2)}.

    Parameters
    ----------
    gradient
        G > 0, the largest size of a sampled gradient of C along the mode.
    ridge
        lambda >= 0, without 1/2.
    depth
        L, at least 2.

    Returns
    -------
    Array
        For two layers inf where 2 lambda > G and 0 elsewhere.

    Raises
    ------
    OutsideDomain
        A depth below 2.

    Notes
    -----
    For small learning rates. Modes that other modes feed through the hidden layers are not covered.

    References
    ----------
    wang2024, absorbing sets of low rank; this bound for single modes is derived.
    """
    if not depth >= 2:
        raise OutsideDomain(f"`depth` is {depth}; it must be at least 2: one layer has no absorbing rank.")
    ratio = 2 * jnp.asarray(ridge) / jnp.asarray(gradient)
    return jnp.where(ratio > 1, jnp.inf, 0.0) if depth == 2 else ratio ** (depth / (depth - 2))
