"""Any layer of any network as units theta_i = (u_i, v_i): what embeddings, manifolds and reductions act on."""

import equinox as eqx
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count
from solvable.networks.deep import DeepNetwork
from solvable.networks.layer import UnitLayer
from solvable.networks.units import Dependence, Neuron

Layered = UnitLayer | DeepNetwork


def get_units(network: Layered, layer: int = 1) -> tuple[Float[Array, "width n_u"], Float[Array, "n_v width"]]:
    """Weights u_i inside and v_i behind the units of a hidden layer, one unit a row and a column.

    Parameters
    ----------
    network
        A ``UnitLayer``, whose only hidden layer is 1, or a ``DeepNetwork``.
    layer
        Hidden layer, from 1.

    Raises
    ------
    OutsideDomain
        No such hidden layer, or one at either end of a skip, whose units other layers share.

    References
    ----------
    zhang2026, Eq. 1 and Cor. 2.
    """
    _check_layer(network, layer)
    if isinstance(network, UnitLayer):
        return network.first, network.second
    first, above = network.weights[layer - 1 : layer + 1]
    blocks = above.reshape(above.shape[0], first.shape[0], -1)
    return first, blocks.swapaxes(1, 2).reshape(-1, first.shape[0])


def set_units(
    network: Layered, first: Float[Array, "width n_u"], second: Float[Array, "n_v width"], layer: int = 1
) -> Layered:
    """The network with other units in a hidden layer, more or fewer than before if need be.

    Parameters
    ----------
    network, layer
        As for ``get_units``.
    first, second
        The new units, as ``get_units`` returns them.

    Raises
    ------
    OutsideDomain
        As ``get_units``; sizes n_u or n_v other than the layer's.

    References
    ----------
    zhang2026, Eq. 1 and Cor. 2.
    """
    old_first, old_second = get_units(network, layer)
    if first.shape[1] != old_first.shape[1] or second.shape != (old_second.shape[0], first.shape[0]):
        raise OutsideDomain(
            f"units of shapes {first.shape} and {second.shape} do not fit a layer of units of {old_first.shape[1]} and "
            f"{old_second.shape[0]} weights; `first` is (width, n_u) and `second` is (n_v, width)."
        )
    if isinstance(network, UnitLayer):
        return UnitLayer(first, second, network.unit)
    outputs = network.weights[layer].shape[0]
    above = second.reshape(outputs, -1, first.shape[0]).swapaxes(1, 2).reshape(outputs, -1)
    weights = (*network.weights[: layer - 1], first, above, *network.weights[layer + 1 :])
    return eqx.tree_at(lambda deep: deep.weights, network, weights)


def unit_dependence(network: Layered, layer: int = 1) -> Dependence:
    """How the units of a hidden layer depend on u: 'general', 'zero', 'homogeneous' or 'linear'.

    Parameters
    ----------
    network, layer
        As for ``get_units``.

    Raises
    ------
    OutsideDomain
        As ``get_units``.

    References
    ----------
    zhang2026, Theorem 1 [any phi; phi(z; 0) = 0; degree-1 homogeneous; linear].
    """
    _check_layer(network, layer)
    if layer == 1 or isinstance(network, UnitLayer):
        return network.unit.dependence
    return Neuron(network.activations[layer - 2]).dependence


def _check_layer(network: Layered, layer: int) -> None:
    check_count("layer", layer)
    hidden = network.depth - 1 if isinstance(network, DeepNetwork) else 1
    if layer > hidden:
        raise OutsideDomain(f"`layer` is {layer}; this network has hidden layers 1 to {hidden}.")
    if isinstance(network, DeepNetwork) and any(layer in skip for skip in network.skips):
        raise OutsideDomain(
            f"`layer` is {layer}, which a skip connection joins to another; its units cannot be changed alone, so "
            "choose a layer that no skip touches."
        )
