r"""Linear joint embedding of pairs of views: the modes of f(x) = W x under a loss that asks for white embeddings.

The loss is |C - I|_F^2 with C = W Gamma W^T the cross-correlation of the embeddings of two views; no factor 1/2, and
times are those of its gradient flow.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count
from solvable.numerics import integrated_exponential
from solvable.theory.linear.modes import gram_schmidt_start


def embedding_mode(
    times: Float[Array, "..."], eigenvalue: Float[Array, "..."], start: Float[Array, "..."]
) -> Float[Array, "..."]:
    r"""Singular value s(t) of W along an eigenvector of Gamma: it grows until gamma s^2 = 1.

    .. math:: \dot s = 4 \gamma s\,(1 - \gamma s^2), \qquad
       s(t) = \frac{s_0\,e^{4 \gamma t}}{\sqrt{1 + \gamma s_0^2\,(e^{8 \gamma t} - 1)}}

    Parameters
    ----------
    times
        t >= 0, in units of 1/learning rate.
    eigenvalue
        gamma of Gamma, of either sign or 0: a mode that views do not share stays, one they share with opposite signs
        shrinks to 0.
    start
        s_0, of either sign. The three broadcast against each other.

    Returns
    -------
    Array
        C has the eigenvalue gamma s^2, and the loss is the sum of (1 - gamma s^2)^2 over all d embedding directions.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Exact where W starts with its right singular vectors along eigenvectors of Gamma; see ``embedding_start`` for small
    random weights. Never overflows.

    References
    ----------
    simon2023b, exact solution for aligned initialisation [their loss without lambda, that is with lambda = 1].
    """
    decayed = jnp.exp(-8 * jnp.maximum(eigenvalue, 0) * times)
    shrunk = jnp.exp(8 * jnp.minimum(eigenvalue, 0) * times)
    span = integrated_exponential(-8 * jnp.abs(eigenvalue), times)
    return start * jnp.sqrt(shrunk / (decayed + 8 * (eigenvalue * start) ** 2 * span))


def embedding_step_time(eigenvalue: Float[Array, "..."], start: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""Time at which a mode is learned: the loss then drops by 1.

    .. math:: \tau = -\frac{\ln(\gamma s_0^2)}{8 \gamma}

    Parameters
    ----------
    eigenvalue, start
        gamma and s_0, as for ``embedding_mode``.

    Returns
    -------
    Array
        Infinite for gamma <= 0 and for s_0 = 0, which are never learned.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    The leading order, for small weights, of the time of gamma s^2 = 1/2, which is ln(1 - gamma s_0^2)/(8 gamma) later.

    References
    ----------
    simon2023b, critical times of the steps.
    """
    learned = (eigenvalue > 0) & (start != 0)
    gamma, size = jnp.where(learned, eigenvalue, 1), jnp.where(learned, jnp.abs(start), 1)
    return jnp.where(learned, -(jnp.log(gamma) + 2 * jnp.log(size)) / (8 * gamma), jnp.inf)


def embedding_start(
    weights: Float[Array, "embedding_dim input_dim"], directions: Float[Array, "input_dim mode"]
) -> Float[Array, " mode"]:
    """Singular values s_j(0) of the aligned weights that learn as small random ones do: |R_jj| of W V = O R.

    Parameters
    ----------
    weights
        W at the start.
    directions
        Eigenvectors v_j of Gamma as columns, in order of decreasing eigenvalue; at most embedding_dim count, the others
        have 0.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Exact as the weights go to zero. Each mode keeps only what it does not share with the faster ones.

    References
    ----------
    simon2023b, small random initialisation.
    """
    return jnp.sqrt(gram_schmidt_start(weights, weights.T, directions, directions))


def converged_embedding(
    correlation: Float[Array, "input_dim input_dim"], weights: Float[Array, "embedding_dim input_dim"]
) -> Float[Array, "embedding_dim input_dim"]:
    r"""Where W ends from small weights: the leading eigenvectors of Gamma, and what is left of the start along others.

    .. math:: W_\infty = \sum_{j \le d} o_j \Big[\frac{v_j}{\sqrt{\gamma_j}} + \sum_{k > d} (o_j^\top W_0 v_k)\,
       \big(\sqrt{\gamma_j}\,s_j(0)\big)^{-\gamma_k/\gamma_j}\,v_k\Big]^\top

    with o_j the orthonormal directions in which the modes start, from W_0 V = O R with a positive diagonal.

    Parameters
    ----------
    correlation
        Gamma, symmetric, of any signs.
    weights
        W_0, small; of at most input_dim embedding directions.

    Returns
    -------
    Array
        Only the gamma_j > 0 are learned: with fewer of them than d, the loss ends at d minus their number.

    Raises
    ------
    OutsideDomain
        More embedding directions than inputs.

    Notes
    -----
    Every W with W Gamma W^T = I is a minimum, which is why the start matters: the leading one is met up to a share of
    order sigma^(1 - gamma_{d+1}/gamma_d), the sum over k. What is neglected is of the order of its square in W^T W, and
    of order sigma where modes are not learned. Needs distinct gamma_1, ..., gamma_d.

    References
    ----------
    simon2023b, end of training [the leading term]; the rest is derived here and checked against training.
    """
    dim, inputs = weights.shape
    if dim > inputs:
        raise OutsideDomain(f"`weights` has {dim} rows and {inputs} columns; it must have at most as many rows.")
    values, vectors = descending_eigenvectors(correlation)
    directions, triangle = jnp.linalg.qr(weights @ vectors[:, :dim])
    signs = jnp.where(jnp.diagonal(triangle) < 0, -1, 1).astype(weights.dtype)
    directions, start = directions * signs[None, :], jnp.abs(jnp.diagonal(triangle))
    learned = (values[:dim] > 0) & (start > 0)
    gamma, size = jnp.where(learned, values[:dim], 1), jnp.where(learned, start, 1)
    growth = jnp.exp(-values[None, dim:] / gamma[:, None] * jnp.log(jnp.sqrt(gamma) * size)[:, None])
    rest = (directions.T @ weights @ vectors[:, dim:]) * growth
    rows = vectors[:, :dim].T / jnp.sqrt(gamma)[:, None] + rest @ vectors[:, dim:].T
    return directions @ jnp.where(learned[:, None], rows, 0)


def kernel_cross_correlation(kernel: Float[Array, "views views"]) -> Float[Array, "views views"]:
    r"""The symmetric matrix K_Gamma whose nonzero eigenvalues are those of Gamma in the features of a kernel.

    .. math:: K_\Gamma = \frac{1}{2n}\,\tilde K^{1/2} S \tilde K^{1/2}, \qquad
       S = \begin{pmatrix} 0 & I_n \\ I_n & 0 \end{pmatrix}

    Parameters
    ----------
    kernel
        K between all 2n views, the n first views before their n partners; positive semi-definite.

    Raises
    ------
    OutsideDomain
        An odd number of views.

    References
    ----------
    simon2023b, kernelised solution.
    """
    count = _num_pairs(kernel)
    root, _ = _kernel_roots(kernel)
    return root @ jnp.concatenate([root[count:], root[:count]]) / (2 * count)


def kernel_embedding(
    kernel: Float[Array, "views views"], cross_kernel: Float[Array, "points views"], embedding_dim: int
) -> Float[Array, "points embedding_dim"]:
    r"""Embeddings at the end of training from vanishing weights, in the features of a kernel.

    .. math:: f(x) = \mathrm{diag}(\gamma_j^{-1/2})\,B_d^\top\,\tilde K^{-1/2}\,k_x

    with B_d the d leading eigenvectors of ``kernel_cross_correlation``.

    Parameters
    ----------
    kernel
        As for ``kernel_cross_correlation``; where it is singular its pseudo-inverse is meant.
    cross_kernel
        k_x, the kernel between the points to embed and the views.
    embedding_dim
        d, at most the number of views.

    Returns
    -------
    Array
        f(x) as rows, up to a rotation that the start decides; 0 along modes of gamma <= 0, which are not learned.

    Raises
    ------
    OutsideDomain
        An odd number of views, or more embedding directions than views.

    References
    ----------
    simon2023b, kernelised solution at the end of training.
    """
    check_count("embedding_dim", embedding_dim)
    if embedding_dim > kernel.shape[0]:
        raise OutsideDomain(f"`embedding_dim` is {embedding_dim}; {kernel.shape[0]} views have at most so many modes.")
    values, vectors = descending_eigenvectors(kernel_cross_correlation(kernel))
    gamma, leading = values[:embedding_dim], vectors[:, :embedding_dim]
    learned = gamma > gamma.size * jnp.finfo(gamma.dtype).eps * jnp.max(jnp.abs(values))
    scale = jnp.where(learned, 1 / jnp.sqrt(jnp.where(learned, gamma, 1)), 0)
    return cross_kernel @ _kernel_roots(kernel)[1] @ leading * scale[None, :]


def descending_eigenvectors(matrix: Float[Array, "n n"]) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    """Eigenvalues of a symmetric matrix in descending order, and eigenvectors as columns.

    Raises nothing. References: none.
    """
    values, vectors = jnp.linalg.eigh(matrix)
    return values[::-1], vectors[:, ::-1]


def _num_pairs(kernel: Array) -> int:
    if kernel.shape[0] % 2:
        raise OutsideDomain(
            f"`kernel` is between {kernel.shape[0]} views; views come in pairs, so their number is even."
        )
    return kernel.shape[0] // 2


def _kernel_roots(kernel: Array) -> tuple[Array, Array]:
    """K^(1/2) and K^(-1/2), the latter 0 where K is."""
    values, vectors = jnp.linalg.eigh(kernel)
    zero = kernel.shape[0] * jnp.finfo(kernel.dtype).eps * jnp.max(jnp.abs(values))
    roots = jnp.sqrt(jnp.maximum(values, 0))
    inverse = jnp.where(values > zero, 1 / jnp.where(values > zero, roots, 1), 0)
    return (vectors * roots[None, :]) @ vectors.T, (vectors * inverse[None, :]) @ vectors.T
