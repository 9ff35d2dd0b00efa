"""Layers of networks of images: convolutions as products of matrices, dense layers, pooling, all from He's weights."""

from collections.abc import Callable
from functools import reduce
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain

Built = TypeVar("Built")


class Convolution(eqx.Module):
    """A convolution of one image, every kernel summed over the channels below.

    Attributes
    ----------
    kernels
        One a channel above.
    bias
        Added to each channel; None for none.
    stride, padding
        Distance of neighbouring patches, and the pixels of 0 around the image.

    Raises
    ------
    OutsideDomain
        When called: an image smaller than the kernel.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner (1998), convolutional layers.
    """

    kernels: Float[Array, "channels below side side"]
    bias: Float[Array, " channels"] | None
    stride: int = eqx.field(static=True, default=1)
    padding: int = eqx.field(static=True, default=0)

    def __call__(self, image: Float[Array, "below rows columns"]) -> Float[Array, "channels _ _"]:
        edge = (self.padding, self.padding)
        patches = image_patches(image, self.kernels.shape[-1], stride=self.stride, edge=edge)
        flat = self.kernels.reshape(len(self.kernels), -1)
        sums = flat @ patches.reshape(flat.shape[1], -1)
        sums = sums if self.bias is None else sums + self.bias[:, None]
        return sums.reshape(len(flat), *patches.shape[-2:])


class Dense(eqx.Module):
    """W x + b.

    Attributes
    ----------
    weights, bias
        W and b.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    None: a layer.
    """

    weights: Float[Array, "above below"]
    bias: Float[Array, " above"]

    def __call__(self, inputs: Float[Array, " below"]) -> Float[Array, " above"]:
        return self.weights @ inputs + self.bias


def image_patches(
    image: Float[Array, "channels rows columns"], side: int, *, stride: int = 1, edge: tuple[int, int] = (0, 0)
) -> Float[Array, "channels {side} {side} _ _"]:
    """What each pixel of a kernel sees: channels, the kernel's rows and columns, then the patches' rows and columns.

    A product of matrices then does the rest, four times as fast as compiled convolutions of so few channels are on a
    CPU; shifts of the rows, then of the columns, are fewer to compile than those of all pixels of the kernel.

    Parameters
    ----------
    image
        One of them.
    side
        Pixels of a side of the kernel.
    stride
        Distance of neighbouring patches.
    edge
        Pixels of 0 before the first and behind the last, of rows and columns alike.

    Raises
    ------
    OutsideDomain
        An image smaller than the kernel.

    References
    ----------
    None: bookkeeping.
    """
    padded = jnp.pad(image, ((0, 0), edge, edge))
    rows, columns = (stride * ((size - side) // stride) + 1 for size in padded.shape[1:])
    if min(rows, columns) < 1:
        raise OutsideDomain(
            f"an image of {image.shape[1]} by {image.shape[2]} pixels is too small for a kernel of side {side}; "
            "use larger images, smaller kernels or fewer layers."
        )
    shifted = jnp.stack([padded[:, row : row + rows : stride] for row in range(side)], axis=1)
    return jnp.stack([shifted[..., column : column + columns : stride] for column in range(side)], axis=2)


def max_pool(image: Float[Array, "channels rows columns"], side: int = 2) -> Float[Array, "channels _ _"]:
    """The largest pixel of each square of ``side`` by ``side``; what is left over at the far edges is dropped.

    Raises nothing. References: none.
    """
    rows, columns = (side * (size // side) for size in image.shape[1:])
    tallest = reduce(jnp.maximum, [image[:, shift:rows:side] for shift in range(side)])
    return reduce(jnp.maximum, [tallest[:, :, shift:columns:side] for shift in range(side)])


def blank_convolution(
    above: int, below: int, side: int, dtype: Any, *, stride: int = 1, padding: int = 0, bias: bool = True
) -> Convolution:
    """A convolution of weights 0, for ``he_start`` to fill. Raises nothing. References: none."""
    kernels = jnp.zeros((above, below, side, side), dtype)
    return Convolution(kernels, jnp.zeros(above, dtype) if bias else None, stride, padding)


def blank_dense(above: int, below: int, dtype: Any) -> Dense:
    """A dense layer of weights 0, for ``he_start`` to fill. Raises nothing. References: none."""
    return Dense(jnp.zeros((above, below), dtype), jnp.zeros(above, dtype))


def he_start(key: Key[Array, ""], make: Callable[[], Built]) -> Built:
    """A network with weights of variance 2 / inputs, of 1 / inputs in its last layer; vectors are left as they are.

    Parameters
    ----------
    key
        Randomness; all weights are cut from one draw, which compiles once where theirs would many times.
    make
        Gives the network with weights of any value, one row an output in each array of two axes or more.

    Raises
    ------
    Raises nothing.

    References
    ----------
    He, Zhang, Ren, Sun (2015), Eq. 10.
    """

    def fill(key):
        leaves, structure = jax.tree.flatten(make())
        matrices = [leaf for leaf in leaves if leaf.ndim > 1]
        ends = np.cumsum([leaf.size for leaf in matrices])
        draws = jnp.split(jax.random.normal(key, (ends[-1],), matrices[-1].dtype), ends[:-1])
        gains = [2.0] * (len(matrices) - 1) + [1.0]
        drawn = (
            (gain * len(leaf) / leaf.size) ** 0.5 * draw.reshape(leaf.shape)
            for gain, leaf, draw in zip(gains, matrices, draws, strict=True)
        )
        return jax.tree.unflatten(structure, [next(drawn) if leaf.ndim > 1 else leaf for leaf in leaves])

    return eqx.filter_jit(fill)(key)
