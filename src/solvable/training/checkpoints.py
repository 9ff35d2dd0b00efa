"""Networks kept at several steps of their training."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Int


class Checkpoints(eqx.Module):
    """Networks of one kind, stacked: every array of weights has the records as its first axis.

    Attributes
    ----------
    steps
        Steps of training behind each network.
    networks
        The stack; ``at`` takes one out.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    None: a record.
    """

    steps: Int[Array, " record"]
    networks: Any

    def at(self, index: int) -> Any:
        """One of the networks, by its place in ``steps``."""
        weights, static = eqx.partition(self.networks, eqx.is_inexact_array)
        return eqx.combine(jax.tree.map(lambda leaf: leaf[index], weights), static)

    def map(self, function: Callable[[Any], Any]) -> Any:
        """The function of each network, one after the other, stacked; compile it together with what uses it."""
        weights, static = eqx.partition(self.networks, eqx.is_inexact_array)
        return jax.lax.map(lambda weights: function(eqx.combine(weights, static)), weights)
