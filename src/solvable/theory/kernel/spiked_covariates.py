r"""Kernels on inputs of a strong part of few dimensions and a weak part of many: spectra, and what n samples learn.

Inputs are :math:`x = (r u, s v)`, u uniform on the unit sphere in d_0 dimensions and v on that in d - d_0.
Eigenfunctions are products of harmonics of both, of degrees k_1 and k_2; a target of the strong part alone has k_2 = 0.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import gammaln, logsumexp

from solvable.errors import OutsideDomain, check_count, check_non_negative, check_positive, is_concrete
from solvable.numerics import Kernel, gegenbauer, sphere_multiplicities
from solvable.theory.kernel.checks import Numbers, floating_dtype
from solvable.theory.kernel.regression import KernelRisk, kernel_risk
from solvable.theory.kernel.sphere_rule import sphere_rule

_NOISE = 1e3  # how many roundings an eigenvalue must be above


class ProductSpectrum(eqx.Module):
    r"""Eigenvalues of a kernel by the degrees of both parts.

    Attributes
    ----------
    eigenvalues
        lambda of each mode, shape (signal_degree, noise_degree); 0 where it is lost in rounding.
    multiplicities
        Number of modes, same shape.
    remainder
        The trace that all other degrees share, which acts as a ridge.

    References
    ----------
    ghorbani2020, eigendecomposition of inner-product kernels on products of spheres.
    """

    eigenvalues: Float[Array, "signal_degree noise_degree"]
    multiplicities: Float[Array, "signal_degree noise_degree"]
    remainder: Float[Array, ""]


def spiked_spectrum(
    kernel: Kernel,
    signal_dim: int,
    noise_dim: int,
    num_degrees: int,
    *,
    signal_radius: float | Float[Array, ""] = 1.0,
    noise_radius: float | Float[Array, ""] = 1.0,
) -> ProductSpectrum:
    r"""Spectrum of any rotation-invariant kernel, by quadrature in both angles.

    .. math:: \lambda_{k_1 k_2} = E\,k(r^2 t_1 + s^2 t_2)\,Q_{k_1}(t_1)\,Q_{k_2}(t_2), \qquad
       t_1 = u \cdot u', \; t_2 = v \cdot v'

    Parameters
    ----------
    kernel
        Any function of x.x', |x|^2, |x'|^2.
    signal_dim, noise_dim
        d_0 and d - d_0, at least 2 each.
    num_degrees
        How many of each part, from 0 on.
    signal_radius, noise_radius
        r and s, above 0.

    Raises
    ------
    OutsideDomain
        Dimensions below 2, no degrees, radii that are not positive; a kernel that is not positive semi-definite.

    Notes
    -----
    Rounding is 1e-16 k(x, x)/sqrt(multiplicity); degrees not well above are part of ``remainder``.

    References
    ----------
    ghorbani2020, spiked covariates; the formula of Funk and Hecke on both spheres.
    """
    check_positive("signal_radius", signal_radius)
    check_positive("noise_radius", noise_radius)
    counts = _multiplicities(signal_dim, noise_dim, num_degrees)
    rules = [sphere_rule(dim, num_degrees) for dim in (signal_dim, noise_dim)]
    squares = [jnp.asarray(radius, floating_dtype(radius)) ** 2 for radius in (signal_radius, noise_radius)]
    values, own = _project(kernel, squares[0], squares[1], rules, (signal_dim, noise_dim), num_degrees)
    noise = _NOISE * float(jnp.finfo(values.dtype).eps) / np.sqrt(counts)
    if is_concrete(values) and np.any(np.asarray(values) < -noise * float(own)):
        raise OutsideDomain(
            f"The kernel is not positive semi-definite: one of its eigenvalues is {np.min(values):.3g} at the degrees "
            f"{tuple(map(int, np.unravel_index(np.argmin(values), values.shape)))}."
        )
    return _keep(values, own, jnp.asarray(counts, values.dtype), jnp.asarray(noise, values.dtype))


def exponential_spiked_spectrum(
    signal_dim: int, noise_dim: int, num_degrees: int, *, signal_inner: float, noise_inner: float = 0.0
) -> ProductSpectrum:
    r"""Spectrum of :math:`\exp(a t_1 + b t_2)` in closed form, in any dimension.

    .. math:: \lambda_{k_1 k_2} = c_{k_1}(d_0, a)\,c_{k_2}(d - d_0, b), \qquad
       c_k(D, a) = \Gamma(\tfrac D2) \Big(\frac a2\Big)^k \sum_j \frac{(a/2)^{2j}}{j!\,\Gamma(k + D/2 + j)}

    Parameters
    ----------
    signal_dim, noise_dim
        d_0 and d - d_0, at least 2; noise_dim 0 is a single sphere, isotropic inputs.
    num_degrees
        How many of each part, from 0 on.
    signal_inner, noise_inner
        a >= 0 and b >= 0, plain numbers. The Gaussian kernel of width w is this one at a = r^2/w^2 and b = s^2/w^2,
        times :math:`e^{-(r^2 + s^2)/w^2}`.

    Returns
    -------
    ProductSpectrum
        Of one degree of noise where noise_dim is 0.

    Raises
    ------
    OutsideDomain
        Dimensions or degrees without meaning, negative arguments.

    Notes
    -----
    Sums of positive terms, taken in logarithms: exact to rounding for thousands of dimensions.

    References
    ----------
    ghorbani2020, inner-product kernels; the series of modified Bessel functions.
    """
    check_non_negative("signal_inner", signal_inner)
    check_non_negative("noise_inner", noise_inner)
    counts = _multiplicities(signal_dim, noise_dim, num_degrees)
    parts = [_bessel(signal_dim, signal_inner, num_degrees)]
    parts.append(_bessel(noise_dim, noise_inner, num_degrees) if noise_dim else np.zeros(1))
    logs = parts[0][:, None] + parts[1][None, :]
    # The trace is exp(a + b): what is left of it must not be a difference of large numbers that are nearly equal.
    total = signal_inner + (noise_inner if noise_dim else 0)
    kept = np.sum(counts * np.exp(logs - total))
    remainder = np.exp(total) * max(1 - kept, 0)
    return ProductSpectrum(*(jnp.asarray(each, float) for each in (np.exp(logs), counts, remainder)))


def spiked_risk(
    spectrum: ProductSpectrum,
    degree_power: Float[Array, " degree"],
    num_samples: Numbers,
    *,
    ridge: Numbers = 0.0,
    noise: Numbers = 0.0,
) -> KernelRisk:
    r"""Risk of kernel ridge regression for a target of the strong part, at any number of samples and dimensions.

    Parameters
    ----------
    spectrum
        Of the kernel.
    degree_power
        F_k >= 0, the target's power in each degree from 0 on, at most as many as the spectrum has.
    num_samples, ridge, noise
        As for ``kernel_risk``; the spectrum's remainder is added to the ridge.

    Returns
    -------
    KernelRisk
        Its modes are the pairs of degrees in the order of ``spectrum.eigenvalues.ravel()``.

    Raises
    ------
    OutsideDomain
        As ``kernel_risk``; more powers than degrees.

    Notes
    -----
    The staircase of ``staircase_risk`` is its limit. Single draws scatter by 15 to 30% at hundreds of samples, as
    targets of one direction have heavy tails; averages agree to 1 or 2% from about 100 draws on.

    References
    ----------
    ghorbani2020, Theorem 1 [their limit of it].
    """
    degrees = spectrum.eigenvalues.shape[0]
    if degree_power.ndim != 1 or degree_power.size > degrees:
        raise OutsideDomain(
            f"`degree_power` has shape {degree_power.shape}; it must hold at most {degrees} powers, from degree 0 on."
        )
    for name, value in (("degree_power", degree_power), ("ridge", ridge), ("noise", noise)):
        check_non_negative(name, value)
    check_positive("num_samples", num_samples)
    dtype = spectrum.eigenvalues.dtype
    return _spiked_risk(spectrum, *(jnp.asarray(each, dtype) for each in (degree_power, num_samples, ridge, noise)))


def half_learning_samples(spectrum: ProductSpectrum, *, ridge: Numbers = 0.0) -> Float[Array, "*batch degree"]:
    r"""Number of samples from which half of each degree of the strong part is learned, in closed form.

    .. math:: n_{1/2}(l) = \sum \frac{m\,\lambda}{\lambda + \lambda_{l 0}} + \frac{\delta}{\lambda_{l 0}}

    Parameters
    ----------
    spectrum
        Of the kernel.
    ridge
        delta >= 0, a number or an array; the spectrum's remainder is added.

    Returns
    -------
    Array
        Of degrees l from 0 on; inf for one of eigenvalue 0. It grows as ``degree_exponent`` says with the dimension.

    Raises
    ------
    OutsideDomain
        A negative ridge.

    References
    ----------
    simon2023a, implicit equation for kappa [at kappa = lambda_l, where the learnability is 1/2]; ghorbani2020, Theorem
    1.
    """
    check_non_negative("ridge", ridge)
    return _half_learning(spectrum, jnp.asarray(ridge, spectrum.eigenvalues.dtype))


def _multiplicities(signal_dim: int, noise_dim: int, num_degrees: int) -> np.ndarray:
    check_count("signal_dim", signal_dim, at_least=2)
    check_count("num_degrees", num_degrees)
    if noise_dim:
        check_count("noise_dim", noise_dim, at_least=2)
    noise = sphere_multiplicities(noise_dim, num_degrees) if noise_dim else np.ones(1)
    return sphere_multiplicities(signal_dim, num_degrees)[:, None] * noise[None, :]


def _bessel(dim: int, argument: float, num_degrees: int) -> np.ndarray:
    """Logarithms of c_k(D, a)."""
    if argument == 0:
        return np.where(np.arange(num_degrees) == 0, 0.0, -np.inf)
    half, degrees = argument / 2, np.arange(num_degrees)[:, None]
    # The largest term is at j(j + D/2) = (a/2)^2 or before; the sum is as wide as its root.
    terms = np.arange(int(half + 12 * half**0.5) + 40)[None, :]
    logs = (2 * terms + degrees) * np.log(half) - gammaln(terms + 1) - gammaln(degrees + dim / 2 + terms)
    return gammaln(dim / 2) + logsumexp(logs, axis=1)


@eqx.filter_jit
def _project(kernel, signal_square, noise_square, rules, dims: tuple[int, int], num_degrees: int):
    squares = signal_square + noise_square
    cosines, weights = zip(*(tuple(jnp.asarray(each, squares.dtype) for each in rule) for rule in rules), strict=True)
    inner = signal_square * cosines[0][:, None] + noise_square * cosines[1][None, :]
    values = kernel(inner, jnp.full_like(inner, squares), jnp.full_like(inner, squares))
    first, second = (
        gegenbauer(each, dim, num_degrees) * weight[None, :]
        for each, dim, weight in zip(cosines, dims, weights, strict=True)
    )
    return first @ values @ second.T, kernel(squares, squares, squares)


@jax.jit
def _keep(values: Array, own: Array, counts: Array, noise: Array) -> ProductSpectrum:
    kept = jnp.where(values > noise * own, values, 0)
    return ProductSpectrum(kept, counts, jnp.maximum(own - jnp.sum(counts * kept), 0))


@jax.jit
def _spiked_risk(
    spectrum: ProductSpectrum, degree_power: Array, samples: Array, ridge: Array, noise: Array
) -> KernelRisk:
    values = spectrum.eigenvalues
    power = jnp.zeros_like(values).at[: degree_power.size, 0].set(degree_power)
    return kernel_risk(
        values.ravel(),
        power.ravel(),
        samples,
        ridge=ridge + spectrum.remainder,
        noise=noise,
        multiplicities=spectrum.multiplicities.ravel(),
    )


@jax.jit
def _half_learning(spectrum: ProductSpectrum, ridge: Array) -> Array:
    values, counts = spectrum.eigenvalues.ravel(), spectrum.multiplicities.ravel()
    first = spectrum.eigenvalues[:, 0]
    seen = first > 0
    level = jnp.where(seen, first, 1)
    shared = jnp.sum(counts[None, :] * values[None, :] / (values[None, :] + level[:, None]), axis=1)
    total = (ridge + spectrum.remainder)[..., None]
    shape = (1,) * (total.ndim - 1) + (-1,)
    return jnp.where(seen.reshape(shape), shared.reshape(shape) + total / level.reshape(shape), jnp.inf)
