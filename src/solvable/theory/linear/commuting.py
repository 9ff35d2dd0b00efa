"""Linear networks on inputs that are not white but vary along the modes' own axes: what one and two layers learn when.

A mode k has its covariance sigma_k (a singular value of E[y x^T]) and the variance lambda_k of inputs along it; it
learns the strength sigma_k / lambda_k. A variance of 0 stands for a direction without data, where sigma is 0 too.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete
from solvable.numerics import integrated_exponential
from solvable.theory.linear.modes import logistic_mode


def one_layer_mode(
    times: Float[Array, "..."],
    covariance: Float[Array, "..."],
    variance: Float[Array, "..."],
    start: Float[Array, "..."],
) -> Float[Array, "..."]:
    r"""Strength w(t) of a mode of linear regression: all modes set out at once, at rates the inputs decide.

    .. math:: \dot w = \sigma - \lambda w, \qquad
       w(t) = \frac{\sigma}{\lambda} + \Big(w_0 - \frac{\sigma}{\lambda}\Big) e^{-\lambda t}

    Parameters
    ----------
    times
        t >= 0, in units of 1/learning rate.
    covariance, variance
        sigma of either sign and lambda >= 0; at lambda = 0 this is w_0 + sigma t.
    start
        w_0. All broadcast against each other.

    Raises
    ------
    OutsideDomain
        A negative variance.

    References
    ----------
    gidel2019, linear model [w_0 = 0].
    """
    _check_variance(variance)
    return start * jnp.exp(-variance * times) + covariance * integrated_exponential(-variance, times)


def two_layer_mode(
    times: Float[Array, "..."],
    covariance: Float[Array, "..."],
    variance: Float[Array, "..."],
    start: Float[Array, "..."],
) -> Float[Array, "..."]:
    r"""Strength w(t) of a mode of a two-layer linear network whose two weights are equally large.

    .. math:: \dot w = 2\,|w|\,(\sigma - \lambda w), \qquad
       w(t) = \frac{\sigma\,e^{2\sigma t}}{\lambda\,(e^{2\sigma t} - 1) + \sigma / w_0} \quad (w_0 > 0)

    Parameters
    ----------
    times, covariance, variance
        As for ``one_layer_mode``; at lambda = 0 this is w_0 exp(2 sigma t).
    start
        w_0, of either sign; exp(-2 delta) where both weights start at exp(-delta).

    Raises
    ------
    OutsideDomain
        A negative variance.

    Notes
    -----
    Exact under gradient flow. Gradient descent with learning rate eta lags: it grows by (1 + eta sigma)^2 a step, so
    that times are longer by the share eta sigma / 2, see ``learning_steps``.

    References
    ----------
    gidel2019, Theorem 1.
    """
    _check_variance(variance)
    safe = jnp.where(variance > 0, variance, 1.0)
    sign = jnp.where(start < 0, -1.0, 1.0).astype(start.dtype)
    learned = logistic_mode(times, covariance, safe * start) / safe
    return jnp.where(variance > 0, learned, start * jnp.exp(2 * sign * covariance * times))


def sequential_limit(
    scaled_times: Float[Array, "..."], covariance: Float[Array, "..."], variance: Float[Array, "..."]
) -> Float[Array, "..."]:
    r"""Strength of a mode at time delta t from two weights exp(-delta), as delta grows: a step at t = 1/sigma.

    .. math:: \lim_{\delta \to \infty} w(\delta t) = 0 \;(\sigma t < 1), \quad
       \frac{\sigma}{\lambda + \sigma} \;(\sigma t = 1), \quad \frac{\sigma}{\lambda} \;(\sigma t > 1)

    Parameters
    ----------
    scaled_times
        t: time in units of delta/learning rate.
    covariance, variance
        sigma and lambda > 0; a mode with sigma <= 0 is never learned.

    Raises
    ------
    OutsideDomain
        A variance that is not positive.

    Notes
    -----
    Modes come in order of sigma alone and end at sigma/lambda, so that a late one may be large. Between two steps the
    map is that of reduced-rank regression. The step is 1/delta wide; half of the strength is passed at
    t = (1 + ln(sigma/lambda)/2 delta)/sigma.

    References
    ----------
    gidel2019, Theorem 1, vanishing initialisation.
    """
    _check_variance(variance, above=True)
    phase = covariance * scaled_times - 1
    learned = jnp.where(phase > 0, covariance / variance, covariance / (variance + covariance))
    return jnp.where((phase < 0) | (covariance <= 0), 0.0, learned)


def modes_loss(
    strengths: Float[Array, "*record mode"],
    covariances: Float[Array, " mode"],
    variances: Float[Array, " mode"] | None = None,
) -> Float[Array, "*record"]:
    r"""Half mean squared error above its minimum, as a sum over modes.

    .. math:: L - L_{\min} = \frac12 \sum_k \lambda_k \Big(w_k - \frac{\sigma_k}{\lambda_k}\Big)^2

    Parameters
    ----------
    strengths
        w_k, modes last.
    covariances, variances
        sigma_k and lambda_k; inputs are white if the latter are left out. Modes without variance cost nothing.

    Raises
    ------
    OutsideDomain
        A negative variance.

    References
    ----------
    saxe2014 and gidel2019, loss in the modes' basis.
    """
    variances = jnp.ones_like(covariances) if variances is None else variances
    _check_variance(variances)
    used = variances > 0
    targets = jnp.where(used, covariances / jnp.where(used, variances, 1.0), 0.0)
    return (strengths - targets.reshape((1,) * (strengths.ndim - 1) + (-1,))) ** 2 @ variances / 2


def _check_variance(variance: Array, above: bool = False) -> None:
    values = np.asarray(variance) if is_concrete(variance) else np.ones(1)  # NumPy: ``jit`` would trace the check
    if not np.all(values > 0 if above else values >= 0):
        raise OutsideDomain(f"`variance` is {variance}; it must be {'above' if above else 'at least'} 0.")
