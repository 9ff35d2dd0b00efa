"""Early flow of units quadratic in their weights (f = sum_i v_i u_i^T Z(x) u_i): each blows up at a time of its own.

Near zero weights the gradient flow of the half loss is v' = u.S u, u' = 2 v S u with S = E[y Z(x)], for every unit by
itself. With a_k = r_k.u(0)/sqrt2 in the eigenbasis of S and x the common logarithmic growth, a_k(t) = a_k e^{s_k x},
this is x' = 2 v and v^2 = g(x) = v(0)^2 + sum_k a_k^2 (e^{2 s_k x} - 1): a ball rolling from x = 0 on a concave hill
-g, which turns back where g = 0, and whose arrival at infinity is the blow-up.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, is_concrete
from solvable.numerics import softplus_rule

_BISECTIONS = 64
_UNITS_AT_ONCE = 64


class BlowUp(eqx.Module):
    """When and where to each unit of the early flow escapes.

    Attributes
    ----------
    time
        Gradient-flow time of the half loss; inf where the unit never blows up.
    sign
        Sign of v at the blow-up; 0 where there is none.
    direction
        Unit vector that u / \\|u\\| tends to, signed; zeros where there is no blow-up.
    """

    time: Float[Array, " width"]
    sign: Float[Array, " width"]
    direction: Float[Array, "width input_dim"]


def conserved_quantity(first: Float[Array, "width input_dim"], second: Float[Array, " width"]) -> Float[Array, " width"]:
    """v_i^2 - |u_i|^2 / 2 of each unit: constant along the gradient flow, early and late.

    Parameters
    ----------
    first
        Weights u_i, one unit a row.
    second
        Weights v_i.

    Raises
    ------
    Raises nothing.

    References
    ----------
    zhang2026, Eq. 50 [a_k = r_k.u/sqrt2, hence the factor 1/2].
    """
    return second**2 - jnp.sum(first**2, axis=1) / 2


def blow_up_time(
    first: Float[Array, "width input_dim"],
    second: Float[Array, " width"],
    correlation: Float[Array, "input_dim input_dim"],
) -> BlowUp:
    r"""Time at which each unit of v' = u.S u, u' = 2 v S u reaches infinity, and in which direction.

    .. math:: t = \tfrac12\int_0^\infty \frac{dx}{\sqrt{g(x)}}, \qquad
       g(x) = v_0^2 + \sum_k a_k^2\,(e^{2 s_k x} - 1), \qquad a_k = r_k\cdot u_0/\sqrt2

    for v_0 > 0 (flip v and S otherwise) where g has no root at x > 0. Where its first root is x*, v changes sign there:
    the path runs from 0 to x* and back to minus infinity, and grows along the lowest eigenvector.

    Parameters
    ----------
    first
        Initial weights u_i(0), one unit a row; any scale.
    second
        Initial weights v_i(0), same scale.
    correlation
        S = E[y Z(x)], symmetric, with eigenvalues s_k of any signs.

    Returns
    -------
    BlowUp
        ``time``, ``sign`` and ``direction`` per unit.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit, an entry that is not finite, or a correlation that is not symmetric.

    Notes
    -----
    Exact for the early flow, which is the network's while f is much smaller than y. A unit never blows up if it starts
    at rest (v = 0, u.S u = 0), if S u = 0, or if S has one sign, v the other, and v^2 >= \|u\|^2/2. The paper takes v to
    keep its sign and S to have both signs; neither is assumed here. Accurate to 1e-12 relative in float64 on random
    units (1e-5 in float32); a unit that stops at a saddle on its way (g just touching 0) is as ill-conditioned as its
    time is long. Eigenvalues and components of u within rounding of 0 count as 0.

    References
    ----------
    zhang2026, Prop. 5, Eqs. 14 and 53-56 [their time is tau = 2t, their pi_m is e^{s_m x}].
    """
    _check_units(first, second, correlation)
    return _blow_up(first, second, correlation)


def growth_order(blow_up: BlowUp) -> Int[Array, " width"]:
    """Indices of the units in the order in which they blow up; those that never do come last.

    Parameters
    ----------
    blow_up
        From ``blow_up_time``.

    Raises
    ------
    Raises nothing.

    References
    ----------
    zhang2026, Eq. 57.
    """
    return jnp.argsort(blow_up.time)


@jax.jit
def _blow_up(first: Array, second: Array, correlation: Array) -> BlowUp:
    input_dim, dtype = first.shape[1], first.dtype
    eps = jnp.finfo(dtype).eps
    eigenvalues, vectors = jnp.linalg.eigh(correlation)
    rate = jnp.max(jnp.abs(eigenvalues))
    rates = eigenvalues / jnp.where(rate > 0, rate, 1)
    rates = jnp.where(jnp.abs(rates) > input_dim * eps, rates, 0)

    coordinates = first @ vectors
    scale = jnp.maximum(jnp.abs(second), jnp.max(jnp.abs(coordinates), axis=1))
    scale = jnp.where(scale > 0, scale, 1)
    coordinates = coordinates / scale[:, None]
    coordinates = jnp.where(jnp.abs(coordinates) > input_dim**0.5 * eps, coordinates, 0)

    time, sign, grows = jax.lax.map(
        lambda unit: _scaled_blow_up(unit[0] ** 2 / 2, unit[1], rates),
        (coordinates, second / scale),
        batch_size=_UNITS_AT_ONCE,
    )
    growing = jnp.where(grows, coordinates, 0)
    norm = jnp.linalg.norm(growing, axis=1)
    direction = (growing / jnp.where(norm > 0, norm, 1)[:, None]) @ vectors.T
    return BlowUp(time / (scale * jnp.where(rate > 0, rate, 1)), sign, direction)


def _scaled_blow_up(power: Array, velocity: Array, eigenvalues: Array) -> tuple[Array, Array, Array]:
    """Time, final sign of v and growing modes of one unit; ``power`` is a_k^2, entries and eigenvalues are O(1)."""
    flip = (velocity < 0) | ((velocity == 0) & (power @ eigenvalues > 0))
    rates = jnp.where(power > 0, jnp.where(flip, -eigenvalues, eigenvalues), 0)
    start = velocity**2
    pivot, turns = _find_pivot(start, power, rates)

    at_pivot = power * jnp.exp(2 * rates * pivot)
    floor = jnp.where(turns, 0, start + power @ jnp.expm1(2 * rates * pivot))
    outward = jnp.where(turns, -rates, rates)
    from_start_to_pivot = _time_to_infinity(floor, at_pivot, -rates) - _time_to_infinity(start, power, -rates)
    time = jnp.where(pivot > 0, from_start_to_pivot, 0) + _time_to_infinity(floor, at_pivot, outward)

    growth = jnp.max(outward)
    happens = (growth > 0) & (turns | (floor > 0))
    sign = jnp.where(flip, -1, 1) * jnp.where(turns, -1, 1) * jnp.where(happens, 1, 0)
    tolerance = rates.shape[0] * jnp.finfo(rates.dtype).eps
    grows = happens & (outward >= growth - tolerance)
    return jnp.where(happens, time, jnp.inf), sign.astype(time.dtype), grows


def _find_pivot(start: Array, power: Array, rates: Array) -> tuple[Array, Array]:
    """The point x >= 0 to split the path at, and whether the unit turns back there.

    It is the first root of g at x > 0 if there is one (v changes sign), else the minimum of g over x >= 0.
    """
    rises, falls = rates > 0, rates < 0
    pull, push = jnp.sum(jnp.where(falls, -rates * power, 0)), jnp.sum(jnp.where(rises, rates * power, 0))
    slowest = lambda mask: jnp.min(jnp.where(mask, jnp.abs(rates), 2))  # noqa: E731
    # The log of the ratio of both parts of g' falls at least at this speed.
    latest = jnp.log(jnp.where(push > 0, pull / jnp.where(push > 0, push, 1), 1))
    latest = jnp.maximum(latest, 0) / (2 * (slowest(rises) + slowest(falls)))
    minimum = _bisect(lambda x: (rates * power) @ jnp.exp(2 * rates * x) < 0, latest)

    # All rates of one sign: g falls for ever, to v0^2 - |a|^2 over the moving modes.
    total = jnp.sum(jnp.where(falls, power, 0))
    sinks = ~jnp.any(rises) & (start < total)
    deepest = -jnp.log1p(-jnp.where(sinks, start / jnp.where(sinks, total, 1), 0)) / (2 * slowest(falls))
    excess = lambda x: start + power @ jnp.expm1(2 * rates * x)  # noqa: E731
    turns = sinks | (excess(minimum) < 0)
    root = _bisect(lambda x: excess(x) > 0, jnp.where(sinks, deepest, minimum))
    return jnp.where(turns, root, minimum), turns


def _bisect(is_below: Callable[[Array], Array], high: Array) -> Array:
    """The point of [0, high] at which ``is_below`` changes from true to false."""

    def halve(_, bracket):
        low, high = bracket
        middle = (low + high) / 2
        below = is_below(middle)
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    return jax.lax.fori_loop(0, _BISECTIONS, halve, (jnp.zeros_like(high), high))[1]


def _time_to_infinity(floor: Array, power: Array, rates: Array) -> Array:
    """(1/2) int_0^inf dx / sqrt(floor + sum_k power_k (e^{2 rates_k x} - 1)); meaningless if no rate is positive."""
    growth = jnp.max(rates)
    safe = jnp.where(growth > 0, growth, 1)
    leading = jnp.where(growth > 0, power[jnp.argmax(rates)], 1)
    # The integrand is rough up to x of order 1 / max|rate| and starts to decay where the leading mode takes over.
    low = -60 - jnp.log(jnp.maximum(jnp.max(jnp.abs(rates)) / safe, 1))
    high = 40 + jnp.log(jnp.maximum((floor + jnp.sum(power)) / leading, 1)) / 2
    rule = softplus_rule(low, high)
    squared = floor + jnp.expm1(2 * (rule.nodes / safe)[:, None] * rates[None, :]) @ power
    return jnp.sum(rule.weights * jnp.where(squared > 0, squared, jnp.inf) ** -0.5) / (2 * safe)


def _check_units(first: Array, second: Array, correlation: Array) -> None:
    """Raise OutsideDomain unless the weights of the units and the correlation fit together."""
    if first.ndim != 2 or second.shape != first.shape[:1] or correlation.shape != (first.shape[1],) * 2:
        raise OutsideDomain(
            f"`first`, `second` and `correlation` have shapes {first.shape}, {second.shape} and {correlation.shape}; "
            "they must be (width, input_dim), (width,) and (input_dim, input_dim)."
        )
    for name, value in (("first", first), ("second", second), ("correlation", correlation)):
        if is_concrete(value) and not jnp.all(jnp.isfinite(value)):
            raise OutsideDomain(f"`{name}` has an entry that is not finite; all must be finite numbers.")
    if is_concrete(correlation):
        skew, tolerance = jnp.max(jnp.abs(correlation - correlation.T)), jnp.finfo(correlation.dtype).eps ** 0.5
        if skew > tolerance * jnp.max(jnp.abs(correlation)):
            raise OutsideDomain(
                f"`correlation` differs from its transpose by {skew:.3g}; it must be symmetric; "
                "use (S + S^T)/2, which gives the same u.S u."
            )
