"""Networks for classes of images: fully connected ones from He's weights, and a small convolutional one."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count
from solvable.networks.convolutional import image_patches
from solvable.networks.deep import DeepNetwork
from solvable.networks.layer import UnitLayer
from solvable.networks.units import Neuron
from solvable.numerics import activations


def he_network(
    key: Key[Array, ""],
    *,
    widths: tuple[int, ...],
    input_dim: int,
    output_dim: int = 1,
    dtype: jnp.dtype | type | None = None,
) -> UnitLayer | DeepNetwork:
    r"""A ReLU network without biases whose signals keep their size: weights of variance 2/inputs, the last 1/inputs.

    Parameters
    ----------
    key
        Randomness.
    widths
        Units of each hidden layer, at least one of them.
    input_dim, output_dim
        Sizes of inputs and outputs.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        No hidden layer, or a size below 1.

    References
    ----------
    He, Zhang, Ren, Sun (2015), Eq. 10.
    """
    if not widths:
        raise OutsideDomain("`widths` is empty; it must hold the number of units of at least one hidden layer.")
    for name, size in (("input_dim", input_dim), ("output_dim", output_dim), *(("widths", width) for width in widths)):
        check_count(name, size)
    dtype = jnp.result_type(float) if dtype is None else dtype
    sizes = (input_dim, *widths, output_dim)
    gains = [2.0] * len(widths) + [1.0]
    layers = tuple(
        (gain / below) ** 0.5 * jax.random.normal(layer_key, (above, below), dtype)
        for layer_key, gain, (below, above) in zip(
            jax.random.split(key, len(gains)), gains, pairwise(sizes), strict=True
        )
    )
    unit = Neuron(activations.relu)
    return (
        UnitLayer(*layers, unit)
        if len(layers) == 2
        else DeepNetwork(layers, unit, (activations.relu,) * (len(widths) - 1))
    )


class SmallConvolution(eqx.Module):
    r"""Two layers of ReLU convolutions with stride 2, read out by one weight an entry; square images of one channel.

    Attributes
    ----------
    kernels
        Of each convolution, shape (channels, channels below, side, side).
    read_out
        Shape (output_dim, entries of the last layer).
    image_side
        Pixels of a side; inputs are images row by row.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    kalimeris2019, convolutional networks [theirs are deeper].
    """

    kernels: tuple[Float[Array, "_ _ _ _"], ...]
    read_out: Float[Array, "output_dim entries"]
    image_side: int = eqx.field(static=True)

    def __call__(self, inputs: Float[Array, " pixels"]) -> Float[Array, " output_dim"]:
        hidden = inputs.reshape(1, self.image_side, self.image_side)
        for kernel in self.kernels:
            outputs = (hidden.shape[-1] + 1) // 2
            missing = 2 * (outputs - 1) + kernel.shape[-1] - hidden.shape[-1]
            edge = (missing // 2, missing - missing // 2)
            patches = image_patches(hidden, kernel.shape[-1], stride=2, edge=edge)
            sums = kernel.reshape(len(kernel), -1) @ patches.reshape(-1, outputs**2)
            hidden = jax.nn.relu(sums).reshape(len(kernel), outputs, outputs)
        return self.read_out @ hidden.ravel()


def small_convolution(
    key: Key[Array, ""],
    *,
    image_side: int,
    channels: tuple[int, int] = (8, 16),
    output_dim: int = 1,
    dtype: jnp.dtype | type | None = None,
) -> SmallConvolution:
    """A small convolutional network from He's weights, kernels of 5 by 5 pixels.

    Parameters
    ----------
    key
        Randomness.
    image_side
        Pixels of a side, at least 4.
    channels
        Of the two convolutions.
    output_dim
        Entries of the output.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        Sizes that are too small.

    References
    ----------
    He, Zhang, Ren, Sun (2015), Eq. 10; kalimeris2019, as ``SmallConvolution``.
    """
    check_count("image_side", image_side, at_least=4)
    check_count("output_dim", output_dim)
    for count in channels:
        check_count("channels", count)
    dtype = jnp.result_type(float) if dtype is None else dtype
    first, second, last = jax.random.split(key, 3)
    kernels = tuple(
        (2 / (below * 25)) ** 0.5 * jax.random.normal(part, (above, below, 5, 5), dtype)
        for part, above, below in ((first, channels[0], 1), (second, channels[1], channels[0]))
    )
    side = (image_side + 1) // 2
    entries = channels[1] * ((side + 1) // 2) ** 2
    read_out = entries**-0.5 * jax.random.normal(last, (output_dim, entries), dtype)
    return SmallConvolution(kernels, read_out, image_side)
