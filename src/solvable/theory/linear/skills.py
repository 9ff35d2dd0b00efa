"""Skills of a multilinear model: when each emerges, and the power laws that all of them make together.

Skill k is met at a frequency P_k = A k^-(alpha + 1) and learned by a product a_k b_k of its own. Skills without end,
A = 1/zeta(alpha + 1), unless a function says otherwise; ``skill_losses`` holds the exact losses.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gamma, zeta
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_positive, is_concrete
from solvable.theory.linear.modes import logistic_mode

_BISECTIONS = 60
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANELS = 64
# Beyond the half-way point of a skill, the logarithm at which nothing of it is left to learn.
_SETTLED = 45.0


class PowerLaw(eqx.Module):
    """prefactor * x^exponent.

    Attributes
    ----------
    prefactor, exponent
        Of the law; a loss that falls has a negative exponent.
    """

    prefactor: Float[Array, ""]
    exponent: Float[Array, ""]

    def __call__(self, at: Float[Array, "..."]) -> Float[Array, "..."]:
        """The law's value. Raises nothing."""
        return self.prefactor.astype(at.dtype) * at ** self.exponent.astype(at.dtype)


def skill_strength(
    times: Float[Array, "..."],
    frequencies: Float[Array, "..."],
    target: Float[Array, "..."],
    start: Float[Array, "..."],
) -> Float[Array, "..."]:
    r"""Strength R_k(t) of a skill met at frequency P_k: each emerges along a sigmoid of its own.

    .. math:: \dot R_k = 2 P_k R_k (S - R_k), \qquad R_k(t) = \frac{S}{1 + (S/R_0 - 1)\,e^{-2 P_k S t}}

    Parameters
    ----------
    times
        t >= 0, in units of 1/learning rate on the half mean squared error.
    frequencies
        P_k >= 0; a skill that is never met stays where it is.
    target, start
        S and R_0 = a_0 b_0, of either sign, from balanced weights |a_0| = |b_0|. The four broadcast.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Exact for gradient flow. Steps of learning rate eta are off by O(eta P_k S) in time, batches of a few samples by
    more, as frequencies then fluctuate.

    References
    ----------
    nam2025 and Nam et al. (2024), dynamics of skill strength [their T counts steps: t = eta T].
    """
    return logistic_mode(frequencies * times, target, start)


def emergence_time(
    frequencies: Float[Array, "..."], target: float | Array, start: float | Array, *, share: float = 0.5
) -> Float[Array, "..."]:
    r"""Time at which a skill has reached a share of its strength: proportional to 1/P_k, so to k^(alpha + 1).

    .. math:: t_k = \frac{1}{2 P_k S} \Big[\ln\Big(\frac{S}{R_0} - 1\Big) + \ln\frac{x}{1 - x}\Big]

    Parameters
    ----------
    frequencies
        P_k; at 0 the time is infinite.
    target, start
        S and R_0 of one sign, |R_0| < |S|.
    share
        x between 0 and 1; one half by default.

    Returns
    -------
    Array
        In units of 1/learning rate; negative where the start is beyond the share.

    Raises
    ------
    OutsideDomain
        A start that is not between 0 and the target, a share outside (0, 1).

    References
    ----------
    nam2025 and Nam et al. (2024), emergence; its logarithm is of S/R_0 - 1, not of S/R_0.
    """
    if is_concrete(share) and not 0 < share < 1:
        raise OutsideDomain(f"`share` is {share}; it must lie between 0 and 1; 0.5 gives the half-way time.")
    check_start(target, start)
    odds = jnp.log(jnp.asarray(target / start - 1, frequencies.dtype)) + jnp.log(share / (1 - share))
    return odds / (2 * frequencies * jnp.abs(target))


def time_law(exponent: float, target: float = 1.0, start: float = 0.01) -> PowerLaw:
    r"""Loss against time t, with data and skills without end.

    .. math:: L(t) = \frac{S^2 A}{2 (\alpha + 1)} (2 S A t)^{-\frac{\alpha}{\alpha + 1}}
       \int_0^\infty \frac{x^{-1/(\alpha + 1)}\,dx}{(1 + e^x / (S/R_0 - 1))^2}

    Parameters
    ----------
    exponent
        alpha > 0 of the frequencies k^-(alpha + 1).
    target, start
        S and R_0, 0 < R_0/S < 1.

    Raises
    ------
    OutsideDomain
        An exponent that is not positive, a start that is not between 0 and the target.

    Notes
    -----
    The limit of many learned skills, (2 S A t)^(1/(alpha + 1)) of them; K skills end the law where t reaches
    K^(alpha + 1). ``skill_loss`` is exact.

    References
    ----------
    nam2025 and Nam et al. (2024), time scaling law [their T counts steps: t = eta T].
    """
    check_law(exponent, target, start)
    alpha, amplitude = _constants(exponent)
    power = -alpha / (alpha + 1)
    scale = target**2 * amplitude / (2 * alpha) * (2 * abs(target) * amplitude) ** power
    return PowerLaw(scale * _left_to_learn(jnp.zeros_like(alpha), alpha, target, start), power)


def size_law(exponent: float, target: float = 1.0) -> PowerLaw:
    r"""Loss against the number N of skills that the model can hold, all of them learned.

    .. math:: L(N) = \frac{S^2 A}{2 \alpha}\,N^{-\alpha}

    Parameters
    ----------
    exponent, target
        As for ``time_law``.

    Raises
    ------
    OutsideDomain
        An exponent that is not positive.

    Notes
    -----
    The first term in 1/N; the next one is smaller by alpha/(2N). ``unheld_loss`` is exact.

    References
    ----------
    nam2025 and Nam et al. (2024), parameter scaling law.
    """
    check_positive("exponent", exponent)
    alpha, amplitude = _constants(exponent)
    return PowerLaw(target**2 * amplitude / (2 * alpha), -alpha)


def data_law(exponent: float, target: float = 1.0) -> PowerLaw:
    r"""Loss against the number D of samples of a learner that knows a skill once it has seen it.

    .. math:: L(D) = \frac{S^2 A}{2 (\alpha + 1)}\,\Gamma\Big(\frac{\alpha}{\alpha + 1}\Big)\,
       (A D)^{-\frac{\alpha}{\alpha + 1}}

    Parameters
    ----------
    exponent, target
        As for ``time_law``.

    Raises
    ------
    OutsideDomain
        An exponent that is not positive.

    Notes
    -----
    The limit of many samples. ``unseen_loss`` is exact.

    References
    ----------
    nam2025 and Nam et al. (2024), data scaling law.
    """
    check_positive("exponent", exponent)
    alpha, amplitude = _constants(exponent)
    power = -alpha / (alpha + 1)
    return PowerLaw(target**2 * amplitude ** (1 + power) / (2 * (alpha + 1)) * gamma(-power), power)


def compute_law(exponent: float, target: float = 1.0, start: float = 0.01) -> PowerLaw:
    r"""Least loss against compute C = N t, the number N of skills held being the best for it: C^-(alpha/(alpha + 2)).

    Parameters
    ----------
    exponent, target, start
        As for ``time_law``.

    Raises
    ------
    OutsideDomain
        As ``time_law``.

    Notes
    -----
    The limit of much compute, in which the best share of the skills that time allows is one number, solved for here.
    ``compute_optimum`` takes the best whole number at any C.

    References
    ----------
    nam2025 and Nam et al. (2024), compute scaling law [C = N T with T steps: ours is eta times it]; the prefactor is
    derived here.
    """
    alpha, amplitude, edge = _best_edge(exponent, target, start)
    power = -alpha / (alpha + 2)
    rest = (_left_to_learn(edge, alpha, target, start) + edge) * edge ** (-1 / (alpha + 2))
    scale = target**2 * amplitude / (2 * alpha) * (2 * abs(target) * amplitude) ** power
    return PowerLaw(scale * rest, power)


def optimal_size_law(exponent: float, target: float = 1.0, start: float = 0.01) -> PowerLaw:
    """Number of skills N that is best for compute C = N t: C^(1/(alpha + 2)).

    Parameters
    ----------
    exponent, target, start
        As for ``time_law``.

    Raises
    ------
    OutsideDomain
        As ``time_law``.

    References
    ----------
    As for ``compute_law``.
    """
    alpha, amplitude, edge = _best_edge(exponent, target, start)
    power = 1 / (alpha + 2)
    return PowerLaw(edge ** (-(alpha + 1) / alpha * power) * (2 * abs(target) * amplitude) ** power, power)


def check_start(target: float | Array, start: float | Array) -> None:
    """0 < start/target < 1 everywhere; tracers pass unchecked. Raises OutsideDomain otherwise. References: nam2025."""
    if is_concrete(target) and is_concrete(start):
        share = np.asarray(start) / np.asarray(target)
        if not np.all((share > 0) & (share < 1)):
            raise OutsideDomain(f"`start` is {start}; it must lie between 0 and `target` = {target}, without either.")


def check_law(exponent: float, target: float, start: float) -> None:
    """alpha > 0, the start between 0 and the target. Raises OutsideDomain otherwise. References: nam2025."""
    check_positive("exponent", exponent, "with alpha = 0 or below, skills without end have no frequencies")
    check_start(target, start)


def integrate(function, low: Float[Array, "..."], high: Float[Array, "..."]) -> Float[Array, "..."]:
    """The integral of a smooth function of one array, by Gauss-Legendre on 64 panels; 0 where ``high`` <= ``low``.

    Raises nothing. References: none.
    """
    width = jnp.maximum(high - low, 0)[..., None] / _PANELS
    inside = (np.arange(_PANELS)[:, None] + (1 + _NODES[None, :]) / 2).ravel()
    at = low[..., None] + width * inside.reshape((1,) * low.ndim + (-1,)).astype(low.dtype)
    weights = np.tile(_WEIGHTS / 2, _PANELS).reshape((1,) * low.ndim + (-1,)).astype(low.dtype)
    return jnp.sum(function(at) * weights * width, axis=-1)


def settled(target: float, start: float) -> float:
    """2 P S t beyond which a skill counts as learned. Raises nothing. References: nam2025."""
    return math.inf if start in (0, target) else abs(math.log(abs(target / start - 1))) + _SETTLED


def _constants(exponent: float) -> tuple[Array, Array]:
    alpha = jnp.asarray(exponent, float)
    return alpha, 1 / zeta(alpha + 1, jnp.ones_like(alpha))


def _unlearned(z: Array, alpha: Array, target: float, start: float) -> Array:
    """(1 - R/S)^2 of the skill k at which 2 S P t = x, in the variable z = x^(alpha/(alpha + 1)), k^-alpha scaled."""
    odds = target / start - 1
    return jax.nn.sigmoid(math.log(odds) - z ** ((alpha + 1) / alpha)) ** 2


def _left_to_learn(low: Array, alpha: Array, target: float, start: float) -> Array:
    end = settled(target, start) ** (alpha / (alpha + 1))
    return integrate(lambda z: _unlearned(z, alpha, target, start), low, end)


def _best_edge(exponent: float, target: float, start: float) -> tuple[Array, Array, Array]:
    """z of the last skill held, where moving it gains nothing: (alpha + 2)(1 - h) z = I + z."""
    check_law(exponent, target, start)
    alpha, amplitude = _constants(exponent)

    def halve(_, bounds):
        low, high = bounds
        z = (low + high) / 2
        gain = (alpha + 2) * (1 - _unlearned(z, alpha, target, start)) * z - z
        early = gain < _left_to_learn(z, alpha, target, start)
        return jnp.where(early, z, low), jnp.where(early, high, z)

    end = settled(target, start) ** (alpha / (alpha + 1))
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (jnp.zeros_like(alpha), end))
    return alpha, amplitude, (low + high) / 2
