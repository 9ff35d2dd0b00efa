r"""How eigenvalues on the sphere fall at high degrees: by the kinks that a kernel has at equal and at opposite inputs.

Inputs are uniform on the unit sphere in d dimensions, u is the cosine between two of them, and :math:`\lambda_k` is the
eigenvalue of each harmonic of degree k under the uniform probability measure.
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_non_negative, check_positive, is_concrete
from solvable.numerics import arc_cosines
from solvable.theory.kernel.checks import Numbers, floating_dtype


class Kinks(eqx.Module):
    r"""The singular part of a kernel on the sphere, :math:`s_+ (2 - 2u)^{\gamma/2} + s_- (2 + 2u)^{\gamma/2}`.

    Attributes
    ----------
    near, far
        s_+ at equal inputs and s_- at opposite ones, shape (*batch); negative where the kernel has a peak.
    exponent
        gamma of the distance, 0 < gamma <= 2: 1 for a corner; 2 is smooth.

    References
    ----------
    geifman2020; the constants are of the sheet, the paper has their powers.
    """

    near: Float[Array, "*batch"]
    far: Float[Array, "*batch"]
    exponent: Float[Array, "*batch"]


def exponential_kinks(rate: Numbers, exponent: Numbers = 1.0) -> Kinks:
    r"""Those of :math:`e^{-c\,|x - x'|^\gamma}`, the Laplace kernel of width 1/c at gamma = 1: s_+ = -c, s_- = 0.

    Parameters
    ----------
    rate
        c >= 0.
    exponent
        0 < gamma <= 2. Both are numbers or arrays that broadcast.

    Raises
    ------
    OutsideDomain
        A negative rate, an exponent outside (0, 2], beyond which the kernel is not positive definite.

    References
    ----------
    geifman2020, Laplace and gamma-exponential kernels.
    """
    check_non_negative("rate", rate)
    check_positive("exponent", exponent)
    if is_concrete(exponent) and np.any(np.asarray(exponent) > 2):
        raise OutsideDomain(f"`exponent` is {exponent}; it must be at most 2, for the kernel to be positive definite.")
    dtype = floating_dtype(rate, exponent)
    return _exponential(jnp.asarray(rate, dtype), jnp.asarray(exponent, dtype))


def deep_relu_kinks(depth: int, bias_scale: Numbers = 1.0) -> Kinks:
    r"""Those of ``numerics.DeepReluTangentKernel``, normalised to 1 at equal inputs.

    .. math:: s_+ = -\frac{L}{2\pi}, \qquad
       s_- = \frac{\beta^2 - 1}{\pi (L + 1)(1 + \beta^2)} \prod_{h=2}^L k_0(r_{h-1}(-1))

    Parameters
    ----------
    depth
        L >= 1 hidden layers.
    bias_scale
        beta >= 0, a number or an array.

    Raises
    ------
    OutsideDomain
        No hidden layers, a negative scale.

    Notes
    -----
    At beta = 1 nothing is singular at opposite inputs. One layer without biases has s_- = s_+: odd degrees, from 3 on,
    are 0 at every degree, not only in the limit.

    References
    ----------
    geifman2020, Theorems 1 and 4 [which give the power of k].
    """
    check_count("depth", depth)
    check_non_negative("bias_scale", bias_scale)
    return _deep_relu(depth, jnp.asarray(bias_scale, floating_dtype(bias_scale)))


def matching_laplace_width(depth: int) -> float:
    r"""Width :math:`2\pi/L` at which the Laplace kernel has the tail of the ReLU tangent kernel of depth L, beta = 1.

    The eigenvalues' ratio goes to 1 with their degree, in every dimension.

    Raises
    ------
    OutsideDomain
        No hidden layers.

    References
    ----------
    geifman2020, similarity of both kernels [they fit the width c^-1 to a kernel as a whole].
    """
    check_count("depth", depth)
    return 2 * np.pi / depth


def power_kernel_eigenvalues(
    exponent: Float[Array, ""] | float, input_dim: int, num_levels: int, *, opposite: bool = False
) -> Float[Array, " level"]:
    r"""Exact eigenvalues of :math:`(1 - u)^\nu`, or of :math:`(1 + u)^\nu`, on the sphere.

    .. math:: \lambda_k = \frac{\Gamma(d/2)\,2^{\nu + d - 2}\,\Gamma(\nu + \tfrac{d-1}{2})}{\sqrt\pi}\,
       \frac{(-\nu)_k}{\Gamma(\nu + k + d - 1)}

    Parameters
    ----------
    exponent
        nu > -(d - 1)/2, below which the integral diverges; may be traced.
    input_dim
        d >= 2.
    num_levels
        How many, from k = 0 on.
    opposite
        Whether of (1 + u)^nu, whose sign alternates from degree to degree.

    Raises
    ------
    OutsideDomain
        A dimension below 2, no levels, an exponent at which the integral diverges.

    Notes
    -----
    Whole nu end at k = nu. Rounding is that of a product of k factors, at every k.

    References
    ----------
    geifman2020, Lemmas on the decay of eigenvalues; the integral of Rodrigues' formula.
    """
    check_count("input_dim", input_dim, at_least=2)
    check_count("num_levels", num_levels)
    if is_concrete(exponent) and not float(exponent) > (1 - input_dim) / 2:
        raise OutsideDomain(
            f"`exponent` is {exponent}; it must be above {(1 - input_dim) / 2} in {input_dim} dimensions, where the "
            "eigenvalues are finite."
        )
    return _power(jnp.asarray(exponent, floating_dtype(exponent)), input_dim, num_levels, opposite)


def kink_eigenvalues(kinks: Kinks, input_dim: int, num_levels: int) -> Float[Array, "*batch level"]:
    r"""Eigenvalues of a kernel's singular part, which are those of the kernel at high degrees.

    .. math:: \lambda_k \simeq 2^{\gamma/2} \big(s_+ + (-1)^k s_-\big)\,\lambda_k[(1 - u)^{\gamma/2}]

    Parameters
    ----------
    kinks
        Of the kernel.
    input_dim, num_levels
        d >= 2, and how many degrees, from 0 on: low ones belong to the smooth part and mean nothing here.

    Raises
    ------
    OutsideDomain
        A dimension below 2, no levels.

    Notes
    -----
    The relative error is of order 1/k^2 for corners (gamma = 1), of order k^-gamma for other exponents.

    References
    ----------
    geifman2020; the next order of the theorems' k^-d.
    """
    check_count("input_dim", input_dim, at_least=2)
    check_count("num_levels", num_levels)
    return _singular(kinks, input_dim, num_levels)


def kink_tail(kinks: Kinks, input_dim: int) -> Float[Array, "parity *batch"]:
    r"""Limits of :math:`\lambda_k\,k^{d - 1 + \gamma}` along even degrees and along odd ones.

    .. math:: -C\,(s_+ \pm s_-), \qquad
       C = \frac{\Gamma(d/2)\,2^{\gamma + d - 2}\,\Gamma(\frac{\gamma + d - 1}{2})}{\sqrt\pi}\,
       \frac{\gamma/2}{\Gamma(1 - \gamma/2)}

    Parameters
    ----------
    kinks
        Of the kernel.
    input_dim
        d >= 2.

    Returns
    -------
    Array
        Even degrees first, then odd ones. For corners the power is k^-d and C is 1/pi, 1/2, 9/2 for d = 2, 3, 5. 0
        where the kernel has no kink, and falls faster.

    Raises
    ------
    OutsideDomain
        A dimension below 2.

    Notes
    -----
    The relative correction is -d(d - 2)/(2k) for corners, large in high dimensions: ``kink_eigenvalues`` has none of
    it.

    References
    ----------
    geifman2020, Theorems 1, 3 and 4 [which bound the limits above and below].
    """
    check_count("input_dim", input_dim, at_least=2)
    return _tail(kinks, input_dim)


@jax.jit
def _exponential(rate: Array, exponent: Array) -> Kinks:
    rate, exponent = jnp.broadcast_arrays(rate, exponent)
    return Kinks(-rate, jnp.zeros_like(rate), exponent)


@partial(jax.jit, static_argnums=0)
def _deep_relu(depth: int, bias_scale: Array) -> Kinks:
    cosine, product = jnp.zeros_like(bias_scale), jnp.ones_like(bias_scale)
    for _ in range(depth - 1):
        slope, cosine = arc_cosines(cosine)
        product = product * slope
    far = (bias_scale**2 - 1) / (jnp.pi * (depth + 1) * (1 + bias_scale**2)) * product
    return Kinks(jnp.full_like(far, -depth / (2 * np.pi)), far, jnp.ones_like(far))


def _log_scale(exponent: Array, input_dim: int) -> Array:
    """Of the exact eigenvalues, without what depends on k."""
    half = (input_dim - 1) / 2
    powers = (exponent + input_dim - 2) * np.log(2) - np.log(np.pi) / 2
    return powers + gammaln(jnp.full_like(exponent, input_dim / 2)) + gammaln(exponent + half)


@partial(jax.jit, static_argnums=(1, 2, 3))
def _power(exponent: Array, input_dim: int, num_levels: int, opposite: bool = False) -> Array:
    first = jnp.exp(_log_scale(exponent, input_dim) - gammaln(exponent + input_dim - 1))
    degrees = jnp.arange(num_levels - 1, dtype=exponent.dtype)
    ratios = (degrees - exponent[None]) / (degrees + (exponent + input_dim - 1)[None])
    values = jnp.cumprod(jnp.append(first[None], ratios))
    return values * _signs(num_levels, values.dtype) if opposite else values


@partial(jax.jit, static_argnums=(1, 2))
def _singular(kinks: Kinks, input_dim: int, num_levels: int) -> Array:
    def one(near, far, exponent):
        values = 2 ** (exponent / 2) * _power(exponent / 2, input_dim, num_levels)
        return values * (near + far * _signs(num_levels, values.dtype))

    flat = jax.vmap(one)(kinks.near.ravel(), kinks.far.ravel(), kinks.exponent.ravel())
    return flat.reshape(*kinks.near.shape, num_levels)


@partial(jax.jit, static_argnums=1)
def _tail(kinks: Kinks, input_dim: int) -> Array:
    half = kinks.exponent / 2
    constant = jnp.exp(_log_scale(half, input_dim) - gammaln(1 - half)) * 2**half * half
    strengths = jnp.stack([kinks.near + kinks.far, kinks.near - kinks.far])
    # The constant overflows in hundreds of dimensions.
    return jnp.where(strengths == 0, 0, -constant[None] * strengths)


def _signs(num_levels: int, dtype) -> Array:
    return jnp.asarray(1 - 2 * (np.arange(num_levels) % 2), dtype)
