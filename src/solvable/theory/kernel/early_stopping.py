r"""Early stopping of least squares: the excess error along time, and where to stop.

Errors are mean squared errors without a half; time is that of gradient flow from 0 on half the mean squared error,
learning rate times steps.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from solvable.errors import check_non_negative, check_positive
from solvable.numerics import integrated_exponential
from solvable.theory.kernel.checks import Numbers, broadcast_numbers, check_power, check_spectrum
from solvable.theory.kernel.ridge_equation import map_over

# Of the logarithm of time, in which the error is smooth on a scale of 1.
_GRID, _BISECTIONS = 384, 40


class EarlyStop(eqx.Module):
    """Where to stop, and the excess error there; both of the shape of the number of samples.

    Attributes
    ----------
    time
        Learning rate times steps; inf where training on never harms, as without noise, and 0 where it always does.
    excess
        Mean squared error without the noise of the labels.

    References
    ----------
    pillaudvivien2018.
    """

    time: Float[Array, "*batch"]
    excess: Float[Array, "*batch"]


def population_flow_risk(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Numbers,
    time: Numbers,
    *,
    noise: Numbers = 0.0,
    averaged: bool = False,
) -> Float[Array, "*batch"]:
    r"""Excess error along gradient flow whose modes are learned as the population's would be.

    .. math:: \text{excess}(t) = \sum_i e^{-2 \lambda_i t} v_i^2 + \frac{\sigma^2}{n} \sum_i (1 - e^{-\lambda_i t})^2

    Parameters
    ----------
    eigenvalues, target_power
        lambda_i >= 0 and v_i^2 >= 0 of each mode, as for ``kernel_risk``.
    num_samples
        n > 0.
    time
        t >= 0. These and ``noise`` broadcast and may be traced.
    noise
        Variance sigma^2 of the labels' noise.
    averaged
        Whether weights are averaged over all times up to t, which puts (1 - e^-x)/x in place of e^-x.

    Raises
    ------
    OutsideDomain
        Numbers without meaning, shapes that do not fit.

    Notes
    -----
    The spectrum of the sampled covariance is taken for the population's, a relative error of order
    sum_i min(lambda_i t, 1)/n: 10 to 20% at the best stop after 100 samples, and without bound for t beyond it. SGD
    adds noise of its own, of the order of its learning rate.

    References
    ----------
    pillaudvivien2018, population filters; advani2020.
    """
    _check(eigenvalues, target_power, num_samples, noise)
    check_non_negative("time", time)
    samples, times, variance = broadcast_numbers(eigenvalues.dtype, num_samples=num_samples, time=time, noise=noise)
    return _flow_risk(eigenvalues, target_power, samples, times, variance, averaged)


def best_early_stop(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Numbers,
    *,
    noise: float | Float[Array, ""] = 0.0,
    averaged: bool = False,
) -> EarlyStop:
    """The time at which ``population_flow_risk`` is least, and its value there.

    Parameters
    ----------
    eigenvalues, target_power, num_samples, noise, averaged
        As for ``population_flow_risk``, with one noise for all numbers of samples.

    Raises
    ------
    OutsideDomain
        As ``population_flow_risk``.

    Notes
    -----
    The excess is 0.8 to 1.05 times that at the best ridge on power laws (``kernel_risk``), and the best ridge over n is
    of the order of 1/t. The minimum is flat: times found from data scatter by 20 to 30%.

    References
    ----------
    pillaudvivien2018, optimal number of passes.
    """
    _check(eigenvalues, target_power, num_samples, noise)
    samples, noise = jnp.asarray(num_samples, eigenvalues.dtype), jnp.asarray(noise, eigenvalues.dtype)
    return _best_stop(eigenvalues, target_power, samples, noise, averaged)


def _parts(eigenvalues: Array, power: Array, time: Array, averaged: bool | Bool[Array, ""]) -> tuple[Array, Array]:
    """What is unlearned of the target, and n times the noise that is learned of unit variance."""
    if averaged:
        left = integrated_exponential(-eigenvalues, jnp.broadcast_to(time, eigenvalues.shape)) / time
        left = jnp.where(time > 0, left, 1)
    else:
        left = jnp.exp(-eigenvalues * time)
    return jnp.sum(left**2 * power), jnp.sum((1 - left) ** 2)


@eqx.filter_jit
def _flow_risk(eigenvalues, power, samples, times, noise, averaged) -> Array:
    bias, variance = map_over(lambda time: _parts(eigenvalues, power, time, averaged), times, eigenvalues.size)
    return bias + noise / samples * variance


@eqx.filter_jit
def _best_stop(eigenvalues, power, samples, noise, averaged) -> EarlyStop:
    dtype = eigenvalues.dtype
    low = jnp.log(1e-6 / jnp.max(jnp.where(eigenvalues > 0, eigenvalues, 0), initial=jnp.finfo(dtype).tiny))
    high = jnp.log(1e12 / jnp.min(jnp.where(eigenvalues > 0, eigenvalues, jnp.inf), initial=1e12))
    grid = jnp.linspace(low, high, _GRID, dtype=dtype)
    bias, variance = map_over(lambda log: _parts(eigenvalues, power, jnp.exp(log), averaged), grid, eigenvalues.size)

    def find(samples):
        share = noise / samples

        def slope(log):
            def excess(log):
                bias, variance = _parts(eigenvalues, power, jnp.exp(log), averaged)
                return bias + share * variance

            return jax.jvp(excess, (log,), (jnp.ones_like(log),))

        def halve(_, ends):
            middle = (ends[0] + ends[1]) / 2
            rising = slope(middle)[1] > 0
            return jnp.where(rising, ends[0], middle), jnp.where(rising, middle, ends[1])

        place = jnp.argmin(bias + share * variance)
        inner = jnp.clip(place, 1, _GRID - 2)
        ends = lax.fori_loop(0, _BISECTIONS, halve, (grid[inner - 1], grid[inner + 1]))
        best = (ends[0] + ends[1]) / 2
        never = jnp.sum(power)
        forever = jnp.sum(jnp.where(eigenvalues > 0, share, power))
        # Without noise there is no reason to stop, and without anything to learn none to start.
        time = jnp.where(share > 0, jnp.where(place > 0, jnp.exp(best), 0), jnp.inf)
        excess = jnp.where(share > 0, jnp.minimum(slope(best)[0], never), forever)
        return jnp.where(forever == never, 0, time), excess

    return EarlyStop(*map_over(find, samples, eigenvalues.size))


def _check(eigenvalues: Array, power: Array, num_samples: Numbers, noise: Numbers) -> None:
    check_spectrum(eigenvalues, None)
    check_power(power, eigenvalues)
    check_positive("num_samples", num_samples)
    check_non_negative("noise", noise)
