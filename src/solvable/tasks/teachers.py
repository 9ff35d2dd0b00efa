"""Gaussian inputs with the targets of a teacher network."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative
from solvable.numerics import (
    Activation,
    Monomials,
    activations,
    check_covariance,
    contract,
    gaussian_cubature,
    gaussian_root,
)
from solvable.tasks.samples import FeatureMap, Moments, Samples, sample_moments


class TeacherNetwork(eqx.Module):
    """Inputs x ~ N(0, covariance), targets y = sum_k v_k sigma(u_k . x) without noise.

    Attributes
    ----------
    first
        Teacher weights u_k, shape (teacher_width, input_dim).
    second
        Teacher weights v_k, shape (output_dim, teacher_width).
    activation
        sigma, any; with the identity the teacher is linear.
    covariance
        Input covariance, shape (input_dim, input_dim), positive semi-definite.
    """

    first: Float[Array, "teacher_width input_dim"]
    second: Float[Array, "output_dim teacher_width"]
    activation: Activation
    covariance: Float[Array, "input_dim input_dim"]

    def __check_init__(self):
        width, input_dim = self.first.shape
        if self.second.shape[1:] != (width,) or self.covariance.shape != (input_dim, input_dim):
            raise OutsideDomain(
                f"`first`, `second`, `covariance` have shapes {self.first.shape}, {self.second.shape}, "
                f"{self.covariance.shape}; they must be (width, input_dim), (output_dim, width) and square."
            )
        check_covariance(self.covariance)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.first.shape[1],)

    def targets(self, inputs: Float[Array, " input_dim"]) -> Float[Array, " output_dim"]:
        """The teacher's output for one input. Raises nothing. References: zhang2026, Fig. 4, caption."""
        return self.second @ self.activation(self.first @ inputs)

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """Independent samples. Raises OutsideDomain for a size below 1. References: zhang2026, App. I."""
        check_count("num_samples", num_samples)
        white = jax.random.normal(key, (num_samples, self.first.shape[1]), self.first.dtype)
        inputs = white @ gaussian_root(self.covariance).T
        weights = jnp.full(num_samples, 1 / num_samples, inputs.dtype)
        return Samples(inputs, jax.vmap(self.targets)(inputs), weights)

    def moments(self, features: FeatureMap) -> Moments:
        """Exact population moments in polynomial features.

        Closed form for a linear teacher and the inputs themselves, in any dimension; Gaussian cubature otherwise.

        Parameters
        ----------
        features
            A polynomial map of the inputs with its ``degree``.

        Raises
        ------
        OutsideDomain
            The teacher's activation is not a power (its population moments are not polynomial averages), or the
            input dimension is too large for cubature.

        References
        ----------
        zhang2026, Eq. 9 and Eq. 43, in the limit of many samples.
        """
        if self.activation.degree is None:
            raise OutsideDomain(
                f"a teacher with activation {self.activation.name} has no exact moments here; use samples of the task."
            )
        if self.activation.degree == 1 and isinstance(features, Monomials) and features.degree == 1:
            teacher = contract(self.second, self.first)
            sigma_yz = teacher @ self.covariance
            return Moments(jnp.sum(sigma_yz * teacher), sigma_yz, self.covariance)
        degree = 2 * max(features.degree, self.activation.degree)
        nodes, weights = gaussian_cubature(np.asarray(self.covariance), degree)
        inputs = jnp.asarray(nodes, self.first.dtype)
        exact = Samples(inputs, jax.vmap(self.targets)(inputs), jnp.asarray(weights, inputs.dtype))
        return sample_moments(exact, features)


def linear_teacher(
    weights: Float[Array, "output_dim input_dim"], covariance: Float[Array, "input_dim input_dim"] | None = None
) -> TeacherNetwork:
    """The task y = W x with Gaussian inputs.

    Parameters
    ----------
    weights
        W, shape (output_dim, input_dim).
    covariance
        Of the inputs; the identity if left out.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit, or a covariance that is not positive semi-definite.

    References
    ----------
    zhang2026, App. I (Fig. 1B).
    """
    output_dim, input_dim = weights.shape
    covariance = jnp.eye(input_dim, dtype=weights.dtype) if covariance is None else covariance
    return TeacherNetwork(weights, jnp.eye(output_dim, dtype=weights.dtype), activations.identity, covariance)


def power_law_spectrum(num_modes: int, exponent: float | Float[Array, ""]) -> Float[Array, " mode"]:
    """Singular values s_n proportional to n^-exponent, n = 1..num_modes, with sum 1.

    Parameters
    ----------
    num_modes
        At least 1.
    exponent
        kappa >= 0; 0 makes all equal. May be traced.

    Raises
    ------
    OutsideDomain
        A count below 1 or a negative exponent.

    References
    ----------
    zhang2026, Fig. 2, caption.
    """
    check_count("num_modes", num_modes)
    check_non_negative("exponent", exponent)
    powers = jnp.arange(1, num_modes + 1, dtype=jnp.result_type(float)) ** -jnp.asarray(
        exponent, dtype=jnp.result_type(float)
    )
    return powers / jnp.sum(powers)


def power_law_teacher(num_modes: int, exponent: float | Float[Array, ""]) -> TeacherNetwork:
    """White inputs whose input-output correlation has a power-law spectrum.

    Parameters
    ----------
    num_modes
        Input and output dimension.
    exponent
        kappa >= 0 of ``power_law_spectrum``.

    Raises
    ------
    OutsideDomain
        As ``power_law_spectrum``.

    References
    ----------
    zhang2026, Fig. 2 (linear network).
    """
    return linear_teacher(jnp.diag(power_law_spectrum(num_modes, exponent)))
