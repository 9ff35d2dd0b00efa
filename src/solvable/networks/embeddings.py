"""Widening a network by units that change neither its map nor, at a fixed point, its being one.

The new unit, the last of its layer, is made of the old ones: with gamma_u, gamma_v in R^H,

    u_new = sum_i gamma_u,i u_i,    v_new = sum_i gamma_v,i v_i,    v_i <- v_i - gamma_u,i v_new.

Which gammas are allowed depends on how phi(x; u) depends on u. Repeated use embeds several units, in any layers.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.networks.unit_view import Layered, get_units, set_units, unit_dependence
from solvable.networks.units import DEPENDENCES, Dependence

Number = float | Float[Array, ""]


def split_unit(network: Layered, unit: int, *, share: Number = 0.5, layer: int = 1) -> Layered:
    """The network with a unit split in two that share its outgoing weights; for units of any kind.

    Parameters
    ----------
    network
        The narrow network.
    unit
        Which unit i is split, from 0.
    share
        gamma_v: the part of v_i that the new unit takes, any number. One half puts both on the invariant manifold of
        equal units.
    layer
        Hidden layer, from 1.

    Raises
    ------
    OutsideDomain
        No such unit or layer.

    References
    ----------
    zhang2026, Theorem 1 (i), Eq. 4; App. F.4 (i). Fukumizu and Amari (2000).
    """
    single = _single(network, unit, layer)
    return _append(network, single, jnp.asarray(share, single.dtype) * single, layer)


def add_zero_unit(network: Layered, *, layer: int = 1) -> Layered:
    """The network with one more unit of zero weights; for units that vanish at u = 0.

    Parameters
    ----------
    network, layer
        As for ``split_unit``.

    Raises
    ------
    OutsideDomain
        Units that do not vanish at u = 0, or no such layer.

    References
    ----------
    zhang2026, Theorem 1 (ii), Eq. 5; App. F.4 (ii).
    """
    _require(network, layer, "zero", "units that vanish at u = 0")
    nothing = jnp.zeros_like(get_units(network, layer)[0][:, 0])
    return _append(network, nothing, nothing, layer)


def add_proportional_unit(
    network: Layered, unit: int, *, ratio: Number, share: Number | None = None, layer: int = 1
) -> Layered:
    """The network with a unit whose incoming weights are a multiple of another's; for homogeneous units.

    Parameters
    ----------
    network, unit, layer
        As for ``split_unit``.
    ratio
        gamma_u in u_new = gamma_u u_i; at least 0 unless the units are linear.
    share
        gamma_v in v_new = gamma_v v_i, any number. Left out, it is ratio / (1 + ratio^2), which puts both units on the
        invariant manifold of proportional ones.

    Raises
    ------
    OutsideDomain
        Units that are not homogeneous of degree 1, a negative ratio of units that are so for positive factors only.

    References
    ----------
    zhang2026, Theorem 1 (iii), Eq. 6; App. F.4 (iii), Eq. 29.
    """
    dependence = _require(network, layer, "homogeneous", "units homogeneous of degree 1 in u")
    if dependence != "linear" and is_concrete(ratio) and ratio < 0:
        raise OutsideDomain(f"`ratio` is {ratio}; it must be at least 0: units such as ReLU scale by positive ones.")
    single = _single(network, unit, layer)
    ratio = jnp.asarray(ratio, single.dtype)
    share = ratio / (1 + ratio**2) if share is None else jnp.asarray(share, single.dtype)
    return _append(network, ratio * single, share * single, layer)


def add_dependent_unit(
    network: Layered,
    coefficients: Float[Array, " width"],
    *,
    shares: Float[Array, " width"] | None = None,
    layer: int = 1,
) -> Layered:
    """The network with a unit that depends linearly on the others; for linear units.

    Parameters
    ----------
    network, layer
        As for ``split_unit``.
    coefficients
        gamma_u in u_new = sum_i gamma_u,i u_i, shape (width,).
    shares
        gamma_v in v_new = sum_i gamma_v,i v_i, shape (width,). Left out, they are gamma_u / (1 + |gamma_u|^2), which
        puts the units on the invariant manifold of dependent ones.

    Raises
    ------
    OutsideDomain
        Units that are not linear, or as many numbers as there are no units.

    References
    ----------
    zhang2026, Theorem 1 (iv), Eq. 7; App. F.4 (iv), Eqs. 30 and 31.
    """
    _require(network, layer, "linear", "units linear in u")
    width = get_units(network, layer)[0].shape[0]
    shares = coefficients / (1 + jnp.sum(coefficients**2)) if shares is None else shares
    for name, values in (("coefficients", coefficients), ("shares", shares)):
        if values.shape != (width,):
            raise OutsideDomain(
                f"`{name}` has shape {values.shape}; it must hold one number for each of the {width} units."
            )
    return _append(network, coefficients, shares, layer)


def _append(network: Layered, gamma_u: Float[Array, " width"], gamma_v: Float[Array, " width"], layer: int) -> Layered:
    first, second = get_units(network, layer)
    new_second = second @ gamma_v
    rest = second - new_second[:, None] * gamma_u[None, :]
    return set_units(
        network,
        jnp.concatenate([first, (gamma_u @ first)[None, :]]),
        jnp.concatenate([rest, new_second[:, None]], axis=1),
        layer,
    )


def _single(network: Layered, unit: int, layer: int) -> Float[Array, " width"]:
    first, _ = get_units(network, layer)
    check_count("unit", unit, at_least=0)
    if unit >= first.shape[0]:
        raise OutsideDomain(f"`unit` is {unit}; layer {layer} has units 0 to {first.shape[0] - 1}.")
    return jnp.zeros_like(first[:, 0]).at[unit].set(1)


def _require(network: Layered, layer: int, least: Dependence, words: str) -> Dependence:
    dependence = unit_dependence(network, layer)
    if DEPENDENCES.index(dependence) < DEPENDENCES.index(least):
        raise OutsideDomain(
            f"the units of layer {layer} are of the kind {dependence!r}, and this embedding needs {words}; "
            "`split_unit` serves units of any kind."
        )
    return dependence
