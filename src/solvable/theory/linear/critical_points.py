"""The landscape of a two-layer linear network: every point of rest, its loss, and the ways down and along."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from solvable.errors import OutsideDomain, check_count
from solvable.tasks import Moments
from solvable.theory.flows import learnable_modes, linear_saddle_index, tied_modes


class CriticalPoint(eqx.Module):
    """Weights at which a two-layer linear network rests, and the curvature of the half loss there.

    Attributes
    ----------
    first, second
        W_1 of shape (width, input_dim) and W_2 of shape (output_dim, width).
    loss
        Half mean squared error.
    index
        Negative eigenvalues of the Hessian: 0 exactly at the global minima, as there are no others.
    flat
        Its zero eigenvalues.
    """

    first: Float[Array, "width input_dim"]
    second: Float[Array, "output_dim width"]
    loss: Float[Array, ""]
    index: Int[Array, ""]
    flat: Int[Array, ""]


def critical_point(
    moments: Moments, active: Bool[Array, " mode"], width: int, *, basis: Float[Array, "width width"] | None = None
) -> CriticalPoint:
    r"""The critical point that has learned a set of principal components, any set of them.

    .. math:: W_2 = [\,u_I, 0\,]\,C, \quad W_1 = C^{-1} [\,u_I, 0\,]^\top \Sigma_{yx} \Sigma_{xx}^+, \qquad
       W_2 W_1 = P_I\,\Sigma_{yx} \Sigma_{xx}^+, \quad L = \tfrac12 \Big(E|y|^2 - \sum_{i \in I} \lambda_i\Big)

    with lambda_i, u_i the eigenvalues and eigenvectors of Sigma_yx Sigma_xx^+ Sigma_xy, descending.

    Parameters
    ----------
    moments
        Of targets y and inputs x. Sigma_xx may be singular, eigenvalues may be equal or 0, and outputs may be more or
        fewer than inputs. For an autoencoder y = x, the u_i are the principal components.
    active
        I, as a mask over the min(output_dim, input_dim) modes in descending order.
    width
        p, hidden units, at least as many as I has modes; those left over are at zero.
    basis
        C, any invertible matrix: the symmetry of the hidden layer. The identity if left out.

    Returns
    -------
    CriticalPoint
        ``index`` and ``flat`` are the same for every C.

    Raises
    ------
    OutsideDomain
        Fewer units than modes in I, or a mask of another size than the modes.

    Notes
    -----
    Every critical point of rank p has this form; those of lower rank may have units in which one layer is not zero. All
    but the sets of the p largest eigenvalues are saddles. Training from small weights passes the sets {1, ..., k}:
    ``flows.greedy_fixed_points`` lists their losses.

    References
    ----------
    baldi1989, Facts 1 to 4 [their E = sum over samples, no 1/2: P times ours times 2; A, B are W_2, W_1]. The counts of
    curvatures are derived here and checked against full Hessians.
    """
    check_count("width", width)
    eigenvalues, directions = learnable_modes(moments)
    if active.shape != eigenvalues.shape:
        raise OutsideDomain(
            f"`active` has shape {active.shape}; it must hold one entry for each of the {eigenvalues.size} modes."
        )
    index = linear_saddle_index(moments, active, width)
    # One unit a mode in use, then a row of zeros for every unit left over.
    slots = jnp.flatnonzero(active, size=width, fill_value=active.size)
    rows = jnp.concatenate([directions, jnp.zeros_like(directions[:1])])[slots]
    first = rows @ moments.sigma_yz @ jnp.linalg.pinv(moments.sigma_zz, hermitian=True)
    second = rows.T
    if basis is not None:
        first, second = jnp.linalg.solve(basis, first), second @ basis
    learned = jnp.sum(jnp.where(active, eigenvalues, 0))
    loss = jnp.maximum(moments.target_power - learned, 0) / 2
    return CriticalPoint(first, second, loss, index, flat_directions(moments, active, width))


def flat_directions(moments: Moments, active: Bool[Array, " mode"], width: int) -> Int[Array, ""]:
    r"""Number of zero curvatures at a critical point, in whatever basis of the hidden layer.

    .. math:: r^2 + \#\{(i, j) : i \in I,\ j \notin I,\ \lambda_j = \lambda_i\} + (p - r)(n_y + \rho - 2q)
       + p\,(n_x - \rho)

    with r modes in use, q more that could be learned, and inputs of rank rho: bases of the units in use; turns into
    equal modes, the n_y - min(n_y, rho) outputs that nothing predicts counting as modes of eigenvalue 0; what a unit at
    zero may do at no gain; and inputs that never occur.

    Parameters
    ----------
    moments, active, width
        As for ``critical_point``.

    Raises
    ------
    OutsideDomain
        As ``critical_point``.

    References
    ----------
    Derived here; p^2 at r = p, as the symmetry of the hidden layer has it, where eigenvalues are distinct.
    """
    outputs, inputs = moments.sigma_yz.shape
    eigenvalues, _ = learnable_modes(moments)
    spectrum = jnp.linalg.eigvalsh(moments.sigma_zz)
    rank = jnp.sum(spectrum > inputs * jnp.finfo(spectrum.dtype).eps * jnp.max(spectrum))
    # Outputs that nothing predicts, and a last one to tell what is 0.
    tied = tied_modes(jnp.pad(eigenvalues, (0, outputs - eigenvalues.size + 1)))
    used = jnp.pad(active, (0, outputs - active.size))
    count, to_learn = jnp.sum(used), jnp.sum(~used & ~tied[:-1, -1])
    ties = jnp.sum(used[:, None] & ~used[None, :] & tied[:-1, :-1])
    unused = (width - count) * (outputs + rank - 2 * to_learn)
    return count**2 + ties + unused + width * (inputs - rank)
