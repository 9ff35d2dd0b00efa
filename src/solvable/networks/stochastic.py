"""Multiplicative noise behind the hidden layers of a deep linear network: averaged exactly, or drawn."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count
from solvable.networks.deep import DeepNetwork
from solvable.networks.units import Neuron


def noisy_output_moment(
    network: DeepNetwork, second_moment: Float[Array, "input_dim input_dim"], noise: Float[Array, " hidden"]
) -> Float[Array, "output_dim output_dim"]:
    r"""E[f f^T] over inputs and noise, where each hidden unit is multiplied by noise of mean 1 of its own.

    .. math:: C_l = W_l \hat C_{l-1} W_l^\top, \qquad \hat C_l = C_l + \sigma_l^2\,\mathrm{diag}(C_l), \qquad
       \hat C_0 = E[x x^\top]

    Parameters
    ----------
    network
        Linear: neurons with the identity throughout, no skips.
    second_moment
        E[x x^T].
    noise
        Variance sigma_l^2 of the noise of each hidden layer; keeping units with probability q is (1 - q)/q.

    Raises
    ------
    OutsideDomain
        A network that is not linear, or one noise too many or too few.

    References
    ----------
    ziyin2022, model with stochastic neurons [E over epsilon].
    """
    _check_linear(network)
    if noise.shape != (network.depth - 1,):
        raise OutsideDomain(
            f"`noise` has shape {noise.shape}; it must hold a variance for each of the {network.depth - 1} hidden "
            "layers."
        )
    moment = second_moment
    for weights, variance in zip(network.weights, jnp.append(noise, 0), strict=True):
        moment = weights @ moment @ weights.T
        moment = moment * (1 + variance * jnp.eye(moment.shape[0], dtype=moment.dtype))
    return moment


def noisy_coefficients(
    network: DeepNetwork, factors: tuple[Float[Array, " _"], ...]
) -> Float[Array, "output_dim input_dim"]:
    """The map W_L diag(e_(L-1)) ... diag(e_1) W_1 of a linear network under one draw of its noise.

    Parameters
    ----------
    network
        Linear, as for ``noisy_output_moment``.
    factors
        e_l of each hidden layer, from the input up; ones give the network itself.

    Raises
    ------
    OutsideDomain
        A network that is not linear.

    References
    ----------
    ziyin2022, model with stochastic neurons.
    """
    _check_linear(network)
    coefficients = network.weights[0]
    for weights, factor in zip(network.weights[1:], factors, strict=True):
        coefficients = weights @ (factor[:, None] * coefficients)
    return coefficients


def draw_dropout(
    key: Key[Array, ""], widths: tuple[int, ...], noise: Float[Array, " hidden"], num_draws: int
) -> tuple[Float[Array, "draw _"], ...]:
    """Dropout factors of mean 1: 0, or 1 + sigma^2 with the probability 1/(1 + sigma^2) of keeping a unit.

    Parameters
    ----------
    key
        Randomness.
    widths
        Units of each hidden layer.
    noise
        Variance sigma_l^2 of each.
    num_draws
        How many, along the leading axis.

    Raises
    ------
    OutsideDomain
        A count below 1.

    References
    ----------
    ziyin2022, model with stochastic neurons [dropout: sigma^2 = (1 - q)/q].
    """
    check_count("num_draws", num_draws)
    keys = jax.random.split(key, len(widths))
    return tuple(
        (1 + variance) * jax.random.bernoulli(place, 1 / (1 + variance), (num_draws, width)).astype(noise.dtype)
        for place, width, variance in zip(keys, widths, noise, strict=True)
    )


def _check_linear(network: DeepNetwork) -> None:
    degrees = {activation.degree for activation in network.activations}
    plain = isinstance(network.unit, Neuron) and network.unit.activation.degree == 1 and not network.unit.bias
    if not plain or not degrees <= {1} or network.skips:
        raise OutsideDomain(
            "`network` is not a plain linear network; its noise has no closed average: use the identity."
        )
