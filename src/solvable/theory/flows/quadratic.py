"""Early flow of units quadratic in their weights, or of a higher power: each blows up at a time of its own.

In f = sum_i v_i u_i^T Z(x) u_i near zero weights, the gradient flow of the half loss is v' = u.S u, u' = 2 v S u with
S = E[y Z(x)], for every unit by itself. With a_k = r_k.u(0)/sqrt2 in the eigenbasis of S, and x the growth exponent
common to its modes, a_k(t) = a_k e^{s_k x}, this is x' = 2 v and v^2 = g(x) = v(0)^2 + sum_k a_k^2 (e^{2 s_k x} - 1):
a ball on a concave hill -g, thrown from x = 0, that turns back where g = 0 and blows up when it is infinitely far.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.numerics import softplus_rule

_BISECTIONS = 64


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


def conserved_quantity(
    first: Float[Array, "width input_dim"], second: Float[Array, " width"]
) -> Float[Array, " width"]:
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
    Exact for the early flow, which is the network's while f is much smaller than y. The paper takes v to keep its sign
    and S to have eigenvalues of both signs; neither is assumed here. A unit never blows up if it starts at rest
    (v = 0, u.S u = 0), if S u = 0, or if S has one sign, v the other, and v^2 >= |u|^2/2.
    Relative error 1e-12 in float64 and 1e-4 in float32 (worst of 1000 random units); a unit that passes close to a
    saddle on its way (g almost touching 0) is as ill-conditioned as its time is long. Eigenvalues of S and components
    of u within rounding of 0 count as 0.

    References
    ----------
    zhang2026, Prop. 5, Eqs. 14 and 53-56 [their time is tau = 2t, their pi_m is e^{s_m x}].
    """
    _check_units(first, second, correlation)
    return _blow_up(first, second, correlation)


def gaussian_correlation(teacher: Float[Array, "input_dim input_dim"]) -> Float[Array, "input_dim input_dim"]:
    r"""S = E[y x x^T] of the target y = x.A x on standard Gaussian inputs.

    .. math:: S = 2 A + \mathrm{tr}(A)\, I

    Parameters
    ----------
    teacher
        A, symmetric, with eigenvalues of any signs.

    Raises
    ------
    Raises nothing.

    References
    ----------
    zhang2026, Eq. 43 [Sigma_yZ with Z = x x^T], for many samples of the task of App. I, Eq. 71; by Wick's theorem.
    """
    return 2 * teacher + jnp.trace(teacher) * jnp.eye(teacher.shape[0], dtype=teacher.dtype)


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


def blow_up_time_power(initial: Float[Array, " width"], power: int) -> Float[Array, " width"]:
    """Blow-up time of each unit of v' = v^p: |v(0)|^(1 - p) / (p - 1), or inf.

    Parameters
    ----------
    initial
        v_i(0), any scale and sign.
    power
        p, a whole number of at least 2.

    Returns
    -------
    Array
        Time per unit; inf for v(0) = 0, and for v(0) < 0 where p is even (v then decays to 0).

    Raises
    ------
    OutsideDomain
        A power that is not a whole number of at least 2.

    References
    ----------
    zhang2026, Eq. 15 [p = 2] and Section 5.2, last paragraph [p > 2].
    """
    push = _outward(initial, power)
    return jnp.where(push > 0, _or_one(push) ** (1 - power) / (power - 1), jnp.inf)


def amplification_at_blow_up(initial: Float[Array, " width"], power: int) -> Float[Array, " width"]:
    r"""Where the other units of v' = v^p are when the first one (j) blows up.

    .. math:: v_i = v_i(0)\,\big[1 - (v_i(0)/v_j(0))^{p-1}\big]^{-1/(p-1)}

    Parameters
    ----------
    initial
        v_i(0), any scale and sign.
    power
        p, a whole number of at least 2.

    Returns
    -------
    Array
        v_i at that time, same scale as ``initial``; infinite for unit j itself and those tied with it.
        NaN under ``jit`` if no unit blows up.

    Raises
    ------
    OutsideDomain
        A power that is not a whole number of at least 2, or units of which none blows up.

    Notes
    -----
    All v_i(t) scale with the start, so the rest is O(eps) when unit j is O(1), for any p. At a given ratio of starts it
    has moved less the higher the power: the conjecture that p > 2 separates units even more, made exact.

    References
    ----------
    zhang2026, Eq. 16 [p = 2, v_j(t) = infinity] and Section 5.2, last paragraph [p > 2].
    """
    push = _outward(initial, power)
    first = jnp.argmax(push)
    if is_concrete(push) and not push[first] > 0:
        raise OutsideDomain(
            f"no unit of `initial` blows up under v' = v^{power}: the largest is {jnp.max(initial)}; "
            "give at least one unit a positive start."
        )
    ratio = initial / jnp.where(push[first] > 0, initial[first], jnp.nan)
    return initial * (1 - ratio ** (power - 1)) ** (-1 / (power - 1))


def _outward(initial: Array, power: int) -> Array:
    """v(0) counted along the direction in which v^p pushes outwards."""
    check_count("power", power, at_least=2)
    return jnp.abs(initial) if power % 2 else initial


@jax.jit
def _blow_up(first: Array, second: Array, correlation: Array) -> BlowUp:
    input_dim, dtype = first.shape[1], first.dtype
    eps = jnp.finfo(dtype).eps
    eigenvalues, vectors = jnp.linalg.eigh(correlation)
    rate = _or_one(jnp.max(jnp.abs(eigenvalues)))
    rates = eigenvalues / rate
    rates = jnp.where(jnp.abs(rates) > input_dim * eps, rates, 0)

    coordinates = first @ vectors
    scale = _or_one(jnp.maximum(jnp.abs(second), jnp.max(jnp.abs(coordinates), axis=1)))
    coordinates = coordinates / scale[:, None]
    coordinates = jnp.where(jnp.abs(coordinates) > input_dim**0.5 * eps, coordinates, 0)

    # One unit after the other: as fast as all at once, in memory that does not grow with the width.
    time, sign, grows = jax.lax.map(
        lambda unit: _scaled_blow_up(unit[0] ** 2 / 2, unit[1], rates), (coordinates, second / scale)
    )
    growing = jnp.where(grows, coordinates, 0)
    direction = (growing / _or_one(jnp.linalg.norm(growing, axis=1))[:, None]) @ vectors.T
    return BlowUp(time / (scale * rate), sign, direction)


def _or_one(value: Array) -> Array:
    """The value where it is positive, else 1: a divisor that is safe in branches whose result is not used."""
    return jnp.where(value > 0, value, 1)


def _scaled_blow_up(power: Array, velocity: Array, eigenvalues: Array) -> tuple[Array, Array, Array]:
    """Time, final sign of v and growing modes of one unit; ``power`` is a_k^2, entries and eigenvalues are O(1)."""
    flip = (velocity < 0) | ((velocity == 0) & (power @ eigenvalues > 0))
    rates = jnp.where(power > 0, jnp.where(flip, -eigenvalues, eigenvalues), 0)
    start = velocity**2
    pivot, turns = _find_pivot(start, power, rates)

    at_pivot = power * jnp.exp(2 * rates * pivot)
    floor = jnp.where(turns, 0, start + power @ jnp.expm1(2 * rates * pivot))
    outward = jnp.where(turns, -rates, rates)
    # Start to pivot is what the way back to minus infinity takes from the pivot but not from the start.
    onward, back, back_from_start = jax.vmap(_time_to_infinity)(
        jnp.stack([floor, floor, start]),
        jnp.stack([at_pivot, at_pivot, power]),
        jnp.stack([outward, -rates, -rates]),
    )
    time = onward + jnp.where(pivot > 0, back - back_from_start, 0)

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
    latest = jnp.log(jnp.where(push > 0, pull / _or_one(push), 1))
    latest = jnp.maximum(latest, 0) / (2 * (slowest(rises) + slowest(falls)))
    minimum = _bisect(lambda x: (rates * power) @ jnp.exp(2 * rates * x) < 0, latest)

    # All rates of one sign: g falls for ever, to v0^2 - |a|^2 over the moving modes.
    total = jnp.sum(jnp.where(falls, power, 0))
    sinks = ~jnp.any(rises) & (start < total)
    deepest = -jnp.log1p(-jnp.where(sinks, start / _or_one(total), 0)) / (2 * slowest(falls))
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
    safe = _or_one(growth)
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
