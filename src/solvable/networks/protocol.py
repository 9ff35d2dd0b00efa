"""What training asks of a network."""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, Float

from solvable.tasks import FeatureMap


@runtime_checkable
class Network(Protocol):
    """A callable Equinox module that knows whether it is a polynomial of its input.

    Attributes
    ----------
    first
        Weights nearest to the input, one unit a row; their dtype is the network's.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    None: an interface.
    """

    @property
    def first(self) -> Float[Array, "width n_u"]: ...

    @property
    def width(self) -> int: ...

    def __call__(self, inputs: Array) -> Array:
        """The output for one input, shape (output_dim,)."""
        ...

    def features(self, input_shape: tuple[int, ...]) -> FeatureMap | None:
        """The map z where f(x) = A z(x) exactly; None elsewhere."""
        ...

    def coefficients(self) -> Array:
        """A in f(x) = A z(x), shape (output_dim, size); only where ``features`` is not None."""
        ...
