"""Starts of linear networks of any depth whose neighbouring layers differ by the same imbalance in every direction."""

from itertools import pairwise

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative, is_concrete
from solvable.networks.aligned import linear_network
from solvable.networks.deep import DeepNetwork
from solvable.networks.layer import UnitLayer


def imbalanced_start(
    key: Key[Array, ""],
    *,
    widths: tuple[int, ...],
    input_dim: int,
    output_dim: int,
    imbalance: float | Float[Array, ""] = 0.0,
    init_scale: float | Float[Array, ""] = 1.0,
) -> UnitLayer | DeepNetwork:
    r"""A linear network with random lambda-balanced weights, in no way aligned with any task.

    .. math:: W_{l+1}^\top W_{l+1} - W_l W_l^\top = \lambda I \quad (l = 1, \dots, L - 1)

    Parameters
    ----------
    key
        Randomness; the same key gives the same singular vectors at any scale and imbalance of one sign.
    widths
        Units of each hidden layer, from the input up; one width makes a two-layer network.
    input_dim, output_dim
        Entries of inputs and outputs.
    imbalance
        lambda, of either sign. Its sign must be known, as it decides which shapes there are: not traced, unless layers
        are equally wide and it is not negative.
    init_scale
        Standard deviation of the signed normal singular values of the layer that the imbalance leaves smallest, W_1
        for lambda >= 0 and W_L below; may be traced.

    Returns
    -------
    UnitLayer or DeepNetwork
        A layer of linear neurons where there are two weight matrices, else a deep network of them. In the default
        floating dtype.

    Raises
    ------
    OutsideDomain
        Shapes without such weights: lambda > 0 needs layers that never narrow from the first hidden one up to the
        output, lambda < 0 layers that never widen from the input up to the last hidden one. A size below 1, a negative
        scale.

    Notes
    -----
    Gradient flow conserves every imbalance; gradient descent does so up to its learning rate.

    References
    ----------
    domine2025, lambda-balanced weights; lambda = 0: fukumizu1998; deep and balanced: arora2018.
    """
    sizes, dtype = (input_dim, *widths, output_dim), jnp.result_type(float)
    _check_sizes(sizes)
    check_non_negative("init_scale", init_scale)
    falling = bool(is_concrete(imbalance) and imbalance < 0)
    _check_shapes(sizes, imbalance, falling)
    # Transposed and read from the output down, a network of imbalance lambda has imbalance -lambda.
    unequal = bool(not is_concrete(imbalance) or imbalance != 0)
    weights = _rising(
        key,
        sizes[::-1] if falling else sizes,
        jnp.asarray(-imbalance if falling else imbalance, dtype),
        jnp.asarray(init_scale, dtype),
        unequal,
    )
    return linear_network([w.T for w in reversed(weights)] if falling else weights)


def _rising(key: Array, sizes: tuple[int, ...], imbalance: Array, scale: Array, unequal: bool) -> list[Array]:
    """W_1, ..., W_L for lambda >= 0; ``squares`` are the squared singular values of the layer to be made."""
    # One draw for all, as compiling the generator is most of the cost.
    normal = jax.random.normal(key, (len(sizes) + 1, max(sizes), max(sizes)), scale.dtype)
    frames = [jnp.linalg.qr(draw[:size, :size])[0] for draw, size in zip(normal, sizes, strict=False)]
    rank = min(sizes[:2]) if unequal else min(sizes)
    squares = (scale * normal[-1, 0, :rank]) ** 2
    weights = []
    for below, above in pairwise(frames):
        count = squares.shape[0]
        weights.append((above[:, :count] * jnp.sqrt(squares)[None, :]) @ below[:, :count].T)
        if unequal:
            squares = jnp.pad(squares, (0, above.shape[0] - count)) + imbalance
    return weights


def _check_sizes(sizes: tuple[int, ...]) -> None:
    for name, size in zip(("input_dim", *["widths"] * (len(sizes) - 2), "output_dim"), sizes, strict=True):
        check_count(name, size)
    if len(sizes) < 3:
        raise OutsideDomain("`widths` is empty; it must hold the number of units of at least one hidden layer.")


def _check_shapes(sizes: tuple[int, ...], imbalance: Array | float, falling: bool) -> None:
    inner = sizes[:-1][::-1] if falling else sizes[1:]
    possible = all(below <= above for below, above in pairwise(inner))
    if (not is_concrete(imbalance) or imbalance != 0) and not possible:
        needs = (
            "below 0 needs layers that never widen from the input up to the last hidden one"
            if falling
            else "above 0 needs layers that never narrow from the first hidden one up to the output"
        )
        raise OutsideDomain(
            f"`imbalance` is {imbalance} for layers of {', '.join(map(str, sizes))} entries, input first; one {needs}."
        )
