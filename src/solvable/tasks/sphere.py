"""Targets on the sphere that have given power in each level of spherical harmonics."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative
from solvable.numerics import LevelKernel, gegenbauer, sphere_multiplicities
from solvable.tasks.samples import Samples, noisy_samples


class SphereTask(eqx.Module):
    r"""Targets :math:`y = \sum_k A_k \sqrt{N_k}\,Q_k(\beta \cdot x) + \epsilon` of inputs that are uniform on a sphere.

    Attributes
    ----------
    amplitudes
        A_k of levels 0, 1, ..., shape (level,): A_k^2 is the power in each.
    direction
        beta, of length 1, shape (input_dim,) with at least 2 dimensions d.
    noise_std
        Standard deviation of epsilon; may be traced.

    Raises
    ------
    OutsideDomain
        Fewer than 2 dimensions, negative noise.

    Notes
    -----
    Inputs have length 1. As they have no direction of their own, a fixed beta is as good as a random one.

    References
    ----------
    canatar2021, dot-product kernels on the sphere.
    """

    amplitudes: Float[Array, " level"]
    direction: Float[Array, " input_dim"]
    noise_std: float | Float[Array, ""] = 0.0

    def __check_init__(self):
        check_count("the dimension of `direction`", self.direction.size, at_least=2)
        check_non_negative("noise_std", self.noise_std)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.direction.shape

    def target(self, inputs: Float[Array, "num_samples input_dim"]) -> Float[Array, " num_samples"]:
        """The targets without noise. Raises nothing. References: canatar2021."""
        scale = jnp.asarray(np.sqrt(self._multiplicities(self.amplitudes.size)), inputs.dtype)
        return (self.amplitudes * scale) @ self._levels(inputs @ self.direction, self.amplitudes.size)

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
        normal = jax.random.normal(key_inputs, (num_samples, self.direction.size), self.direction.dtype)
        inputs = normal / jnp.linalg.norm(normal, axis=1, keepdims=True)
        return noisy_samples(key_noise, inputs, self.target(inputs), self.noise_std)

    def level_errors(
        self,
        kernel: LevelKernel,
        inputs: Float[Array, "num_samples input_dim"],
        dual_weights: Float[Array, " num_samples"],
    ) -> Float[Array, " level"]:
        r"""Exact mean squared error on new inputs, by level, of :math:`\hat f(x) = \sum_\mu \alpha_\mu k(x_\mu, x)`.

        .. math:: E_k = A_k^2 - 2 A_k \frac{s_k}{\sqrt{N_k}} \sum_\mu \alpha_\mu Q_k(\beta \cdot x_\mu)
           + \frac{s_k^2}{N_k} \sum_{\mu\nu} \alpha_\mu \alpha_\nu Q_k(x_\mu \cdot x_\nu)

        Parameters
        ----------
        kernel
            k, by its level on the sphere.
        inputs, dual_weights
            x_mu and alpha_mu.

        Returns
        -------
        Array
            Of the levels of kernel or target, whichever has more; their sum is the error without noise of labels.

        Raises
        ------
        OutsideDomain
            A kernel of another space.

        References
        ----------
        canatar2021, mode errors.
        """
        if kernel.zonal is not gegenbauer or kernel.input_dim != self.direction.size:
            raise OutsideDomain(
                f"`kernel` is one of {kernel.input_dim} dimensions and {kernel.zonal.__name__} polynomials; it must be "
                f"one on the sphere in {self.direction.size}."
            )
        most = max(self.amplitudes.size, kernel.shares.size)
        amplitudes, shares = (jnp.pad(each, (0, most - each.size)) for each in (self.amplitudes, kernel.shares))
        scale = shares / jnp.asarray(np.sqrt(self._multiplicities(most)), shares.dtype)
        overlap = self._levels(inputs @ self.direction, most) @ dual_weights
        power = (self._levels(inputs @ inputs.T, most) @ dual_weights) @ dual_weights
        return amplitudes**2 - 2 * amplitudes * scale * overlap + scale**2 * power

    def _levels(self, cosines: Array, num_levels: int) -> Array:
        return gegenbauer(cosines, self.direction.size, num_levels)

    def _multiplicities(self, num_levels: int) -> np.ndarray:
        return sphere_multiplicities(self.direction.size, num_levels)
