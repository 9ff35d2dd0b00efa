"""LeNet: convolutions with pooling between them, then dense layers."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count
from solvable.networks.convolutional import (
    Convolution,
    Dense,
    blank_convolution,
    blank_dense,
    he_start,
    max_pool,
)


class LeNet(eqx.Module):
    """Convolutions, each with a ReLU and a pooling of 2 by 2 behind it, then dense layers with ReLUs between them.

    Attributes
    ----------
    convolutions, layers
        From the image up; the last layer gives a score a class.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner (1998), LeNet-5 [with ReLUs and maxima where theirs has tanh and averages];
    zhou2025, experiments.
    """

    convolutions: tuple[Convolution, ...]
    layers: tuple[Dense, ...]

    def __call__(self, image: Float[Array, "channels rows columns"]) -> Float[Array, " classes"]:
        for convolution in self.convolutions:
            image = max_pool(jax.nn.relu(convolution(image)))
        hidden = image.ravel()
        for layer in self.layers[:-1]:
            hidden = jax.nn.relu(layer(hidden))
        return self.layers[-1](hidden)


def lenet(
    key: Key[Array, ""],
    *,
    image_side: int = 28,
    image_channels: int = 1,
    channels: tuple[int, ...] = (6, 16),
    kernel_side: int = 5,
    widths: tuple[int, ...] = (120, 84),
    num_classes: int = 10,
    dtype: jnp.dtype | type | None = None,
) -> LeNet:
    """A LeNet from He's weights, biases 0; 44,426 weights at its defaults.

    Parameters
    ----------
    key
        Randomness.
    image_side, image_channels
        Of the images, which are squares (image_channels, image_side, image_side).
    channels
        Of each convolution.
    kernel_side
        Pixels of a side of every kernel; images are not padded.
    widths
        Of the dense layers before the last.
    num_classes
        Scores.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        Sizes below 1, or images that the convolutions leave nothing of.

    References
    ----------
    He, Zhang, Ren, Sun (2015), Eq. 10; zhou2025, as ``LeNet``.
    """
    sizes = {"image_side": (image_side,), "image_channels": (image_channels,), "channels": channels}
    sizes |= {"kernel_side": (kernel_side,), "widths": widths, "num_classes": (num_classes,)}
    for name, counts in sizes.items():
        for count in counts:
            check_count(name, count)
    side = image_side
    for _ in channels:
        side = (side - kernel_side + 1) // 2
        if side < 1:
            raise OutsideDomain(
                f"`image_side` is {image_side}; {len(channels)} convolutions of side {kernel_side} with pooling leave "
                "nothing of it: use larger images, smaller kernels or fewer convolutions."
            )
    dtype = jnp.result_type(float) if dtype is None else dtype
    counts = (image_channels, *channels)
    entries = (counts[-1] * side**2, *widths, num_classes)

    def make() -> LeNet:
        convolutions = (blank_convolution(above, below, kernel_side, dtype) for below, above in pairwise(counts))
        return LeNet(tuple(convolutions), tuple(blank_dense(above, below, dtype) for below, above in pairwise(entries)))

    return he_start(key, make)
