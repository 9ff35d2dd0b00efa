"""A target made of Gaussian bumps, for regression by the kernel it is made of."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative, check_positive
from solvable.numerics import GaussianKernel, gram_matrix
from solvable.tasks.samples import Samples, noisy_samples


class KernelTeacher(eqx.Module):
    r"""Targets :math:`y = \sum_i a_i k(z_i, x) + \epsilon` of inputs x ~ N(0, I), with a Gaussian kernel k.

    Attributes
    ----------
    centres
        z_i, shape (centre, input_dim).
    weights
        a_i, shape (centre,). For independent normal centres and signs a_i at random the target's power along each
        eigenfunction of the kernel is lambda^2 sum a^2, on average.
    width
        Of k = exp(-|x - x'|^2/(2 width^2)).
    noise_std
        Standard deviation of epsilon; may be traced.

    Raises
    ------
    OutsideDomain
        Shapes that differ, a width that is not positive, negative noise.

    References
    ----------
    canatar2021, Gaussian kernel on Gaussian inputs [code of the authors].
    """

    centres: Float[Array, "centre input_dim"]
    weights: Float[Array, " centre"]
    width: float = eqx.field(static=True)
    noise_std: float | Float[Array, ""] = 0.0

    def __check_init__(self):
        if self.weights.shape != self.centres.shape[:1]:
            raise OutsideDomain(
                f"`weights` has shape {self.weights.shape} for {self.centres.shape[0]} `centres`; each has one."
            )
        check_positive("width", self.width)
        check_non_negative("noise_std", self.noise_std)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.centres.shape[1],)

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """Independent samples.

        Parameters
        ----------
        key
            Randomness of inputs and noise.
        num_samples
            n.

        Raises
        ------
        OutsideDomain
            No samples.

        References
        ----------
        canatar2021.
        """
        check_count("num_samples", num_samples)
        key_inputs, key_noise = jax.random.split(key)
        inputs = jax.random.normal(key_inputs, (num_samples, self.centres.shape[1]), self.centres.dtype)
        clean = gram_matrix(GaussianKernel(self.width), inputs, self.centres) @ self.weights
        return noisy_samples(key_noise, inputs, clean, self.noise_std)

    def excess_error(
        self, inputs: Float[Array, "num_samples input_dim"], dual_weights: Float[Array, " num_samples"]
    ) -> Float[Array, ""]:
        r"""Mean squared error on new inputs, exactly, of :math:`\hat f(x) = \sum_\mu \alpha_\mu k(x_\mu, x)`.

        .. math:: E_x\,k(x, z)\,k(x, z') = \Big(\frac{w^2}{w^2 + 2}\Big)^{d/2}
           \exp\Big(-\frac{|z - z'|^2}{4 w^2} - \frac{|z + z'|^2}{4 (w^2 + 2)}\Big)

        Parameters
        ----------
        inputs, dual_weights
            x_mu and alpha_mu of the same kernel.

        Returns
        -------
        Array
            Without the noise of labels. A difference of large numbers: rounding of their size, about 1e-16 of the
            largest alpha squared, is not below it.

        Raises
        ------
        Raises nothing.

        References
        ----------
        canatar2021, generalisation error.
        """
        points = jnp.concatenate([inputs, self.centres])
        signed = jnp.concatenate([dual_weights, -self.weights])
        return signed @ gram_matrix(self._overlap, points) @ signed

    def _overlap(self, inner: Array, square: Array, other_square: Array) -> Array:
        """Mean over inputs of the product of two bumps."""
        variance, dim = self.width**2, self.centres.shape[1]
        apart, between = square + other_square - 2 * inner, square + other_square + 2 * inner
        scale = (variance / (variance + 2)) ** (dim / 2)
        return scale * jnp.exp(-apart / (4 * variance) - between / (4 * (variance + 2)))


def random_kernel_teacher(
    key: Key[Array, ""],
    input_dim: int,
    *,
    width: float,
    num_centres: int = 100,
    noise_std: float | Float[Array, ""] = 0.0,
) -> KernelTeacher:
    """A teacher of normal centres and weights of random sign, the sum of whose squares is 1.

    Parameters
    ----------
    key
        Randomness of centres and signs.
    input_dim
        d.
    width, noise_std
        As for ``KernelTeacher``.
    num_centres
        How many.

    Raises
    ------
    OutsideDomain
        No dimensions or centres, a width that is not positive, negative noise.

    References
    ----------
    canatar2021, Gaussian kernel on Gaussian inputs.
    """
    check_count("input_dim", input_dim)
    check_count("num_centres", num_centres)
    key_centres, key_signs = jax.random.split(key)
    signs = jax.random.rademacher(key_signs, (num_centres,), float)
    return KernelTeacher(
        jax.random.normal(key_centres, (num_centres, input_dim)), signs / num_centres**0.5, width, noise_std
    )
