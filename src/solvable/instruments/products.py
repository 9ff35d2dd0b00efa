"""Singular values of long products of matrices, which overflow or lose their digits when multiplied out."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain


def product_exponents(matrices: Float[Array, "layer size _"]) -> Float[Array, " size"]:
    r"""Mean logarithm per layer of the growth along each direction of a product :math:`W_D \cdots W_1`.

    .. math:: W_l Q_{l-1} = Q_l R_l, \qquad \mu_i = \frac1D \sum_l \ln |R_{l,ii}|

    Parameters
    ----------
    matrices
        W_1, ..., W_D, square, the first to act first.

    Returns
    -------
    Array
        Descending up to what one draw leaves to chance; the mean of all is that of ln|det W|/size exactly. exp(mu_i D)
        approaches the singular values of the product as D grows. -inf along directions that a layer removes.

    Raises
    ------
    OutsideDomain
        Matrices that are not square, or none.

    References
    ----------
    saxe2014, products of Gaussian and of orthogonal weights; Benettin et al. (1980), Lyapunov exponents by QR.
    """
    if matrices.shape[0] == 0 or matrices.shape[1] != matrices.shape[2]:
        raise OutsideDomain(f"`matrices` has shape {matrices.shape}; it must hold at least one matrix, all square.")

    def multiply(basis: Array, layer: Array) -> tuple[Array, Array]:
        basis, triangle = jnp.linalg.qr(layer @ basis)
        return basis, jnp.log(jnp.abs(jnp.diagonal(triangle)))

    return jnp.mean(jax.lax.scan(multiply, jnp.eye(matrices.shape[1], dtype=matrices.dtype), matrices)[1], axis=0)
