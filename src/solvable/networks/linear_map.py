"""Linear regression as a network of one layer: the depth at which all modes are learned at once."""

import equinox as eqx
from jaxtyping import Array, Float

from solvable.numerics import Monomials
from solvable.tasks import FeatureMap


class LinearMap(eqx.Module):
    """The network f(x) = W x.

    Attributes
    ----------
    first
        W, shape (output_dim, input_dim).

    Raises
    ------
    Nothing of its own.

    References
    ----------
    gidel2019, the linear model [their W is the transpose]; saxe2014, shallow network.
    """

    first: Float[Array, "output_dim input_dim"]

    @property
    def width(self) -> int:
        """Rows of W."""
        return self.first.shape[0]

    def __call__(self, inputs: Float[Array, " input_dim"]) -> Float[Array, " output_dim"]:
        return self.first @ inputs

    def features(self, input_shape: tuple[int, ...]) -> FeatureMap | None:
        """The inputs themselves. Raises nothing."""
        return Monomials(input_shape[0], 1)

    def coefficients(self) -> Float[Array, "output_dim input_dim"]:
        """W. Raises nothing."""
        return self.first
