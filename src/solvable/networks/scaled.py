"""Wrappers of a network by which its training turns lazy: its output scaled and centred, doubled, or linearised."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import check_positive
from solvable.networks.protocol import Network


class OnSamples(eqx.Module):
    """A network that is no polynomial of its input, as training is told."""

    def features(self, input_shape: tuple[int, ...]) -> None:
        """None: training sees the samples."""

    def coefficients(self) -> Array:
        """Not there, as there are no features."""
        raise NotImplementedError


class CentredNetwork(OnSamples):
    """The network alpha (h(x; w) - h(x; w_0)), which is zero where it starts.

    Attributes
    ----------
    network
        h at the weights w that are trained.
    start
        h at w_0: no gradient reaches it.
    output_scale
        alpha, not trained; may be traced.

    References
    ----------
    chizat2019, scaled models.
    """

    network: Any  # Network
    start: Any  # Network
    output_scale: Float[Array, ""]

    @property
    def first(self) -> Float[Array, "..."]:
        """Weights nearest to the input."""
        return self.network.first

    @property
    def width(self) -> int:
        """That of the network inside."""
        return self.network.width

    def __call__(self, inputs: Array) -> Float[Array, "*output_dims"]:
        start, scale = lax.stop_gradient((eqx.filter(self.start, eqx.is_inexact_array), self.output_scale))
        start = eqx.combine(start, self.start)
        return scale * (self.network(inputs) - start(inputs))


class DifferenceNetwork(OnSamples):
    """The network (h(x; w_1) - h(x; w_2)) / sqrt(2), zero where the two copies are alike.

    Attributes
    ----------
    positive, negative
        h at w_1 and at w_2; both are trained.

    References
    ----------
    chizat2019, doubling trick [the root keeps the tangent kernel that of h].
    """

    positive: Any  # Network
    negative: Any  # Network

    @property
    def first(self) -> Float[Array, "..."]:
        """Weights nearest to the input of the first copy."""
        return self.positive.first

    @property
    def width(self) -> int:
        """Units of both copies."""
        return self.positive.width + self.negative.width

    def __call__(self, inputs: Array) -> Float[Array, "*output_dims"]:
        return (self.positive(inputs) - self.negative(inputs)) * 0.5**0.5


class LinearisedNetwork(OnSamples):
    """The network h(x; w_0) + Dh(x; w_0) (w - w_0), linear in its weights w and in nothing else.

    Attributes
    ----------
    network
        The weights w, in the shape of h; they are trained.
    start
        h at w_0: no gradient reaches it.

    References
    ----------
    chizat2019; lee2019, linearised networks.
    """

    network: Any  # Network
    start: Any  # Network

    @property
    def first(self) -> Float[Array, "..."]:
        """Weights nearest to the input."""
        return self.network.first

    @property
    def width(self) -> int:
        """That of the network inside."""
        return self.network.width

    def __call__(self, inputs: Array) -> Float[Array, "*output_dims"]:
        weights = eqx.filter(self.network, eqx.is_inexact_array)
        start, static = eqx.partition(self.start, eqx.is_inexact_array)
        start = lax.stop_gradient(start)
        moved = jax.tree.map(jnp.subtract, weights, start)
        value, change = jax.jvp(lambda w: eqx.combine(w, static)(inputs), (start,), (moved,))
        return value + change


def centre(network: Network, output_scale: float | Float[Array, ""] = 1.0) -> CentredNetwork:
    """A network of scaled output that starts at zero.

    Parameters
    ----------
    network
        h at its start.
    output_scale
        alpha > 0; may be traced, so that ``vmap`` sweeps it.

    Raises
    ------
    OutsideDomain
        A scale that is not positive.

    References
    ----------
    chizat2019, scaled models, h(w_0) = 0.
    """
    check_positive("output_scale", output_scale)
    return CentredNetwork(network, network, jnp.asarray(output_scale, network.first.dtype))


def double(network: Network) -> DifferenceNetwork:
    """The difference of two copies of a network that start alike: it starts at zero, by symmetry rather than by fiat.

    Parameters
    ----------
    network
        h at its start.

    Raises
    ------
    Raises nothing.

    References
    ----------
    chizat2019, doubling trick.
    """
    return DifferenceNetwork(network, network)


def linearise(network: Network) -> LinearisedNetwork:
    """A network's own linearisation in its weights, about where it stands.

    Parameters
    ----------
    network
        Any network with weights, wrapped ones included.

    Raises
    ------
    Raises nothing.

    References
    ----------
    chizat2019; lee2019.
    """
    return LinearisedNetwork(network, network)
