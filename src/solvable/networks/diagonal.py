"""The diagonal linear network: each input has two weights of its own."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain
from solvable.numerics import Monomials
from solvable.tasks import FeatureMap


class DiagonalLinear(eqx.Module):
    """The network f(x) = sum_i u_i v_i x_i, linear in the input and not in the weights.

    Attributes
    ----------
    first
        u_i, shape (input_dim,).
    second
        v_i, shape (input_dim,).

    Raises
    ------
    OutsideDomain
        Weights of different shapes.

    References
    ----------
    pesme2023; kunin2025, diagonal linear networks. Both start from u_i = alpha sqrt2, v_i = 0.
    """

    first: Float[Array, " input_dim"]
    second: Float[Array, " weights"]

    def __check_init__(self):
        if self.first.shape != self.second.shape:
            raise OutsideDomain(
                f"`first` and `second` have shapes {self.first.shape} and {self.second.shape}; "
                "each input has one of both."
            )

    @property
    def width(self) -> int:
        """Units, one an input."""
        return self.first.size

    def __call__(self, inputs: Float[Array, " input_dim"]) -> Float[Array, " 1"]:
        return jnp.sum(self.first * self.second * inputs)[None]

    def features(self, input_shape: tuple[int, ...]) -> FeatureMap | None:
        """The inputs themselves. Raises OutsideDomain for inputs of another size."""
        if input_shape != self.first.shape:
            raise OutsideDomain(f"one input has shape {input_shape}; this network reads {self.first.shape}.")
        return Monomials(self.width, 1)

    def coefficients(self) -> Float[Array, "1 input_dim"]:
        """A = (u v) in f(x) = A x. Raises nothing."""
        return (self.first * self.second)[None, :]
