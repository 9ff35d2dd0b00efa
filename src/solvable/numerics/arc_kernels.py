"""Kernels of infinitely wide ReLU networks whose biases start at 0: arcs of a circle, again and again."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_count, check_non_negative


def arc_cosines(cosines: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    r"""Twice the mean product of two rectifiers' slopes, and of their values, on unit Gaussians of given correlation.

    .. math:: k_0(c) = 1 - \frac{\arccos c}{\pi}, \qquad
       k_1(c) = \frac{\sqrt{1 - c^2} + (\pi - \arccos c)\,c}{\pi}

    Parameters
    ----------
    cosines
        c, the correlation; rounding beyond -1 and 1 is cut off.

    Returns
    -------
    tuple of Array
        k_0 and k_1, both between 0 and 1.

    Raises
    ------
    Raises nothing.

    References
    ----------
    geifman2020, recursion of the tangent kernel.
    """
    # At the ends, where root and angle have no slope, the values are exact.
    open_angle = jnp.abs(cosines) < 1
    inside = jnp.where(open_angle, cosines, 0)
    slopes = jnp.where(open_angle, 1 - jnp.arccos(inside) / jnp.pi, jnp.where(cosines > 0, 1, 0))
    sine = jnp.where(open_angle, jnp.sqrt(1 - inside**2), 0)
    return slopes, sine / jnp.pi + slopes * jnp.clip(cosines, -1, 1)


class DeepReluTangentKernel(eqx.Module):
    r"""The tangent kernel of an infinitely wide ReLU network, all of whose weights and biases are trained.

    Weights start at N(0, 1), biases at 0; each layer is :math:`g_h = \sqrt{2/m}\,\mathrm{relu}(W_h g_{h-1} + \beta
    b_h)` with :math:`g_0 = x`, the output :math:`w \cdot g_L + \beta b`. For unit inputs of cosine u

    .. math:: \Theta_0 = u + \beta^2, \quad \Theta_h = \Theta_{h-1}\,k_0(r_{h-1}) + r_h + \beta^2, \quad
       r_0 = u, \; r_h = k_1(r_{h-1})

    Attributes
    ----------
    depth
        L >= 1, number of hidden layers.
    bias_scale
        beta >= 0; 0 for a network without biases.
    normalised
        Whether k(x, x) is 1, by division by :math:`(L + 1)(|x|^2 + \beta^2)`.

    Raises
    ------
    OutsideDomain
        No hidden layers, a negative scale.

    Notes
    -----
    On a sphere. Other lengths scale r_h by :math:`|x||x'|`, as biases that are 0 leave the network homogeneous.

    References
    ----------
    geifman2020, tangent kernel with biases; jacot2018, recursion.
    """

    depth: int = eqx.field(static=True, default=1)
    bias_scale: float | Float[Array, ""] = 1.0
    normalised: bool = eqx.field(static=True, default=True)

    def __check_init__(self):
        check_count("depth", self.depth)
        check_non_negative("bias_scale", self.bias_scale)

    def __call__(self, inner, square, other_square):
        bias, (lengths, cosines) = self.bias_scale**2, _polar(inner, square * other_square)
        total = inner + bias
        for _ in range(self.depth):
            slopes, cosines = arc_cosines(cosines)
            total = total * slopes + lengths * cosines + bias
        if not self.normalised:
            return total
        own = (square + bias) * (other_square + bias)
        return total / jnp.where(own > 0, (self.depth + 1) * jnp.sqrt(jnp.where(own > 0, own, 1)), 1)


class ReluLayerKernel(eqx.Module):
    r"""The tangent kernel of a wide ReLU layer of which the weights and biases inside the units alone are trained.

    .. math:: k = \frac{x \cdot x' + \beta^2}{1 + \beta^2}\,\frac{\pi - \angle(x, x')}{2 \pi}

    Units see :math:`(x, \beta)/\sqrt{1 + \beta^2}`, weights start at N(0, 1) and biases at 0, and the output is
    :math:`m^{-1/2} \sum_r a_r\,\mathrm{relu}(\cdot)` with signs a_r.

    Attributes
    ----------
    bias_scale
        beta >= 0; 0 for a layer without biases.

    Raises
    ------
    OutsideDomain
        A negative scale.

    References
    ----------
    basri2020, Eq. for K [beta = 1: (cos + 1)(pi - angle)/(4 pi) on the circle].
    """

    bias_scale: float | Float[Array, ""] = 1.0

    def __check_init__(self):
        check_non_negative("bias_scale", self.bias_scale)

    def __call__(self, inner, square, other_square):
        slopes, _ = arc_cosines(_polar(inner, square * other_square)[1])
        return (inner + self.bias_scale**2) / (1 + self.bias_scale**2) * slopes / 2


def _polar(inner: Array, squares: Array) -> tuple[Array, Array]:
    """Product of two inputs' lengths, and the cosine of their angle: 0, by convention, with an input that is 0."""
    some = squares > 0
    lengths = jnp.sqrt(jnp.where(some, squares, 1))
    return jnp.where(some, lengths, 0), jnp.where(some, inner / lengths, 0)
