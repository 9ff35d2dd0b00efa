"""Starts of linear networks that fall apart into modes: task-aligned, greedy and orthogonal weights of any depth."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_positive, is_concrete
from solvable.networks.deep import DeepNetwork
from solvable.networks.layer import UnitLayer
from solvable.networks.units import Neuron
from solvable.numerics import activations


def decoupled_start(
    key: Key[Array, ""],
    *,
    left: Float[Array, "output_dim mode"],
    right: Float[Array, "input_dim mode"],
    scales: Float[Array, "layer mode"],
    widths: tuple[int, ...],
) -> UnitLayer | DeepNetwork:
    r"""A linear network whose layers pass modes of the task on, one strength a mode and layer.

    .. math:: W_l = R_{l+1}\,\mathrm{diag}(a_l)\,R_l^\top, \qquad R_1 = V, \quad R_{L+1} = U, \qquad
       W_L \cdots W_1 = U\,\mathrm{diag}\Big(\prod_l a_l\Big) V^\top

    Parameters
    ----------
    key
        Randomness of the hidden bases R_2, ..., R_L, which the map does not depend on.
    left, right
        U and V, orthonormal columns: the singular vectors of the task, one column a mode.
    scales
        a_l of every layer, from the input up, and mode; of either sign. Two layers or more.
    widths
        Units of each hidden layer, at least as many as modes.

    Returns
    -------
    UnitLayer or DeepNetwork
        A layer of linear neurons where there are two weight matrices, else a deep network of them.

    Raises
    ------
    OutsideDomain
        Columns that are not orthonormal, fewer units than modes, or a number of layers that does not fit ``widths``.

    Notes
    -----
    On white inputs, or where the input covariance is diagonal in V, gradient flow and gradient descent keep this form:
    every mode learns by itself.

    References
    ----------
    saxe2014, decoupled initial conditions; gidel2019, initialisation [Q orthogonal]; tarmoun2021, spectral
    initialisation.
    """
    if len(scales) != len(widths) + 1 or len(widths) < 1:
        raise OutsideDomain(
            f"`scales` has {len(scales)} layers and `widths` {len(widths)}; there must be at least one hidden layer "
            "and one layer of weights more than those."
        )
    for name, columns in (("left", left), ("right", right)):
        _check_orthonormal(name, columns)
    for width in widths:
        check_count("widths", width, at_least=left.shape[1])
    shapes = [(width, left.shape[1]) for width in widths]
    bases = [right, *_orthonormal(key, shapes, left.dtype), left]
    return linear_network(
        [(above * scale[None, :]) @ below.T for below, above, scale in zip(bases[:-1], bases[1:], scales, strict=True)]
    )


def greedy_start(
    key: Key[Array, ""],
    *,
    left: Float[Array, "output_dim mode"],
    right: Float[Array, "input_dim mode"],
    log_scale: float | Float[Array, ""],
    widths: tuple[int, ...],
) -> UnitLayer | DeepNetwork:
    r"""An aligned network of equally small modes, which are learned one after the other: :math:`a_l = e^{-\delta}`.

    Parameters
    ----------
    key, left, right, widths
        As for ``decoupled_start``.
    log_scale
        delta, of each layer: with two of them the map starts at exp(-2 delta). May be traced.

    Raises
    ------
    OutsideDomain
        As ``decoupled_start``.

    References
    ----------
    gidel2019, Theorem 1 [two layers; vanishing initialisation].
    """
    scales = jnp.full((len(widths) + 1, left.shape[1]), jnp.exp(-jnp.asarray(log_scale, left.dtype)))
    return decoupled_start(key, left=left, right=right, scales=scales, widths=widths)


def orthogonal_start(
    key: Key[Array, ""],
    *,
    widths: tuple[int, ...],
    input_dim: int,
    output_dim: int,
    gain: float | Float[Array, ""] = 1.0,
    dtype: jnp.dtype | type | None = None,
) -> UnitLayer | DeepNetwork:
    """A linear network of random orthogonal weights, each ``gain`` times an isometry of its smaller side.

    Parameters
    ----------
    key
        Randomness, uniform over orthogonal matrices.
    widths
        Units of each hidden layer, at least one layer.
    input_dim, output_dim
        Sizes of inputs and outputs.
    gain
        The singular values of every layer; may be traced.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        No hidden layer, a size below 1, or a gain that is not positive.

    Notes
    -----
    Where no layer is narrower than both input and output, all singular values of the map are gain^L at any depth L.

    References
    ----------
    saxe2014, random orthogonal initial conditions.
    """
    if not widths:
        raise OutsideDomain("`widths` is empty; it must hold the number of units of at least one hidden layer.")
    for name, size in (("input_dim", input_dim), ("output_dim", output_dim), *(("widths", width) for width in widths)):
        check_count(name, size)
    check_positive("gain", gain)
    dtype = jnp.result_type(float) if dtype is None else dtype
    sizes, gain = (input_dim, *widths, output_dim), jnp.asarray(gain, dtype)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    tall = _orthonormal(key, [(max(shape), min(shape)) for shape in shapes], dtype)
    weights = [basis if rows >= columns else basis.T for basis, (rows, columns) in zip(tall, shapes, strict=True)]
    return linear_network([gain * isometry for isometry in weights])


def _orthonormal(key: Array, shapes: list[tuple[int, int]], dtype: jnp.dtype | type) -> list[Array]:
    """Orthonormal columns, uniform over all of them: the signs of QR are free and are made random again."""
    # One draw for all layers: what makes random numbers takes long to compile, once for each shape.
    most = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
    draws = jax.random.normal(key, (len(shapes), *most), dtype)
    pairs = [jnp.linalg.qr(draw[:rows, :columns]) for draw, (rows, columns) in zip(draws, shapes, strict=True)]
    return [basis * jnp.sign(jnp.diagonal(triangle))[None, :] for basis, triangle in pairs]


def linear_network(weights: Sequence[Array]) -> UnitLayer | DeepNetwork:
    """The linear network of these weights, two layers or more, from the input up. Raises nothing. References: none."""
    unit = Neuron(activations.identity)
    if len(weights) == 2:
        first, second = weights
        return UnitLayer(first, second, unit)
    return DeepNetwork(tuple(weights), unit, (activations.identity,) * (len(weights) - 2))


def _check_orthonormal(name: str, columns: Array) -> None:
    if not is_concrete(columns):
        return
    vectors = np.asarray(columns)  # NumPy, so that ``jit`` does not trace the check
    gap = float(np.max(np.abs(vectors.T @ vectors - np.eye(vectors.shape[1]))))
    if not gap < 100 * vectors.shape[0] * np.finfo(vectors.dtype).eps:
        raise OutsideDomain(f"the columns of `{name}` are not orthonormal (by {gap:.2g}); give singular vectors.")
