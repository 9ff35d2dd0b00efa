"""Kernel regression where only the leading modes are known: what the others do together."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_non_negative, check_positive
from solvable.theory.kernel.checks import Numbers, check_spectrum
from solvable.theory.kernel.regression import KernelRisk, kernel_risk


def truncated_risk(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Numbers,
    *,
    trace: float | Float[Array, ""],
    label_power: float | Float[Array, ""],
    ridge: Numbers = 0.0,
) -> KernelRisk:
    r"""``kernel_risk`` from the leading modes, the rest of the trace being a ridge and the rest of the power noise.

    .. math:: \delta \to \delta + \Big(E\,k(x, x) - \sum_i \lambda_i\Big)_+, \qquad
       \sigma^2 = \Big(E\,y^2 - \sum_i v_i^2\Big)_+

    Parameters
    ----------
    eigenvalues, target_power, num_samples
        Of the modes that are known, as for ``kernel_risk``.
    trace
        E k(x, x) of the whole kernel.
    label_power
        E y^2 of the labels, their noise included.
    ridge
        delta >= 0 of the regression itself, a number or an array of the shape of ``num_samples``.

    Returns
    -------
    KernelRisk
        ``test`` and ``train`` of the whole; ``excess`` and ``mode_error`` those of the known modes.

    Raises
    ------
    OutsideDomain
        As ``kernel_risk``; a trace or power that is negative.

    Notes
    -----
    Right where the eigenvalues left out are far below kappa. As tails do not keep from fitting, train is
    (delta/(n kappa))^2 test with the regression's own ridge.

    References
    ----------
    karkada2025, learning curves; simon2023a [tail as a ridge].
    """
    for name, value in (("trace", trace), ("label_power", label_power), ("ridge", ridge)):
        check_non_negative(name, value)
    check_positive("num_samples", num_samples)
    check_non_negative("target_power", target_power)
    check_spectrum(eigenvalues, None)
    return _truncated_risk(eigenvalues, target_power, num_samples, trace, label_power, ridge)


@jax.jit
def _truncated_risk(eigenvalues, target_power, num_samples, trace, label_power, ridge) -> KernelRisk:
    numbers = (jnp.asarray(each, eigenvalues.dtype) for each in (num_samples, ridge, trace, label_power))
    samples, own, trace, label_power = jnp.broadcast_arrays(*numbers)
    tail = jnp.maximum(trace - jnp.sum(eigenvalues), 0)
    noise = jnp.maximum(label_power - jnp.sum(target_power), 0)
    risk = kernel_risk(eigenvalues, target_power, samples, ridge=own + tail, noise=noise)
    kept = own / jnp.where(tail > 0, samples * risk.effective_ridge, 1)
    return dataclasses.replace(risk, train=jnp.where(tail > 0, kept**2 * risk.test, risk.train))
