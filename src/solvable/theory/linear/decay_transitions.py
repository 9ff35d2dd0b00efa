"""Weight decay in deep linear networks: how much of it leaves nothing learned, and how that comes about."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_positive
from solvable.tasks import Moments
from solvable.theory.linear.decayed_depth import Numbers, check_layers, diagonal_data, map_power

_GRID = 1024


class DecayTransitions(eqx.Module):
    """Where the map that is not 0 stops being the global minimum, and where it stops being one at all.

    Attributes
    ----------
    coexistence
        gamma_c, geometric mean of the decays at which both minima are equally low.
    spinodal
        gamma_sp, above which only zero weights are at rest; gamma_c itself with one hidden layer.
    size
        |q| at gamma_c: what the map jumps to; 0 with one hidden layer, where nothing jumps.
    """

    coexistence: Float[Array, ""]
    spinodal: Float[Array, ""]
    size: Float[Array, ""]


def isotropic_transitions(strength: Numbers, depth: float, *, curvature: Numbers = 1.0) -> DecayTransitions:
    r"""The transitions in closed form, for inputs of equal variances.

    .. math:: \gamma_c = \frac{s\,x_c^{k}}{D}, \quad x_c = \frac{(D - 1)\,s}{D\,a}; \qquad
       \gamma_{sp} = \frac{(D + 1)\,s}{2D} \Big(\frac{(D - 1)\,s}{2 D a}\Big)^{k}, \qquad k = \frac{D - 1}{D + 1}

    Parameters
    ----------
    strength
        s = |E[y x]| > 0.
    depth
        D, hidden layers, at least 1; any real number.
    curvature
        a > 0, variance of each input times nu of the noise; 1 for white inputs without noise.

    Raises
    ------
    OutsideDomain
        A depth below 1, a strength or curvature that is not positive.

    References
    ----------
    Derived from ziyin2022, first-order transition for D >= 2 and second-order one for D = 1.
    """
    if not depth >= 1:
        raise OutsideDomain(f"`depth` is {depth}; it must be a number of hidden layers of at least 1.")
    for name, value in (("strength", strength), ("curvature", curvature)):
        if jnp.ndim(value) == 0:
            check_positive(name, value)
    strength, curvature = jnp.asarray(strength, float), jnp.asarray(curvature, float)
    power, size = (depth - 1) / (depth + 1), (depth - 1) / depth * strength / curvature
    spinodal = (depth + 1) / (2 * depth) * strength * (size / 2) ** power
    return DecayTransitions(strength * size**power / depth, spinodal, size)


def decay_transitions(moments: Moments, widths: tuple[int, ...], *, noise: Numbers = 0.0) -> DecayTransitions:
    r"""The transitions of any data: the largest decays at which the condition of each can be met.

    .. math:: \gamma_c = \max_\rho \frac{2 c \cdot q - \nu\,q^\top A q}{(D + 1)\,|q|^{2/(D + 1)}}, \qquad
       \gamma_{sp} = \max_\rho\;\rho\,|q|^{2D/(D + 1)}, \qquad q = (\nu A + \rho I)^{-1} c

    Parameters
    ----------
    moments, widths, noise
        As for ``decayed_minimum``, with at least one hidden layer.

    Raises
    ------
    OutsideDomain
        As ``decayed_minimum``; no hidden layer, which has no transition.

    References
    ----------
    Derived from ziyin2022, as ``isotropic_transitions``.
    """
    if not widths:
        raise OutsideDomain("`widths` is empty; ridge regression has no transition: give one hidden layer or more.")
    _, nu = check_layers(moments, widths, 1.0, noise)
    rates, _, shared = diagonal_data(moments, nu)
    depth = len(widths)
    if depth == 1:
        strength = jnp.linalg.norm(shared)
        return DecayTransitions(strength, strength, jnp.zeros_like(strength))
    fit = lambda log: jnp.where(shared == 0, 0, shared / (rates + jnp.exp(log)))  # noqa: E731

    def coexist(log: Array) -> Array:
        map_ = fit(log)
        return jnp.sum((2 * shared - rates * map_) * map_) / ((depth + 1) * map_power(map_, 2 / (depth + 1)))

    def rest(log: Array) -> Array:
        return jnp.exp(log) * map_power(fit(log), 2 * depth / (depth + 1))

    positive = rates > rates.size * jnp.finfo(rates.dtype).eps * jnp.max(rates)
    least = jnp.min(jnp.where(positive, rates, jnp.inf))
    bounds = jnp.log(least / (100 * depth)), jnp.log(100 * jnp.max(rates))
    best, coexistence = _maximise(coexist, *bounds)
    return DecayTransitions(coexistence, _maximise(rest, *bounds)[1], jnp.linalg.norm(fit(best)))


def _maximise(function, low: Array, high: Array) -> tuple[Array, Array]:
    """Where a function is largest, and its value: on a grid, and on finer ones about its best."""
    best, value, low, high = _best_of_grid(function, low, high)
    for _ in range(2):
        best, value, low, high = _best_of_grid(function, low, high)
    return best, value


def _best_of_grid(function, low: Array, high: Array) -> tuple[Array, Array, Array, Array]:
    """The best point of a grid, its value, and its neighbours."""
    at = jnp.linspace(low, high, _GRID, dtype=low.dtype)
    values = jax.vmap(function)(at)
    best = jnp.argmax(values)
    return at[best], values[best], at[jnp.maximum(best - 1, 0)], at[jnp.minimum(best + 1, _GRID - 1)]
