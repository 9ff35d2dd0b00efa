"""What imbalance between two linear layers decides: where each of them ends, and whether learning is lazy."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.theory.linear.modes import imbalanced_rate


def converged_layers(
    target: Float[Array, "..."], imbalance: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    r"""Singular values of W_1 and of W_2 once a mode is learned from lambda-balanced weights.

    .. math:: \sigma(W_1)^2 = \tfrac12\big(\sqrt{\lambda^2 + 4 s^2} - \lambda\big), \qquad
       \sigma(W_2)^2 = \tfrac12\big(\sqrt{\lambda^2 + 4 s^2} + \lambda\big)

    Parameters
    ----------
    target
        s >= 0, singular values of the whitened correlation: the largest ones, as many as units, with 0 for every unit
        beyond its rank.
    imbalance
        lambda of W_2^T W_2 - W_1 W_1^T = lambda I, of either sign. The two broadcast against each other.

    Returns
    -------
    tuple
        Of W_1 and of W_2; their singular vectors are those of the task, and their product is s.

    Raises
    ------
    Raises nothing.

    References
    ----------
    domine2025, converged weights.
    """
    larger = (imbalanced_rate(imbalance, target) + jnp.abs(imbalance)) / 2
    smaller = jnp.where(larger > 0, target**2 / jnp.where(larger > 0, larger, 1), 0)
    first_leads = imbalance < 0
    return jnp.sqrt(jnp.where(first_leads, larger, smaller)), jnp.sqrt(jnp.where(first_leads, smaller, larger))


def lazy_map(
    correlation: Float[Array, "output_dim input_dim"],
    first: Float[Array, "width input_dim"],
    second: Float[Array, "output_dim width"],
    times: Float[Array, " record"],
) -> Float[Array, "record output_dim input_dim"]:
    r"""W_2 W_1 along a flow whose tangent kernel stays where it starts: the lazy limit.

    .. math:: M(t) = S + e^{-W_2 W_2^\top t}\,(M_0 - S)\,e^{-W_1^\top W_1 t}

    Parameters
    ----------
    correlation
        S = Sigma_yx, with E[x x^T] = I.
    first, second
        W_1 and W_2 at the start, of any shapes.
    times
        t >= 0, in units of 1/learning rate on the half mean squared error.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    The limit of a large imbalance: the relative error is of order (s / lambda)^2 for s the larger of |S| and |M_0|.
    Where the large layer is square this is M = S + (M_0 - S) exp(-|lambda| t); where it is not, the map stays short of
    S by what that layer does not span, and rich learning follows later. Large balanced weights are lazy too.

    References
    ----------
    domine2025, lazy regime.
    """
    seen, read = jnp.linalg.eigh(first.T @ first), jnp.linalg.eigh(second @ second.T)
    gap = read.eigenvectors.T @ (second @ first - correlation) @ seen.eigenvectors
    rates = read.eigenvalues[:, None] + seen.eigenvalues[None, :]
    return (
        correlation[None]
        + read.eigenvectors[None]
        @ (gap[None] * jnp.exp(-jnp.maximum(rates, 0)[None] * times[:, None, None]))
        @ seen.eigenvectors.T[None]
    )
