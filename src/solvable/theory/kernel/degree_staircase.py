"""High dimensions: kernels and random features learn a target degree by degree, as sizes grow as powers."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_choice, check_non_negative, check_positive, is_concrete
from solvable.theory.kernel.checks import Numbers, floating_dtype


def effective_dimension(input_dim: Numbers, signal_dim: Numbers, signal_to_noise: Numbers) -> Float[Array, "..."]:
    r"""The dimension that kernels see, :math:`\max(d/\mathrm{snr}, d_0)`, from d down to d_0.

    Parameters
    ----------
    input_dim, signal_dim
        d >= d_0 > 0.
    signal_to_noise
        snr >= 1, variance of each coordinate of the strong part over that of the weak one.

    Raises
    ------
    OutsideDomain
        Dimensions that are not positive or of which the strong part has more, a ratio below 1.

    References
    ----------
    ghorbani2020, effective dimension.
    """
    check_positive("signal_dim", signal_dim)
    check_positive("input_dim", input_dim)
    if is_concrete(input_dim) and is_concrete(signal_dim) and np.any(np.asarray(signal_dim) > np.asarray(input_dim)):
        raise OutsideDomain(f"`signal_dim` is {signal_dim}; it must be at most `input_dim`, {input_dim}.")
    if is_concrete(signal_to_noise) and not np.all(np.asarray(signal_to_noise) >= 1):
        raise OutsideDomain(f"`signal_to_noise` is {signal_to_noise}; it must be at least 1, that of isotropic inputs.")
    dtype = floating_dtype(input_dim, signal_dim, signal_to_noise)
    dim, signal_dim, ratio = (jnp.asarray(each, dtype) for each in (input_dim, signal_dim, signal_to_noise))
    return jnp.maximum(dim / ratio, signal_dim)


def degree_exponent(degree: Numbers, signal_exponent: Numbers, snr_exponent: Numbers) -> Float[Array, "..."]:
    r"""The power of d with which the samples that degree l asks for grow, :math:`l \max(1 - \kappa, \eta)`.

    Parameters
    ----------
    degree
        l >= 0; 1 gives the exponent of the effective dimension itself.
    signal_exponent
        0 <= eta <= 1 of d_0 = d^eta.
    snr_exponent
        kappa >= 0 of snr = d^kappa.

    Raises
    ------
    OutsideDomain
        Exponents outside these ranges.

    Notes
    -----
    A network needs d_0^l instead, the power l eta: less as long as kappa < 1 - eta. At d in the hundreds and thousands
    the slopes of ``half_learning_samples`` are within 0.1, and 0.2 where d_0 is below 25.

    References
    ----------
    ghorbani2020, Theorems 1 to 3.
    """
    check_non_negative("degree", degree)
    check_non_negative("snr_exponent", snr_exponent)
    check_non_negative("signal_exponent", signal_exponent)
    if is_concrete(signal_exponent) and np.any(np.asarray(signal_exponent) > 1):
        raise OutsideDomain(f"`signal_exponent` is {signal_exponent}; it must be at most 1, where all of x is signal.")
    dtype = floating_dtype(degree, signal_exponent, snr_exponent)
    degree, eta, kappa = (jnp.asarray(each, dtype) for each in (degree, signal_exponent, snr_exponent))
    return degree * jnp.maximum(1 - kappa, eta)


def staircase_risk(
    degree_power: Float[Array, " degree"],
    log_size: Numbers,
    *,
    noise: Numbers = 0.0,
    model: Literal["kernel", "random_features", "tangent"] = "kernel",
) -> Float[Array, "*batch"]:
    r"""Limit of the test error in high dimensions: all of the target's polynomial part up to a degree is learned.

    .. math:: \sum_{k > l} F_k + \sigma^2, \qquad d_\text{eff}^{\,l} \ll n \ll d_\text{eff}^{\,l+1}

    Parameters
    ----------
    degree_power
        F_k >= 0 of degrees from 0 on.
    log_size
        log n/log d_eff >= 0, a number or an array, with n samples for the kernel. For random features and the tangent
        kernel of finite width it is log N/log d_eff, of N units and infinitely many samples.
    noise
        Variance sigma^2 of the labels' noise.
    model
        The tangent kernel of N units learns one degree more than N random features.

    Returns
    -------
    Array
        At whole ``log_size``, where steps are, the lower value; ``spiked_risk`` has the steps' shape.

    Raises
    ------
    OutsideDomain
        Negative powers, sizes or noise, another model.

    References
    ----------
    ghorbani2020, Theorems 1 and 2.
    """
    check_non_negative("degree_power", degree_power)
    check_non_negative("log_size", log_size)
    check_non_negative("noise", noise)
    check_choice("model", model, ("kernel", "random_features", "tangent"))
    dtype = degree_power.dtype
    return _staircase(
        degree_power, jnp.asarray(log_size, dtype), jnp.asarray(noise, dtype), jnp.asarray(model == "tangent", dtype)
    )


@jax.jit
def _staircase(degree_power: Array, log_size: Array, noise: Array, further: Array) -> Array:
    learned = jnp.floor(log_size) + further
    degrees = jnp.arange(degree_power.size, dtype=log_size.dtype).reshape((1,) * log_size.ndim + (-1,))
    return jnp.where(degrees > learned[..., None], 1.0, 0.0).astype(log_size.dtype) @ degree_power + noise
