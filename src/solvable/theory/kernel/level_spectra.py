"""Spectra of kernels whose eigenvalues come in levels: on the sphere, the hypercube, the circle, in Gaussian space."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_positive, is_concrete
from solvable.numerics import (
    Kernel,
    gaussian_multiplicities,
    gegenbauer,
    hypercube_multiplicities,
    krawtchouk,
    sphere_multiplicities,
)
from solvable.theory.kernel.hermite_modes import gaussian_kernel_levels
from solvable.theory.kernel.sphere_rule import sphere_rule

_NOISE = 1e3  # how many roundings an eigenvalue must be above


class LevelSpectrum(eqx.Module):
    r"""Eigenvalues of a kernel by level, with respect to the law of its inputs.

    Attributes
    ----------
    eigenvalues
        lambda_k of each of the level's modes, shape (level,); 0 where it is lost in rounding.
    multiplicities
        N_k, shape (level,).
    remainder
        :math:`E\,k(x, x) - \sum_k N_k \lambda_k \ge 0`, of all that the levels leave out. To few samples it acts as a
        ridge: give ``ridge + remainder`` to ``kernel_risk``.

    References
    ----------
    canatar2021; simon2023a.
    """

    eigenvalues: Float[Array, " level"]
    multiplicities: Float[Array, " level"]
    remainder: Float[Array, ""]


def sphere_spectrum(kernel: Kernel, input_dim: int, num_levels: int, *, radius: float = 1.0) -> LevelSpectrum:
    r"""Spectrum of a rotation-invariant kernel on inputs that are uniform on a sphere.

    .. math:: \lambda_k = \frac{\int_0^\pi k(r^2 \cos\theta)\,Q_k(\cos\theta)\,\sin^{d-2}\theta\,d\theta}
       {\int_0^\pi \sin^{d-2}\theta\,d\theta}

    Parameters
    ----------
    kernel
        Any function of x.x', |x|^2, |x'|^2.
    input_dim
        d >= 2 of the space around the sphere.
    num_levels
        How many, from k = 0, the mean.
    radius
        r > 0 of the sphere.

    Raises
    ------
    OutsideDomain
        A dimension below 2, no levels, a radius that is not positive; a kernel that is not positive semi-definite.

    Notes
    -----
    Gauss-Legendre quadrature in the angle, in which kernels with a kink at equal inputs are smooth. Rounding is
    1e-16 k(x, x)/sqrt(N_k): levels not well above it are set to 0, and are part of ``remainder``. A kernel narrower
    than 1/num_levels is not resolved.

    References
    ----------
    canatar2021, dot-product kernels; the formula of Funk and Hecke.
    """
    check_positive("radius", radius)
    multiplicities = sphere_multiplicities(input_dim, num_levels)
    cosines, density = sphere_rule(input_dim, num_levels)
    # The last point, of no weight, are equal inputs.
    cosines, density = np.append(cosines, 1.0), np.append(density, 0.0)
    return _project(kernel, gegenbauer, input_dim, multiplicities, cosines, density, radius**2)


def hypercube_spectrum(kernel: Kernel, input_dim: int) -> LevelSpectrum:
    r"""Spectrum of a kernel of the Hamming distance on uniform inputs of entries +1 and -1: one level a degree.

    .. math:: \lambda_k = 2^{-d} \sum_h \binom dh\, k(d - 2h)\, Q_k(h)

    Parameters
    ----------
    kernel
        Any function of x.x', |x|^2, |x'|^2.
    input_dim
        d >= 1.

    Raises
    ------
    OutsideDomain
        No dimensions; a kernel that is not positive semi-definite.

    References
    ----------
    simon2023a, hypercube: the parities are eigenfunctions.
    """
    multiplicities = hypercube_multiplicities(input_dim)
    cosines = 1 - 2 * np.arange(input_dim, -1, -1) / input_dim
    return _project(kernel, krawtchouk, input_dim, multiplicities, cosines, multiplicities, float(input_dim))


def circle_spectrum(row: Float[Array, " point"]) -> LevelSpectrum:
    """Spectrum of a kernel on equally spaced points of a circle, by frequency: one level a frequency.

    Parameters
    ----------
    row
        Kernel of the first point with every point around the circle; any kernel that rotations leave alone.

    Returns
    -------
    LevelSpectrum
        Of frequencies 0 to half the number of points, whose modes are the cosine and the sine; nothing remains.

    Raises
    ------
    OutsideDomain
        No points; a row that is not symmetric, or a kernel that is not positive semi-definite.

    References
    ----------
    simon2023a, unit circle.
    """
    check_count("the number of points", row.size)
    if is_concrete(row) and not np.allclose(row[1:], row[:0:-1], rtol=0, atol=1e-5 * float(np.max(np.abs(row)))):
        raise OutsideDomain("`row` must read the same from its second entry on as backwards: points go around once.")
    frequencies = row.size // 2 + 1
    multiplicities = np.full(frequencies, 2.0)
    multiplicities[0] = 1
    if row.size % 2 == 0:
        multiplicities[-1] = 1
    values = jnp.fft.rfft(row).real / row.size
    return _clean(values, multiplicities, row[0], np.ones(frequencies))


def gaussian_spectrum(
    width: float | Float[Array, ""], input_dim: int, num_levels: int, *, input_std: float | Float[Array, ""] = 1.0
) -> LevelSpectrum:
    r"""Spectrum of the Gaussian kernel exp(-|x - x'|^2/(2 w^2)) on inputs x ~ N(0, sigma^2 I): one level a degree.

    .. math:: \lambda_k = \Big(\frac{2a}{A}\Big)^{d/2} \Big(\frac bA\Big)^k, \quad a = \frac{1}{4\sigma^2},
       \; b = \frac{1}{2 w^2}, \; A = a + b + \sqrt{a^2 + 2ab}, \qquad N_k = \binom{k + d - 1}{k}

    Parameters
    ----------
    width
        w > 0, may be traced.
    input_dim
        d >= 1.
    num_levels
        How many, from k = 0 on.
    input_std
        sigma > 0, may be traced.

    Raises
    ------
    OutsideDomain
        A width or standard deviation that is not positive, no dimension, no levels.

    References
    ----------
    canatar2021, Gaussian kernel on Gaussian inputs [code of the authors].
    """
    check_positive("width", width)
    check_positive("input_std", input_std)
    counts = gaussian_multiplicities(input_dim, num_levels)
    return _gaussian_spectrum(jnp.asarray(width, float), jnp.asarray(input_std, float), counts, input_dim)


@eqx.filter_jit
def _gaussian_spectrum(width, input_std, counts, input_dim: int) -> LevelSpectrum:
    multiplicities = jnp.asarray(counts, width.dtype)
    factors, ground = gaussian_kernel_levels(jnp.full(input_dim, input_std**2), width, counts.size - 1)
    values = ground * factors[0] ** jnp.arange(counts.size, dtype=width.dtype)
    return LevelSpectrum(values, multiplicities, jnp.maximum(1 - jnp.sum(multiplicities * values), 0))


def _project(kernel, zonal, input_dim, multiplicities, cosines, density, square) -> LevelSpectrum:
    """Averages of kernel times zonal polynomials over ``density``; the last cosine is that of equal inputs."""
    weights = density / density.sum()
    values, own = _averages(kernel, zonal, input_dim, multiplicities.size, cosines, weights, square)
    return _clean(values, multiplicities, own, 1 / np.sqrt(multiplicities))


@eqx.filter_jit
def _averages(kernel, zonal, input_dim: int, num_levels: int, cosines, weights, square: float):
    points = jnp.asarray(cosines, float)
    squares = jnp.full(points.shape, square)
    values = kernel(square * points, squares, squares)
    return zonal(points, input_dim, num_levels) @ (jnp.asarray(weights, float) * values), values[-1]


def _clean(values: Array, multiplicities: np.ndarray, own: Array, noise: np.ndarray) -> LevelSpectrum:
    """The levels above rounding, of size ``noise`` where the kernel of equal inputs and the last digit are 1."""
    noise = _NOISE * float(jnp.finfo(values.dtype).eps) * noise
    if is_concrete(values) and np.any(np.asarray(values) < -noise * float(own)):
        raise OutsideDomain(
            f"The kernel is not positive semi-definite: its level {np.argmin(values)} has eigenvalue "
            f"{np.min(values):.3g}."
        )
    return _keep(values, jnp.asarray(multiplicities, values.dtype), own, jnp.asarray(noise, values.dtype))


@jax.jit
def _keep(values, multiplicities, own, noise) -> LevelSpectrum:
    kept = jnp.where(values > noise * own, values, 0)
    return LevelSpectrum(kept, multiplicities, jnp.maximum(own - jnp.sum(multiplicities * kept), 0))
