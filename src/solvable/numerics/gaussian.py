"""Exact Gaussian averages of polynomials by cubature."""

import numpy as np
from jaxtyping import Float

from solvable.errors import OutsideDomain

_MOST_NODES = 200_000


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
