"""The tangent kernel of linear networks in input coordinates, along training and at its end."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_count
from solvable.theory.linear.riccati import TwoLayerPath


def linear_tangent_kernel(
    weights: Sequence[Float[Array, "_ _"]],
) -> Float[Array, "input_dim input_dim output_dim output_dim"]:
    r"""Tangent kernel of y = W_L ... W_1 x: one Kronecker product a layer.

    .. math:: K_{ijab} = \sum_l (A_l A_l^\top)_{ab}\,(B_l^\top B_l)_{ij}, \qquad
       A_l = W_L \cdots W_{l+1}, \quad B_l = W_{l-1} \cdots W_1

    Parameters
    ----------
    weights
        W_1, ..., W_L; one is linear regression.

    Returns
    -------
    Array
        Both input coordinates, then both outputs. Between inputs x and x' it is sum_ij x_i K_ij x'_j.

    Raises
    ------
    Raises nothing.

    References
    ----------
    domine2025, kernel of two layers [their matrix has rows (a, i) and columns (b, j)]; atanasov2021, M of L layers.
    """
    below = [jnp.eye(weights[0].shape[1], dtype=weights[0].dtype)]
    for layer in weights[:-1]:
        below.append(layer @ below[-1])
    above = [jnp.eye(weights[-1].shape[0], dtype=weights[0].dtype)]
    for layer in weights[:0:-1]:
        above.append(above[-1] @ layer)
    products = [_product(b.T @ b, a @ a.T) for b, a in zip(below, above[::-1], strict=True)]
    return jnp.sum(jnp.stack(products), axis=0)


def two_layer_tangent_kernel(path: TwoLayerPath) -> Float[Array, "record input_dim input_dim output_dim output_dim"]:
    r"""Tangent kernel of a two-layer linear network along its exact flow.

    .. math:: K = W_1^\top W_1 \otimes I + I \otimes W_2 W_2^\top

    Parameters
    ----------
    path
        From ``two_layer_path``.

    Returns
    -------
    Array
        As from ``linear_tangent_kernel``, records first.

    Raises
    ------
    Raises nothing.

    References
    ----------
    domine2025, kernel of two layers.
    """
    inputs, outputs = (jnp.eye(gram.shape[-1], dtype=gram.dtype) for gram in (path.first_gram, path.second_gram))
    return _product(path.first_gram, outputs[None]) + _product(inputs[None], path.second_gram)


def converged_kernel(
    correlation: Float[Array, "output_dim input_dim"], depth: int
) -> Float[Array, "input_dim input_dim output_dim output_dim"]:
    r"""Tangent kernel at the end of training from vanishing weights, on white inputs.

    .. math:: K = \sum_{l=1}^{L} (S^\top S)^{(l-1)/L} \otimes (S S^\top)^{(L-l)/L}, \qquad
       K = s^{2(L-1)/L}\,\big[I + (L-1)\,\beta\beta^\top\big] \text{ for one output}, \; S = s \beta^\top

    Parameters
    ----------
    correlation
        S = Sigma_yx, of any rank, with E[x x^T] = I.
    depth
        L, weight layers; 1 is linear regression, whose kernel is constant.

    Returns
    -------
    Array
        As from ``linear_tangent_kernel``. The power 0 is the identity, in all directions.

    Raises
    ------
    OutsideDomain
        A depth below 1.

    Notes
    -----
    For hidden layers at least as wide as the rank of S. From weights of scale sigma two layers end within order sigma^2
    in shape, and within sigma in norm; deeper ones converge slowly: 7e-3 off at sigma = 0.03, 8e-2 at 0.1 (L = 3).

    References
    ----------
    atanasov2021, final kernel [one output, M_infinity].
    """
    check_count("depth", depth)
    left, values, right = jnp.linalg.svd(correlation, full_matrices=False)
    shares = [(jnp.eye(correlation.shape[1], dtype=correlation.dtype), _power(left, values, 2 * (depth - 1) / depth))]
    shares += [
        (_power(right.T, values, 2 * (layer - 1) / depth), _power(left, values, 2 * (depth - layer) / depth))
        for layer in range(2, depth + 1)
    ]
    return jnp.sum(jnp.stack([_product(inputs, outputs) for inputs, outputs in shares]), axis=0)


def converged_alignment(depth: int, input_dim: int) -> float:
    r"""Alignment of the final kernel of one output with its target: L / sqrt(L^2 + D - 1).

    Parameters
    ----------
    depth, input_dim
        L weight layers, D input dimensions.

    Raises
    ------
    OutsideDomain
        A count below 1.

    Notes
    -----
    2 / sqrt(D + 3) for two layers: the kernel of a linear network never points along its target alone.

    References
    ----------
    atanasov2021, final alignment.
    """
    check_count("depth", depth)
    check_count("input_dim", input_dim)
    return depth / (depth**2 + input_dim - 1) ** 0.5


def _product(inputs: Array, outputs: Array) -> Array:
    return inputs[..., :, :, None, None] * outputs[..., None, None, :, :]


def _power(basis: Array, values: Array, power: float) -> Array:
    """(S S^T)^(power / 2) from singular vectors and values of S; the identity at power 0."""
    if power == 0:
        return jnp.eye(basis.shape[0], dtype=basis.dtype)
    return (basis * values[None, :] ** power) @ basis.T
