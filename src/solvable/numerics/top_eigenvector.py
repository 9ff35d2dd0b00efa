"""The top eigenvector of a matrix that changes little by little."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.numerics.lanczos import tridiagonalise

# Four products: from a random start the eigenvalue is then good to 1e-5 where four rounds of power iteration leave 2%.
_STEPS = 4


def follow_top_eigenvector(
    multiply: Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]], start: Float[Array, "*shape"]
) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
    """The eigenvector of the largest eigenvalue, and the eigenvalue, by four Lanczos steps from a vector near it.

    Parameters
    ----------
    multiply
        Product with a symmetric matrix, on arrays of any shape.
    start
        The eigenvector of the matrix as it was a little earlier, or a random one; any norm.

    Returns
    -------
    tuple of Array
        The vector, of norm 1 and of the shape of ``start``, and its Rayleigh quotient, which no rounding lifts above
        the eigenvalue by more than its own size.

    Raises
    ------
    OutsideDomain
        Raises nothing of its own.

    References
    ----------
    Golub, Van Loan (2013), Matrix Computations, Sec. 10.1.
    """
    found = tridiagonalise(
        lambda flat: multiply(flat.reshape(start.shape)).ravel(), start.ravel(), min(_STEPS, start.size)
    )
    links = jnp.diag(found.off_diagonal[:-1], 1)
    values, vectors = jnp.linalg.eigh(jnp.diag(found.diagonal) + links + links.T)
    return (vectors[:, -1] @ found.basis).reshape(start.shape), values[-1]
