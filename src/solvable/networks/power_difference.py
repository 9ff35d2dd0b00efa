"""The diagonal network of any depth: a difference of powers of two positive weights an input."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count
from solvable.numerics import Monomials
from solvable.tasks import FeatureMap


class PowerDifference(eqx.Module):
    """The network f(x) = beta.x with beta = w_+^D - w_-^D, entry by entry.

    Attributes
    ----------
    first, second
        w_+ and w_-, shape (input_dim,).
    depth
        D, at least 1.

    Raises
    ------
    OutsideDomain
        Weights of different shapes, or a depth that is no whole number of at least 1.

    Notes
    -----
    Training multiplies the weights of D = 2 by 1 -+ 2 eta g, g the gradient with respect to beta: they keep their
    digits however small they are. ``DiagonalLinear`` from u = a sqrt2, v = 0 at learning rate eta is, step by step,
    this network from w = a / sqrt2 at eta / 2.

    References
    ----------
    woodworth2020, depth-D diagonal networks; pesme2021 [D = 2]; even2023 [theirs has half of each square].
    """

    first: Float[Array, " input_dim"]
    second: Float[Array, " weights"]
    depth: int = eqx.field(static=True)

    def __check_init__(self):
        check_count("depth", self.depth)
        if self.first.shape != self.second.shape:
            raise OutsideDomain(
                f"`first` and `second` have shapes {self.first.shape} and {self.second.shape}; "
                "each input has one of both."
            )

    @property
    def width(self) -> int:
        """Pairs of weights, one an input."""
        return self.first.size

    def __call__(self, inputs: Float[Array, " input_dim"]) -> Float[Array, " 1"]:
        return jnp.sum(self.coefficients()[0] * inputs)[None]

    def features(self, input_shape: tuple[int, ...]) -> FeatureMap | None:
        """The inputs themselves. Raises OutsideDomain for inputs of another size."""
        if input_shape != self.first.shape:
            raise OutsideDomain(f"one input has shape {input_shape}; this network reads {self.first.shape}.")
        return Monomials(self.width, 1)

    def coefficients(self) -> Float[Array, "1 input_dim"]:
        """A = beta in f(x) = A x. Raises nothing."""
        return (self.first**self.depth - self.second**self.depth)[None, :]


def power_difference_start(init_scale: Float[Array, " input_dim"], depth: int = 2) -> PowerDifference:
    """The network with w_+ = w_- = alpha: the zero map.

    Parameters
    ----------
    init_scale
        alpha, one a coordinate.
    depth
        D.

    Raises
    ------
    OutsideDomain
        As ``PowerDifference``.

    References
    ----------
    woodworth2020, initialisation.
    """
    return PowerDifference(init_scale, init_scale, depth)
