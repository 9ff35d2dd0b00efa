"""Exact Gaussian averages of polynomials by cubature."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete

_MOST_NODES = 200_000


def check_covariance(covariance: Array | np.ndarray) -> None:
    """Raise OutsideDomain unless symmetric and positive semi-definite up to rounding; tracers pass unchecked."""
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise OutsideDomain(f"`covariance` has shape {covariance.shape}; it must be (input_dim, input_dim).")
    if not is_concrete(covariance):
        return
    matrix = np.asarray(covariance)
    eigenvalues = np.linalg.eigvalsh(matrix)
    rounding = 10 * len(matrix) * np.finfo(matrix.dtype).eps * abs(eigenvalues[-1])
    if not np.allclose(matrix, matrix.T) or eigenvalues[0] < -rounding:
        raise OutsideDomain(
            f"`covariance` has smallest eigenvalue {eigenvalues[0]:.3g}; "
            "it must be symmetric and positive semi-definite."
        )


def gaussian_root(covariance: Float[Array, "dim dim"]) -> Float[Array, "dim dim"]:
    """R with R R^T = covariance, which may be singular. Raises nothing. References: none, linear algebra."""
    eigenvalues, vectors = jnp.linalg.eigh(covariance)
    return vectors * jnp.sqrt(jnp.maximum(eigenvalues, 0))[None, :]


def gaussian_cubature(
    covariance: Float[np.ndarray, "dim dim"], degree: int
) -> tuple[Float[np.ndarray, "nodes dim"], Float[np.ndarray, " nodes"]]:
    """Points and weights whose weighted sum is the exact mean of any polynomial under N(0, covariance).

    Parameters
    ----------
    covariance
        Positive semi-definite.
    degree
        Highest total degree that must be exact.

    Returns
    -------
    tuple
        Nodes, shape (n^dim, dim) with n = degree // 2 + 1 a direction, and weights that sum to 1.

    Raises
    ------
    OutsideDomain
        More than 200,000 nodes would be needed.

    References
    ----------
    Gauss-Hermite quadrature, probabilists' weight; a product rule after whitening.
    """
    dim, per_direction = covariance.shape[0], degree // 2 + 1
    if per_direction**dim > _MOST_NODES:
        raise OutsideDomain(
            f"exact averages of degree {degree} in {dim} dimensions need {per_direction}^{dim} nodes, "
            f"more than {_MOST_NODES}; use samples of the task instead."
        )
    nodes, weights = np.polynomial.hermite_e.hermegauss(per_direction)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*[nodes] * dim, indexing="ij")], axis=1)
    product = np.prod(np.meshgrid(*[weights / weights.sum()] * dim, indexing="ij"), axis=0).ravel()
    eigenvalues, vectors = np.linalg.eigh(covariance)
    return grid @ (vectors * np.sqrt(np.clip(eigenvalues, 0.0, None))).T, product
