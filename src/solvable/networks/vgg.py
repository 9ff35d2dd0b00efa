"""VGG networks for small images."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count
from solvable.networks.convolutional import Dense, blank_dense, he_start, max_pool
from solvable.networks.residual import NormalisedConvolution, blank_normalised

VGG_16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VGG(eqx.Module):
    """Stages of normalised convolutions, the image halved behind each, the mean over pixels, a dense layer.

    Attributes
    ----------
    stages
        Convolutions of each stage.
    read_out
        A score a class.

    Raises
    ------
    OutsideDomain
        As ``BatchNorm``: a new network normalises by the batch, for one image freeze it first.

    References
    ----------
    Simonyan, Zisserman (2015), configuration D [with normalisations and one dense layer, as is usual for CIFAR-10];
    zhou2025, experiments.
    """

    stages: tuple[tuple[NormalisedConvolution, ...], ...]
    read_out: Dense

    def __call__(self, image: Float[Array, "channels rows columns"]) -> Float[Array, " classes"]:
        for stage in self.stages:
            for layer in stage:
                image = jax.nn.relu(layer(image))
            image = max_pool(image)
        if image.size == 0:
            raise OutsideDomain(
                f"an image halved {len(self.stages)} times has no pixel left; use larger images or fewer stages."
            )
        return self.read_out(jnp.mean(image, axis=(1, 2)))


def vgg(
    key: Key[Array, ""],
    *,
    widths: tuple[tuple[int, ...], ...] = VGG_16,
    image_channels: int = 3,
    num_classes: int = 10,
    dtype: jnp.dtype | type | None = None,
) -> VGG:
    """A VGG network from He's weights; VGG-16 at its defaults.

    Parameters
    ----------
    key
        Randomness.
    widths
        Channels of each convolution, stage by stage.
    image_channels
        Of the images (image_channels, rows, columns), of 2^stages pixels a side at least.
    num_classes
        Scores.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        Sizes below 1, or a stage without convolutions.

    References
    ----------
    As ``VGG``.
    """
    for name, count in (("image_channels", image_channels), ("num_classes", num_classes)):
        check_count(name, count)
    for stage in (widths, *widths):
        check_count("widths", len(stage))
    for width in (width for stage in widths for width in stage):
        check_count("widths", width)
    dtype = jnp.result_type(float) if dtype is None else dtype

    def make() -> VGG:
        stages, below = [], image_channels
        for stage in widths:
            layers = []
            for width in stage:
                layers.append(blank_normalised(width, below, dtype))
                below = width
            stages.append(tuple(layers))
        return VGG(tuple(stages), blank_dense(num_classes, below, dtype))

    return he_start(key, make)
