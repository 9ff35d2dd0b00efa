"""Matrix completion by stochastic gradient descent: one observed entry a step."""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Key

from solvable.errors import check_non_negative, check_positive
from solvable.networks import DeepNetwork, UnitLayer
from solvable.tasks import MatrixCompletion
from solvable.training.completion import CompletionLoss, ridge_cost
from solvable.training.descent import advance_and_watch, make_record_steps, take_step
from solvable.training.trajectory import Trajectory, observe


def completion_sgd(
    network: UnitLayer | DeepNetwork,
    task: MatrixCompletion,
    *,
    key: Key[Array, ""],
    learning_rate: float | Float[Array, ""],
    steps: int,
    ridge: float | Float[Array, ""] = 0.0,
    record: int | Int[np.ndarray, " record"] = 200,
    observables: Mapping[str, Callable[[Any], Array]] | None = None,
) -> Trajectory:
    r"""Descent on ``CompletionLoss`` along one entry at a time, drawn uniformly from those observed.

    .. math:: W_l \to W_l - \eta\,\big(n\,\nabla_l \tfrac12 (W_{ij} - M_{ij})^2 + 2 \lambda W_l\big)

    with n observed entries, so that the mean step is that of gradient descent.

    Parameters
    ----------
    network
        A linear network at step 0.
    task
        M and what is observed.
    key
        Randomness of the entries.
    learning_rate, ridge
        eta > 0 and lambda >= 0, without 1/2; may be traced, so that ``vmap`` sweeps them, as it does keys and starts.
    steps, record, observables
        As for ``gradient_descent``.

    Returns
    -------
    Trajectory
        As from ``gradient_descent``; its loss is that of all observed entries with the ridge. NaN where it diverged.

    Raises
    ------
    OutsideDomain
        An argument without meaning.

    References
    ----------
    wang2024, SGD on observed entries.
    """
    check_positive("learning_rate", learning_rate)
    check_non_negative("ridge", ridge)
    dtype = network.first.dtype
    rates = jnp.asarray(learning_rate, dtype), jnp.asarray(ridge, dtype)
    watched = tuple((observables or {}).items())
    return _descend(network, task, key, *rates, make_record_steps(steps, record), jnp.asarray(steps), watched)


def draw_entry(key: Key[Array, ""], step: Int[Array, ""], task: MatrixCompletion) -> Int[Array, ""]:
    """The entry of a step, counted row by row: uniform over those observed. Raises nothing. References: wang2024."""
    seen = task.observed.ravel()
    # The entry that is seen as the k-th one: the first at which so many have been counted.
    chosen = jax.random.randint(jax.random.fold_in(key, step), (), 0, jnp.sum(seen))
    return jnp.argmax(jnp.cumsum(seen) > chosen)


@eqx.filter_jit
def _descend(network, task, key, learning_rate, ridge, record_steps, steps, observables) -> Trajectory:
    params, static = eqx.partition(network, eqx.is_inexact_array)
    objective = CompletionLoss(task, ridge)
    count = jnp.sum(task.observed).astype(learning_rate.dtype)

    def step(index, params):
        entry = draw_entry(key, index, task)

        def sampled(network):
            gap = (network.coefficients() - task.target).ravel()[entry]
            return count * gap**2 / 2 + ridge_cost(network, ridge)

        return take_step(params, sampled, static, learning_rate)

    def advance(params, done, until):
        return lax.fori_loop(done, until, step, params)

    def watch(params):
        return observe(eqx.combine(params, static), objective, dict(observables))

    params, records = advance_and_watch(advance, watch, params, record_steps, steps)
    times = learning_rate * record_steps.astype(learning_rate.dtype)
    return Trajectory(record_steps, times, records, eqx.combine(params, static), "own")
