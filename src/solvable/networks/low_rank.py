"""A start of large weights that use few directions of the units."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative
from solvable.networks.layer import UnitLayer, initialise
from solvable.networks.units import Unit


def low_rank_start(
    unit: Unit,
    key: Key[Array, ""],
    *,
    width: int,
    input_shape: tuple[int, ...],
    output_dim: int = 1,
    rank: int,
    large_scale: float | Float[Array, ""] = 1.0,
    init_scale: float | Float[Array, ""] = 1e-6,
) -> UnitLayer:
    r"""A layer whose weights are large along ``rank`` directions of the units, plus a small perturbation.

    .. math:: u_i = \sum_{j \le r} O_{ij} a_j + \varepsilon\,\xi_i, \qquad v_i = \sum_{j \le r} O_{ij} b_j
        + \varepsilon\,\zeta_i, \qquad O^T O = I_r

    Units linear in their weights compute what ``rank`` units with weights a_j, b_j would, up to the perturbation.

    Parameters
    ----------
    unit, width, input_shape, output_dim
        As for ``initialise``.
    key
        Randomness; the same key gives the same large and the same small weights at any scale, up to the factor, and
        the same leading large units at any rank.
    rank
        r, from 0 (only the perturbation is left) to the width.
    large_scale
        Standard deviation of a_j and b_j.
    init_scale
        epsilon, standard deviation of the perturbation.

    Returns
    -------
    UnitLayer
        In the default floating dtype.

    Raises
    ------
    OutsideDomain
        A rank outside 0..width, a negative scale, or what ``initialise`` refuses.

    References
    ----------
    zhang2026, Fig. 2C [large low-rank weights with a small perturbation]; Theorem 3 (iv).
    """
    check_count("rank", rank, at_least=0)
    check_non_negative("large_scale", large_scale)
    if rank > width:
        raise OutsideDomain(f"`rank` is {rank}; it must be at most the `width` of {width} units.")
    key_small, key_large, key_mix = jax.random.split(key, 3)
    sizes = {"width": width, "input_shape": input_shape, "output_dim": output_dim}
    small = initialise(unit, key_small, init_scale=init_scale, **sizes)
    # Of one shape whatever the rank, so that a start of rank r + 1 has the large units of rank r and one more.
    large = initialise(unit, key_large, init_scale=large_scale, **sizes)
    mix = jnp.linalg.qr(jax.random.normal(key_mix, (width, width), small.first.dtype)[:, :rank])[0]
    return UnitLayer(small.first + mix @ large.first[:rank], small.second + large.second[:, :rank] @ mix.T, unit)
