"""One mode of a deep linear chain: the product u = a^D of D equal weights that learns a strength s."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete
from solvable.theory.linear.modes import logistic_mode

_TERMS = 96  # of series whose terms shrink as (2/3)^n at worst: 1e-17
_BISECTIONS = 100
Number = float | Float[Array, ""]


def depth_time(
    start: Float[Array, "..."], end: Float[Array, "..."], target: Float[Array, "..."], depth: float
) -> Float[Array, "..."]:
    r"""Time that a balanced chain of D weight layers takes from strength u_0 to u_f.

    .. math:: \dot u = D\,u^{2 - 2/D}\,(s - u), \qquad
       t = \frac{s^{2/D - 2}}{D}\,\Big[\Phi_D\Big(\frac{u_f}{s}\Big) - \Phi_D\Big(\frac{u_0}{s}\Big)\Big], \qquad
       \Phi_D' = \frac{x^{2/D - 2}}{1 - x}

    Parameters
    ----------
    start, end
        u_0 and u_f > 0, both below the target, or both above it.
    target
        s > 0.
    depth
        D, weight layers: 1 is linear regression, 2 the logistic mode; any real number from 1 on. A network of N_l
        layers of neurons has D = N_l - 1. In the limit of infinite depth D t stays finite: ``endless_depth_time``.

    Returns
    -------
    Array
        In units of 1/learning rate; negative where ``end`` comes before ``start``, inf at the target itself, NaN where
        target lies between the two, which no chain crosses.

    Raises
    ------
    OutsideDomain
        A depth below 1, a target or strength that is not positive.

    References
    ----------
    saxe2014, learning time of deep chains; gissin2019 [their N is D].
    """
    check_depth(depth)
    _check_strengths(start, end, target)
    return target ** (2 / depth - 2) / depth * _scaled_time(start, end, target, 2 / depth)


def endless_depth_time(
    start: Float[Array, "..."], end: Float[Array, "..."], target: Float[Array, "..."]
) -> Float[Array, "..."]:
    r"""D times the time from u_0 to u_f, in the limit of infinite depth D.

    .. math:: \lim_{D \to \infty} D\,t = \frac{1}{s^2} \ln \frac{u_f\,(u_0 - s)}{u_0\,(u_f - s)}
       + \frac{1}{s u_0} - \frac{1}{s u_f}

    Parameters
    ----------
    start, end, target
        As in ``depth_time``.

    Raises
    ------
    OutsideDomain
        As ``depth_time``.

    Notes
    -----
    At a learning rate of c / (D s^(2 - 2/D)), the share c of the largest curvature at the solution, training therefore
    takes s^2/c times this in steps, however deep the chain.

    References
    ----------
    saxe2014, limit of infinite depth.
    """
    _check_strengths(start, end, target)
    return _scaled_time(start, end, target, 0.0) / target**2


def depth_mode(
    times: Float[Array, "..."], target: Float[Array, "..."], start: Float[Array, "..."], depth: float
) -> Float[Array, "..."]:
    """Strength u(t) of a balanced chain of D weight layers: the inverse of ``depth_time``.

    Parameters
    ----------
    times
        t >= 0, in units of 1/learning rate.
    target, start
        s > 0 and u_0 > 0, on either side of it. The three broadcast against each other.
    depth
        D, any real number from 1 on.

    Raises
    ------
    OutsideDomain
        As ``depth_time``.

    Notes
    -----
    By bisection, accurate to rounding; at D = 2 the closed form ``logistic_mode``, which also takes s <= 0.

    References
    ----------
    saxe2014, as ``depth_time``.
    """
    check_depth(depth)
    _check_strengths(start, start, target)
    if depth == 2:
        return jnp.where(start == target, target, logistic_mode(times, target, start))
    times, target, start = jnp.broadcast_arrays(times, target, start)
    rest = start == target
    begin = jnp.where(rest, target / 2, start)
    share, above = begin / target, begin > target
    goal = times * depth * target ** (2 - 2 / depth)
    # In z = ln(x / |1 - x|), dz/dt is at most the final rate times this.
    low = jnp.log(share) - jnp.log(jnp.abs(1 - share))
    fastest = jnp.maximum(1.0, share ** (1 - 2 / depth))

    def to_share(odds: Array) -> Array:
        return jnp.where(above, -1 / jnp.expm1(-jnp.where(above, odds, 1.0)), jax.nn.sigmoid(odds))

    def halve(_, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = (low + high) / 2
        early = progress(to_share(middle), middle, 2 / depth) - start_progress < goal
        return jnp.where(early, middle, low), jnp.where(early, high, middle)

    start_progress = progress(share, low, 2 / depth)
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (low, low + goal * fastest + 1e-3))
    return jnp.where(rest, target, target * to_share((low + high) / 2))


@jax.jit  # also over ``inverse``, so that all depths share what is compiled
def _scaled_time(start: Array, end: Array, target: Array, inverse: Number) -> Array:
    """Phi(u_f / s) - Phi(u_0 / s), with ``inverse`` = 2/D."""
    begin, finish = start / target, end / target
    shares = jnp.stack(jnp.broadcast_arrays(begin, finish))
    passed = progress(shares, jnp.log(shares) - jnp.log(jnp.abs(1 - shares)), inverse)
    crossing = (begin - 1) * (finish - 1) < 0
    return jnp.where(crossing, jnp.nan, passed[1] - passed[0])


def progress(share: Array, odds: Array, inverse: Number) -> Array:
    """Phi(x) up to a constant, for z = ln(x / |1 - x|) given beside x, which near 1 and near 0 has lost its digits.

    ``inverse`` is 2/D. Raises nothing. References: gissin2019, F.

    Three series: in x for small x, in 1 - x around 1, in 1/x for large x, matched at 1/2 and at 3/2.
    """
    q = 1 - inverse
    half, three_halves = jnp.asarray(0.5, share.dtype), jnp.asarray(1.5, share.dtype)
    below, above = share < 0.5, share > 1.5
    near = jnp.where(below | above, 1.0, share)
    low = jnp.where(below, share, 0.5)
    small = _near_zero(low, jnp.where(below, odds, 0.0) + jnp.log1p(-low), q)
    large = _beyond(jnp.where(above, share, 1.5), q)
    middle = _near_one(near, jnp.where(below | above, 0.0, odds), q)
    small_shift = _near_one(half, jnp.zeros_like(half), q) - _near_zero(half, jnp.log(half), q)
    large_shift = _near_one(three_halves, jnp.log(three_halves / 0.5), q) - _beyond(three_halves, q)
    return jnp.where(below, small + small_shift, jnp.where(above, large + large_shift, middle))


def _near_zero(share: Array, log: Array, q: Number) -> Array:
    """Integral of x^(-1-q) / (1 - x) to x < 1, its first two powers from 1 and the others from 0.

    Takes ln x beside x, which may have underflowed.
    """
    orders = jnp.arange(2, _TERMS, dtype=share.dtype)
    return _power_integral(log, -q) + _power_integral(log, 1 - q) + share ** (2 - q) * _series(1 / (orders - q), share)


def _power_integral(log: Array, power: Number) -> Array:
    """(x^p - 1)/p, at p = 0 its limit ln x."""
    zero = power == 0
    return jnp.where(zero, log, jnp.expm1(power * log) / jnp.where(zero, 1, power))


def _near_one(share: Array, odds: Array, q: Number) -> Array:
    """The same up to a constant, from the series of x^(-1-q) in 1 - x; ln|1 - x| comes from the odds."""
    orders = jnp.arange(1, _TERMS, dtype=share.dtype)
    coefficients = jnp.cumprod((q + orders) / orders) / orders
    return odds - jnp.log(share) - (1 - share) * _series(coefficients, 1 - share)


def _beyond(share: Array, q: Number) -> Array:
    """The same for x > 1 in powers of 1/x, the first from 1 and the others from infinity."""
    orders = 1 + q + jnp.arange(1, _TERMS, dtype=share.dtype)
    return _power_integral(-jnp.log(share), 1 + q) + share ** (-2 - q) * _series(1 / orders, 1 / share)


def _series(coefficients: Array, at: Array) -> Array:
    return jnp.polyval(coefficients[::-1], at, unroll=4)  # few: unrolled terms take long to compile


def check_depth(depth: Number) -> None:
    """At least 1 weight layer; tracers pass unchecked. Raises OutsideDomain otherwise. References: none."""
    if is_concrete(depth) and not depth >= 1:
        raise OutsideDomain(f"`depth` is {depth}; it must be a number of weight layers of at least 1.")


def check_above_zero(why: str, **values: Array) -> None:
    """All entries above 0; tracers pass unchecked. Raises OutsideDomain otherwise, saying why. References: none."""
    for name, value in values.items():
        if is_concrete(value) and not np.all(np.asarray(value) > 0):  # NumPy, so that ``jit`` does not trace the check
            raise OutsideDomain(f"`{name}` is {value}; {why}.")


def _check_strengths(start: Array, end: Array, target: Array) -> None:
    why = "strengths of a chain must be above 0: one that starts at 0 stays"
    check_above_zero(why, start=start, end=end, target=target)
