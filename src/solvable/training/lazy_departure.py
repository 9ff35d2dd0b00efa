"""A network trained beside its own linearisation: how far the two come apart."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from solvable.errors import Diverged, check_count, check_positive, is_concrete
from solvable.networks import Network
from solvable.tasks import Samples


class LazyDeparture(NamedTuple):
    """Largest Euclidean distances along training.

    Attributes
    ----------
    movement
        Of the weights from their start.
    weights
        Of the weights from those of the linearised network.
    outputs
        Of the outputs on all samples from those of the linearised network.

    References
    ----------
    chizat2019, Theorem 2.2.
    """

    movement: Float[Array, ""]
    weights: Float[Array, ""]
    outputs: Float[Array, ""]


def lazy_departure(
    network: Network, samples: Samples, *, learning_rate: float | Float[Array, ""], steps: int
) -> LazyDeparture:
    """Gradient descent on the half mean squared error, of a network and of its linearisation, step by step.

    Parameters
    ----------
    network
        At its start; ``networks.centre`` scales its output.
    samples
        The data.
    learning_rate, steps
        As for ``gradient_descent``.

    Returns
    -------
    LazyDeparture
        Both take steps of one size, so that these are departures by curvature alone.

    Raises
    ------
    OutsideDomain
        A rate or a number of steps without meaning.
    Diverged
        The distances stopped being finite. Not raised under ``vmap`` or ``jit``.

    References
    ----------
    chizat2019, Theorem 2.2.
    """
    check_positive("learning_rate", learning_rate)
    check_count("steps", steps)
    found = LazyDeparture(
        *_depart(network, samples, jnp.asarray(learning_rate, network.first.dtype), jnp.asarray(steps))
    )
    if is_concrete(found.outputs) and not jnp.isfinite(found.outputs):
        raise Diverged("training diverged; use a smaller `learning_rate`.", steps)
    return found


@eqx.filter_jit
def _depart(network: Network, samples: Samples, learning_rate: Array, steps: Array) -> Array:
    start, static = eqx.partition(network, eqx.is_inexact_array)
    outputs = lambda weights: jax.vmap(eqx.combine(weights, static))(samples.inputs)  # noqa: E731
    values, push = jax.linearize(outputs, start)
    pull = jax.linear_transpose(push, start)

    def descend(weights, back, reached):
        (gradient,) = back(samples.weights[:, None] * (reached - samples.targets))
        return jax.tree.map(lambda w, g: w - learning_rate * g, weights, gradient)

    def step(_, state):
        weights, linear, largest = state
        reached, back = jax.vjp(outputs, weights)
        linear_reached = values + push(_minus(linear, start))
        gaps = (_minus(weights, start), _minus(weights, linear), reached - linear_reached)
        largest = jnp.maximum(largest, jnp.stack([jnp.linalg.norm(ravel_pytree(gap)[0]) for gap in gaps]))
        return descend(weights, back, reached), descend(linear, pull, linear_reached), largest

    none = jnp.zeros(3, learning_rate.dtype)
    # Once more than there are steps: distances are taken before each.
    return lax.fori_loop(0, steps + 1, step, (start, start, none))[2]


def _minus(left, right):
    return jax.tree.map(jnp.subtract, left, right)
