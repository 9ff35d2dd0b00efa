"""One mode of a two-layer linear network: the product u = a b of two weights that learns a strength s.

Wherever the data and the start share singular vectors, a network falls apart into such modes, each by itself.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.numerics import integrated_exponential


def logistic_mode(
    times: Float[Array, "..."], target: Float[Array, "..."], start: Float[Array, "..."]
) -> Float[Array, "..."]:
    r"""Strength u(t) of a mode whose two weights are equally large: logistic growth from a small start.

    .. math:: \dot u = 2\,|u|\,(s - u), \qquad u(t) = \frac{s}{1 + (s/u_0 - 1)\,e^{-2 s t}} \quad (u_0 > 0)

    Parameters
    ----------
    times
        t >= 0, in units of 1/learning rate.
    target
        s, what the mode learns, of either sign or 0; a singular value of the whitened correlation.
    start
        u_0 = a_0 b_0, of either sign; 0 stays 0. The three broadcast against each other.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    A mode whose start has the other sign than its target falls to 0 and stays there, as |a| = |b| for ever. At s = 0
    this is u_0 / (1 + 2 |u_0| t). Never overflows.

    References
    ----------
    saxe2014, Eqs. 8-10 [tau = 1]; gidel2019, Theorem 1 [lambda = 1].
    """
    sign = jnp.where(start < 0, -1.0, 1.0).astype(start.dtype)
    size, goal = jnp.abs(start), sign * target
    rate = -2 * jnp.abs(goal)
    decay = jnp.exp(rate * times)
    decayed, shrunk = jnp.where(goal > 0, decay, 1.0), jnp.where(goal < 0, decay, 1.0)
    # At a start of 0 the denominator, 1 in principle, underflows.
    denominator = jnp.where(size > 0, decayed + 2 * size * integrated_exponential(rate, times), 1.0)
    return sign * size * shrunk / denominator


def imbalanced_mode(
    times: Float[Array, "..."], first: Float[Array, "..."], second: Float[Array, "..."], target: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    r"""The two weights a(t), b(t) of a mode from any start: their strength is the product.

    .. math:: \dot a = b\,(s - ab), \quad \dot b = a\,(s - ab), \qquad a^2 - b^2 = c = \mathrm{const}, \\
       (a, b) = \frac{p}{\sqrt Z}, \quad p = e^{Ft}\binom{a_0}{b_0}, \quad
       F = \begin{pmatrix} c/2 & s \\ s & -c/2 \end{pmatrix}, \quad \nu = \sqrt{c^2/4 + s^2}, \\
       Z = 1 + q_+^2\,\frac{e^{2\nu t} - 1}{2\nu} + q_-^2\,\frac{1 - e^{-2\nu t}}{2\nu}

    with q the components of (a_0, b_0) along the eigenvectors of F to +nu and -nu.

    Parameters
    ----------
    times
        t >= 0, in units of 1/learning rate.
    first, second
        a_0 and b_0, of either sign.
    target
        s, of either sign or 0. The four broadcast against each other.

    Returns
    -------
    tuple
        a(t) and b(t), of the common shape.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Holds for every imbalance c, 0 included (``logistic_mode``), and for s = 0. Near the end the error decays at
    2 nu = sqrt(c^2 + 4 s^2): imbalance speeds learning up. Never overflows.

    References
    ----------
    saxe2014, App. A (a, b of hyperbolic form, solved here for t); tarmoun2021, spectral initialisation [u, v, lambda].
    """
    grown_first, grown_second, size = _propagate(times, first, second, target)
    norm = jnp.sqrt(size)
    return grown_first / norm, grown_second / norm


def imbalanced_strength(
    times: Float[Array, "..."], first: Float[Array, "..."], second: Float[Array, "..."], target: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Strength u(t) = a(t) b(t) of a mode from any start, in half the time that its two weights take.

    Parameters
    ----------
    times, first, second, target
        As for ``imbalanced_mode``.

    Raises
    ------
    Raises nothing.

    References
    ----------
    saxe2014 and tarmoun2021, as ``imbalanced_mode``.
    """
    grown_first, grown_second, size = _propagate(times, first, second, target)
    return grown_first * grown_second / size


def _propagate(times: Array, first: Array, second: Array, target: Array) -> tuple[Array, Array, Array]:
    """p and Z, multiplied by exp(-nu t) and its square."""
    growing, shrinking = growth_axes(first**2 - second**2, target)
    rate = jnp.hypot((first**2 - second**2) / 2, target)
    grown = growing[0] * first + growing[1] * second
    shrunk = shrinking[0] * first + shrinking[1] * second
    # Not multiplied where nothing grows, on the way into a saddle.
    decay, span = jnp.exp(-2 * rate * times), integrated_exponential(-2 * rate, times)
    fall, lost = jnp.where(grown == 0, 1.0, decay), jnp.where(grown == 0, jnp.sqrt(decay), decay)
    at_time = [up * grown + down * lost * shrunk for up, down in zip(growing, shrinking, strict=True)]
    return at_time[0], at_time[1], fall + span * (grown**2 + fall * shrunk**2)


def growth_axes(imbalance: Array, target: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Eigenvectors of F to +nu and -nu; exactly (1, 1) and (1, -1) up to a factor without imbalance: saddles stay.

    Raises nothing. References: as ``imbalanced_mode``.
    """
    half = jnp.abs(imbalance) / 2
    sum_ = jnp.hypot(half, target) + half
    lesser = jnp.where(sum_ > 0, target / jnp.where(sum_ > 0, sum_, 1.0), 0.0)
    size = jnp.hypot(1.0, lesser)
    greater, lesser = 1 / size, lesser / size
    first_leads = imbalance >= 0
    up = jnp.where(first_leads, greater, lesser), jnp.where(first_leads, lesser, greater)
    return up, (up[1], -up[0])


def imbalanced_rate(imbalance: Float[Array, "..."], target: Float[Array, "..."]) -> Float[Array, "..."]:
    """sqrt(lambda^2 + 4 s^2), at which |ab - s| of a mode with a^2 - b^2 = lambda decays in the end.

    Parameters
    ----------
    imbalance, target
        lambda and s, of either sign.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    The loss decays at twice this, and the growing combination of small weights grows at half of it.

    References
    ----------
    tarmoun2021, rate of spectral initialisation.
    """
    return jnp.hypot(imbalance, 2 * target)


def gram_schmidt_start(
    first: Float[Array, "width input_dim"],
    second: Float[Array, "output_dim width"],
    left: Float[Array, "output_dim mode"],
    right: Float[Array, "input_dim mode"],
) -> Float[Array, " mode"]:
    r"""Strengths u_0 of balanced modes that learn as small random weights do.

    .. math:: Q = \tfrac12 (W_1 V + W_2^\top U) = \bar O \bar R, \qquad u_{0,k} = \bar R_{kk}^2

    Parameters
    ----------
    first, second
        Weights W_1 and W_2 at the start.
    left, right
        Singular vectors U and V of the task as columns, in order of decreasing singular value.

    Returns
    -------
    Array
        What to give ``logistic_mode`` as its start; 0 for modes beyond the width, which are never learned.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    For small weights and well separated singular values. Each mode keeps only what it does not share with the faster
    ones, which have used it by then: plain column norms of Q are ten times worse.

    References
    ----------
    Derived from the early linear growth and checked against training; not printed in saxe2014.
    """
    common = (first @ right + second.T @ left) / 2
    diagonal = jnp.diagonal(jnp.linalg.qr(common, mode="r")) ** 2
    return jnp.pad(diagonal, (0, common.shape[1] - diagonal.size))
