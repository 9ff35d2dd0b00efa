"""The tangent kernel of infinitely many channels: an exact dynamic program over pairs of pixels."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_choice, check_count, check_positive
from solvable.numerics import Activation, activations
from solvable.theory.kernel.dual_activations import check_resolved, dual_activation, dual_diagonal
from solvable.theory.kernel.infinite_width import Number

ReadOut = Literal["pool", "flatten"]
_ENTRIES = 2**22  # of each table over pairs of pixels that are in memory at once


def convolutional_tangent_kernel(
    images: Float[Array, "num_samples rows columns channels"],
    others: Float[Array, "num_others rows columns channels"] | None = None,
    *,
    convolutions: int,
    filter_size: int = 3,
    read_out: ReadOut = "pool",
    activation: Activation = activations.relu,
    weight_variance: Number = 2.0,
    first_variance: Number = 1.0,
    nodes: int = 64,
) -> Float[Array, "num_samples num_others"]:
    r"""Tangent kernel of a convolutional network without biases, of infinitely many channels in every layer.

    .. math:: x^{(h)} = \sqrt{\frac{c}{C_h q^2}}\;\sigma\Big(\sum_\alpha W^{(h)}_\alpha * x^{(h-1)}_\alpha\Big), \qquad
       f = \sum_\alpha \langle W_\alpha, x^{(L)}_\alpha \rangle \;\; \text{or} \;\;
       \sum_\alpha W_\alpha\,\text{mean}\,x^{(L)}_\alpha

    All weights start at N(0, 1); filters of q x q pixels move by one pixel over zero padding.

    Parameters
    ----------
    images, others
        Pixels by row and column, channels last; the images themselves unless others are given.
    convolutions
        L >= 1.
    filter_size
        q, odd.
    read_out
        ``"pool"``: global average pooling before the last layer; ``"flatten"``: a weight a pixel.
    activation, nodes
        sigma, as for ``dual_activation``.
    weight_variance
        c; the paper has 1/E[sigma(z)^2], 2 for ReLU, by which signals keep their size.
    first_variance
        Of the first layer's weights as they act on a pixel, without 1/(channels q^2).

    Returns
    -------
    Array
        Of the network's one output.

    Raises
    ------
    OutsideDomain
        An even filter, images that do not fit, numbers without meaning.

    Warns
    -----
    ValidityWarning
        As ``dual_activation``.

    Notes
    -----
    Exact for infinitely many channels; one network of C channels scatters by a relative 1.2 to 1.7/sqrt(C) pooled. A
    pair of images costs L q (rows columns)^2 and memory for a few tables of (rows columns)^2; pairs run in chunks.
    With ReLU, ``first_variance`` 1/channels and pooling it is what neural-tangents gives for ``W_std = sqrt(c)`` in
    convolutions and 1 in the last layer.

    References
    ----------
    arora2019c, Sec. 4 and App. on CNTK.
    """
    check_count("convolutions", convolutions)
    check_positive("weight_variance", weight_variance)
    check_positive("first_variance", first_variance)
    check_choice("read_out", read_out, ("pool", "flatten"))
    check_count("filter_size", filter_size)
    if filter_size % 2 == 0:
        raise OutsideDomain(f"`filter_size` is {filter_size}; it must be odd, so that a filter has a centre.")
    if others is not None and others.shape[1:] != images.shape[1:]:
        raise OutsideDomain(
            f"`images` have shape {images.shape[1:]} and `others` {others.shape[1:]}; they must be alike."
        )
    weight, first = (jnp.asarray(number, images.dtype) for number in (weight_variance, first_variance))
    rows = images.shape[1] * images.shape[2]
    chunk = max(1, min(_ENTRIES // max(rows, 1) ** 2, 256))
    kernel, largest = _kernel(
        images, others, weight, first, convolutions, filter_size, read_out, activation, nodes, chunk
    )
    check_resolved(activation, nodes, largest)
    return kernel


@eqx.filter_jit
def _kernel(images, others, weight, first, convolutions, filter_size, read_out, activation, nodes, chunk):
    """The kernel, and the largest variance that any layer sees."""
    alone = others is None
    others = images if alone else others
    weight = weight / filter_size**2

    def variances(image):
        """S(x, x) at each pixel, layer by layer."""

        def ascend(own, _):
            return patch_sums(weight * dual_diagonal(activation, own, nodes=nodes).values, filter_size), own

        start = patch_sums(first * jnp.sum(image**2, axis=-1), filter_size)
        return lax.scan(ascend, start, length=convolutions)[1]

    own = jax.vmap(variances)(images)
    other = own if alone else jax.vmap(variances)(others)

    def pair(indices):
        left, right = indices
        inner = first * jnp.einsum("ija,kla->ijkl", images[left], others[right])
        return _pair_kernel(inner, own[left], other[right], weight, filter_size, read_out, activation, nodes)

    largest = jnp.maximum(jnp.max(own, initial=0), jnp.max(other, initial=0))
    if not alone:
        places = np.indices((len(images), len(others))).reshape(2, -1)
        values = lax.map(pair, tuple(jnp.asarray(place) for place in places), batch_size=chunk)
        return values.reshape(len(images), len(others)), largest
    places = tuple(jnp.asarray(place) for place in np.triu_indices(len(images)))
    values = lax.map(pair, places, batch_size=chunk)
    upper = jnp.zeros((len(images),) * 2, images.dtype).at[places].set(values)
    return jnp.triu(upper) + jnp.triu(upper, 1).T, largest


def _pair_kernel(inner, own, other, weight, filter_size, read_out, activation, nodes) -> Array:
    def units(joint, tangent, variances, other_variances):
        rows, columns = variances[:, :, None, None], other_variances[None, None]
        dual = dual_activation(activation, rows, columns, joint, nodes=nodes)
        values = weight * dual.values
        return values, weight * dual.slopes * tangent + values

    def layer(state, variances):
        (joint, tangent), (rows, columns) = state, variances
        joint, tangent = units(joint, tangent, rows, columns)
        return (patch_trace(joint, filter_size), patch_trace(tangent, filter_size)), None

    start = patch_trace(inner, filter_size)
    (joint, tangent), _ = lax.scan(layer, (start, start), (own[:-1], other[:-1]))
    _, tangent = units(joint, tangent, own[-1], other[-1])
    if read_out == "pool":
        return jnp.mean(tangent)
    return jnp.einsum("ijij->", tangent)


def patch_sums(values: Float[Array, "rows columns"], filter_size: int) -> Float[Array, "rows columns"]:
    """Sums over the window of odd size around each pixel, zeros outside. Raises nothing. References: none."""
    return _moving_sum(_moving_sum(values, filter_size, (0,)), filter_size, (1,))


def patch_trace(
    table: Float[Array, "rows columns rows columns"], filter_size: int
) -> Float[Array, "rows columns rows columns"]:
    r"""Sums over the offsets of a window, the same for both pixels: :math:`\sum_{ab} M_{i+a, j+b, i'+a, j'+b}`.

    Parameters
    ----------
    table
        M; zeros outside.
    filter_size
        Odd.

    Raises
    ------
    Raises nothing.

    References
    ----------
    arora2019c, App. on CNTK.
    """
    return _moving_sum(_moving_sum(table, filter_size, (0, 2)), filter_size, (1, 3))


def _moving_sum(values: Array, size: int, axes: tuple[int, ...]) -> Array:
    """Sums of ``size`` neighbours along axes that move together."""
    padded = jnp.pad(values, [(size // 2,) * 2 if axis in axes else (0, 0) for axis in range(values.ndim)])
    windows = [
        padded[tuple(slice(at, at + n) if axis in axes else slice(None) for axis, n in enumerate(values.shape))]
        for at in range(size)
    ]
    return sum(windows[1:], start=windows[0])
