"""Regression on inputs that see a few hidden causes through noise: the more inputs, the better the causes are seen."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative
from solvable.tasks.samples import Samples, noisy_samples


class LatentSpace(eqx.Module):
    r"""Inputs :math:`x = W z + u` and targets :math:`y = \theta \cdot z + \xi` of hidden causes z and noise u, xi.

    The causes are N(0, I), the inputs' noise u is N(0, I).

    Attributes
    ----------
    loadings
        W, shape (input_dim, causes).
    coefficients
        theta of the target, one entry for each cause.
    noise_std
        Standard deviation of xi; may be traced.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit, a negative noise.

    References
    ----------
    hastie2022, latent space model.
    """

    loadings: Float[Array, "input_dim causes"]
    coefficients: Float[Array, " entries"]
    noise_std: float | Float[Array, ""] = 0.0

    def __check_init__(self):
        if self.loadings.shape[1:] != self.coefficients.shape:
            raise OutsideDomain(
                f"`loadings` has shape {self.loadings.shape} and `coefficients` {self.coefficients.shape}; each column "
                "belongs to one cause."
            )
        check_non_negative("noise_std", self.noise_std)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.loadings.shape[:1]

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """Independent samples.

        Parameters
        ----------
        key
            Randomness of causes and noise.
        num_samples
            n.

        Raises
        ------
        OutsideDomain
            No samples.

        References
        ----------
        hastie2022.
        """
        check_count("num_samples", num_samples)
        dtype, (input_dim, causes) = self.loadings.dtype, self.loadings.shape
        key_causes, key_inputs, key_noise = jax.random.split(key, 3)
        hidden = jax.random.normal(key_causes, (num_samples, causes), dtype)
        inputs = hidden @ self.loadings.T + jax.random.normal(key_inputs, (num_samples, input_dim), dtype)
        return noisy_samples(key_noise, inputs, hidden @ self.coefficients, self.noise_std)

    def excess_error(self, weights: Float[Array, "*batch input_dim"]) -> Float[Array, "*batch"]:
        r"""Mean squared error of a linear map on new samples without xi: :math:`|\theta - W^\top w|^2 + |w|^2`.

        Raises
        ------
        Raises nothing.

        References
        ----------
        hastie2022, risk of the latent space model.
        """
        missed = weights @ self.loadings - jnp.expand_dims(self.coefficients, range(weights.ndim - 1))
        return jnp.sum(missed**2, axis=-1) + jnp.sum(weights**2, axis=-1)


def latent_space(
    input_dim: int,
    causes: int,
    *,
    strength: float | Float[Array, ""] = 1.0,
    signal: float | Float[Array, ""] = 1.0,
    noise_std: float | Float[Array, ""] = 0.0,
) -> LatentSpace:
    r"""Causes that the inputs see equally well, :math:`W^\top W = (p \mu/d) I`, and a target on all of them alike.

    W is along the first d axes of input space: noise of the inputs is alike on all sides, so that turning W, or theta,
    changes nothing that is learned.

    Parameters
    ----------
    input_dim, causes
        p and d, at most as many causes as inputs.
    strength
        mu >= 0, mean power of the causes in one input; may be traced.
    signal
        :math:`|\theta|^2 \geq 0`; may be traced.
    noise_std
        Of the targets.

    Raises
    ------
    OutsideDomain
        Sizes below 1, more causes than inputs, negative powers.

    References
    ----------
    hastie2022, latent space model.
    """
    check_count("causes", causes)
    check_count("input_dim", input_dim, at_least=causes)
    check_non_negative("strength", strength)
    check_non_negative("signal", signal)
    dtype = jnp.result_type(float)
    scale, entry = (jnp.sqrt(jnp.asarray(power, dtype) / causes) for power in (input_dim * strength, signal))
    return LatentSpace(scale * jnp.eye(input_dim, causes, dtype=dtype), jnp.full(causes, entry), noise_std)
