"""Training that switches: first the network, then its tangent where it stands."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from solvable.networks import LinearisedNetwork
from solvable.training.batches import Batches
from solvable.training.checkpoints import Checkpoints
from solvable.training.classification import Descent, Labels, check_labels
from solvable.training.descent import make_record_steps


def train_then_linearise(
    network: Callable[[Array], Array],
    inputs: Float[Array, "num_samples ..."],
    labels: Labels,
    *,
    switches: Int[np.ndarray, " switch"],
    key: Key[Array, ""],
    batch_size: int,
    learning_rate: float | Float[Array, ""],
    steps: int,
    momentum: float | Float[Array, ""] = 0.0,
    replacement: bool = False,
) -> Checkpoints:
    r"""Networks trained as they are up to a switch, then linearised there and trained on to the last step.

    .. math:: f_{\mathrm{lin}}(x; \theta) = f(x; \theta_t) + J(x; \theta_t)\,(\theta - \theta_t)

    Parameters
    ----------
    network, inputs, labels, key, batch_size, learning_rate, momentum, replacement
        As for ``record_classifier``. All runs see the same batches at the same steps, and momentum goes on.
    switches
        Steps t to switch at, increasing; 0 is linearised training throughout, ``steps`` none at all.
    steps
        T, of all training.

    Returns
    -------
    Checkpoints
        Its ``steps`` are the switches, its networks the ``LinearisedNetwork`` of each after T steps.

    Raises
    ------
    OutsideDomain
        As ``record_classifier``; switches that do not increase or are beyond ``steps``.

    References
    ----------
    zhou2025, Fig. 2; Fort et al. (2020), linearised training from a checkpoint.
    """
    rule = Descent(learning_rate, momentum, Batches(key, len(inputs), batch_size, replacement), inputs.dtype)
    check_labels(network, inputs, labels)
    at = make_record_steps(steps, switches)
    trained = _switch(network, (inputs, jnp.asarray(labels)), rule, at, jnp.asarray(steps, at.dtype))
    return Checkpoints(at, trained)


@eqx.filter_jit
def _switch(network: Any, data: tuple, rule: Descent, switches: Array, steps: Array) -> LinearisedNetwork:
    """By turns: on to the next switch, anchored anew before every step, which is training as it is; then to the end."""
    weights, static = eqx.partition(LinearisedNetwork(network, network), eqx.is_inexact_array)
    before = jnp.concatenate([jnp.zeros_like(switches[:1]), switches[:-1]])
    starts = jnp.stack([before, switches], axis=1).ravel()
    ends = jnp.stack([switches, jnp.full_like(switches, steps)], axis=1).ravel()
    is_linear = jnp.tile(jnp.array([False, True]), len(switches))

    def turn(trained, job):
        start, end, linear = job
        choose = lambda kept, new: jax.tree.map(lambda k, n: jnp.where(linear, k, n), kept, new)  # noqa: E731
        anchor = lambda tangent: LinearisedNetwork(tangent.network, choose(tangent.start, tangent.network))  # noqa: E731
        tangent, *rest = rule.advance(data, static, trained, start, end, anchor)
        reached = (anchor(tangent), *rest)
        return choose(trained, reached), reached[0]

    _, reached = jax.lax.scan(turn, rule.start(weights, starts[0]), (starts, ends, is_linear))
    return eqx.combine(jax.tree.map(lambda leaf: leaf[1::2], reached), static)
