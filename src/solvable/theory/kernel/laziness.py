"""When training is lazy, a flow of the linearised model, and how far it departs from that where it is not quite."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_non_negative, check_positive
from solvable.numerics import integrated_exponential
from solvable.theory.kernel.checks import Numbers, broadcast_numbers


def laziness(
    residual: Numbers,
    curvature: Numbers,
    slope: Numbers,
    *,
    output_scale: Numbers = 1.0,
    init_scale: Numbers = 1.0,
    degree: float = 0.0,
) -> Float[Array, "..."]:
    r"""How much the tangent map turns while the loss falls, relative to itself: training is lazy where it is << 1.

    .. math:: \kappa_{\alpha h} = \frac{|\alpha h(w_0) - y|}{\alpha}\,\frac{\|D^2 h(w_0)\|}{\|D h(w_0)\|^2},
       \qquad \kappa(\lambda w_0) = \lambda^{-q}\,\kappa(w_0)

    Parameters
    ----------
    residual
        |alpha h(w_0) - y|, the Euclidean norm over samples and outputs.
    curvature, slope
        Operator norms of the second and the first derivative of the model h before its scaling, at init_scale 1.
    output_scale
        alpha > 0.
    init_scale, degree
        lambda > 0 and q, of a model that is homogeneous, h(lambda w) = lambda^q h(w), and starts at h(w_0) = 0: two
        for a two-layer rectifier network. Degree 0 leaves the scale of the weights out.

    Returns
    -------
    Array
        Of the common shape. 0 for a model that is linear in its weights; inf where the slope is 0 and the rest is not.

    Raises
    ------
    OutsideDomain
        A negative norm, or a scale that is not positive.

    Notes
    -----
    For the sum over samples; all norms taken per sample give the same number.

    References
    ----------
    chizat2019, Sec. 1, relative scale, and its scalings.
    """
    for name, value in (("residual", residual), ("curvature", curvature), ("slope", slope)):
        check_non_negative(name, value)
    for name, value in (("output_scale", output_scale), ("init_scale", init_scale)):
        check_positive(name, value)
    norms = broadcast_numbers(
        jnp.result_type(float),
        residual=residual,
        curvature=curvature,
        slope=slope,
        output_scale=output_scale,
        init_scale=init_scale,
    )
    return _laziness(*norms, degree)


@jax.jit
def _laziness(residual, curvature, slope, output_scale, init_scale, degree) -> Array:
    turned = residual * curvature / output_scale * init_scale**-degree
    return jnp.where(turned > 0, turned / slope**2, 0)


def two_layer_laziness(width: Numbers, prefactor: Numbers) -> Float[Array, "..."]:
    r"""The order in which the laziness of :math:`h = a(m) \sum_{i \le m} \phi(\theta_i)` scales with its width.

    .. math:: \kappa \lesssim m^{-1/2} + \frac{1}{m\,a(m)}

    Parameters
    ----------
    width
        m > 0.
    prefactor
        a(m) > 0: 1/sqrt(m) is lazy in the limit, 1/m (mean field) is not.

    Raises
    ------
    OutsideDomain
        A width or prefactor that is not positive.

    Notes
    -----
    An upper bound up to a constant, at independent random units of mean output 0.

    References
    ----------
    chizat2019, Sec. 1, two-layer networks.
    """
    check_positive("width", width)
    check_positive("prefactor", prefactor)
    width, prefactor = broadcast_numbers(jnp.result_type(float), width=width, prefactor=prefactor)
    return width**-0.5 + 1 / (width * prefactor)


class DepartureExponents(NamedTuple):
    """Powers of the output scale alpha with which a flow departs from its start and from its linearisation.

    Attributes
    ----------
    movement
        Of the largest distance of the weights from their start.
    weights
        Of that from the weights of the linearised model.
    outputs
        Of the largest distance between the outputs of the two.

    References
    ----------
    chizat2019, Theorem 2.2.
    """

    movement: float
    weights: float
    outputs: float


def departure_exponents(*, doubled: bool = False) -> DepartureExponents:
    """How fast training becomes lazy as the output scale grows, over any finite time, from h(w_0) = 0.

    Parameters
    ----------
    doubled
        Whether the model is the difference of two copies that start alike: curvature of the two then cancels from the
        outputs in first order.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Upper bounds in the theorem; met wherever the curvature along the path does not vanish for another reason. For ever,
    rather than over a finite time, they need a tangent kernel or a loss that keeps the flow contracting.

    References
    ----------
    chizat2019, Theorem 2.2; Theorems 2.3 to 2.5 for unlimited times; Sec. 1, doubling trick.
    """
    return DepartureExponents(movement=-1.0, weights=-2.0, outputs=-2.0 if doubled else -1.0)


class ProductPath(eqx.Module):
    """The model h = u v - u_0 v_0 along its flow, and along that of its linearisation.

    Attributes
    ----------
    outputs
        f = alpha h.
    lazy_outputs
        Those of the linearised model.
    kernel
        Tangent kernel of h, u^2 + v^2.
    movement
        Distance of the weights from their start.

    References
    ----------
    chizat2019.
    """

    outputs: Float[Array, "..."]
    lazy_outputs: Float[Array, "..."]
    kernel: Float[Array, "..."]
    movement: Float[Array, "..."]


@jax.jit
def product_path(
    times: Float[Array, "..."],
    first: Float[Array, "..."],
    second: Float[Array, "..."],
    target: Float[Array, "..."],
    output_scale: Float[Array, "..."],
) -> ProductPath:
    r"""The smallest model that is lazy at large and rich at small scales, solved at every scale.

    .. math:: \dot u = \frac{v}{\alpha}\,(y - f), \quad \dot v = \frac{u}{\alpha}\,(y - f), \qquad
       f = \alpha\,(u v - u_0 v_0), \quad f_\mathrm{lin} = y\,\big(1 - e^{-(u_0^2 + v_0^2) t}\big)

    Parameters
    ----------
    times
        t >= 0 of the flow of :math:`\tfrac12 (f - y)^2 / \alpha^2`: alpha^2 times that of the half squared error.
    first, second
        u_0 and v_0, of either sign.
    target
        y, of either sign.
    output_scale
        alpha > 0. All five broadcast against each other.

    Returns
    -------
    ProductPath
        Each of the common shape.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    The flow multiplies p = (u + v)/sqrt(2) by what it divides q = (u - v)/sqrt(2) by; with S the root of
    z^2 + (p q)^2 at the goal z = u_0 v_0 + y/alpha, A = (1 - e^{-2 S t})/(2 S) and G = n/d,

    .. math:: p^2 = p_0^2\,G, \quad n = 1 + (z - S + q_0^2)\,A, \quad d = 1 + (p_0^2 - z - S)\,A, \quad
       f = y A\,\Big(\frac{p_0^2}{d} + \frac{q_0^2}{n}\Big)

    It loses no digits at any alpha. Where p q = 0 a model whose start and goal differ in sign ends in the saddle
    u = v = 0, at f = -alpha u_0 v_0 rather than y; one that starts there stays.

    References
    ----------
    chizat2019, Sec. 1 [an instance of its scaled models, solved].
    """
    along, across = (first + second) / 2**0.5, (first - second) / 2**0.5  # p_0 and q_0
    goal = first * second + target / output_scale  # z
    root = jnp.hypot(goal, along * across)  # S
    # S + z and S - z as shares of 2 S, the smaller of them without cancellation.
    larger = (root + jnp.abs(goal)) / jnp.where(root > 0, 2 * root, 1)
    smaller = jnp.where(root > 0, (along * across) ** 2 / jnp.where(root > 0, 4 * root**2 * larger, 1), 0.5)
    larger = jnp.where(root > 0, larger, 0.5)
    up, down = jnp.where(goal >= 0, larger, smaller), jnp.where(goal >= 0, smaller, larger)
    decay, span = jnp.exp(-2 * root * times), integrated_exponential(-2 * root, times)
    grown, shrunk = up + down * decay + across**2 * span, down + up * decay + along**2 * span  # n and d
    gain = jnp.sqrt(_share(along**2, grown * along**2, shrunk))
    loss = jnp.sqrt(_share(across**2, shrunk * across**2, grown))
    gain, loss = jnp.copysign(gain, along), jnp.copysign(loss, across)
    outputs = target * span * (_share(along, along**2, shrunk) + _share(across, across**2, grown))
    movement = jnp.hypot(gain - along, loss - across)
    lazy = -target * jnp.expm1(-(first**2 + second**2) * times)
    return ProductPath(outputs, jnp.broadcast_to(lazy, outputs.shape), gain**2 + loss**2, movement)


def _share(present: Array, numerator: Array, denominator: Array) -> Array:
    """A ratio, and 0 where it has nothing in it: its denominator may then vanish too."""
    return jnp.where(present != 0, numerator / jnp.where(present != 0, denominator, 1), 0)


@jax.jit
def first_departure(
    times: Float[Array, "..."],
    first: Float[Array, "..."],
    second: Float[Array, "..."],
    target: Float[Array, "..."],
    output_scale: Float[Array, "..."],
) -> Float[Array, "..."]:
    r"""How far the product model is from its linearisation, to first order in 1/alpha.

    .. math:: f - f_\mathrm{lin} = \frac{4 u_0 v_0\,y^2}{\alpha K_0^2}\,e^{-x}\,(x - 1 + e^{-x}) + O(\alpha^{-2}),
       \qquad x = K_0 t, \quad K_0 = u_0^2 + v_0^2

    Parameters
    ----------
    times, first, second, target, output_scale
        As for ``product_path``.

    Returns
    -------
    Array
        Largest at x = 1.59, where the factor behind the fraction is 0.1619. 0 for a model at the origin, which stays.

    Raises
    ------
    Raises nothing.

    References
    ----------
    chizat2019, Theorem 2.2 [the constant of its order 1/alpha, in this model].
    """
    kernel = first**2 + second**2
    x = kernel * times
    size = 4 * first * second * target**2 / (output_scale * jnp.where(kernel > 0, kernel, 1) ** 2)
    return size * jnp.exp(-x) * (x + jnp.expm1(-x))
