"""How strongly a rotation-invariant kernel sees each degree of its inputs: its level coefficients on a sphere."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_positive, is_concrete
from solvable.numerics import GaussianKernel, Kernel, LaplaceKernel, LinearKernel, ReluTangentKernel

_NODES, _SHARE = 256, 0.8  # points on a circle of this share of the radius of convergence: 0.8^256 = 1e-25 is left out


def level_coefficients(kernel: Kernel, square: float | Float[Array, ""], max_level: int) -> Float[Array, " level"]:
    r"""Derivatives of a kernel in the inner product at 0, for inputs of one length.

    .. math:: c_l = \frac{\mathrm{d}^l}{\mathrm{d}t^l}\,k(t, q, q)\Big|_{t = 0}, \qquad
       k(x, x') = \sum_l \frac{c_l}{l!}\,(x \cdot x')^l \quad (|x|^2 = |x'|^2 = q)

    Parameters
    ----------
    kernel
        One of ``solvable.numerics``, in closed form; or any function of x.x', q, q that takes complex numbers.
    square
        q > 0, the squared length: E|x|^2 of the data.
    max_level
        Highest level l.

    Returns
    -------
    Array
        c_0, c_1, ..., without 1/l!, in the default floating dtype (that of ``square``, where it is an array).

    Raises
    ------
    OutsideDomain
        A length that is not positive; another kernel that is negative in a level: it is not positive definite in every
        dimension.

    Notes
    -----
    Kernels that are positive definite in every dimension are power series that converge for |t| <= q. Of those without
    closed form the derivatives are Fourier coefficients on a circle, to a rounding of 1e-16 l! (1.25/q)^l k(q).

    References
    ----------
    karkada2025, level coefficients [their Laplace kernel exp(-|x - x'|/(sqrt2 s)) has width sqrt2 s].
    """
    check_positive("square", square, "it is E|x|^2 of the data")
    check_count("max_level", max_level, at_least=0)
    square = jnp.asarray(square, jnp.result_type(square))
    if isinstance(kernel, LinearKernel):
        return jnp.asarray([float(level == 1) for level in range(max_level + 1)], square.dtype)
    if isinstance(kernel, GaussianKernel):
        return _gaussian_levels(kernel.width, square, max_level)
    if isinstance(kernel, LaplaceKernel):
        return _laplace_levels(kernel.width, square, max_level)
    if isinstance(kernel, ReluTangentKernel):
        return _relu_levels(kernel.weight_variance, kernel.bias_variance, square, max_level)
    return _contour_levels(kernel, square, max_level)


@partial(jax.jit, static_argnums=2)
def _gaussian_levels(width: Array, square: Array, max_level: int) -> Array:
    return jnp.exp(-square / width**2) * width ** (-2 * jnp.arange(max_level + 1, dtype=square.dtype))


@partial(jax.jit, static_argnums=2)
def _laplace_levels(width: Array, square: Array, max_level: int) -> Array:
    """Of exp(-sqrt(q - t)/s): e^{-sqrt q/s} y_{l-1}(s/sqrt q)/(2 s sqrt q)^l with Bessel polynomials y."""
    scale, length = width / 2**0.5, jnp.sqrt(square)
    ratio = scale / length
    bessel = [jnp.ones_like(square), jnp.ones_like(square)]  # y_{-1} and y_0
    for order in range(1, max_level):
        bessel.append((2 * order - 1) * ratio * bessel[order] + bessel[order - 1])
    levels = jnp.arange(max_level + 1, dtype=square.dtype)
    return jnp.exp(-1 / ratio) * jnp.stack(bessel[: max_level + 1]) / (2 * scale * length) ** levels


@partial(jax.jit, static_argnums=3)
def _relu_levels(weight: Array, bias: Array, square: Array, max_level: int) -> Array:
    """Of (w p/2pi) G(c), G = sin + 2c(pi - angle): G^(l) = P_l(c)/(1 - c^2)^{l - 1/2} from l = 2 on."""
    power = bias + weight * square
    cosine = bias / power
    sine_square = weight * square * (2 * bias + weight * square) / power**2  # 1 - c^2 without cancellation
    back = jnp.pi - jnp.arccos(cosine)
    arcs = [jnp.sqrt(sine_square) + 2 * cosine * back, 2 * back + cosine / jnp.sqrt(sine_square)]
    polynomial = np.polynomial.Polynomial([3.0, 0.0, -2.0])
    for level in range(2, max_level + 1):
        top = jnp.polyval(jnp.asarray(polynomial.coef[::-1], square.dtype), cosine)
        arcs.append(top / sine_square ** (level - 0.5))
        one_less = np.polynomial.Polynomial([1.0, 0.0, -1.0])
        slope = np.polynomial.Polynomial([0.0, 2.0 * level - 1.0])
        polynomial = one_less * polynomial.deriv() + slope * polynomial
    levels = jnp.arange(max_level + 1, dtype=square.dtype)
    return weight * power / (2 * jnp.pi) * (weight / power) ** levels * jnp.stack(arcs[: max_level + 1])


def _contour_levels(kernel: Kernel, square: Array, max_level: int) -> Array:
    """l!/R^l times the l-th Fourier coefficient on the circle of radius R inside that of convergence."""
    if max_level >= _NODES // 2:
        raise OutsideDomain(f"`max_level` is {max_level}; it must be below {_NODES // 2} for a kernel of your own.")
    radius = _SHARE * square
    angles = jnp.asarray(2 * np.pi * np.arange(_NODES) / _NODES, square.dtype)
    length = jax.lax.complex(square, jnp.zeros_like(square))
    values = kernel(jax.lax.complex(radius * jnp.cos(angles), radius * jnp.sin(angles)), length, length)
    fourier = jnp.real(jnp.fft.fft(values)[: max_level + 1]) / _NODES
    rounding = _NODES * jnp.finfo(square.dtype).eps * jnp.max(jnp.abs(values))
    if is_concrete(fourier) and bool((fourier < -rounding).any()):
        raise OutsideDomain(
            f"`kernel` has the level coefficients {fourier} (times l!/R^l); none may be negative: it is not positive "
            "definite in every dimension."
        )
    factorials = jnp.asarray([math.factorial(level) for level in range(max_level + 1)], square.dtype)
    powers = radius ** jnp.arange(max_level + 1, dtype=square.dtype)
    return jnp.where(fourier > rounding, fourier, 0) * factorials / powers
