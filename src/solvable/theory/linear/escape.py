r"""How small modes of a deep linear network grow while the gradient they see stays what it was: the escape from zero.

A mode of strength u, with the gradient mu against it (mu = -u^T G v of its singular vectors), obeys

.. math:: \dot u = D\,u^{2 - 2/D}\,\mu
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete
from solvable.theory.linear.depth import check_above_zero, check_depth


def escape_time(
    start: Float[Array, "..."], end: Float[Array, "..."], gradient: Float[Array, "..."], depth: float
) -> Float[Array, "..."]:
    r"""Time that a mode takes from strength u_0 to u_f under a constant gradient.

    .. math:: t = \frac{\ln(u_f / u_0)}{2 \mu} \quad (D = 2), \qquad
       t = \frac{u_0^{2/D - 1} - u_f^{2/D - 1}}{(D - 2)\,\mu} \;\to\; \frac{u_0^{-(1 - 2/D)}}{(D - 2)\,\mu}
       \quad (D > 2, \; u_f \to \infty)

    Parameters
    ----------
    start, end
        u_0 and u_f > 0; ``end`` may be inf, where depth above 2 still takes a finite time. What is called the escape
        time of two layers is that to u_f = 1.
    gradient
        mu, the singular value of the gradient at zero weights; inf time at 0, negative times below.
    depth
        D, any real number from 1 on.

    Returns
    -------
    Array
        In units of 1/learning rate.

    Raises
    ------
    OutsideDomain
        A depth below 1, a strength that is not positive.

    Notes
    -----
    Training of a mode with target s follows it, mu = s, up to a relative correction of order u_f / s; the time to any
    share of s adds a constant to it that does not depend on u_0. For a loss with the prefactor 1/(2 D^2) times are D^2
    as long.

    References
    ----------
    li2021a, escape of depth L [alpha = u_0, mu_1 = mu]; gissin2019, time of small starts [loss 1/(2 N^2)].
    """
    check_depth(depth)
    check_above_zero("a mode must start and end above 0: one that starts at 0 stays", start=start, end=end)
    bend, log = 1 - 2 / depth, jnp.log(end / start)
    wait = log if bend == 0 else -jnp.expm1(-bend * log) * start**-bend / bend
    return wait / (depth * gradient)


def follower_growth(
    leader_growth: Float[Array, "..."], gradient_ratio: Float[Array, "..."], depth: float
) -> Float[Array, "..."]:
    r"""By what factor a slower mode has grown when the leading one has grown by x, both from the same strength.

    .. math:: \frac{u_k}{u_0} = \big[1 - \rho\,\big(1 - x^{2/D - 1}\big)\big]^{-\frac{D}{D - 2}}, \qquad
       x^\rho \quad (D = 2), \qquad (1 - \rho)^{-\frac{D}{D - 2}} \quad (D > 2, \; x \to \infty)

    Parameters
    ----------
    leader_growth
        x >= 1; inf gives what the slower mode stays at while the leading one escapes, where D > 2.
    gradient_ratio
        rho = mu_k / mu_1 <= 1; negative for a mode that shrinks.
    depth
        D, any real number from 1 on.

    Raises
    ------
    OutsideDomain
        A depth below 1, a growth below 1, a ratio above 1.

    Notes
    -----
    With two layers the slower mode is left behind by a power of the scale, with more by all of it: it stays within a
    factor of u_0. Constant gradients; at the leader's half learning the factor is below its limit by a relative
    correction of order u_0^(1 - 2/D).

    References
    ----------
    arora2019b, two modes with constant gradients; li2021a, depth L [sigma_k / alpha].
    """
    check_depth(depth)
    # NumPy, so that ``jit`` does not trace the checks.
    if is_concrete(leader_growth) and not np.all(np.asarray(leader_growth) >= 1):
        raise OutsideDomain(f"`leader_growth` is {leader_growth}; the leading mode grows: give factors of at least 1.")
    if is_concrete(gradient_ratio) and not np.all(np.asarray(gradient_ratio) <= 1):
        raise OutsideDomain(
            f"`gradient_ratio` is {gradient_ratio}; the leading mode has the largest gradient: at most 1."
        )
    bend, log = 1 - 2 / depth, jnp.log(leader_growth)
    if bend == 0:
        # The power 0 of an infinite growth is 1.
        return jnp.exp(jnp.where(gradient_ratio == 0, 0, gradient_ratio * jnp.where(gradient_ratio == 0, 0, log)))
    left = jnp.expm1(-bend * log)
    return (1 + jnp.where(gradient_ratio == 0, 0, gradient_ratio * left)) ** (-1 / bend)
