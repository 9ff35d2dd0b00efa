r"""Deep linear networks with one output, weight decay and noisy hidden units: their global minimum.

With D hidden layers of widths d_i, noise of variance sigma_i^2 and decay gamma_l of layer l, all that matters is the
map q of the whole network: the cheapest weights that make it are aligned, of rank one, and cost every layer the same:

.. math:: L(q) = \tfrac12 \Big(E y^2 - 2 c \cdot q + \nu\,q^\top A q
   + (D + 1)\,\bar\gamma\,|q|^{2/(D + 1)}\Big), \qquad \nu = \prod_i \Big(1 + \frac{\sigma_i^2}{d_i}\Big),

with A = E[x x^T], c = E[y x] and the geometric mean of the decays.
"""

from itertools import pairwise
from math import prod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.tasks import Moments

_GRID = 1024  # stationary maps tried, evenly in the logarithm of the ridge that makes them
_BISECTIONS = 60
Numbers = float | Float[Array, "..."]


class DecayedMinimum(eqx.Module):
    """The global minimum, as far as the data can see it.

    Attributes
    ----------
    map
        q, shape (input_dim,): exactly 0 where no other minimum is lower.
    loss
        L there, with 1/2; E y^2 / 2 where the map is 0.
    layer_cost
        gamma_l |W_l|_F^2, the same in every layer.
    """

    map: Float[Array, " input_dim"]
    loss: Float[Array, ""]
    layer_cost: Float[Array, ""]


def decayed_minimum(
    moments: Moments, widths: tuple[int, ...], *, decays: Numbers, noise: Numbers = 0.0
) -> DecayedMinimum:
    r"""The global minimum of a deep linear network with weight decay and noisy units.

    .. math:: q = \big(\nu A + \rho I\big)^{-1} c, \qquad \rho = \bar\gamma\,|q|^{-2D/(D + 1)}, \qquad \text{or } q = 0

    Parameters
    ----------
    moments
        Of one target and the inputs; E[x x^T] may be singular.
    widths
        d_1, ..., d_D of the hidden layers; none at all is ridge regression.
    decays
        gamma_l >= 0 of each of the D + 1 layers from the input up, or one for all. If any is 0 there is no penalty: the
        infimum is meant, which weights reach only if all are 0.
    noise
        sigma_i^2 >= 0 of each hidden layer, or one for all.

    Raises
    ------
    OutsideDomain
        More than one target, a width below 1, numbers that are negative or not one a layer.

    Notes
    -----
    D = 1: the map leaves 0 continuously, where |c| exceeds the decay. D >= 2: zero weights are always a local minimum,
    and the global one jumps (``decay_transitions``). The lowest of all stationary maps on a grid fine next to the scale
    on which they vary, made exact by bisection.

    References
    ----------
    ziyin2022, global minimum with one and with D hidden layers [their L is twice ours, same gammas; b and v there];
    the form in q alone is derived here.
    """
    decays, nu = check_layers(moments, widths, decays, noise)
    depth, dtype = len(widths), moments.sigma_yz.dtype
    gamma = jnp.where(jnp.min(decays) > 0, jnp.exp(jnp.mean(jnp.log(jnp.where(decays > 0, decays, 1)))), 0)
    rates, basis, shared = diagonal_data(moments, nu)
    slope = 2 * depth / (depth + 1)
    fit = lambda ridge: jnp.where(rates + ridge > 0, shared / jnp.where(rates + ridge > 0, rates + ridge, 1), 0)  # noqa: E731
    size = lambda ridge: jnp.sqrt(jnp.sum(fit(ridge) ** 2))  # noqa: E731

    def gain(map_: Array) -> Array:
        return jnp.sum((rates * map_ - 2 * shared) * map_) + (depth + 1) * gamma * map_power(map_, 2 / (depth + 1))

    def halve(_, bounds):
        low, high = bounds
        middle = (low + high) / 2
        early = middle + slope * jnp.log(size(jnp.exp(middle))) < jnp.log(gamma)
        return jnp.where(early, middle, low), jnp.where(early, high, middle)

    low, high = _ridge_range(gamma, size(jnp.zeros((), dtype)), jnp.linalg.norm(shared), jnp.max(rates), depth)
    at = jnp.linspace(low, high, _GRID, dtype=dtype)
    best = jnp.argmin(jax.vmap(lambda log: gain(fit(jnp.exp(log))))(at))
    bounds = at[jnp.maximum(best - 1, 0)], at[jnp.minimum(best + 1, _GRID - 1)]
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, bounds)
    map_ = fit(jnp.where(gamma > 0, jnp.exp((low + high) / 2), 0))
    map_ = jnp.where(gain(map_) < 0, map_, 0)
    loss = (moments.target_power + gain(map_)) / 2
    return DecayedMinimum(basis @ map_, loss, gamma * map_power(map_, 2 / (depth + 1)))


def decayed_weights(
    minimum: DecayedMinimum, widths: tuple[int, ...], *, decays: Numbers
) -> tuple[Float[Array, "_ _"], ...]:
    r"""Weights at the global minimum: of rank one and aligned, each layer at the same cost.

    .. math:: W_1 = r_1 v^\top, \qquad W_i = b_i\,r_i r_{i-1}^\top, \qquad U = b_u\,r_D^\top, \qquad
       r_i \in \{\pm 1\}^{d_i}

    Parameters
    ----------
    minimum
        From ``decayed_minimum``.
    widths, decays
        As given to it; decays above 0.

    Returns
    -------
    tuple of Array
        W_1, ..., W_D, U, with all signs r_i = 1, which are free.

    Raises
    ------
    OutsideDomain
        A decay of 0, at which the weights are not determined.

    References
    ----------
    ziyin2022, form of the global minimum.
    """
    map_ = minimum.map
    decays = jnp.broadcast_to(jnp.asarray(decays, map_.dtype), (len(widths) + 1,))
    if is_concrete(decays) and not bool(jnp.all(decays > 0)):
        raise OutsideDomain(
            f"`decays` is {decays}; they must be above 0, or weights at the minimum are not determined."
        )
    size = jnp.linalg.norm(map_)
    direction = map_ / jnp.where(size > 0, size, 1)
    outputs = (*widths, 1)
    norms = [jnp.sqrt(minimum.layer_cost / decay) for decay in decays]
    weights = [jnp.outer(jnp.full(outputs[0], norms[0] / outputs[0] ** 0.5), direction)]
    for layer, (below, above) in enumerate(pairwise(outputs), 1):
        weights.append(jnp.full((above, below), norms[layer] / (above * below) ** 0.5))
    return tuple(weights)


def map_power(map_: Array, exponent: float) -> Array:
    """|q|^exponent. Raises nothing. References: ziyin2022."""
    return jnp.sum(map_**2) ** (exponent / 2)


def diagonal_data(moments: Moments, nu: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues of nu A, its eigenvectors as columns, and c along them; what the inputs never span is 0.

    Raises nothing. References: ziyin2022.
    """
    values, basis = jnp.linalg.eigh(moments.sigma_zz)
    spanned = values > values.size * jnp.finfo(values.dtype).eps * jnp.max(values)
    return jnp.where(spanned, nu * values, 0), basis, jnp.where(spanned, moments.sigma_yz[0] @ basis, 0)


def _ridge_range(gamma: Array, largest: Array, strength: Array, stiffest: Array, depth: int) -> tuple[Array, Array]:
    """Bounds on ln rho at a minimum below the trivial one, from |q| at most ``largest`` and the loss below 0."""
    safe = lambda value: jnp.where(value > 0, value, 1)  # noqa: E731
    gamma, largest, strength = safe(gamma), safe(largest), safe(strength)
    low = jnp.log(gamma) - 2 * depth / (depth + 1) * jnp.log(largest)
    if depth == 0:
        return low, low
    if depth == 1:
        ample = gamma < strength
        high = jnp.where(ample, jnp.log(gamma * safe(stiffest) / jnp.where(ample, strength - gamma, 1)), low)
    else:
        # From |q|^((D - 1)/(D + 1)) of at least (D + 1) gamma / (2 |c|).
        least = (depth + 1) / (depth - 1) * jnp.log((depth + 1) * gamma / (2 * strength))
        high = jnp.log(gamma) - 2 * depth / (depth + 1) * least
    return low, jnp.maximum(high, low)


def check_layers(moments: Moments, widths: tuple[int, ...], decays: Numbers, noise: Numbers) -> tuple[Array, Array]:
    """The decays, one a layer, and nu.

    Raises OutsideDomain as ``decayed_minimum``. References: ziyin2022.
    """
    if moments.sigma_yz.shape[0] != 1:
        raise OutsideDomain(
            f"`moments` has {moments.sigma_yz.shape[0]} targets; the global minimum is known for one: choose one."
        )
    for width in widths:
        check_count("widths", width)
    dtype, filled = moments.sigma_yz.dtype, []
    for name, values, count in (("decays", decays, len(widths) + 1), ("noise", noise, len(widths))):
        values = jnp.asarray(values, dtype)
        if values.shape not in ((), (count,)):
            raise OutsideDomain(f"`{name}` has shape {values.shape}; it must be one number, or {count} of them.")
        if is_concrete(values) and not bool(jnp.all(values >= 0)):
            raise OutsideDomain(f"`{name}` is {values}; it must hold numbers of at least 0.")
        filled.append(jnp.broadcast_to(values, (count,)))
    factors = [1 + variance / width for variance, width in zip(filled[1], widths, strict=True)]
    return filled[0], jnp.asarray(prod(factors, start=jnp.ones((), dtype)))
