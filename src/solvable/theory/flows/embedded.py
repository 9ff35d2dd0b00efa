"""Fixed points of narrow networks inside wider ones: how many ways down they gain, and which lie on a manifold."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.numerics import Activation
from solvable.tasks import Moments, Samples
from solvable.theory.flows.fixed_points import learnable_modes, tied_modes
from solvable.theory.flows.moments import DiagonalMoments


def linear_saddle_index(moments: Moments | DiagonalMoments, active: Bool[Array, " mode"], width: int) -> Int[Array, ""]:
    r"""Number of negative curvatures of a layer of linear units at a fixed point, in whatever way it is embedded.

    .. math:: (H - r)\,\#\{l \notin A : \lambda_l > 0\} + \#\{(k, l) : k \in A,\ l \notin A,\ \lambda_l > \lambda_k\}

    Each of the H - r directions of unit space that are not in use escapes along every mode left to learn; and a mode in
    use can be turned into a stronger one that is not.

    Parameters
    ----------
    moments
        Of targets and features.
    active
        A, the r modes in use, in descending order of eigenvalue. Eigenvalues may be equal or 0: such modes are no way
        down from each other.
    width
        H, at least r.

    Returns
    -------
    Array
        Integer scalar, of the half loss; 0 exactly at the global minima.

    Raises
    ------
    OutsideDomain
        Fewer units than modes in use.

    Notes
    -----
    Embeddings of linear units are related by changes of basis in unit space, under which the index does not change
    (Sylvester); the curvatures themselves do. With the unused units at zero the lowest is minus the escape rate.

    References
    ----------
    zhang2026, Theorem 1 (iv), Lemma 6 and Eq. 42; the count is derived here and checked against full Hessians.
    """
    check_count("width", width, at_least=0)
    used = jnp.sum(active)
    # A last mode of eigenvalue 0 stands for the units that are not in use.
    eigenvalues = jnp.append(learnable_modes(moments)[0], 0)
    stronger = (eigenvalues[None, :] > eigenvalues[:, None]) & ~tied_modes(eigenvalues)
    down = jnp.sum(stronger[:, :-1] & ~active[None, :], axis=1)
    if is_concrete(used) and int(used) > width:
        raise OutsideDomain(f"`active` uses {int(used)} modes; {width} units hold at most {width}.")
    return (width - used) * down[-1] + jnp.sum(jnp.where(active, down[:-1], 0))


def unit_curvature(
    samples: Samples,
    first: Float[Array, "width input_dim"],
    second: Float[Array, "output_dim width"],
    activation: Activation,
    unit: int,
) -> Float[Array, "input_dim input_dim"]:
    r"""Curvature of the loss in one unit's incoming weights at a frozen residual.

    .. math:: B = -E\big[(y - f(x)) \cdot v_i\;\sigma''(u_i \cdot x)\;x x^T\big]

    Parameters
    ----------
    samples
        Inputs (num_samples, input_dim) and targets.
    first, second
        u and v of the layer f(x) = sum_i v_i sigma(u_i . x).
    activation
        sigma, twice differentiable at the samples.
    unit
        i, from 0.

    Raises
    ------
    OutsideDomain
        No such unit.

    References
    ----------
    Fukumizu and Amari (2000), Theorem 3 [for one output; their loss is a sum]; zhang2026, Theorem 1 (i).
    """
    check_count("unit", unit, at_least=0)
    if unit >= first.shape[0]:
        raise OutsideDomain(f"`unit` is {unit}; the layer has units 0 to {first.shape[0] - 1}.")
    residual = samples.targets - activation(samples.inputs @ first.T) @ second.T
    bend = jax.vmap(jax.grad(jax.grad(activation)))(samples.inputs @ first[unit])
    weights = -samples.weights * (residual @ second[:, unit]) * bend
    return samples.inputs.T @ (weights[:, None] * samples.inputs)


def split_index(
    narrow_index: int | Int[Array, ""], curvature: Float[Array, "input_dim input_dim"], share: float | Float[Array, ""]
) -> Int[Array, ""]:
    r"""Number of negative curvatures after a unit of a network with one output is split in two.

    The Hessian becomes congruent to the narrow network's, a zero, and :math:`\gamma(1 - \gamma) B`.

    Parameters
    ----------
    narrow_index
        Negative curvatures of the narrow network at its fixed point.
    curvature
        B of the unit, from ``unit_curvature``.
    share
        gamma_v, the part of v that the new unit takes. Between 0 and 1 the directions of negative B lead down, outside
        those of positive B; at 0 and at 1 the split adds none.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    Fukumizu and Amari (2000), Theorem 3; zhang2026, Theorem 1 (i), Eq. 4.
    """
    share = jnp.asarray(share, curvature.dtype)
    values = jnp.linalg.eigvalsh(share * (1 - share) * curvature)
    return narrow_index + jnp.sum(values < -1e-9 * jnp.max(jnp.abs(jnp.linalg.eigvalsh(curvature))))


def embedded_distance(
    coefficients: Float[Array, " width"], shares: Float[Array, " width"], second: Float[Array, "n_v width"]
) -> Float[Array, ""]:
    r"""How far an embedded fixed point lies from the invariant manifold of its own relation u_new = gamma_u . u.

    .. math:: \big|(1 + |\gamma_u|^2)\,V\gamma_v - V\gamma_u\big| \,/\, \sqrt{1 + |\gamma_u|^2}

    It is 0 at gamma_v = gamma_u / (1 + |gamma_u|^2): one half where a unit is split.

    Parameters
    ----------
    coefficients, shares
        gamma_u and gamma_v, shape (width,); a single entry where only one unit is concerned.
    second
        Outgoing weights V of the narrow network, shape (n_v, width).

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, App. F.4, Eqs. 29 to 31.
    """
    square = 1 + jnp.sum(coefficients**2)
    return jnp.linalg.norm(square * (second @ shares) - second @ coefficients) / jnp.sqrt(square)
