"""Linear regression whose loss is another power of the errors than the square."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_positive
from solvable.tasks.samples import Samples


class PowerRegression(eqx.Module):
    r"""Samples, and the loss that a linear map has on them.

    .. math:: L(W) = \frac1p \sum_\mu w_\mu \sum_i |y_{\mu i} - (W x_\mu)_i|^p

    Attributes
    ----------
    samples
        Inputs as vectors, targets and weights.
    power
        p > 0; 2 is the half mean squared error. The gradient at an exact fit exists from p > 1 on. May be traced.

    Raises
    ------
    OutsideDomain
        A power that is not positive.

    References
    ----------
    arora2018, l_p regression.
    """

    samples: Samples
    power: float | Float[Array, ""] = 2.0

    def __check_init__(self):
        check_positive("power", self.power)

    def loss(self, weights: Float[Array, "output_dim input_dim"]) -> Float[Array, ""]:
        """L(W). Raises nothing. References: arora2018."""
        sizes = jnp.abs(self._errors(weights))
        return jnp.sum(self.samples.weights[:, None] * sizes ** _exponent(self.power)) / self.power

    def gradient(self, weights: Float[Array, "output_dim input_dim"]) -> Float[Array, "output_dim input_dim"]:
        """Of L with respect to W. Raises nothing. References: arora2018."""
        errors = self._errors(weights)
        pulls = self.samples.weights[:, None] * jnp.sign(errors) * jnp.abs(errors) ** _exponent(self.power - 1)
        return -pulls.T @ self.samples.inputs

    def _errors(self, weights: Array) -> Array:
        return self.samples.targets - self.samples.inputs @ weights.T


def _exponent(power: float | Array) -> float | Array:
    """Whole numbers as such, which are products: a general power costs ten times as much."""
    return int(power) if isinstance(power, int | float) and power == int(power) else power
