"""Linear regression on independent features of any spectrum: the task that theories of kernel regression solve."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_choice, check_count, check_non_negative, check_positive, is_concrete
from solvable.numerics import Monomials
from solvable.tasks.samples import FeatureMap, Moments, Samples, noisy_samples


class GaussianFeatures(eqx.Module):
    r"""Targets :math:`y = \sum_i v_i z_i + \epsilon`, seen through inputs :math:`x_i = \sqrt{\lambda_i}\,z_i`.

    Attributes
    ----------
    eigenvalues
        lambda_i >= 0 of the inputs' covariance, which is the kernel's spectrum, shape (mode,).
    coefficients
        v_i of the target along each orthonormal feature z_i, shape (mode,); along a mode of eigenvalue 0 it is noise.
    noise_std
        Standard deviation of epsilon; may be traced.
    features
        Law of the z_i: ``"normal"``, or ``"sign"`` for +1 and -1 alike, of kurtosis 1.

    Raises
    ------
    OutsideDomain
        Shapes that differ, negative eigenvalues or noise, an unknown law.

    References
    ----------
    simon2023a, Gaussian design; cui2023; caponnetto2007.
    """

    eigenvalues: Float[Array, " mode"]
    coefficients: Float[Array, " mode"]
    noise_std: float | Float[Array, ""] = 0.0
    features: Literal["normal", "sign"] = eqx.field(default="normal", static=True)

    def __check_init__(self):
        if self.eigenvalues.shape != self.coefficients.shape:
            raise OutsideDomain(
                f"`eigenvalues` has shape {self.eigenvalues.shape} and `coefficients` {self.coefficients.shape}; each "
                "mode has one of both."
            )
        if is_concrete(self.eigenvalues) and np.any(np.asarray(self.eigenvalues) < 0):
            raise OutsideDomain("`eigenvalues` must be at least 0, each.")
        check_non_negative("noise_std", self.noise_std)
        check_choice("features", self.features, ("normal", "sign"))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.eigenvalues.shape

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """Independent samples.

        Parameters
        ----------
        key
            Randomness of features and noise.
        num_samples
            n.

        Raises
        ------
        OutsideDomain
            No samples.

        References
        ----------
        simon2023a.
        """
        check_count("num_samples", num_samples)
        key_features, key_noise = jax.random.split(key)
        draw = jax.random.normal if self.features == "normal" else jax.random.rademacher
        features = draw(key_features, (num_samples, self.eigenvalues.size), dtype=self.eigenvalues.dtype)
        inputs = features * jnp.sqrt(self.eigenvalues)[None, :]
        return noisy_samples(key_noise, inputs, features @ self.coefficients, self.noise_std)

    def learned(self, weights: Float[Array, "*batch mode"]) -> Float[Array, "*batch mode"]:
        r"""The coefficients :math:`\hat v_i = \sqrt{\lambda_i} w_i` of a linear map. Raises nothing.

        References: simon2023a, eigencoefficients.
        """
        return weights * jnp.expand_dims(jnp.sqrt(self.eigenvalues), range(weights.ndim - 1))

    def excess_error(self, weights: Float[Array, "*batch mode"]) -> Float[Array, "*batch"]:
        """Mean squared error of a linear map on new samples, exactly, without the noise of labels. Raises nothing.

        References: hastie2022, risk.
        """
        errors = self.learned(weights) - jnp.expand_dims(self.coefficients, range(weights.ndim - 1))
        return jnp.sum(errors**2, axis=-1)

    def moments(self, features: FeatureMap) -> Moments:
        """Those of the population.

        Raises
        ------
        OutsideDomain
            Features other than the inputs themselves.

        References
        ----------
        simon2023a.
        """
        modes = self.eigenvalues.size
        if not (isinstance(features, Monomials) and features.degree == 1 and features.input_dim == modes):
            raise OutsideDomain(
                f"`features` is {features}; this task has moments of its {modes} inputs themselves: train a linear "
                "network, or draw samples."
            )
        power = jnp.sum(self.coefficients**2) + jnp.asarray(self.noise_std, self.eigenvalues.dtype) ** 2
        return Moments(power, self.learned(self.coefficients)[None, :], jnp.diag(self.eigenvalues))


def source_capacity(
    num_modes: int, *, capacity: float, source: float, noise_std: float | Float[Array, ""] = 0.0
) -> GaussianFeatures:
    r"""The power-law task :math:`\lambda_i = i^{-a},\; v_i^2 = i^{-(1 + 2 a r)}`.

    Parameters
    ----------
    num_modes
        Where both are cut off.
    capacity
        a > 0, how fast eigenvalues fall; above 1 their sum is finite without a cut.
    source
        r > 0, how well the target is aligned with the leading modes; from 1/2 on its norm in the kernel's space is
        finite.
    noise_std
        Of the labels.

    Raises
    ------
    OutsideDomain
        No modes, exponents that are not positive, negative noise.

    References
    ----------
    cui2023, source and capacity; caponnetto2007 [b = a, c = 2r]; pillaudvivien2018 [alpha = a].
    """
    check_count("num_modes", num_modes)
    check_positive("capacity", capacity)
    check_positive("source", source)
    order = jnp.arange(1, num_modes + 1, dtype=jnp.result_type(float))
    return GaussianFeatures(order**-capacity, order ** -(0.5 + capacity * source), noise_std)
