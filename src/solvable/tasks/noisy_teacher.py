"""A linear teacher with label noise, seen through a finite sample whose inputs are exactly white."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative, is_concrete
from solvable.numerics import Monomials
from solvable.tasks.samples import FeatureMap, Moments, Samples, make_samples


class NoisyTeacher(eqx.Module):
    r"""Targets y = T x + xi with noise N(0, noise_std^2) on every output, on orthonormal designs.

    .. math:: \frac1P \sum_\mu x_\mu x_\mu^\top = I, \qquad
       \Sigma_{yx} = T + \frac{\sigma}{\sqrt P} Z, \quad Z_{ij} \sim N(0, 1)

    Attributes
    ----------
    weights
        T, shape (output_dim, input_dim), of any rank.
    noise_std
        sigma >= 0; may be traced.

    Raises
    ------
    OutsideDomain
        A negative ``noise_std``.

    References
    ----------
    fukumizu1998, data; lampinen2018, data [as many samples as inputs, sigma = 1: noise of variance 1/N_1].
    """

    weights: Float[Array, "output_dim input_dim"]
    noise_std: float | Float[Array, ""] = 1.0

    def __check_init__(self):
        check_non_negative("noise_std", self.noise_std)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.weights.shape[1],)

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """A data set of exactly white inputs in random directions.

        Parameters
        ----------
        key
            Randomness of inputs and noise.
        num_samples
            P, at least the number of inputs.

        Raises
        ------
        OutsideDomain
            Fewer samples than inputs, which cannot be white.

        References
        ----------
        fukumizu1998; lampinen2018.
        """
        self._check_size(num_samples)
        output_dim, input_dim = self.weights.shape
        key_inputs, key_noise = jax.random.split(key)
        normal = jax.random.normal(key_inputs, (num_samples, input_dim), self.weights.dtype)
        inputs = jnp.linalg.qr(normal)[0] * num_samples**0.5
        noise = jax.random.normal(key_noise, (num_samples, output_dim), self.weights.dtype)
        return make_samples(inputs, inputs @ self.weights.T + self._scale * noise)

    def sample_moments(self, key: Key[Array, ""], num_samples: int) -> Moments:
        """The moments of such a data set, drawn at once at a cost without P.

        Sigma_yx is of the same distribution as with ``sample``; the part of the target power that no linear map can fit
        is its mean, sigma^2 (P - input_dim) / P an output.

        Parameters
        ----------
        key, num_samples
            As for ``sample``.

        Raises
        ------
        OutsideDomain
            As ``sample``.

        References
        ----------
        fukumizu1998; lampinen2018.
        """
        self._check_size(num_samples)
        output_dim, input_dim = self.weights.shape
        noise = jax.random.normal(key, self.weights.shape, self.weights.dtype)
        sigma_yz = self.weights + self._scale * noise / num_samples**0.5
        unseen = output_dim * (num_samples - input_dim) / num_samples * self._scale**2
        return Moments(jnp.sum(sigma_yz**2) + unseen, sigma_yz, jnp.eye(input_dim, dtype=self.weights.dtype))

    def moments(self, features: FeatureMap) -> Moments:
        """Those of the population: the limit of many samples.

        Raises
        ------
        OutsideDomain
            Features other than the inputs themselves.

        References
        ----------
        fukumizu1998; lampinen2018.
        """
        output_dim, input_dim = self.weights.shape
        if not (isinstance(features, Monomials) and features.degree == 1 and features.input_dim == input_dim):
            raise OutsideDomain(
                f"`features` is {features}; this task has moments of its {input_dim} inputs themselves: train a linear "
                "network, or draw samples."
            )
        target_power = jnp.sum(self.weights**2) + output_dim * self._scale**2
        return Moments(target_power, self.weights, jnp.eye(input_dim, dtype=self.weights.dtype))

    @property
    def _scale(self) -> Array:
        return jnp.asarray(self.noise_std, self.weights.dtype)

    def _check_size(self, num_samples: int) -> None:
        check_count("num_samples", num_samples)
        if num_samples < self.weights.shape[1]:
            raise OutsideDomain(
                f"`num_samples` is {num_samples}; white inputs need at least as many as the {self.weights.shape[1]} "
                "input dimensions."
            )


def low_rank_map(
    key: Key[Array, ""], singular_values: Float[Array, " rank"], *, output_dim: int, input_dim: int
) -> Float[Array, "output_dim input_dim"]:
    """A linear map of given singular values in random directions.

    Parameters
    ----------
    key
        Randomness of the singular vectors.
    singular_values
        At least 0; their number is the rank, which may be 0.
    output_dim, input_dim
        Sizes, at least the rank.

    Raises
    ------
    OutsideDomain
        A negative singular value, or more of them than either size.

    References
    ----------
    lampinen2018, teacher; fukumizu1998, teacher.
    """
    rank = singular_values.shape[0]
    for name, size in (("output_dim", output_dim), ("input_dim", input_dim)):
        check_count(name, size, at_least=max(rank, 1))
    if is_concrete(singular_values) and not bool((singular_values >= 0).all()):
        raise OutsideDomain(f"`singular_values` is {singular_values}; each must be at least 0.")
    left, right = (
        jnp.linalg.qr(jax.random.normal(each, (size, rank), singular_values.dtype))[0]
        for each, size in zip(jax.random.split(key), (output_dim, input_dim), strict=True)
    )
    return (left * singular_values[None, :]) @ right.T
