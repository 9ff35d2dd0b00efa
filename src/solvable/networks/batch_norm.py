"""Batch normalisation: by the statistics of the batch while a network trains, by kept ones when it is measured."""

from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain

BATCH = "batch"  # the name of the axis over which training maps a network

Normalised = TypeVar("Normalised")


class BatchNorm(eqx.Module):
    r"""Channels of mean 0 and variance 1, scaled and shifted.

    .. math:: y_c = s_c\,\frac{x_c - m_c}{\sqrt{v_c + 10^{-5}}} + b_c

    Attributes
    ----------
    scale, shift
        s and b, the weights.
    statistics
        m and v, kept from ``freeze_statistics``: no gradient reaches them, one image is enough and outputs are those of
        a fixed network. None for those of the batch itself, over which the network must then be mapped as
        ``jax.vmap(network, axis_name="batch")``, which is what training of classifiers does.

    Raises
    ------
    OutsideDomain
        When called: no statistics and no batch.

    References
    ----------
    Ioffe, Szegedy (2015), Algorithms 1 and 2 [statistics of all images given, in place of their running average].
    """

    scale: Float[Array, " channels"]
    shift: Float[Array, " channels"]
    statistics: tuple[Float[Array, " channels"], Float[Array, " channels"]] | None = None

    def __call__(self, image: Float[Array, "channels rows columns"]) -> Float[Array, "channels rows columns"]:
        mean, variance = self.measure(image) if self.statistics is None else lax.stop_gradient(self.statistics)
        factor = self.scale * lax.rsqrt(variance + 1e-5)
        return image * factor[:, None, None] + (self.shift - mean * factor)[:, None, None]

    def measure(
        self, image: Float[Array, "channels rows columns"]
    ) -> tuple[Float[Array, " channels"], Float[Array, " channels"]]:
        """Means and variances of the channels over the batch that this image is one of."""
        try:
            mean = lax.pmean(jnp.mean(image, axis=(1, 2)), BATCH)
        except NameError:
            raise OutsideDomain(
                "this network normalises by the statistics of a batch, and there is none; keep those of some images "
                "with `freeze_statistics(network, images)`, or map it by `jax.vmap(network, axis_name='batch')`."
            ) from None
        return mean, lax.pmean(jnp.mean((image - mean[:, None, None]) ** 2, axis=(1, 2)), BATCH)


def blank_norm(channels: int, dtype: Any) -> BatchNorm:
    """Scale 1, shift 0, statistics of the batch. Raises nothing. References: none."""
    return BatchNorm(jnp.ones(channels, dtype), jnp.zeros(channels, dtype))


def freeze_statistics(network: Normalised, images: Float[Array, "num_images channels rows columns"]) -> Normalised:
    """The network with the statistics of some images kept in each of its normalisations: a fixed function of one image.

    Parameters
    ----------
    network
        With ``BatchNorm`` layers, frozen before or not.
    images
        All of the training data, or a sample large enough to stand for it.

    Raises
    ------
    OutsideDomain
        A network without normalisations.

    References
    ----------
    As ``BatchNorm``.
    """
    loose = eqx.tree_at(_statistics_of, network, replace_fn=lambda _: None, is_leaf=lambda node: node is None)
    count = len(_norms_of(network))
    if count == 0:
        raise OutsideDomain(f"`network` is a {type(network).__name__} without batch normalisations; leave it as it is.")

    def run(image):
        seen = {}
        recorders = [_Recorder(norm, place, seen) for place, norm in enumerate(_norms_of(loose))]
        eqx.tree_at(_norms_of, loose, recorders)(image)
        return [seen[place] for place in range(count)]

    found = eqx.filter_jit(jax.vmap(run, out_axes=None, axis_name=BATCH))(images)
    return eqx.tree_at(_statistics_of, loose, found, is_leaf=lambda node: node is None)


class _Recorder(eqx.Module):
    norm: BatchNorm
    place: int = eqx.field(static=True)
    seen: dict = eqx.field(static=True)

    def __call__(self, image: Array) -> Array:
        self.seen[self.place] = self.norm.measure(image)
        return self.norm(image)


def _norms_of(network: Any) -> list[BatchNorm]:
    nodes = jax.tree.leaves(network, is_leaf=lambda node: isinstance(node, BatchNorm))
    return [node for node in nodes if isinstance(node, BatchNorm)]


def _statistics_of(network: Any) -> list[Any]:
    return [norm.statistics for norm in _norms_of(network)]
