"""Kernels that see two inputs through their inner product and their lengths alone, so that rotations change nothing."""

from typing import Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_non_negative, check_positive
from solvable.numerics.arc_kernels import arc_cosines


@runtime_checkable
class Kernel(Protocol):
    """k as a function of x.x', |x|^2 and |x'|^2, arrays that broadcast against each other."""

    def __call__(
        self, inner: Float[Array, "..."], square: Float[Array, "..."], other_square: Float[Array, "..."]
    ) -> Float[Array, "..."]: ...


class LinearKernel(eqx.Module):
    """k = x.x', of linear regression without an offset. Raises nothing. References: none."""

    def __call__(self, inner, square, other_square):
        del square, other_square
        return inner


class GaussianKernel(eqx.Module):
    """k = exp(-|x - x'|^2 / (2 width^2)), also called RBF.

    Attributes
    ----------
    width
        Above 0, in units of the inputs.

    Raises
    ------
    OutsideDomain
        A width that is not positive.

    References
    ----------
    karkada2025, level coefficients [their s].
    """

    width: float = 1.0

    def __check_init__(self):
        check_positive("width", self.width)

    def __call__(self, inner, square, other_square):
        return jnp.exp((inner - (square + other_square) / 2) / self.width**2)


class LaplaceKernel(eqx.Module):
    """k = exp(-|x - x'| / width).

    Attributes
    ----------
    width
        Above 0, in units of the inputs.

    Raises
    ------
    OutsideDomain
        A width that is not positive.

    References
    ----------
    karkada2025, level coefficients [width = sqrt2 s].
    """

    width: float = 1.0

    def __check_init__(self):
        check_positive("width", self.width)

    def __call__(self, inner, square, other_square):
        apart = square + other_square - 2 * inner
        # Rounding leaves less than nothing between equal inputs, and a root has no slope at 0.
        return jnp.exp(-jnp.where(apart > 0, jnp.sqrt(jnp.where(apart > 0, apart, 1)), 0) / self.width)


class ReluTangentKernel(eqx.Module):
    r"""The tangent kernel of infinitely many ReLU units in one hidden layer.

    .. math:: k = \frac{w \sqrt{p p'}}{2\pi}\big[\sqrt{1 - c^2} + 2 c\,(\pi - \arccos c)\big], \qquad
       p = b + w |x|^2, \quad c = \frac{b + w\,x \cdot x'}{\sqrt{p p'}}

    Attributes
    ----------
    weight_variance, bias_variance
        w > 0 and b >= 0.

    Raises
    ------
    OutsideDomain
        Variances without meaning.

    References
    ----------
    jacot2018; karkada2025, level coefficients.
    """

    weight_variance: float = 1.0
    bias_variance: float = 0.0

    def __check_init__(self):
        check_positive("weight_variance", self.weight_variance)
        check_non_negative("bias_variance", self.bias_variance)

    def __call__(self, inner, square, other_square):
        product = self._power(square) * self._power(other_square)
        some = product > 0
        scale = jnp.where(some, jnp.sqrt(jnp.where(some, product, 1)), 0)
        cosine = jnp.where(some, self._power(inner) / jnp.where(some, scale, 1), 0)
        slopes, values = arc_cosines(cosine)
        return self.weight_variance * scale * (values + jnp.clip(cosine, -1, 1) * slopes) / 2

    def _power(self, inner):
        return self.bias_variance + self.weight_variance * inner


def gram_matrix(
    kernel: Kernel,
    inputs: Float[Array, "num_samples input_dim"],
    others: Float[Array, "num_others input_dim"] | None = None,
) -> Float[Array, "num_samples num_others"]:
    """The kernel of every input with every other.

    Parameters
    ----------
    kernel
        Of this module, or any function of x.x', |x|^2, |x'|^2.
    inputs
        One a row.
    others
        Against which; the inputs themselves unless given.

    Raises
    ------
    Raises nothing.

    References
    ----------
    None.
    """
    others = inputs if others is None else others
    square, other_square = jnp.sum(inputs**2, axis=1), jnp.sum(others**2, axis=1)
    return kernel(inputs @ others.T, square[:, None], other_square[None, :])


@eqx.filter_jit
def kernel_trace(kernel: Kernel, inputs: Float[Array, "num_samples input_dim"]) -> Float[Array, ""]:
    """The mean of k(x, x) over inputs: the sum of the kernel's eigenvalues under their law.

    Parameters
    ----------
    kernel, inputs
        As for ``gram_matrix``.

    Raises
    ------
    Raises nothing.

    References
    ----------
    karkada2025, trace of the kernel.
    """
    squares = jnp.sum(inputs**2, axis=1)
    return jnp.mean(kernel(squares, squares, squares))
