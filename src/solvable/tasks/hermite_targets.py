"""Gaussian inputs of any covariance spectrum, with targets that are Hermite products of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from solvable.errors import check_count, check_positive
from solvable.numerics import hermite_products
from solvable.tasks.samples import Samples, make_samples


class HermiteTargets(eqx.Module):
    r"""Inputs :math:`x_i = \sqrt{\gamma_i}\,z_i` with normal z, and one orthonormal polynomial of z an output.

    Attributes
    ----------
    covariance_eigenvalues
        gamma_i > 0, shape (direction,).
    directions
        Of each output's product, as for ``numerics.hermite_products``, shape (output, max_level).

    Raises
    ------
    OutsideDomain
        Variances that are not positive.

    References
    ----------
    karkada2025, single-mode targets on Gaussian data.
    """

    covariance_eigenvalues: Float[Array, " direction"]
    directions: Int[Array, "output max_level"]

    def __check_init__(self):
        check_positive("covariance_eigenvalues", self.covariance_eigenvalues)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.covariance_eigenvalues.shape

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """Independent samples.

        Parameters
        ----------
        key
            Randomness of the inputs.
        num_samples
            n.

        Raises
        ------
        OutsideDomain
            No samples, or a direction that the inputs lack.

        References
        ----------
        karkada2025.
        """
        check_count("num_samples", num_samples)
        gammas = self.covariance_eigenvalues
        points = jax.random.normal(key, (num_samples, gammas.size), gammas.dtype)
        return make_samples(points * jnp.sqrt(gammas)[None, :], hermite_products(points, self.directions))
