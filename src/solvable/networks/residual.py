"""Residual networks for small images: ResNet-20 and its like."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import check_count
from solvable.networks.batch_norm import BatchNorm, blank_norm
from solvable.networks.convolutional import Convolution, Dense, blank_convolution, blank_dense, he_start


class NormalisedConvolution(eqx.Module):
    """A convolution without biases, and the normalisation behind it. Raises as ``BatchNorm``. References: none."""

    convolution: Convolution
    norm: BatchNorm

    def __call__(self, image: Float[Array, "below rows columns"]) -> Float[Array, "above _ _"]:
        return self.norm(self.convolution(image))


class ResidualBlock(eqx.Module):
    """Two convolutions added to what they start from.

    Attributes
    ----------
    first, second
        Where the first halves the image and adds channels, the image is added at every second pixel, with channels of 0
        behind its own, so that the detour has no weights.

    Raises
    ------
    OutsideDomain
        As ``BatchNorm``.

    References
    ----------
    He, Zhang, Ren, Sun (2016), Fig. 2 and Sec. 4.2, option A.
    """

    first: NormalisedConvolution
    second: NormalisedConvolution

    def __call__(self, image: Float[Array, "below rows columns"]) -> Float[Array, "above _ _"]:
        change = self.second(jax.nn.relu(self.first(image)))
        stride = self.first.convolution.stride
        kept = image[:, ::stride, ::stride]
        return jax.nn.relu(change + jnp.pad(kept, ((0, len(change) - len(kept)), (0, 0), (0, 0))))


class ResNet(eqx.Module):
    """A convolution, residual blocks, the mean over pixels, a dense layer.

    Attributes
    ----------
    stem
        First convolution.
    blocks
        Of all stages; each stage after the first starts by halving the image.
    read_out
        A score a class.

    Raises
    ------
    OutsideDomain
        As ``BatchNorm``: a new network normalises by the batch, for one image freeze it first.

    References
    ----------
    He, Zhang, Ren, Sun (2016), Sec. 4.2; zhou2025, experiments.
    """

    stem: NormalisedConvolution
    blocks: tuple[ResidualBlock, ...]
    read_out: Dense

    def __call__(self, image: Float[Array, "channels rows columns"]) -> Float[Array, " classes"]:
        image = jax.nn.relu(self.stem(image))
        for block in self.blocks:
            image = block(image)
        return self.read_out(jnp.mean(image, axis=(1, 2)))


def resnet(
    key: Key[Array, ""],
    *,
    blocks_per_stage: int = 3,
    widths: tuple[int, ...] = (16, 32, 64),
    image_channels: int = 3,
    num_classes: int = 10,
    dtype: jnp.dtype | type | None = None,
) -> ResNet:
    """A residual network of 2 x stages x blocks + 2 layers from He's weights; ResNet-20 at its defaults.

    Parameters
    ----------
    key
        Randomness.
    blocks_per_stage
        Blocks of two convolutions each.
    widths
        Channels of each stage, not decreasing; images of any size do.
    image_channels
        Of the images (image_channels, rows, columns).
    num_classes
        Scores.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        Sizes below 1, or widths that decrease.

    References
    ----------
    As ``ResNet``.
    """
    counts = {"blocks_per_stage": blocks_per_stage, "image_channels": image_channels, "num_classes": num_classes}
    for name, count in counts.items():
        check_count(name, count)
    for narrow, wide in zip((1, *widths), widths, strict=False):
        check_count("widths", wide, at_least=narrow)
    dtype = jnp.result_type(float) if dtype is None else dtype

    def make() -> ResNet:
        stem = blank_normalised(widths[0], image_channels, dtype)
        blocks, below = [], widths[0]
        for stage, width in enumerate(widths):
            for place in range(blocks_per_stage):
                stride = 2 if stage > 0 and place == 0 else 1
                first = blank_normalised(width, below, dtype, stride=stride)
                blocks.append(ResidualBlock(first, blank_normalised(width, width, dtype)))
                below = width
        return ResNet(stem, tuple(blocks), blank_dense(num_classes, below, dtype))

    return he_start(key, make)


def blank_normalised(above: int, below: int, dtype: jnp.dtype | type, *, stride: int = 1) -> NormalisedConvolution:
    """A convolution of 3 by 3 and its normalisation, for ``he_start`` to fill. Raises nothing. References: none."""
    convolution = blank_convolution(above, below, 3, dtype, stride=stride, padding=1, bias=False)
    return NormalisedConvolution(convolution, blank_norm(above, dtype))
