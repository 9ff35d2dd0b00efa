"""Wide linear networks from weights of variance width^(-gamma): what lies nearer, a minimum or a saddle."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, is_concrete

Numbers = float | Float[Array, "..."]


class DistanceExponents(eqx.Module):
    """Powers of the width with which distances from the start grow.

    Attributes
    ----------
    minimum
        Of d_m, the distance to the nearest global minimum.
    saddle
        Of d_s, the distance to the nearest saddle.

    References
    ----------
    jacot2021, Theorem 1.
    """

    minimum: Float[Array, "..."]
    saddle: Float[Array, "..."]


def distance_exponents(gamma: Numbers, depth: int) -> DistanceExponents:
    r"""How far the nearest global minimum and saddle are from random weights, as powers of the width.

    .. math:: \gamma \le 1: \quad d_m \asymp w^{-(1 - \gamma)(L - 1)/2}, \quad d_s \asymp w^{(1 - \gamma)/2}; \qquad
       \gamma \ge 1: \quad d_m \asymp 1, \quad d_s \asymp w^{-(\gamma - 1)/2}

    Parameters
    ----------
    gamma
        All weights are N(0, w^-gamma). At least 1 - 1/L, below which the map itself grows with the width.
    depth
        L, weight layers, at least 2.

    Returns
    -------
    DistanceExponents
        Below gamma = 1 the minimum is nearer and training is lazy, above it the saddle is, and training goes from
        saddle to saddle.

    Raises
    ------
    OutsideDomain
        A depth below 2, or a gamma below 1 - 1/L.

    Notes
    -----
    As the width grows with input and output fixed. The saddle meant has zero first and last layers, at a distance of
    w^(-gamma/2) sqrt(w (input_dim + output_dim)). Above gamma = 1, d_m approaches its constant only as fast as d_s
    vanishes: at gamma = 1.2 and widths of 200 to 800 its exponent is still 0.055. Near gamma = 1 - 1/L the start's own
    map fades as slowly, and single draws scatter.

    References
    ----------
    jacot2021, Theorem 1.
    """
    check_count("depth", depth, at_least=2)
    gamma = jnp.asarray(gamma)
    if is_concrete(gamma) and not bool(jnp.all(gamma >= (1 - 1 / depth) * (1 - 1e-6))):
        raise OutsideDomain(
            f"`gamma` is {gamma}; at depth {depth} it must be at least 1 - 1/{depth}, or the map grows with the width."
        )
    return DistanceExponents(jnp.minimum(0.0, (gamma - 1) * (depth - 1) / 2), (1 - gamma) / 2)
