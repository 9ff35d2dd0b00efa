"""What gradient flow conserves in a linear network: by how much neighbouring layers differ in size."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count
from solvable.networks import DeepNetwork, UnitLayer


def layer_imbalance(network: UnitLayer | DeepNetwork, layer: int = 1) -> Float[Array, "width width"]:
    r"""The conserved matrix between two neighbouring layers of a linear network.

    .. math:: \Lambda_l = W_{l+1}^\top W_{l+1} - W_l W_l^\top

    Parameters
    ----------
    network
        A layer of neurons, or a deep network of them.
    layer
        l, from 1 (the first hidden layer) to one less than the number of weight matrices.

    Returns
    -------
    Array
        Symmetric, one row a unit of hidden layer l; 0 where the layers are balanced.

    Raises
    ------
    OutsideDomain
        A layer that is not there, or units with several outputs (kernels, heads), whose weights have no such product.

    Notes
    -----
    Gradient flow keeps it in linear networks whatever the data; with relu only its diagonal. Gradient descent with
    learning rate eta lets it drift by order eta. Networks with skips keep it only between layers no skip touches.

    References
    ----------
    saxe2014, App. A; tarmoun2021, imbalance [U = W_2, V = W_1^T]; kunin2024 [delta, of one neuron].
    """
    weights = network.weights if isinstance(network, DeepNetwork) else (network.first, network.second)
    check_count("layer", layer)
    if layer >= len(weights):
        raise OutsideDomain(f"`layer` is {layer}; a network of {len(weights)} weight matrices has layers 1 to "
                            f"{len(weights) - 1} between two of them.")  # fmt: skip
    below, above = weights[layer - 1], weights[layer]
    if below.shape[0] != above.shape[1]:
        raise OutsideDomain(
            f"`network` has {below.shape[0]} units in layer {layer} and {above.shape[1]} weights above them; imbalance "
            "is defined for neurons, with one output each."
        )
    return above.T @ above - below @ below.T


def imbalance_drift(imbalances: Float[Array, "record width width"]) -> Float[Array, " record"]:
    """How far the imbalance has moved since the first record, as the Frobenius norm of the difference.

    Parameters
    ----------
    imbalances
        ``layer_imbalance`` along a trajectory, recorded as an observable.

    Returns
    -------
    Array
        In units of squared weights; starts at 0.

    Raises
    ------
    Raises nothing.

    References
    ----------
    tarmoun2021, conservation of imbalance.
    """
    return jnp.linalg.norm(imbalances - imbalances[:1], axis=(1, 2))
