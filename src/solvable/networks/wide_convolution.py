"""Convolutional networks as theory of wide ones has them: factors of the channels behind activations, no biases."""

from itertools import pairwise
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_choice, check_count, check_positive
from solvable.networks.convolutional import image_patches
from solvable.networks.fully_connected import draw_normals
from solvable.numerics import Activation, activations


class WideConvolution(eqx.Module):
    r"""Convolutions by one pixel over zero padding, read out by pooling or by a weight a pixel.

    .. math:: x^{(h)} = \sqrt{\frac{c}{C_h q^2}}\;\sigma\Big(\sum_\alpha W^{(h)}_\alpha * x^{(h-1)}_\alpha\Big), \qquad
       f = \sum_\alpha \langle W_\alpha, x^{(L)}_\alpha \rangle \;\; \text{or} \;\;
       \sum_\alpha W_\alpha\,\text{mean}\,x^{(L)}_\alpha

    Attributes
    ----------
    filters
        W^(h) of each convolution, shape (channels, channels below, q, q).
    read_out
        Shape (output_dim, channels) for pooling, (output_dim, channels, rows, columns) for a weight a pixel.
    activation
        sigma.
    weight_variance
        c.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    arora2019c, Sec. 4.
    """

    filters: tuple[Float[Array, "_ _ _ _"], ...]
    read_out: Float[Array, "output_dim channels ..."]
    activation: Activation
    weight_variance: float = eqx.field(static=True, default=2.0)

    @property
    def first(self) -> Float[Array, "channels below size size"]:
        """Filters of the first layer."""
        return self.filters[0]

    @property
    def width(self) -> int:
        """Channels of the first layer."""
        return self.first.shape[0]

    def __call__(self, inputs: Float[Array, "rows columns channels"]) -> Float[Array, " output_dim"]:
        hidden = jnp.moveaxis(inputs, -1, 0)
        for weights in self.filters:
            factor = (self.weight_variance / (len(weights) * weights.shape[-1] ** 2)) ** 0.5
            hidden = factor * self.activation(_convolve(weights, hidden))
        if self.read_out.ndim == 2:
            return self.read_out @ jnp.mean(hidden, axis=(1, 2))
        return jnp.tensordot(self.read_out, hidden, 3)

    def features(self, input_shape: tuple[int, ...]) -> None:
        """None: trained on samples."""
        del input_shape

    def coefficients(self) -> Array:
        """Never: ``features`` is None."""
        raise OutsideDomain("this network is not read as a polynomial of its input; use samples.")


def initialise_convolution(
    key: Key[Array, ""],
    *,
    channels: tuple[int, ...],
    image_shape: tuple[int, ...],
    filter_size: int = 3,
    output_dim: int = 1,
    read_out: Literal["pool", "flatten"] = "pool",
    activation: Activation = activations.relu,
    weight_variance: float = 2.0,
    dtype: jnp.dtype | type | None = None,
) -> WideConvolution:
    """A convolutional network of N(0, 1) weights.

    Parameters
    ----------
    key
        Randomness.
    channels
        Of each convolution, at least one of them.
    image_shape
        Rows, columns and channels of one input.
    filter_size
        q, odd.
    output_dim
        Entries of the output.
    read_out
        ``"pool"`` or ``"flatten"``.
    activation, weight_variance
        sigma and c.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        Sizes without meaning, an even filter.

    References
    ----------
    arora2019c, Sec. 4.
    """
    if not channels:
        raise OutsideDomain("`channels` is empty; it must hold the channels of at least one convolution.")
    for name, size in (
        ("output_dim", output_dim),
        ("filter_size", filter_size),
        *(("channels", count) for count in channels),
        *(("image_shape", size) for size in image_shape),
    ):
        check_count(name, size)
    check_choice("read_out", read_out, ("pool", "flatten"))
    check_positive("weight_variance", weight_variance)
    if filter_size % 2 == 0:
        raise OutsideDomain(f"`filter_size` is {filter_size}; it must be odd, so that a filter has a centre.")
    dtype = jnp.result_type(float) if dtype is None else dtype
    pixels = () if read_out == "pool" else image_shape[:2]
    sizes = pairwise((image_shape[2], *channels))
    shapes = [(above, below, filter_size, filter_size) for below, above in sizes]
    *filters, weights = draw_normals(key, [*shapes, (output_dim, channels[-1], *pixels)], dtype)
    return WideConvolution(tuple(filters), weights, activation, weight_variance)


def _convolve(filters: Array, images: Array) -> Array:
    size = filters.shape[-1]
    patches = image_patches(images, size, stride=1, edge=(size // 2, size // 2))
    return jnp.tensordot(filters, patches.reshape(len(images), size, size, *images.shape[1:]), 3)
