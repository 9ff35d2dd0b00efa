"""Moments in the eigenbasis of the features, where a step of a linear layer costs O(modes x features)."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import is_concrete
from solvable.tasks import Moments


class DiagonalMoments(eqx.Module):
    """Second moments of targets and features, features rotated to the eigenbasis of Sigma_zz.

    Attributes
    ----------
    target_power, sigma_yz
        E|y|^2 and E[y z^T], the latter of shape (output_dim, features).
    variances
        Eigenvalues of Sigma_zz, shape (features,).
    """

    target_power: Float[Array, ""]
    sigma_yz: Float[Array, "output_dim features"]
    variances: Float[Array, " features"]


def diagonalise(moments: Moments) -> DiagonalMoments:
    """Moments rotated to the eigenbasis of Sigma_zz, without features that are always 0.

    Parameters
    ----------
    moments
        Of targets and features; dropping empty features needs concrete arrays.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    None: linear algebra. The dynamics is the same in any orthonormal basis of the features.
    """
    sigma_yz, sigma_zz = moments.sigma_yz, moments.sigma_zz
    if is_concrete(sigma_zz):
        used = np.flatnonzero(np.diagonal(sigma_zz) > 0)
        sigma_yz, sigma_zz = sigma_yz[:, used], sigma_zz[np.ix_(used, used)]
    variances, basis = jnp.linalg.eigh(sigma_zz)
    return DiagonalMoments(moments.target_power, sigma_yz @ basis, jnp.maximum(variances, 0))
