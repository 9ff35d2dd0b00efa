"""A loss of the map of a linear network, whatever its layers."""

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float

from solvable.networks import Network


class MapLoss(eqx.Module):
    """L(W) of the map W = W_L ... W_1 that a linear network computes.

    Give it to ``gradient_descent`` or ``gradient_flow`` in place of data.

    Attributes
    ----------
    loss
        A function of W, best a method of an Equinox module such as ``PowerRegression(...).loss``: its arrays are then
        arguments of what is compiled.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    arora2018, end-to-end loss.
    """

    loss: Callable[[Float[Array, "output_dim input_dim"]], Float[Array, ""]]

    def __call__(self, network: Network) -> Float[Array, ""]:
        return self.loss(network.coefficients())
