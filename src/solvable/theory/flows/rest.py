"""Gradient flow of a few units to where they rest, and how long that takes."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.tasks import Samples

# A loss below this share of that of no network at all is what a flow to rest leaves over: nothing to learn.
NOTHING_LEFT = 1e-8
# The flow lasts as many time scales, then twice as long, until the loss falls by less than this share of itself.
_SPAN, _SETTLED = 10.0, 1e-4
_RECORDS = 100
# Shortest step, in time scales: taken even where the loss does not fall, as across a kink.
_SHORTEST = 1e-4

UnitMap = Callable[[Array, Float[Array, " weights"]], Float[Array, " output_dim"]]


class Rest(NamedTuple):
    """Where units rest, shape (unit, weights), and the times at which the loss had fallen half and 95% of its way."""

    weights: Float[np.ndarray, "unit weights"]
    half_time: float
    settled_time: float


def flow_to_rest(
    samples: Samples, unit: UnitMap, weights: Float[Array, "unit weights"], *, before: float, time_scale: float
) -> Rest:
    """Gradient flow of the half mean squared error of a sum of units until the loss hardly falls any more.

    Parameters
    ----------
    samples
        The data.
    unit
        Output of one unit for one input, shape (output_dim,).
    weights
        Of each unit at time 0.
    before
        Loss that the fall is reckoned from.
    time_scale
        Flow time in which things change at first.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    A unit may rest on a kink, where its gradient never vanishes: it is the loss that settles.

    References
    ----------
    kunin2025, cost minimisation.
    """
    count = len(weights)
    # Filled up to a power of two with zeros, so that stages share compilations.
    now = jnp.zeros((1 << (count - 1).bit_length(), weights.shape[1]), weights.dtype).at[:count].set(weights)
    negligible = NOTHING_LEFT * half_power(samples)
    times, losses, span = np.zeros(1), np.array([before]), _SPAN * time_scale
    while True:
        now, fallen = _flow(samples, unit, now, *jnp.asarray([span, _SHORTEST * time_scale], now.dtype))
        settled = losses[-1] - fallen[-1] <= _SETTLED * fallen[-1] or fallen[-1] <= negligible
        times = np.append(times, times[-1] + np.linspace(0, span, _RECORDS + 1)[1:])
        losses, span = np.append(losses, fallen), 2 * span
        if settled:
            break
    way = (before - losses) / (before - losses[-1])
    half, most = (float(times[np.argmax(way >= share)]) for share in (0.5, 0.95))
    return Rest(np.asarray(now, float)[:count], half, most)


@eqx.filter_jit
def _flow(samples: Samples, unit: UnitMap, weights: Array, span: Array, shortest: Array) -> tuple[Array, Array]:
    """The units after a time, and the loss along it; units of weight 0 stay, for homogeneous ones have no slope.

    By Euler steps, each as long as still lowers the loss by half of what its slope says: errors of the path do not
    grow on the way down, and a kink, on which an adaptive integrator of high order gets stuck, only costs short steps.
    """
    active = jnp.any(weights != 0, axis=1)[:, None]

    @jax.value_and_grad
    def slope(weights):
        return half_power(residual_of(samples, unit, weights))

    def step(state):
        weights, loss, down, left, step = state
        step = jnp.minimum(step, left)
        tried = jnp.where(active, weights - step * down, 0)
        loss_there, down_there = slope(tried)
        good = (loss_there <= loss - step / 2 * jnp.sum(down**2)) | (step <= shortest)
        moved = tried, loss_there, down_there, left - step, 1.3 * step
        stay = weights, loss, down, left, step / 2
        return jax.tree.map(lambda yes, no: jnp.where(good, yes, no), moved, stay)

    def to_next_record(state, _):
        weights, loss, down, _, step_size = state
        begin = weights, loss, down, span / _RECORDS, jnp.maximum(step_size, shortest)
        state = jax.lax.while_loop(lambda state: state[3] > 0, step, begin)
        return state, state[1]

    begin = (weights, *slope(weights), jnp.zeros_like(span), span / _RECORDS)
    (weights, *_), losses = jax.lax.scan(to_next_record, begin, length=_RECORDS)
    return weights, losses


@eqx.filter_jit
def residual_of(samples: Samples, unit: UnitMap, weights: Float[Array, "unit weights"]) -> Samples:
    """The data with what the units say of it taken off the targets. Raises nothing. References: kunin2025."""
    of_all_units = jax.vmap(jax.vmap(unit, (None, 0)), (0, None))
    outputs = jnp.sum(of_all_units(samples.inputs, weights), axis=1)
    return eqx.tree_at(lambda data: data.targets, samples, samples.targets - outputs)


def half_power(samples: Samples) -> Float[Array, ""]:
    """Half the mean square of the targets. Raises nothing. References: none."""
    return jnp.sum(samples.weights[:, None] * samples.targets**2) / 2
