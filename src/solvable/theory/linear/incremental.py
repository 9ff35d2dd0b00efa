r"""When modes of a deep linear chain are learned one at a time: how small all of them must start.

Of two modes that start at the same strength, the faster one, of target s_i, is to have passed a share f of it before
the slower one passes a share e of its own s_j: t_i(f) <= t_j(e), with the times of ``depth_time``.
"""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, ValidityWarning, is_concrete
from solvable.theory.linear.depth import Number, check_above_zero, check_depth, progress

_BISECTIONS = 100


def incremental_threshold(
    fast: Float[Array, "..."],
    slow: Float[Array, "..."],
    depth: float,
    *,
    start_share: float = 0.1,
    end_share: float = 0.9,
) -> Float[Array, "..."]:
    r"""Logarithm of the largest common start at which two modes are learned one after the other.

    .. math:: \ln u_0^{\mathrm{th}}: \quad t_i(u_0 \to f s_i) = t_j(u_0 \to e\,s_j)

    Parameters
    ----------
    fast, slow
        Targets s_i and s_j > 0. The two broadcast against each other.
    depth
        D, weight layers: any real number from 1 on.
    start_share, end_share
        e < f, between 0 and 1: where the slower mode begins and the faster one is done.

    Returns
    -------
    Array
        ln u_0; -inf where no start is small enough: for modes that are equal or in the other order, and at depth 1.

    Raises
    ------
    OutsideDomain
        A depth below 1, targets that are not positive, shares out of order.

    Notes
    -----
    Exact under gradient flow, whatever the unit of time. With two layers u_0 is exponentially small in 1/(s_i/s_j - 1)
    and soon underflows, with more it falls as a power: ``asymptotic_threshold``.

    References
    ----------
    gissin2019, (s, f)-incremental learning and its threshold [their s is our e, sigma* our s].
    """
    check_depth(depth)
    _check(fast, slow, start_share, end_share)
    return _bisect(fast, slow, 2 / depth, start_share, end_share)


def asymptotic_threshold(
    fast: Float[Array, "..."],
    slow: Float[Array, "..."],
    depth: float,
    *,
    start_share: float = 0.1,
    end_share: float = 0.9,
) -> Float[Array, "..."]:
    r"""The threshold in closed form: exponentially small with two layers, a power of the gap with more.

    .. math:: \ln u_0 = \frac{r \ln\frac{e\,s_j}{1 - e} + \ln\frac{1 - f}{f\,s_i}}{r - 1} \quad (D = 2), \qquad
       u_0 = s_j \Big[\frac{D}{D - 2}\,\frac{r - 1}{\Phi_D(f) - \Phi_D(e)}\Big]^{\frac{D}{D - 2}} \quad (D > 2),
       \qquad r = \frac{s_i}{s_j}

    Parameters
    ----------
    fast, slow, depth, start_share, end_share
        As for ``incremental_threshold``; depth from 2 on.

    Returns
    -------
    Array
        ln u_0; -inf where s_i <= s_j.

    Raises
    ------
    OutsideDomain
        As ``incremental_threshold``, and a depth below 2, where there is no such law.

    Warns
    -----
    ValidityWarning
        A start above e s_j, beyond where the slower mode begins: the targets are too far apart for the law.

    Notes
    -----
    D = 2: for small u_0, to a relative accuracy of order u_0. D > 2: for r - 1 small next to (D - 2)/D; at r = 1.001
    off by 0.3% for D = 3, 0.14% for D = 4 and 0.06% for D = 6, in u_0 itself.

    References
    ----------
    gissin2019, dependence of the threshold on depth, made explicit.
    """
    if not depth >= 2:
        raise OutsideDomain(f"`depth` is {depth}; the law holds from 2 weight layers on: use incremental_threshold.")
    _check(fast, slow, start_share, end_share)
    log = _close(fast, slow, 2 / depth, start_share, end_share)
    if is_concrete(log) and np.any(np.asarray(log) > np.log(start_share * np.asarray(slow))):
        warnings.warn(
            f"The threshold's law gives the start exp({log}), above where the slower mode begins: the targets are too "
            "far apart for it; incremental_threshold is exact.",
            ValidityWarning,
            stacklevel=2,
        )
    return log


@jax.jit  # also over the depth, so that all depths share what is compiled
def _bisect(fast: Array, slow: Array, inverse: Number, start_share: Number, end_share: Number) -> Array:
    fast, slow = jnp.broadcast_arrays(fast, slow)
    ordered, q = fast > slow, 1 - inverse
    fast = jnp.where(ordered, fast, 2 * slow)
    targets = jnp.stack([slow, fast])

    def begin(log: Array) -> tuple[Array, Array]:
        """Shares of both targets that this start is, and their log-odds."""
        logs = log[None] - jnp.log(targets)
        return jnp.exp(logs), logs - jnp.log1p(-jnp.exp(logs))

    def lead(begun: Array) -> Array:
        """By how much later the slower mode begins than the faster one is done: falls as the start grows."""
        waits = targets ** (-1 - q) * (goals - begun)
        return waits[0] - waits[1]

    high = jnp.log(start_share * slow)
    known = [_at_shares(start_share, end_share, slow), begin(high), begin(jnp.full_like(high, -jnp.inf))]
    shares, odds = (jnp.stack(parts) for parts in zip(*known, strict=True))
    goals, largest, none = progress(shares, odds, inverse)
    low, possible = _lower_bound(lead(largest), lead(none), fast, slow, q, start_share)

    def halve(_, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = (bracket[0] + bracket[1]) / 2
        # A lead that overflows belongs to a start that is small enough.
        small = ~(lead(progress(*begin(middle), inverse)) <= 0)
        return jnp.where(small, middle, bracket[0]), jnp.where(small, bracket[1], middle)

    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (low, high))
    return jnp.where(possible & ordered, (low + high) / 2, -jnp.inf)


def _lower_bound(
    at_largest: Array, at_none: Array, fast: Array, slow: Array, q: Number, start_share: Number
) -> tuple[Array, Array]:
    r"""A start below the threshold, and whether there is one at all, from the lead at the ends and how it falls:

    .. math:: -\frac{d\,\mathrm{lead}}{d \ln u_0} = \frac{u_0^{-q}\,(s_i - s_j)}{(s_i - u_0)(s_j - u_0)}
    """
    # From depth 2 on the slope is at least that of the largest start, without its denominator.
    least = (fast - slow) / (fast * slow) * (start_share * slow) ** -q
    deep = jnp.log(start_share * slow) + at_largest / least
    # Below, the lead of vanishing starts is finite, and is lost at most as fast as the largest denominator says.
    steepest = (fast - slow) / ((fast - start_share * slow) * (1 - start_share) * slow)
    shallow = q < 0
    power, most = jnp.where(shallow, -q, 1), jnp.where(shallow, at_none, 1)
    possible = most > 0
    small = jnp.log(jnp.where(possible, most, 1) * power / steepest) / power
    return jnp.where(shallow, jnp.minimum(small, jnp.log(start_share * slow)), deep), possible


@jax.jit
def _close(fast: Array, slow: Array, inverse: Number, start_share: Number, end_share: Number) -> Array:
    fast, slow = jnp.broadcast_arrays(fast, slow)
    ordered, q = fast > slow, 1 - inverse
    excess = jnp.where(ordered, fast / slow, 2) - 1
    begun, done = jnp.log(start_share / (1 - start_share) * slow), jnp.log((1 - end_share) / end_share / fast)
    early, late = progress(*_at_shares(start_share, end_share, slow), inverse)
    bend = jnp.where(q == 0, 1, q)
    power = jnp.log(slow) + jnp.log(excess / (bend * (late - early))) / bend
    return jnp.where(ordered, jnp.where(q == 0, ((1 + excess) * begun + done) / excess, power), -jnp.inf)


def _at_shares(start_share: Number, end_share: Number, like: Array) -> tuple[Array, Array]:
    """The slower mode's beginning and the faster one's end, as shares and log-odds."""
    shares = jnp.stack([jnp.full_like(like, share) for share in (start_share, end_share)])
    return shares, jnp.log(shares) - jnp.log1p(-shares)


def _check(fast: Array, slow: Array, start_share: float, end_share: float) -> None:
    if not 0 < start_share < end_share < 1:
        raise OutsideDomain(
            f"`start_share` and `end_share` are {start_share} and {end_share}; they must be shares between 0 and 1, "
            "the second one larger."
        )
    check_above_zero("targets of a chain must be above 0", fast=fast, slow=slow)
