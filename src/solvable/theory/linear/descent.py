"""Two-layer linear networks under gradient descent: what finite steps change of the flow, mode by mode.

A mode k has its covariance sigma and the variance lambda of inputs along it, and learns sigma / lambda; both of its
weights are equal, and their product is its strength w.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, check_count, check_positive, is_concrete


class StrengthBounds(NamedTuple):
    """Between which strengths a mode must be after so many steps.

    Attributes
    ----------
    lower, upper
        In units of the strength, of the common shape of what they were asked for.

    References
    ----------
    gidel2019, bounds on discrete dynamics.
    """

    lower: Float[Array, "..."]
    upper: Float[Array, "..."]


def one_layer_steps(
    steps: Int[Array, "..."],
    covariance: Float[Array, "..."],
    variance: Float[Array, "..."],
    start: Float[Array, "..."],
    learning_rate: float | Float[Array, ""],
) -> Float[Array, "..."]:
    r"""Strength of a mode of linear regression after k steps of gradient descent.

    .. math:: w_k = \frac{\sigma}{\lambda} + \Big(w_0 - \frac{\sigma}{\lambda}\Big) (1 - \eta \lambda)^k

    Parameters
    ----------
    steps
        k >= 0.
    covariance, variance
        sigma of either sign and lambda >= 0; at lambda = 0 this is w_0 + eta sigma k.
    start
        w_0. All broadcast against each other.
    learning_rate
        eta > 0; modes with eta lambda > 2 diverge.

    Raises
    ------
    OutsideDomain
        A learning rate that is not positive.

    References
    ----------
    gidel2019, linear model in discrete time.
    """
    check_positive("learning_rate", learning_rate)
    share = jnp.asarray(learning_rate, covariance.dtype) * variance
    count = steps.astype(covariance.dtype)
    left = jnp.where(share < 1, 1.0, (-1.0) ** (steps % 2)) * jnp.abs(1 - share) ** count
    # Sum of (1 - x)^j over j < k: without cancellation where x is small.
    slow = -jnp.expm1(count * jnp.log1p(-jnp.minimum(share, 0.5)))
    done = jnp.where(share < 0.5, slow, 1 - left) / jnp.where(share > 0, share, 1.0)
    return start * left + jnp.asarray(learning_rate, covariance.dtype) * covariance * jnp.where(share > 0, done, count)


def two_layer_steps(
    steps: int,
    covariances: Float[Array, " mode"],
    variances: Float[Array, " mode"],
    starts: Float[Array, " mode"],
    learning_rate: float | Float[Array, ""],
) -> Float[Array, "record mode"]:
    r"""Strength of every mode at each step of gradient descent, which keeps modes apart exactly.

    .. math:: a_{k+1} = a_k\,\big(1 + \eta\,(\sigma - \lambda a_k^2)\big), \qquad w_k = a_k^2

    Parameters
    ----------
    steps
        Number of steps.
    covariances, variances
        sigma of either sign and lambda >= 0.
    starts
        w_0 >= 0.
    learning_rate
        eta.

    Returns
    -------
    Array
        At steps 0, 1, ..., ``steps``.

    Raises
    ------
    OutsideDomain
        A negative start, fewer than one step, or a learning rate that is not positive.

    Notes
    -----
    The whole network does nothing else, whatever its width, as long as inputs vary along the modes' own axes and both
    layers start aligned with them.

    References
    ----------
    gidel2019, discrete dynamics.
    """
    check_count("steps", steps)
    check_positive("learning_rate", learning_rate)
    if is_concrete(starts) and not np.all(np.asarray(starts) >= 0):
        raise OutsideDomain(f"`starts` is {starts}; strengths of modes with two equal weights must be at least 0.")
    rate = jnp.asarray(learning_rate, covariances.dtype)

    def step(weight: Array, _) -> tuple[Array, Array]:
        weight = weight * (1 + rate * (covariances - variances * weight**2))
        return weight, weight**2

    strengths = jax.lax.scan(step, jnp.sqrt(starts), None, steps)[1]
    return jnp.concatenate([starts[None], strengths])


def strength_bounds(
    steps: Int[Array, "..."],
    covariance: Float[Array, "..."],
    variance: Float[Array, "..."],
    start: Float[Array, "..."],
    learning_rate: float | Float[Array, ""],
) -> StrengthBounds:
    r"""Bounds on the strength of a mode after k steps of gradient descent, between 0 and what it learns.

    .. math:: \frac{\sigma / \lambda}{1 + z_0 (1 + \eta\sigma)^{-2k}} \;\le\; w_k \;\le\;
       \frac{\sigma / \lambda}{1 + z_0 (1 - 2\eta\sigma)^k}, \qquad z_0 = \frac{\sigma}{\lambda w_0} - 1

    Parameters
    ----------
    steps
        k >= 0.
    covariance, variance, start
        sigma > 0, lambda > 0 and 0 < w_0 <= sigma/lambda. All broadcast against each other.
    learning_rate
        eta < 1 / 2 sigma.

    Raises
    ------
    OutsideDomain
        Values outside these ranges, where the mode may overshoot.

    Notes
    -----
    Both close on the flow as eta falls: they differ from it by shares of order eta sigma in time.

    References
    ----------
    gidel2019, Theorem on discrete dynamics [there exponentials of steps; this form is slightly tighter].
    """
    _check_rising(covariance, variance, start)
    check_positive("learning_rate", learning_rate)
    if (
        is_concrete(learning_rate)
        and is_concrete(covariance)
        and not np.all(learning_rate * np.asarray(covariance) < 0.5)
    ):
        raise OutsideDomain(
            f"`learning_rate` is {learning_rate} for covariances {covariance}; it must be below 1/(2 covariance)."
        )
    rise = jnp.asarray(learning_rate, covariance.dtype) * covariance
    left, count = covariance / (variance * start) - 1, steps.astype(covariance.dtype)
    least, most = (
        covariance / variance / (1 + left * jnp.exp(-count * fall))
        for fall in (2 * jnp.log1p(rise), -jnp.log1p(-2 * rise))
    )
    return StrengthBounds(least, most)


def learning_steps(
    covariance: Float[Array, "..."],
    variance: Float[Array, "..."],
    start: Float[Array, "..."],
    learning_rate: float | Float[Array, ""],
) -> Float[Array, "..."]:
    r"""Steps of gradient descent after which a mode has half of its strength, from a small start.

    .. math:: k \simeq \frac{\delta + \frac12 \ln(\sigma / \lambda)}{\ln(1 + \eta\sigma)}, \qquad w_0 = e^{-2\delta}

    Parameters
    ----------
    covariance, variance, start
        sigma > 0, lambda > 0 and 0 < w_0 <= sigma/lambda. All broadcast against each other.
    learning_rate
        eta.

    Returns
    -------
    Array
        A real number.

    Raises
    ------
    OutsideDomain
        Values outside these ranges.

    Notes
    -----
    Learning stays sequential at finite steps: as delta grows, eta/ln(1 + eta sigma) takes the place of 1/sigma.
    Measured within one step for delta from 6 to 60 and eta sigma up to 0.75.

    References
    ----------
    gidel2019, vanishing initialisation in discrete time.
    """
    _check_rising(covariance, variance, start)
    check_positive("learning_rate", learning_rate)
    growth = jnp.log1p(jnp.asarray(learning_rate, covariance.dtype) * covariance)
    return (jnp.log(covariance) - jnp.log(variance) - jnp.log(start)) / (2 * growth)


def _check_rising(covariance: Array, variance: Array, start: Array) -> None:
    if not all(map(is_concrete, (covariance, variance, start))):
        return
    sigma, spread, first = (np.asarray(values) for values in (covariance, variance, start))
    for name, values in (("covariance", sigma), ("variance", spread), ("start", first)):
        if not np.all(values > 0):
            raise OutsideDomain(f"`{name}` is {values}; it must be above 0 for a mode that is learned.")
    if not np.all(first * spread <= sigma):
        raise OutsideDomain(f"`start` is {first}; it must be at most what the mode learns, {sigma / spread}.")
