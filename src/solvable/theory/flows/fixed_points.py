"""Every fixed point of a layer of linear units: what is learned there, at what loss, and how fast it is left."""

from itertools import product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from solvable.errors import OutsideDomain
from solvable.tasks import Moments
from solvable.theory.flows.moments import DiagonalMoments, diagonalise


class FixedPoints(eqx.Module):
    """All maps at which a linear layer of enough units can rest.

    Attributes
    ----------
    eigenvalues
        lambda_k of Sigma_yz Sigma_zz^+ Sigma_yz^T, descending, shape (mode,).
    directions
        Their eigenvectors e_k as rows, shape (mode, output_dim).
    active
        Which modes each fixed point has learned, shape (point, mode).
    loss
        Half mean squared error there, shape (point,).
    escape_rate
        Rate at which small units grow there, shape (point,): the largest singular value of the residual correlation.
    """

    eigenvalues: Float[Array, " mode"]
    directions: Float[Array, "mode output_dim"]
    active: Bool[Array, "point mode"]
    loss: Float[Array, " point"]
    escape_rate: Float[Array, " point"]


def greedy_fixed_points(moments: Moments | DiagonalMoments) -> FixedPoints:
    r"""The fixed points that learn modes in order of eigenvalue: the plateaus from small initialisation.

    .. math:: L_r = \tfrac12\Big(E|y|^2 - \sum_{k\le r}\lambda_k\Big), \qquad r = 0, \dots, \min(N_v, N_u)

    Parameters
    ----------
    moments
        Of targets and features.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    Notes
    -----
    On the manifold of effective width r the only stable point is the one with the r largest eigenvalues, so this
    is the order in which a network from small weights visits them, when it lingers long enough at each. Sigma_zz
    may be singular: its pseudo-inverse is meant (eigenvalues below size x machine precision count as 0).

    References
    ----------
    zhang2026, Lemma 6 and Eq. 42 [their loss has no 1/2]; baldi1989.
    """
    count = min(moments.sigma_yz.shape)
    return _fixed_points(moments, np.tril(np.ones((count + 1, count), bool), -1))


def all_fixed_points(moments: Moments | DiagonalMoments) -> FixedPoints:
    """All 2^modes fixed points of ``greedy_fixed_points``'s setting, in no particular order of loss.

    Parameters
    ----------
    moments
        Of targets and features; at most 12 modes.

    Raises
    ------
    OutsideDomain
        More than 12 modes.

    References
    ----------
    zhang2026, Lemma 6 and Remark 2 [their loss has no 1/2]; baldi1989.
    """
    count = min(moments.sigma_yz.shape)
    if count > 12:
        raise OutsideDomain(f"`moments` has {count} modes; 2^{count} fixed points are too many to list: at most 12.")
    return _fixed_points(moments, np.array(list(product([False, True], repeat=count))))


def residual_correlation(
    moments: Moments | DiagonalMoments, active: Bool[Array, " mode"]
) -> Float[Array, "output_dim features"]:
    """What is left of Sigma_yz at a fixed point: its singular values are the next growth rates.

    Parameters
    ----------
    moments
        Of targets and features.
    active
        Modes already learned, in descending order of eigenvalue.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, Eq. 42.
    """
    return _residual(moments, learnable_modes(moments)[1], active)


def learnable_modes(
    moments: Moments | DiagonalMoments,
) -> tuple[Float[Array, " mode"], Float[Array, "mode output_dim"]]:
    """Eigenvalues lambda_k, descending, and eigenvectors e_k (rows) of Sigma_yz Sigma_zz^+ Sigma_yz^T.

    Parameters
    ----------
    moments
        Of targets and features; there are min(output_dim, features) modes.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, Lemma 6; baldi1989.
    """
    diagonal = moments if isinstance(moments, DiagonalMoments) else diagonalise(moments)
    sigma_yz, variances = diagonal.sigma_yz, diagonal.variances
    cutoff = variances.size * jnp.finfo(variances.dtype).eps * jnp.max(variances)
    inverse = jnp.where(variances > cutoff, 1 / jnp.maximum(variances, cutoff), 0)
    eigenvalues, vectors = jnp.linalg.eigh((sigma_yz * inverse[None, :]) @ sigma_yz.T)
    count = min(moments.sigma_yz.shape)
    return jnp.maximum(eigenvalues[::-1][:count], 0), vectors.T[::-1][:count]


def tied_modes(eigenvalues: Float[Array, " mode"]) -> Bool[Array, "mode mode"]:
    """Which modes have equal eigenvalues, up to rounding: within machine precision^(2/3) of the largest.

    Parameters
    ----------
    eigenvalues
        lambda_k, not negative.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    None: a convention.
    """
    rounding = jnp.finfo(eigenvalues.dtype).eps ** (2 / 3) * jnp.max(eigenvalues)
    return jnp.abs(eigenvalues[:, None] - eigenvalues[None, :]) <= rounding


def _residual(moments: Moments | DiagonalMoments, directions: Array, active: Array) -> Array:
    learned = directions * active[:, None].astype(directions.dtype)
    return moments.sigma_yz - learned.T @ (learned @ moments.sigma_yz)


def _fixed_points(moments: Moments | DiagonalMoments, active: np.ndarray) -> FixedPoints:
    eigenvalues, directions = learnable_modes(moments)
    learned = jnp.where(active, eigenvalues[None, :], 0)
    residuals = jax.vmap(lambda row: _residual(moments, directions, row))(jnp.asarray(active))
    return FixedPoints(
        eigenvalues,
        directions,
        jnp.asarray(active),
        jnp.maximum(moments.target_power - jnp.sum(learned, axis=1), 0) / 2,
        # The top singular value by the small Gram matrix: features may be many, outputs are few.
        jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(residuals @ residuals.mT)[:, -1], 0)),
    )
