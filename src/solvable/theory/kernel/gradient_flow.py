r"""Linear regression by gradient flow in high dimension: test and train error in time, and when to stop.

Inputs have N independent entries of variance 1/N, samples are alpha N, targets :math:`y = \bar w \cdot x + \epsilon`.
Entries of the teacher have variance ``signal``, of the initial weights ``start``, labels noise of variance ``noise``.
Errors are mean squares without a half; times belong to the half *sum* of squares, :math:`\dot w = X (y - X^\top w)`: on
the half mean they are n times longer. All formulas are limits of large N, from which means are of order 1/N away.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import check_non_negative, check_positive, is_concrete
from solvable.numerics import marchenko_pastur_rule
from solvable.theory.kernel.least_squares import isotropic_risk

Number = float | Float[Array, ""]
_BISECTIONS = 80


class FlowErrors(eqx.Module):
    """Errors of gradient flow on linear regression.

    Attributes
    ----------
    test
        On new samples, their noise included, shape (*record).
    train
        On the training samples.

    References
    ----------
    advani2020, generalisation and training error.
    """

    test: Float[Array, "*record"]
    train: Float[Array, "*record"]


class StoppingTime(eqx.Module):
    """When gradient flow has its lowest test error, and that error.

    Attributes
    ----------
    time
        In units of 1/learning rate on the half sum of squares; inf without noise, 0 with nothing to learn.
    test
        The error there.

    References
    ----------
    advani2020, optimal stopping.
    """

    time: Float[Array, ""]
    test: Float[Array, ""]


def flow_errors(
    times: Float[Array, "*record"], sample_ratio: Number, *, noise: Number, signal: Number = 1.0, start: Number = 0.0
) -> FlowErrors:
    r"""Test and train error at each training time.

    .. math::
       E_g = \int \rho\,\Big[(\sigma_w^2 + \sigma_0^2)\,e^{-2 \lambda t} +
       \frac{\sigma^2}{\lambda} (1 - e^{-\lambda t})^2\Big]\,d\lambda + \sigma^2, \qquad
       E_t = \frac1\alpha \int_{\lambda > 0} \rho\,[(\sigma_w^2 + \sigma_0^2) \lambda + \sigma^2]\,e^{-2 \lambda t}\,
       d\lambda + \Big(1 - \frac1\alpha\Big)_+ \sigma^2

    Parameters
    ----------
    times
        t >= 0; inf is the end of training.
    sample_ratio
        alpha > 0, samples over dimensions.
    noise, signal, start
        Variances of label noise, of the teacher's and of the initial weights' entries, at least 0.

    Returns
    -------
    FlowErrors
        At alpha = 1 with noise the test error at t = inf is inf.

    Raises
    ------
    OutsideDomain
        A ratio that is not positive, negative times or variances.

    Notes
    -----
    At alpha = 1 the smallest eigenvalue of a finite matrix ends the growth of the test error at t of order N^2.

    References
    ----------
    advani2020, Eqs. for E_g(t) and E_t(t).
    """
    if is_concrete(times):  # NumPy, so that ``jit`` does not trace the check; inf is allowed
        check_non_negative("times", np.where(np.asarray(times) == np.inf, 0, times))
    _check(sample_ratio, noise=noise, signal=signal, start=start)
    return _flow_errors(times, *_arrays(sample_ratio, noise, signal, start, dtype=times.dtype))


@jax.jit
def _flow_errors(times: Array, ratio: Array, noise: Array, signal: Array, start: Array) -> FlowErrors:
    rule = marchenko_pastur_rule(ratio)
    along = (-1,) + (1,) * times.ndim
    eigenvalues, weights = rule.nodes.reshape(along), rule.weights.reshape(along)
    passed = eigenvalues * times[None]
    left, gained = jnp.exp(-2 * passed), jnp.expm1(-passed) ** 2
    away = signal + start
    # Eigenvalues that are 0 keep their error.
    test = jnp.sum(weights * (away * left + noise * gained / eigenvalues), axis=0) + jnp.maximum(1 - ratio, 0) * away
    train = jnp.sum(weights * (away * eigenvalues + noise) * left, axis=0) / ratio
    test = jnp.where(jnp.isinf(times) & (ratio == 1) & (noise > 0), jnp.inf, test + noise)
    return FlowErrors(test, train + jnp.maximum(1 - 1 / ratio, 0) * noise)


def mode_stopping_time(
    eigenvalues: Float[Array, "*mode"], *, noise: Number, signal: Number = 1.0, start: Number = 0.0
) -> Float[Array, "*mode"]:
    r"""When each mode of the inputs' correlation would best stop learning.

    .. math:: t_k = \frac{1}{\lambda_k} \ln\Big(1 + \lambda_k\,\frac{\sigma_w^2 + \sigma_0^2}{\sigma^2}\Big)

    Parameters
    ----------
    eigenvalues
        lambda_k >= 0; at 0 the limit of small ones, though nothing is learned there.
    noise, signal, start
        As for ``flow_errors``.

    Returns
    -------
    Array
        Longer for smaller eigenvalues; inf without noise.

    Raises
    ------
    OutsideDomain
        Negative eigenvalues or variances.

    References
    ----------
    advani2020, optimal stopping per mode.
    """
    check_non_negative("eigenvalues", eigenvalues)
    _check(1.0, noise=noise, signal=signal, start=start)
    return _mode_time(eigenvalues, *_arrays(noise, signal, start, dtype=eigenvalues.dtype))


@jax.jit
def _mode_time(eigenvalues: Array, noise: Array, signal: Array, start: Array) -> Array:
    ratio = (signal + start) / jnp.where(noise > 0, noise, 1)
    positive = eigenvalues > 0
    safe = jnp.where(positive, eigenvalues, 1)
    time = jnp.where(positive, jnp.log1p(safe * ratio) / safe, ratio)
    return jnp.where((noise > 0) | (ratio == 0), time, jnp.inf)


def best_stopping_time(
    sample_ratio: Number, *, noise: Number, signal: Number = 1.0, start: Number = 0.0
) -> StoppingTime:
    """When all of gradient flow best stops: between the times of its fastest and of its slowest mode.

    Parameters
    ----------
    sample_ratio, noise, signal, start
        As for ``flow_errors``.

    Raises
    ------
    OutsideDomain
        As ``flow_errors``.

    Notes
    -----
    The slope of the test error in time changes its sign once (for sample ratios of 0.3 to 4, signal over noise of 1 to
    20); its zero is found by bisection. The best ridge, noise over signal, is never worse from zero weights: its error
    is ``kernel_risk`` of one mode of eigenvalue 1 at alpha samples.

    References
    ----------
    advani2020, optimal stopping.
    """
    _check(sample_ratio, noise=noise, signal=signal, start=start)
    dtype = jnp.result_type(sample_ratio)
    return _best_stopping(*_arrays(sample_ratio, noise, signal, start, dtype=dtype))


@jax.jit
def _best_stopping(ratio: Array, noise: Array, signal: Array, start: Array) -> StoppingTime:
    rule = marchenko_pastur_rule(ratio)

    def slope(time):
        left = jnp.exp(-rule.nodes * time)
        return jnp.sum(rule.weights * left * (noise * (1 - left) - rule.nodes * (signal + start) * left))

    def halve(_, bracket):
        middle = jnp.sqrt(bracket[0] * bracket[1])
        falls = slope(middle) < 0
        return jnp.where(falls, middle, bracket[0]), jnp.where(falls, bracket[1], middle)

    ends = tuple(_mode_time(rule.nodes[place], noise, signal, start) for place in (-1, 0))
    ordinary = jnp.isfinite(ends[1]) & (ends[0] > 0)
    bracket = tuple(jnp.where(ordinary, end, 1) for end in ends)
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, bracket)
    time = jnp.where(ordinary, jnp.sqrt(low * high), ends[1])
    return StoppingTime(time, _flow_errors(time, ratio, noise, signal, start).test)


def trained_error(
    sample_ratio: Number, *, noise: Number, signal: Number = 1.0, start: Number = 0.0
) -> Float[Array, ""]:
    r"""Test error at the end of training.

    .. math:: E_g(\infty) = \sigma^2 + \begin{cases} \sigma^2/(\alpha - 1) & \alpha > 1 \\
       (1 - \alpha)(\sigma_w^2 + \sigma_0^2) + \sigma^2 \alpha/(1 - \alpha) & \alpha < 1 \end{cases}

    Parameters
    ----------
    sample_ratio, noise, signal, start
        As for ``flow_errors``.

    Returns
    -------
    Array
        inf at alpha = 1 with noise.

    Raises
    ------
    OutsideDomain
        As ``flow_errors``.

    Notes
    -----
    With fewer samples than dimensions the directions without data keep the initial weights for ever: start small.

    References
    ----------
    advani2020, late-time error; hastie2022, ridgeless least squares [gamma = 1/alpha].
    """
    _check(sample_ratio, noise=noise, signal=signal, start=start)
    dtype = jnp.result_type(sample_ratio)
    ratio, noise, signal, start = _arrays(sample_ratio, noise, signal, start, dtype=dtype)
    return noise + isotropic_risk(1 / ratio, signal=signal + start, noise=noise).excess


def critical_overtraining(times: Float[Array, "*record"], noise: Number) -> Float[Array, "*record"]:
    r"""Late test error with as many samples as dimensions, where overtraining is worst.

    .. math:: E_g(t) \simeq \sigma^2 \Big(\frac{2 (2 - \sqrt 2)}{\sqrt\pi} \sqrt t + \frac12\Big)

    Parameters
    ----------
    times
        t >> 1 and << N^2.
    noise
        Variance of label noise.

    Raises
    ------
    OutsideDomain
        Negative times or noise.

    Notes
    -----
    With signal 1 and noise 1 it is 6% low at t = 10, 0.7% at t = 100.

    References
    ----------
    advani2020, overtraining at alpha = 1 [our expansion of E_g(t)].
    """
    check_non_negative("times", times)
    check_non_negative("noise", noise)
    rate = 2 * (2 - 2**0.5) / jnp.pi**0.5
    return jnp.asarray(noise, times.dtype) * (rate * jnp.sqrt(times) + 0.5)


def relaxation_rate(sample_ratio: Number) -> Number:
    r"""Rate :math:`(\sqrt\alpha - 1)^2` of the slowest mode, at which the test error comes to its end.

    Parameters
    ----------
    sample_ratio
        alpha > 0; at 1 there is no rate, and the error of noise grows as the root of time.

    Raises
    ------
    OutsideDomain
        A ratio that is not positive.

    Notes
    -----
    The part of the signal goes at twice this rate.

    References
    ----------
    advani2020, eigenvalue gap.
    """
    check_positive("sample_ratio", sample_ratio)
    return (sample_ratio**0.5 - 1) ** 2


def _check(sample_ratio: Number, **variances: Number) -> None:
    check_positive("sample_ratio", sample_ratio)
    for name, value in variances.items():
        check_non_negative(name, value)


def _arrays(*numbers: Number, dtype: Any) -> list[Array]:
    return [jnp.asarray(number, dtype) for number in numbers]
