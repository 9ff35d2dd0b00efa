"""Dormant units one by one: from small weights in any direction to the time at which each is no longer small.

Under a residual that does not change, a unit of homogeneity kappa with utility U moves as

    d|theta|/dt = kappa |theta|^(kappa - 1) U(w),   dw/dt = |theta|^(kappa - 2) (I - w w^T) grad U(w),

where w = theta/|theta|, which is the gradient flow of U. In the clock ds = |theta|^(kappa - 2) dt the direction moves
by itself and the log of the norm is an integral along it, so that neither tiny norms nor those that are infinite at a
finite time do harm.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from solvable.errors import OutsideDomain, check_count, check_positive, is_concrete

# Runge-Kutta steps in which the fastest unit grows by this factor, in logs, leave 1e-8 of the time.
_GROWTH_A_STEP = 0.1
_MOST_STEPS = 50_000
_SHARE_OF_THE_WAY = 0.9

Utility = Callable[[Float[Array, " weights"]], Float[Array, ""]]


class DormantUnits(eqx.Module):
    """Units at the time at which each was left.

    Attributes
    ----------
    directions
        Weights at norm 1, shape (unit, weights).
    log_norms
        Natural logarithm of the norm of the weights, shape (unit,).
    times
        Gradient-flow time of the half loss, shape (unit,).
    active
        Whether the unit has reached the norm at which it counts as active, shape (unit,).
    """

    directions: Float[Array, "unit weights"]
    log_norms: Float[Array, " unit"]
    times: Float[Array, " unit"]
    active: Bool[Array, " unit"]


def activation_times(
    utility: Utility,
    directions: Float[Array, "unit weights"],
    log_norms: Float[Array, " unit"],
    *,
    degree: int,
    until: float = 0.5,
) -> Float[Array, " unit"]:
    r"""When each of some small units becomes active, each by itself; inf for those that never do.

    .. math:: \kappa = 2: \ 2 \int_0^\tau U\,dt = \log\frac{|\theta(\tau)|}{|\theta(0)|}, \qquad
       \kappa \ge 3: \ \kappa (\kappa - 2) \int_0^\tau U\,dt = |\theta(0)|^{2 - \kappa} - |\theta(\tau)|^{2 - \kappa}

    Parameters
    ----------
    utility
        U of one unit, E[f_i . r] as a function of its weights; differentiable, homogeneous of ``degree``. The same
        function object, or Equinox modules that differ in arrays only, compile once.
    directions
        Weights of each unit at norm 1.
    log_norms
        Logarithm of each unit's norm: log(1e-30) is no trouble.
    degree
        kappa, at least 2.
    until
        Norm at which a unit is active, above the initial ones.

    Returns
    -------
    Array
        Gradient-flow times of the half loss. The smallest is that of the first drop.

    Raises
    ------
    OutsideDomain
        A degree below 2, shapes that do not fit, directions that are not of norm 1, a norm that is ``until`` already.

    Notes
    -----
    Exact while the residual does not change, up to 1e-7. The loss of a network has fallen by a tenth within a share
    O(alpha) of the smallest of them for kappa = 3, O(1/log(1/alpha)) for kappa = 2. A unit is given up when it rests
    without utility, like a ReLU unit that no input turns on, and after 5000 e-folds of the fastest one.

    References
    ----------
    kunin2025, dynamics of dormant units and activation times.
    """
    log_until = _check(directions, log_norms, degree, until)
    found = _follow(utility, directions, log_norms, degree, log_until, jnp.full_like(log_until, jnp.inf), False)
    return jnp.where(found.active, found.times, jnp.inf)


def first_activation(
    utility: Utility,
    directions: Float[Array, "unit weights"],
    log_norms: Float[Array, " unit"],
    *,
    degree: int,
    until: float = 0.5,
) -> DormantUnits:
    """All units at the time at which the first of them becomes active.

    Parameters
    ----------
    utility, directions, log_norms, degree, until
        As for ``activation_times``.

    Returns
    -------
    DormantUnits
        At one time; none of them ``active`` where none ever is.

    Raises
    ------
    OutsideDomain
        As ``activation_times``.

    References
    ----------
    kunin2025, utility maximisation.
    """
    log_until = _check(directions, log_norms, degree, until)
    race = (utility, directions, log_norms, degree, log_until)
    first = _follow(*race, jnp.full_like(log_until, jnp.inf), True)
    time = jnp.min(jnp.where(first.active, first.times, jnp.inf))
    found = _follow(*race, time, True)
    return DormantUnits(found.directions, found.log_norms, found.times, first.active & (first.times <= time))


def _check(directions: Array, log_norms: Array, degree: int, until: float) -> Array:
    check_count("degree", degree, at_least=2)
    check_positive("until", until)
    if log_norms.shape != directions.shape[:1]:
        raise OutsideDomain(f"`log_norms` has shape {log_norms.shape}; it must hold one for each of the directions.")
    if is_concrete(directions) and not jnp.allclose(jnp.linalg.norm(directions, axis=1), 1, atol=1e-4):
        raise OutsideDomain("`directions` holds a row that is not of norm 1; divide each by its norm.")
    log_until = jnp.log(jnp.asarray(until, directions.dtype))
    if is_concrete(log_norms) and not jnp.all(log_norms < log_until):
        raise OutsideDomain(f"`log_norms` holds {jnp.max(log_norms)}; units must start below `until` = {until}.")
    return log_until


@eqx.filter_jit
def _follow(utility: Utility, directions, log_norms, degree: int, log_until, horizon, together: bool) -> DormantUnits:
    """Follow each unit until it is active or the horizon is met; ``together`` none beyond the first activation."""
    dtype = directions.dtype
    slope = jax.vmap(jax.grad(utility))

    def velocity(units):
        """Of direction, log-norm and time in the clock s. Euler: w . grad U = kappa U."""
        directions, log_norms, _ = units
        pull = slope(directions)
        growth = jnp.sum(directions * pull, axis=1)
        return pull - growth[:, None] * directions, growth, jnp.exp((2 - degree) * log_norms)

    def step(state):
        units, horizon, steepest, done, count = state
        first = turn, growth, pace = velocity(units)
        steepest = jnp.maximum(steepest, jnp.max(jnp.linalg.norm(turn, axis=1) + jnp.abs(growth)))
        # The last steps of a unit are cut short: each goes most of the way to its end as seen from where it starts.
        to_norm = jnp.where(growth > 0, (log_until - units[1]) / jnp.where(growth > 0, growth, 1), jnp.inf)
        to_time = jnp.maximum(horizon - units[2], 0) / pace
        to_end = _SHARE_OF_THE_WAY * jnp.minimum(to_norm, to_time)
        tick = jnp.minimum(_GROWTH_A_STEP / jnp.maximum(steepest, jnp.finfo(dtype).tiny), to_end)
        units = _runge_kutta(velocity, units, first, jnp.where(done, 0, tick))
        units = (units[0] / jnp.linalg.norm(units[0], axis=1, keepdims=True), *units[1:])
        active = _arrived(units[1], log_until)
        if together:
            horizon = jnp.minimum(horizon, jnp.min(jnp.where(active, units[2], jnp.inf)))
        still = jnp.linalg.norm(turn, axis=1) + jnp.maximum(growth, 0) <= 1e3 * jnp.finfo(dtype).eps * steepest
        return units, horizon, steepest, active | _arrived(units[2], horizon) | still, count + 1

    def unfinished(state):
        *_, done, count = state
        return ~jnp.all(done) & (count < _MOST_STEPS)

    units = (directions, log_norms, jnp.zeros_like(log_norms))
    start = (units, horizon, jnp.zeros_like(log_until), jnp.zeros(log_norms.shape, bool), jnp.asarray(0))
    (directions, log_norms, times), *_ = lax.while_loop(unfinished, step, start)
    return DormantUnits(directions, log_norms, times, _arrived(log_norms, log_until))


def _arrived(values: Array, end: Array) -> Array:
    return values >= end - 1e2 * jnp.finfo(values.dtype).eps * jnp.maximum(jnp.abs(end), 1)


def _runge_kutta(velocity, units, first, tick):
    """One classical step of each unit by its own ``tick``, given the velocity at its start."""

    def shifted(slope, share):
        return jax.tree.map(lambda x, dot: x + share * (tick[:, None] if x.ndim == 2 else tick) * dot, units, slope)

    second = velocity(shifted(first, 0.5))
    third = velocity(shifted(second, 0.5))
    fourth = velocity(shifted(third, 1.0))
    return shifted(jax.tree.map(lambda a, b, c, d: (a + 2 * b + 2 * c + d) / 6, first, second, third, fourth), 1.0)
