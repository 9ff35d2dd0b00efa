"""Classification by a kernel that is not symmetric, such as that of descent by signs of gradients."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_positive


class AsymmetricFit(eqx.Module):
    r"""A classifier of two parts, one for each slot of the kernel A.

    .. math:: f(x) = \lambda \sum_i \alpha_i y_i\,A(x_i, x) + (1 - \lambda) \sum_i \beta_i y_i\,A(x, x_i)

    Attributes
    ----------
    first, second
        alpha_i y_i and beta_i y_i, shape (num_samples,).

    References
    ----------
    malladi2023, asymmetric kernel solver; He et al. (2023), least squares with asymmetric kernels.
    """

    first: Float[Array, " num_samples"]
    second: Float[Array, " num_samples"]

    def __call__(
        self,
        first_kernel: Float[Array, "num_samples num_tests"],
        second_kernel: Float[Array, "num_tests num_samples"],
        mix: float | Float[Array, ""] = 0.5,
    ) -> Float[Array, " num_tests"]:
        """f from A(x_i, x), A(x, x_i) and lambda between 0 and 1. Raises nothing. References: malladi2023."""
        mix = jnp.asarray(mix, self.first.dtype)
        return mix * (self.first @ first_kernel) + (1 - mix) * (second_kernel @ self.second)


def fit_asymmetric_kernel(
    kernel: Float[Array, "num_samples num_samples"],
    labels: Float[Array, " num_samples"],
    strength: float | Float[Array, ""],
) -> AsymmetricFit:
    r"""Least squares for labels +1 and -1 with both slots of a kernel, without a constant.

    .. math:: \begin{pmatrix} I/\gamma & H \\ H^\top & I/\gamma \end{pmatrix}
       \begin{pmatrix} \alpha \\ \beta \end{pmatrix} = 1, \qquad H_{ij} = y_i\,A(x_i, x_j)\,y_j

    Parameters
    ----------
    kernel
        A on the training examples, of any symmetry or none.
    labels
        y.
    strength
        gamma > 0, how much fit counts: 1/gamma is the ridge.

    Returns
    -------
    AsymmetricFit
        Of a symmetric kernel, both parts are kernel ridge regression at ridge 1/gamma.

    Raises
    ------
    OutsideDomain
        A strength that is not positive, or sizes that differ.

    Notes
    -----
    The system has no solution where 1/gamma is a singular value of H, as its matrix is not definite.

    References
    ----------
    malladi2023, released code; He et al. (2023), least squares with asymmetric kernels.
    """
    check_positive("strength", strength)
    if kernel.shape != (labels.size, labels.size):
        raise OutsideDomain(f"`kernel` has shape {kernel.shape}; with {labels.size} labels it must be square of these.")
    return _solve(kernel, labels, jnp.asarray(strength, kernel.dtype))


@jax.jit
def _solve(kernel: Array, labels: Array, strength: Array) -> AsymmetricFit:
    signed = labels[:, None] * kernel * labels[None, :]
    ridge = jnp.eye(labels.size, dtype=kernel.dtype) / strength
    system = jnp.block([[ridge, signed], [signed.T, ridge]])
    first, second = jnp.split(jnp.linalg.solve(system, jnp.ones(2 * labels.size, kernel.dtype)), 2)
    return AsymmetricFit(first * labels, second * labels)
