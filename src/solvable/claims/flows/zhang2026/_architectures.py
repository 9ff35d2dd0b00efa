"""The networks that the claims on embedded points and on manifolds go through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, numerics
from solvable.errors import check_choice

if TYPE_CHECKING:
    from collections.abc import Iterator

    import jax

    from solvable.networks import DeepNetwork, UnitLayer

    Layered = UnitLayer | DeepNetwork

NAMES = (
    "linear",
    "ReLU",
    "quadratic",
    "tanh",
    "sigmoid, bias",
    "convolution",
    "attention",
    "merged attention",
    "softmax attention",
    "deep linear",
    "deep ReLU",
)


def draw_network(name: str, key: jax.Array, width: int) -> tuple[Layered, tuple[int, ...]]:
    """A network of one of the ``NAMES`` with weights of order 1, and the shape of its inputs.

    The deep ones have four hidden layers, of which a skip joins the upper two.
    """
    act = numerics.activations
    if name.startswith("deep"):
        activation = act.identity if name == "deep linear" else act.relu
        deep = networks.initialise_deep(
            networks.Neuron(activation),
            key,
            widths=(width, width, 3, 3),
            input_shape=(3,),
            activation=activation,
            skips=((3, 4),),
            init_scale=0.7,
        )
        return deep, (3,)
    unit, shape = {
        "linear": (networks.Neuron(act.identity), (3,)),
        "ReLU": (networks.Neuron(act.relu), (3,)),
        "quadratic": (networks.Neuron(act.square), (3,)),
        "tanh": (networks.Neuron(act.tanh), (3,)),
        "sigmoid, bias": (networks.Neuron(act.sigmoid, bias=True), (3,)),
        "convolution": (networks.ConvolutionKernel(act.relu, 2), (4,)),
        "attention": (networks.AttentionHead(), (3, 4)),
        "merged attention": (networks.AttentionHead(merged=True), (3, 4)),
        "softmax attention": (networks.AttentionHead(softmax=True), (3, 4)),
    }[name]
    return networks.initialise(unit, key, width=width, input_shape=shape, init_scale=0.7), shape


def draw_inputs(key: jax.Array, num_samples: int, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal inputs; the label slot of an attention layer's query, which it is to fill in, is 0."""
    import jax

    inputs = jax.random.normal(key, (num_samples, *shape), float)
    return inputs if len(shape) == 1 else inputs.at[:, -1, -1].set(0)


def layers_of(network: Layered) -> tuple[int, ...]:
    """Hidden layers that no skip touches."""
    return (1,) if isinstance(network, networks.UnitLayer) else (1, 2)


def embed_everywhere(network: Layered, number: float) -> Iterator[Layered]:
    """The network widened once by every embedding that its units allow, by a number that is on no manifold."""
    import jax.numpy as jnp

    for layer in layers_of(network):
        kind, width = networks.unit_dependence(network, layer), networks.get_units(network, layer)[0].shape[0]
        yield networks.split_unit(network, 0, share=number, layer=layer)
        if kind != "general":
            yield networks.add_zero_unit(network, layer=layer)
        if kind in ("homogeneous", "linear"):
            yield networks.add_proportional_unit(network, 1, ratio=number, share=-0.8, layer=layer)
        if kind == "linear":
            gammas = jnp.linspace(-number, 1.0, width)
            yield networks.add_dependent_unit(network, gammas, shares=gammas[::-1], layer=layer)


def check_names(names: tuple[str, ...]) -> None:
    """Raise OutsideDomain for a network that is not in the list."""
    for name in names:
        check_choice("kinds", name, NAMES)
