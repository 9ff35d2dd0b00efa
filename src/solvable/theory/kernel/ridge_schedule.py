r"""Ridge regression on power-law tasks: how the ridge should fall with samples, and its error in closed form.

Eigenvalues are :math:`\lambda_i = i^{-a}` (capacity a), the target's power :math:`v_i^2 = i^{-(1 + 2 a r)}` (source
r). Errors are mean squared errors without a half; the ridge delta is that of the sum over samples.
"""

import math
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, ValidityWarning, check_non_negative, check_positive, is_concrete
from solvable.theory.kernel.checks import Numbers, broadcast_numbers
from solvable.theory.kernel.scaling import best_ridge_exponent, noisy_exponent

# Newton's method from below on a convex function: the error squares at each step.
_STEPS = 12


class PowerLawRisk(eqx.Module):
    r"""Ridge regression on the exact power law with infinitely many modes; each array has the shape of the ridge.

    Attributes
    ----------
    effective_ridge
        kappa.
    degrees, squared_degrees
        Sums of the learnabilities :math:`L_i = \lambda_i/(\lambda_i + \kappa)`, and of their squares.
    bias
        :math:`\sum_i (1 - L_i)^2 v_i^2`.
    overfitting
        :math:`E_0 = 1/(1 - \sum_i L_i^2/n)`: without ridge it is a.
    excess
        Mean squared error on new samples without the noise of their labels.

    References
    ----------
    caponnetto2007, effective dimension.
    """

    effective_ridge: Float[Array, "*batch"]
    degrees: Float[Array, "*batch"]
    squared_degrees: Float[Array, "*batch"]
    bias: Float[Array, "*batch"]
    overfitting: Float[Array, "*batch"]
    excess: Float[Array, "*batch"]


def scheduled_ridge(num_samples: Numbers, capacity: float, source: float) -> Float[Array, "..."]:
    r"""The ridge delta with which ridge regression is optimal on the class of targets of this capacity and source.

    .. math:: \frac{\delta}{n} = n^{-a/(1 + 2 a r)} \;\; (\tfrac12 < r \le 1), \qquad
       \Big(\frac{\ln n}{n}\Big)^{a/(1 + a)} \;\; (r = \tfrac12), \qquad n^{-1/2} \;\; (a = \infty)

    Parameters
    ----------
    num_samples
        n > 1, a number or an array.
    capacity
        a > 1; inf stands for a kernel of finite rank.
    source
        r >= 1/2; above 1 ridge regression gains no more, and the schedule is that of 1.

    Raises
    ------
    OutsideDomain
        At most one sample, a capacity of at most 1, a source of at most 0.

    Warns
    -----
    ValidityWarning
        A source below 1/2: the target is outside the kernel's space, of which the paper says nothing. What is returned
        is best for power-law spectra with Gaussian features.

    Notes
    -----
    Up to a constant, which depends on noise and on the target's size.

    References
    ----------
    caponnetto2007, Theorem 1 [their b is a, their c is 2 r, their lambda is delta/n].
    """
    return num_samples * _base(num_samples, capacity, source) ** _ridge_power(capacity, source)


def scheduled_rate(num_samples: Numbers, capacity: float, source: float) -> Float[Array, "..."]:
    r"""The excess error at the scheduled ridge, up to a constant: no estimator does better on the whole class.

    .. math:: n^{-2 a r/(1 + 2 a r)} \;\; (\tfrac12 < r \le 1), \qquad
       \Big(\frac{\ln n}{n}\Big)^{a/(1 + a)} \;\; (r = \tfrac12), \qquad n^{-1} \;\; (a = \infty)

    Parameters
    ----------
    num_samples, capacity, source
        As for ``scheduled_ridge``.

    Raises
    ------
    OutsideDomain
        As ``scheduled_ridge``, which also warns.

    Notes
    -----
    Above r = 1, where ridge regression saturates, other estimators are faster. A rate over a class: a target with less
    power in its tail is learned faster. Neither the lower bound nor the logarithm has been checked here.

    References
    ----------
    caponnetto2007, Theorems 1 to 3.
    """
    base = _base(num_samples, capacity, source)
    return base ** (1.0 if math.isinf(capacity) else float(noisy_exponent(capacity, source)))


def power_law_risk(
    num_samples: Numbers, capacity: float, source: float, *, ridge: Numbers = 0.0, noise: Numbers = 0.0
) -> PowerLawRisk:
    r"""Excess error of ridge regression on the exact power law, in closed form up to one equation for kappa.

    .. math:: \text{excess} = E_0\Big(\kappa^{2r}\,\frac{\Gamma(2 - 2r)\,\Gamma(2r)}{a} +
       \frac{\sigma^2}{n} \sum_i L_i^2\Big), \quad
       \sum_i L_i = \frac{\pi/a}{\sin(\pi/a)}\,\kappa^{-1/a}, \quad
       \sum_i L_i^2 = \frac{\Gamma(1/a)\,\Gamma(2 - 1/a)}{a}\,\kappa^{-1/a}

    Parameters
    ----------
    num_samples
        n > 0, a number or an array; these three broadcast and may be traced.
    capacity
        a > 1, finite.
    source
        r, between 0 and 1: from 1 on the bias is no longer a power of kappa set by the tail.
    ridge
        delta >= 0.
    noise
        Variance sigma^2 of the labels' noise.

    Raises
    ------
    OutsideDomain
        A capacity of at most 1, a source outside (0, 1), no samples, a negative ridge or noise.

    Warns
    -----
    ValidityWarning
        A source above 0.9, where the bias has a relative correction of kappa^(2 - 2 r), which hardly falls.

    Notes
    -----
    For small kappa: sums over modes are integrals up to relative corrections kappa^(1/a) and, of the bias,
    kappa^(2 - 2 r). Measured against the sums: a = 1.5, r = 0.6: 9% at n = 100, 1% at 3e4 samples (scheduled ridge,
    sigma^2 = 0.2); a = 2, r = 0.75: 26% and 5%.

    References
    ----------
    caponnetto2007, effective dimension; simon2023a, test error.
    """
    if not 1 < capacity < math.inf:
        raise OutsideDomain(f"`capacity` is {capacity}; it must be finite and above 1, where the kernel has a trace.")
    if not 0 < source < 1:
        raise OutsideDomain(
            f"`source` is {source}; it must lie between 0 and 1, where the tail sets the bias: use `kernel_risk` on a "
            "spectrum."
        )
    if source > 0.9:
        warnings.warn(
            f"`source` is {source}: near 1 the bias has a relative correction of kappa^{2 - 2 * source:.2g}, which is "
            "not small; `kernel_risk` on a spectrum has none.",
            ValidityWarning,
            stacklevel=2,
        )
    check_positive("num_samples", num_samples)
    check_non_negative("ridge", ridge)
    check_non_negative("noise", noise)
    numbers = broadcast_numbers(float, num_samples=num_samples, ridge=ridge, noise=noise)
    return _power_law_risk(jnp.asarray(capacity, float), jnp.asarray(source, float), *numbers)


@jax.jit
def _power_law_risk(capacity, source, samples, ridge, noise) -> PowerLawRisk:
    gamma, inverse = jax.scipy.special.gamma, 1 / capacity
    per_degree = gamma(1 + inverse) * gamma(1 - inverse)
    kappa = _effective_ridge(ridge / samples, per_degree / samples, inverse)
    degrees = per_degree * kappa**-inverse
    squared = (1 - inverse) * degrees
    overfitting = 1 / (1 - squared / samples)
    bias = kappa ** (2 * source) * gamma(2 - 2 * source) * gamma(2 * source) * inverse
    excess = overfitting * (bias + noise * squared / samples)
    return PowerLawRisk(kappa, degrees, squared, bias, overfitting, excess)


def _effective_ridge(ridge: Array, share: Array, inverse: Array) -> Array:
    """kappa of 1 = ridge/kappa + share kappa^(-1/a), whose right side is convex in ln kappa, by Newton's method."""
    start = jnp.maximum(ridge, share ** (1 / inverse))

    def improve(_, log):
        by_ridge, by_modes = ridge * jnp.exp(-log), share * jnp.exp(-inverse * log)
        total = by_ridge + by_modes
        return log + jnp.log(total) * total / (by_ridge + inverse * by_modes)

    return jnp.exp(jax.lax.fori_loop(0, _STEPS, improve, jnp.log(start)))


def _base(num_samples: Numbers, capacity: float, source: float) -> Array:
    """1/n, with a logarithm at the border of the kernel's space."""
    if is_concrete(num_samples) and not np.all(np.asarray(num_samples) > 1):
        raise OutsideDomain(f"`num_samples` is {num_samples}; it must be above 1, each of an array.")
    if 0 < source < 0.5:
        warnings.warn(
            f"`source` is {source}: below 1/2 the target is outside the kernel's space, and the rate is proven for "
            "power-law spectra with Gaussian features only.",
            ValidityWarning,
            stacklevel=3,
        )
    samples = jnp.asarray(num_samples, float)
    return jnp.log(samples) / samples if source == 0.5 and math.isfinite(capacity) else 1 / samples


def _ridge_power(capacity: float, source: float) -> float:
    return 0.5 if math.isinf(capacity) else float(best_ridge_exponent(capacity, source))
