"""Why tangent kernels of wide networks stay: the norm of the Hessian of outputs, and where it does not fall."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_non_negative, check_positive, is_concrete
from solvable.numerics import Activation
from solvable.theory.kernel.checks import Numbers

# Trapezoidal rules: drives in standard deviations, and norms up to so many of the largest possible at |v| = 1.
_DRIVES, _LEVELS, _REACH = 801, 1201, 9.0


@eqx.filter_jit
def hessian_norm(
    first: Float[Array, "width input_dim"],
    second: Float[Array, " units"],
    inputs: Float[Array, "num_samples entries"],
    activation: Activation,
    *,
    prefactor: float | Float[Array, ""] | None = None,
) -> Float[Array, " num_samples"]:
    r"""Spectral norm of the Hessian, in all weights, of each output of a two-layer network: exact.

    .. math:: f = a \sum_i v_i\,\sigma(w_i \cdot x), \quad
       \|H\| = a \max_i \tfrac12\Big(q_i + \sqrt{q_i^2 + 4\,\sigma'(h_i)^2\,|x|^2}\Big), \quad
       q_i = |v_i\,\sigma''(h_i)|\,|x|^2, \quad h_i = w_i \cdot x

    Parameters
    ----------
    first, second
        w_i and v_i; both are variables.
    inputs
        x, one a row, as the units see them (divided by the root of their dimension where the paper has it).
    activation
        sigma, twice differentiable. Of a rectifier it is the Hessian of the piece the weights are in.
    prefactor
        a > 0; 1/sqrt(width) unless given.

    Raises
    ------
    OutsideDomain
        Sizes that do not fit.

    References
    ----------
    liu2020, Theorem 3.2, two-layer case [made exact: the Hessian is block diagonal over units, each of rank 2].
    """
    if second.size != first.shape[0] or inputs.shape[1] != first.shape[1]:
        raise OutsideDomain(
            f"`first`, `second` and `inputs` have shapes {first.shape}, {second.shape} and {inputs.shape}; they must "
            "be (width, input_dim), (width,) and (num_samples, input_dim)."
        )
    scale = second.size**-0.5 if prefactor is None else prefactor
    slope, bend = _derivatives(activation, inputs @ first.T)
    square = jnp.sum(inputs**2, axis=1)[:, None]
    bent = jnp.abs(second[None, :] * bend) * square
    return jnp.max(jnp.hypot(bent, 2 * slope * jnp.sqrt(square)) + bent, axis=1) / 2 * scale


def mean_hessian_norm(
    width: Numbers, activation: Activation, *, radius: float = 1.0, prefactor: Numbers | None = None
) -> Float[Array, "..."]:
    r"""The mean of ``hessian_norm`` over N(0, 1) weights, its slowly growing logarithm included.

    .. math:: E\|H\| = a \int_0^\infty \big(1 - F(t)^m\big)\,dt, \qquad
       F(t) = E_{h \sim N(0, r^2)}\,
       \mathrm{erf}\Big(\frac{t - \sigma'(h)^2 r^2/t}{\sqrt2\,|\sigma''(h)|\,r^2}\Big)_+

    Parameters
    ----------
    width
        m >= 1, one or several.
    activation
        sigma, of bounded first and second derivative.
    radius
        r > 0, the length of the input as the units see it: 1 for entries N(0, 1) divided by the root of their number.
    prefactor
        a > 0, of a shape that broadcasts; 1/sqrt(width) unless given.

    Returns
    -------
    Array
        Falls like sqrt(2 ln(m) / m) r^2 max|sigma''| in the end, the width to the power -1/2 up to the root of a
        logarithm; between widths of 16 and 4000 the power is about -0.41 for tanh.

    Raises
    ------
    OutsideDomain
        A width, radius or prefactor that is not positive.

    Notes
    -----
    Exact at every width, by quadrature to about 1e-4; the maximum over units scatters by some 10%.

    References
    ----------
    liu2020, Theorem 3.2 [its order m^-1/2 up to logarithms].
    """
    check_positive("width", width)
    check_positive("radius", radius)
    width = jnp.asarray(width, jnp.result_type(float))
    prefactor = width**-0.5 if prefactor is None else jnp.asarray(prefactor, width.dtype)
    check_positive("prefactor", prefactor)
    return prefactor * _mean_largest(width, activation, jnp.asarray(radius, width.dtype))


@eqx.filter_jit
def _mean_largest(width: Array, activation: Activation, radius: Array) -> Array:
    """Mean of the largest of ``width`` independent norms of units."""
    points = np.linspace(-8, 8, _DRIVES)
    density = np.exp(-(points**2) / 2)
    weights = jnp.asarray(density / density.sum(), width.dtype)
    slope, bend = (jnp.abs(each) for each in _derivatives(activation, radius * jnp.asarray(points, width.dtype)))
    top = jnp.max(slope) * radius + _REACH * jnp.max(bend) * radius**2
    levels = top * jnp.asarray(np.arange(1, _LEVELS + 1) / _LEVELS, width.dtype)
    room = levels[:, None] - (slope * radius)[None, :] ** 2 / levels[:, None]
    spread = 2**0.5 * bend * radius**2
    scaled = room / jnp.where(spread > 0, spread, 1)[None, :]
    # Without curvature of its own a unit's norm is what its slope makes it, neither more nor less.
    missed = jnp.where(spread[None, :] > 0, jax.scipy.special.erfc(scaled), (room < 0).astype(room.dtype))
    beyond = jnp.minimum(jnp.minimum(missed, 1) @ weights, 1)
    within = jnp.exp(jnp.outer(width, jnp.log1p(-beyond)))
    return top / _LEVELS * (0.5 + jnp.sum(1 - within, axis=1)).reshape(width.shape)


def _derivatives(activation: Activation, drive: Array) -> tuple[Array, Array]:
    ones = jnp.ones_like(drive)
    slope = lambda drive: jax.jvp(activation, (drive,), (ones,))[1]  # noqa: E731
    return jax.jvp(slope, (drive,), (ones,))


def kernel_change_bound(
    curvature: Numbers, radius: Numbers, slope: Numbers, other_slope: Numbers | None = None
) -> Float[Array, "..."]:
    r"""The most that an entry of the tangent kernel can change in a ball of weights of bounded curvature.

    .. math:: |K(x, z) - K_0(x, z)| \le \epsilon R\,\big(|\nabla f_0(x)| + |\nabla f_0(z)|\big) + \epsilon^2 R^2

    Parameters
    ----------
    curvature
        epsilon, the largest Hessian norm of both outputs in the ball.
    radius
        R of the ball.
    slope, other_slope
        Gradient norms of the two outputs at the centre; equal unless the second is given.

    Raises
    ------
    OutsideDomain
        A negative number.

    References
    ----------
    liu2020, Proposition 2.3.
    """
    other_slope = slope if other_slope is None else other_slope
    numbers = {"curvature": curvature, "radius": radius, "slope": slope, "other_slope": other_slope}
    for name, value in numbers.items():
        check_non_negative(name, value)
    moved = jnp.asarray(curvature) * jnp.asarray(radius)
    return moved * (jnp.asarray(slope) + jnp.asarray(other_slope)) + moved**2


def mapped_hessian_floor(
    hessian: Numbers, slope: Numbers, outputs: Float[Array, "..."], output_map: Activation
) -> Float[Array, "..."]:
    r"""The least Hessian norm of phi(f): what the curvature of the output adds does not fall with width.

    .. math:: \|\tilde H\| \ge |\phi''(f)|\,|\nabla f|^2 - |\phi'(f)|\,\|H\|, \qquad
       \tilde H = \phi' H + \phi''\,\nabla f\,\nabla f^\top

    Parameters
    ----------
    hessian, slope
        Hessian and gradient norm of f.
    outputs
        f.
    output_map
        phi.

    Returns
    -------
    Array
        Not below 0.

    Raises
    ------
    OutsideDomain
        A negative norm.

    References
    ----------
    liu2020, networks of nonlinear output.
    """
    check_non_negative("hessian", hessian)
    check_non_negative("slope", slope)
    first, second = (jnp.abs(each) for each in _derivatives(output_map, outputs))
    return jnp.maximum(second * jnp.asarray(slope) ** 2 - first * jnp.asarray(hessian), 0)


def mapped_kernel(
    kernel: Float[Array, "num_samples num_others"],
    slopes: Float[Array, " num_samples"],
    other_slopes: Float[Array, " num_others"] | None = None,
) -> Float[Array, "num_samples num_others"]:
    r"""The tangent kernel of phi(f) from that of f.

    .. math:: \tilde K(x, z) = \phi'(f(x))\,\phi'(f(z))\,K(x, z)

    Parameters
    ----------
    kernel
        K of f, one output. With K at initialisation this predicts the kernel along training, as K itself stays.
    slopes, other_slopes
        phi' at the outputs of both; equal unless the second is given. For tanh it is 1 - y^2 at an output y, so that
        the kernel of a network that has fitted its labels is known from these alone.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Exact at any time; with the kernel at initialisation the error is that of the core, of order 1/width.

    References
    ----------
    liu2020, networks of nonlinear output.
    """
    return slopes[:, None] * kernel * (slopes if other_slopes is None else other_slopes)[None, :]


class CurvatureExponents(NamedTuple):
    """Powers of the width with which curvature falls, and with it the motion of the tangent kernel.

    Attributes
    ----------
    hessian
        Of the Hessian norm, up to logarithms.
    kernel
        Of the relative change of the tangent kernel in training; the bound by the Hessian alone is its root.

    References
    ----------
    liu2020, Theorem 3.2.
    """

    hessian: float
    kernel: float


def curvature_exponents(*, linear_output: bool = True, narrowest: float = np.inf) -> CurvatureExponents:
    """How fast a network turns linear as all its hidden layers but its narrowest grow.

    Parameters
    ----------
    linear_output
        Whether nothing nonlinear follows the last layer of weights.
    narrowest
        Width at which a hidden layer between wide ones is held; inf where all grow.

    Raises
    ------
    OutsideDomain
        A bottleneck that is not positive.

    Notes
    -----
    A nonlinear output or a bottleneck of any finite width leaves both of order 1: the kernel moves at any width.

    References
    ----------
    liu2020, Theorem 3.2; networks of nonlinear output; bottleneck networks; jacot2018 [motion of order 1/width].
    """
    if is_concrete(narrowest) and not narrowest > 0:
        raise OutsideDomain(f"`narrowest` is {narrowest}; it must be above 0, or inf where all layers grow.")
    return CurvatureExponents(-0.5, -1.0) if linear_output and np.isinf(narrowest) else CurvatureExponents(0.0, 0.0)
