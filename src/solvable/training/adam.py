"""Adam on a loss that draws its own batches."""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Key

from solvable.errors import check_count, check_positive

Trained = TypeVar("Trained")


def adam(
    network: Trained,
    loss: Callable[[Any, Array], Array],
    *,
    key: Key[Array, ""],
    learning_rate: float | Float[Array, ""],
    steps: int,
    decay: bool = False,
) -> Trained:
    r"""The network after steps of Adam at a constant rate, or at one that falls linearly to 0.

    .. math:: \theta \leftarrow \theta - \eta\,\frac{\hat m}{\sqrt{\hat v} + 10^{-8}}

    Parameters
    ----------
    network
        Any Equinox module; its floating-point arrays are trained.
    loss
        Of the network and of a key, from which it may draw a batch; best an Equinox module, which compiles once.
    key
        Randomness; each step has its own.
    learning_rate
        eta > 0 at the start.
    steps
        How many; 0 gives the network back.
    decay
        Whether the rate falls to 0.

    Raises
    ------
    OutsideDomain
        A rate that is not positive, a negative number of steps.

    References
    ----------
    Kingma, Ba (2015), Algorithm 1, with its default settings.
    """
    check_positive("learning_rate", learning_rate)
    check_count("steps", steps, at_least=0)
    return _adam(network, loss, key, jnp.asarray(learning_rate), jnp.asarray(steps), jnp.asarray(decay))


@eqx.filter_jit
def _adam(network: Trained, loss, key: Array, learning_rate: Array, steps: Array, decay: Array) -> Trained:
    params, static = eqx.partition(network, eqx.is_inexact_array)
    moments = jax.tree.map(jnp.zeros_like, params)

    def step(index: Int[Array, ""], state):
        params, mean, square = state
        gradient = jax.grad(lambda p: loss(eqx.combine(p, static), jax.random.fold_in(key, index)))(params)
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
        square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, square, gradient)
        count = (index + 1).astype(learning_rate.dtype)
        left = jnp.where(decay, 1 - index / steps, 1).astype(learning_rate.dtype)
        rate, first, second = learning_rate * left, 1 - 0.9**count, 1 - 0.999**count

        def move(p, m, v):
            change = (rate / first).astype(p.dtype) * m / (jnp.sqrt(v / second.astype(p.dtype)) + 1e-8)
            return p - change

        return jax.tree.map(move, params, mean, square), mean, square

    return eqx.combine(lax.fori_loop(0, steps, step, (params, moments, moments))[0], static)
