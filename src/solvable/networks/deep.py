"""Networks of several layers of units, with skip connections."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative
from solvable.networks.units import Neuron, Unit
from solvable.numerics import Activation, activations
from solvable.tasks import FeatureMap


class DeepNetwork(eqx.Module):
    r"""A network whose layers are all layers of units.

    .. math:: h_1 = \phi(x; W_1), \qquad h_l = \sigma_l(W_l h_{l-1}) + \sum_{(s, l)} h_s, \qquad f = W_L h_{L-1}

    A unit i of layer l has incoming weights u_i, row i of W_l, and outgoing weights v_i, its columns of W_{l+1}: one,
    or one for every entry of phi(x; u_i) in layer 1 (positions of a kernel, token entries of a head).

    Attributes
    ----------
    weights
        W_1 of shape (width, n_u), then W_2, ..., W_L, each (entries above, entries below).
    unit
        What a unit of layer 1 is.
    activations
        sigma_2, ..., sigma_{L-1} of the hidden layers above the first.
    skips
        Pairs (s, l) of hidden layers, s < l: h_s is added to h_l, which must be of its size.

    Raises
    ------
    OutsideDomain
        Weights that do not fit each other, or a skip between layers that are not there or differ in size.

    References
    ----------
    zhang2026, Eq. 1 and Cor. 2 (layers of units); Eq. 18 (skips); Fig. 5. The residual of an attention layer is left
    out: the layers above read its heads alone.
    """

    weights: tuple[Float[Array, "_ _"], ...]
    unit: Unit
    activations: tuple[Activation, ...] = ()
    skips: tuple[tuple[int, int], ...] = eqx.field(static=True, default=())

    def __check_init__(self):
        if len(self.weights) < 2 or len(self.activations) != len(self.weights) - 2:
            raise OutsideDomain(
                f"`weights` holds {len(self.weights)} matrices and `activations` {len(self.activations)} functions; a "
                "network has at least 2 matrices and one activation for each hidden layer above the first."
            )
        for source, target in self.skips:
            if not 0 < source < target < self.depth:
                raise OutsideDomain(
                    f"`skips` holds ({source}, {target}); a skip runs from a hidden layer to a later one, of layers 1 "
                    f"to {self.depth - 1}."
                )

    @property
    def depth(self) -> int:
        """Number of weight matrices L."""
        return len(self.weights)

    @property
    def width(self) -> int:
        """Units of layer 1."""
        return self.first.shape[0]

    @property
    def first(self) -> Float[Array, "width n_u"]:
        """Weights inside the units of layer 1."""
        return self.weights[0]

    def __call__(self, inputs: Float[Array, "..."]) -> Float[Array, " output_dim"]:
        hidden = [jax.vmap(lambda u: self.unit.phi(inputs, u, 1)[0])(self.first).ravel()]
        for layer, (weights, activation) in enumerate(zip(self.weights[1:-1], self.activations, strict=True), 2):
            above = activation(weights @ hidden[-1])
            hidden.append(sum((hidden[source - 1] for source in self._skips_to(layer)), start=above))
        return self.weights[-1] @ hidden[-1]

    def _skips_to(self, layer: int) -> tuple[int, ...]:
        return tuple(source for source, target in self.skips if target == layer)

    def features(self, input_shape: tuple[int, ...]) -> FeatureMap | None:
        """The map z with f(x) = A z(x) where the units are polynomials and all layers above are linear; else None."""
        linear = all(activation.degree == 1 for activation in self.activations)
        return self.unit.features(input_shape) if linear else None

    def coefficients(self) -> Float[Array, "output_dim size"]:
        """A in f(x) = A z(x). Raises nothing where ``features`` is not None."""
        read = self._read_out()
        if isinstance(self.unit, Neuron):
            return self.unit.coefficients(self.first, read)
        # One two-layer network an output: the columns of a unit become its second-layer weights.
        second = jnp.swapaxes(read.reshape(read.shape[0], self.width, -1), 1, 2)
        return jax.vmap(lambda v: self.unit.coefficients(self.first, v))(second)[:, 0]

    def _read_out(self) -> Float[Array, "output_dim entries"]:
        """df/dh_1 of linear layers, from the output down so that only output_dim rows are carried."""
        reads = {self.depth - 1: self.weights[-1]}
        for layer in range(self.depth - 2, 0, -1):
            above = reads[layer + 1] @ self.weights[layer]
            reads[layer] = sum((reads[target] for source, target in self.skips if source == layer), start=above)
        return reads[1]


def initialise_deep(
    unit: Unit,
    key: Key[Array, ""],
    *,
    widths: tuple[int, ...],
    input_shape: tuple[int, ...],
    output_dim: int = 1,
    activation: Activation = activations.identity,
    skips: tuple[tuple[int, int], ...] = (),
    init_scale: float | Float[Array, ""] = 1e-2,
    dtype: jnp.dtype | type | None = None,
) -> DeepNetwork:
    """A deep network with independent N(0, init_scale^2) weights in every layer.

    Parameters
    ----------
    unit
        What a unit of layer 1 is.
    key
        Randomness; the same key gives the same weights at any ``init_scale``, up to the factor, and with any skips.
    widths
        Units of each hidden layer, from the input up; the depth is one more than their number.
    input_shape
        Shape of one input: (input_dim,), or (token_dim, tokens) for attention.
    output_dim
        Entries of the output.
    activation
        Of every hidden layer above the first.
    skips
        As in ``DeepNetwork``.
    init_scale
        Standard deviation epsilon; may be traced. A network of depth L leaves zero after a time of order
        epsilon^(2 - L), so deep networks need larger ones than the 1e-6 of two layers.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        No hidden layer, a width below 1, a negative scale, or sizes that do not fit the unit or a skip.

    References
    ----------
    zhang2026, Figs. 5 and 6, captions.
    """
    if not widths:
        raise OutsideDomain("`widths` is empty; it must hold the number of units of at least one hidden layer.")
    for width in widths:
        check_count("widths", width)
    check_count("output_dim", output_dim)
    check_non_negative("init_scale", init_scale)
    dtype = jnp.result_type(float) if dtype is None else dtype
    n_u, entries = unit.sizes(input_shape, 1)
    sizes = [widths[0] * entries, *widths[1:], output_dim]
    for source, target in skips:
        if max(source, target) <= len(widths) and sizes[source - 1] != sizes[target - 1]:
            raise OutsideDomain(
                f"`skips` holds ({source}, {target}), layers of {sizes[source - 1]} and {sizes[target - 1]} entries; a "
                "skip joins hidden layers of one size."
            )
    shapes = [(widths[0], n_u), *((above, below) for below, above in pairwise(sizes))]
    scale, keys = jnp.asarray(init_scale, dtype), jax.random.split(key, len(shapes))
    weights = tuple(
        scale * jax.random.normal(layer_key, shape, dtype) for layer_key, shape in zip(keys, shapes, strict=True)
    )
    return DeepNetwork(weights, unit, (activation,) * (len(widths) - 1), tuple(skips))
