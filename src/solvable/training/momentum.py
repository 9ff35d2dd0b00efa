"""Gradient descent with momentum: the heavy ball, which friction slows down."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from solvable.errors import check_non_negative, check_positive
from solvable.networks import Network
from solvable.training.descent import Observables, advance_and_watch, make_record_steps
from solvable.training.objective import Data, Objective, Reduction, make_objective, name_of
from solvable.training.trajectory import Trajectory, observe


def heavy_ball(
    network: Network,
    data: Data,
    *,
    time_step: float | Float[Array, ""],
    friction: float | Float[Array, ""],
    steps: int,
    record: int | Int[Any, " record"] = 200,
    observables: Observables | None = None,
    reduction: Reduction = "auto",
) -> Trajectory:
    r"""Full-batch descent of a ball with friction, from rest, on the half mean squared error.

    .. math:: v_{k+1} = (1 - c h)\,v_k - h\,\nabla L(\theta_k), \qquad \theta_{k+1} = \theta_k + h\,v_{k+1}

    Parameters
    ----------
    network, data, steps, record, observables, reduction
        As for ``gradient_descent``.
    time_step
        h > 0. In other words the learning rate is h^2.
    friction
        c >= 0. In other words the momentum is 1 - c h.

    Returns
    -------
    Trajectory
        With ``times = time_step * steps``, those of :math:`\ddot\theta + c\,\dot\theta = -\nabla L`, which it follows
        up to O(h). Loss that is not finite is left for the reader to see.

    Raises
    ------
    OutsideDomain
        An argument without meaning.

    References
    ----------
    Polyak (1964), Eq. 9; lee2019, App. on momentum.
    """
    check_positive("time_step", time_step)
    check_non_negative("friction", friction)
    time_step, friction = (jnp.asarray(number, network.first.dtype) for number in (time_step, friction))
    at = make_record_steps(steps, record)
    objective = make_objective(network, data, reduction)
    return _roll(network, objective, time_step, friction, at, jnp.asarray(steps), tuple((observables or {}).items()))


@eqx.filter_jit
def _roll(network, objective: Objective, time_step, friction, record_steps, steps, observables) -> Trajectory:
    params, static = eqx.partition(network, eqx.is_inexact_array)

    def step(_, state):
        params, velocity = state
        gradient = jax.grad(lambda p: objective(eqx.combine(p, static)))(params)
        velocity = jax.tree.map(lambda v, g: (1 - friction * time_step) * v - time_step * g, velocity, gradient)
        return jax.tree.map(lambda p, v: p + time_step * v, params, velocity), velocity

    def advance(state, done, until):
        return lax.fori_loop(done, until, step, state)

    def watch(state):
        return observe(eqx.combine(state[0], static), objective, dict(observables))

    start = (params, jax.tree.map(jnp.zeros_like, params))
    (params, _), records = advance_and_watch(advance, watch, start, record_steps, steps)
    times = time_step * record_steps.astype(time_step.dtype)
    return Trajectory(record_steps, times, records, eqx.combine(params, static), name_of(objective))
