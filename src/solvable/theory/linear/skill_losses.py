"""Exact losses of a multilinear model on skills of power-law frequency, at any time, size and number of samples."""

import math

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import zeta
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_positive
from solvable.theory.linear.skills import integrate, optimal_size_law, settled, skill_strength

# So many skills are summed one by one; of the others the sum is an integral, to 1e-7 of it.
_SUMMED = 1024
_REFINEMENTS, _CANDIDATES = 4, 65
Count = int | float | Float[Array, "..."]


def skill_loss(
    times: Float[Array, "..."],
    exponent: float,
    target: float = 1.0,
    start: float = 0.01,
    *,
    held: Count = math.inf,
    total: float = math.inf,
) -> Float[Array, "..."]:
    r"""Loss at time t of a model that holds the N most frequent of K skills.

    .. math:: L = \tfrac12 \sum_{k \le N} P_k\,(S - R_k(t))^2 + \tfrac12 S^2 \sum_{N < k \le K} P_k, \qquad
       P_k = A\,k^{-(\alpha + 1)}

    Parameters
    ----------
    times
        t >= 0, in units of 1/learning rate.
    exponent
        alpha > 0.
    target, start
        S, not 0, and R_0 of its sign or 0, from which nothing is learned. R_0 may be beyond S.
    held
        N, a whole number or an array of such, which broadcasts with the times; infinite for all of them.
    total
        K, a whole number or infinite.

    Raises
    ------
    OutsideDomain
        An exponent that is not positive, a target of 0, or a start of another sign.

    References
    ----------
    nam2025 and Nam et al. (2024), loss of the multilinear model [t = eta T].
    """
    if target == 0 or start * target < 0:
        raise OutsideDomain(f"`start` is {start}, `target` {target}; they must have one sign, and a target is not 0.")
    goal, begin = jnp.asarray(target, times.dtype), jnp.asarray(start, times.dtype)
    held = jnp.minimum(jnp.asarray(held, times.dtype), total)

    def left(frequencies: Array) -> Array:
        return (goal - skill_strength(times[..., None], frequencies, goal, begin)) ** 2 / 2

    owned = _sum_over_skills(left, exponent, held, total, 2 * abs(target) * times, settled(target, start))
    return owned + unheld_loss(held, exponent, target, total=total)


def unheld_loss(
    held: Float[Array, "..."], exponent: float, target: float = 1.0, *, total: float = math.inf
) -> Float[Array, "..."]:
    r"""Loss left by a model that has learned the N most frequent of K skills: half S^2 times the others' frequency.

    Parameters
    ----------
    held
        N >= 0.
    exponent, target, total
        As for ``skill_loss``.

    Raises
    ------
    OutsideDomain
        An exponent that is not positive.

    References
    ----------
    nam2025 and Nam et al. (2024), parameter scaling law, before its limit.
    """
    amplitude = _amplitude(exponent, total, held.dtype)
    return (
        target**2
        / 2
        * amplitude
        * jnp.maximum(_tail(held, exponent) - _tail(jnp.asarray(total, held.dtype), exponent), 0)
    )


def unseen_loss(
    num_samples: Float[Array, "..."], exponent: float, target: float = 1.0, *, total: float = math.inf
) -> Float[Array, "..."]:
    r"""Average loss of a learner that knows every skill it has seen in D samples.

    .. math:: L = \frac{S^2}{2} \sum_{k \le K} P_k\,(1 - P_k)^D

    Parameters
    ----------
    num_samples
        D >= 0.
    exponent, target, total
        As for ``skill_loss``.

    Raises
    ------
    OutsideDomain
        An exponent that is not positive.

    References
    ----------
    nam2025 and Nam et al. (2024), data scaling law, before its limit.
    """
    held = jnp.full_like(num_samples, total)

    def left(frequencies: Array) -> Array:
        # A frequency of 1, a single skill, is known from the first sample on.
        rest = jnp.log1p(-jnp.minimum(frequencies, 1 - jnp.finfo(frequencies.dtype).eps))
        return target**2 / 2 * jnp.exp(num_samples[..., None] * rest)

    return _sum_over_skills(left, exponent, held, total, num_samples, settled(2.0, 1.0))


class ComputeOptimum(eqx.Module):
    """The best model for a given compute.

    Attributes
    ----------
    num_skills
        N, how many skills to hold.
    loss
        Half mean squared error after time C/N.
    """

    num_skills: Float[Array, "..."]
    loss: Float[Array, "..."]


def compute_optimum(
    compute: Float[Array, "..."], exponent: float, target: float = 1.0, start: float = 0.01
) -> ComputeOptimum:
    """The number of skills N that leaves the least loss after time C/N, over all whole numbers.

    Parameters
    ----------
    compute
        C = N t > 0.
    exponent, target, start
        As for ``time_law``.

    Raises
    ------
    OutsideDomain
        As ``time_law``.

    Notes
    -----
    The loss has one minimum in N; it is flat, so that N is far less certain than the loss.

    References
    ----------
    nam2025 and Nam et al. (2024), compute scaling law, before its limit [C = N T with T steps: ours is eta times it].
    """
    law, shape = optimal_size_law(exponent, target, start), compute.shape
    compute = compute.reshape(-1, 1)
    rows = jnp.arange(compute.size)
    share = jnp.linspace(0, 1, _CANDIDATES, dtype=compute.dtype)[None, :]

    def best_of(sizes: Array) -> tuple[Array, Array, Array, Array]:
        """The best size of each row, its loss, and its neighbours."""
        losses = skill_loss(compute / sizes, exponent, target, start, held=sizes)
        best = jnp.argmin(losses, axis=1)
        beside = lambda place: sizes[rows, jnp.clip(place, 0, _CANDIDATES - 1)][:, None]  # noqa: E731
        return sizes[rows, best], losses[rows, best], beside(best - 1), beside(best + 1)

    # From evenly spaced in the logarithm to every number.
    size, loss, low, high = best_of(jnp.round((jnp.ceil(32 * law(compute)) + 2) ** share))
    for _ in range(_REFINEMENTS):
        size, loss, low, high = best_of(jnp.round(low + (high - low) * share))
    return ComputeOptimum(size.reshape(shape), loss.reshape(shape))


def _sum_over_skills(function, exponent: float, held: Array, total: float, scale: Array, end: float) -> Array:
    """The sum of P_k function(P_k) over k <= held; ``function`` has fallen to nothing where P_k scale > end.

    Beyond the first thousand the sum is an integral over z, proportional to k^-alpha, with P_k scale = z^(1 + 1/alpha).
    """
    scale, held = jnp.broadcast_arrays(scale, held)
    amplitude = _amplitude(exponent, total, scale.dtype)
    places = jnp.arange(1, _SUMMED + 1, dtype=scale.dtype)
    frequencies = (amplitude * places ** -(exponent + 1)).reshape((1,) * scale.ndim + (-1,))
    mask = places.reshape(frequencies.shape) <= held[..., None]
    summed = jnp.sum(jnp.where(mask, frequencies * function(frequencies), 0), axis=-1)
    # Only the choice of variable: a scale of its own where nothing has happened yet.
    scale = jnp.maximum(scale, 1 / amplitude)
    unit = (amplitude * scale) ** (-exponent / (exponent + 1))
    low = (held + 0.5) ** -exponent / unit
    high = jnp.minimum((_SUMMED + 0.5) ** -exponent / unit, end ** (exponent / (exponent + 1)))
    at = lambda z: function(z ** (1 + 1 / exponent) / scale[..., None])  # noqa: E731
    return summed + amplitude * unit / exponent * integrate(at, low, high)


def _amplitude(exponent: float, total: float, dtype) -> Array:
    """A, which makes the frequencies of all skills sum to 1."""
    check_positive("exponent", exponent)
    everything = jnp.asarray([0.0, total], dtype)
    return 1 / -jnp.diff(_tail(everything, exponent))[0]


def _tail(beyond: Float[Array, "..."], exponent: float) -> Array:
    """sum over k > N of k^-(alpha + 1)."""
    endless = jnp.isinf(beyond)
    return jnp.where(endless, 0, zeta(jnp.asarray(exponent + 1, beyond.dtype), jnp.where(endless, 0, beyond) + 1))
