"""Networks whose widths are data, so that ``vmap`` sweeps them; and networks with a bend behind their output."""

from itertools import accumulate, pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Key

from solvable.errors import OutsideDomain
from solvable.networks.scaled import OnSamples
from solvable.numerics import Activation


class MaskedNetwork(OnSamples):
    r"""A fully connected network of which each hidden layer keeps some of its units.

    .. math:: a_1 = \frac{W_0 x}{\sqrt d}, \qquad
       a_{l+1} = \frac{W_l\,(M_l \circ \sigma(a_l))}{\sqrt{\max(1, \textstyle\sum M_l)}}, \qquad f = a_L

    What is masked has no part in outputs, gradients or the tangent kernel: this is the network of the smaller widths.

    Attributes
    ----------
    weights
        W_0, ..., W_{L-1}, each (entries above, entries below).
    masks
        M_1, ..., M_{L-1}: which units of each hidden layer there are.
    activation
        sigma.

    References
    ----------
    liu2020, Sec. 2 [fully connected networks, factors of the width in front of N(0, 1) weights].
    """

    weights: tuple[Float[Array, "_ _"], ...]
    masks: tuple[Bool[Array, "_"], ...]
    activation: Activation

    @property
    def first(self) -> Float[Array, "width input_dim"]:
        """Weights of the first layer."""
        return self.weights[0]

    @property
    def width(self) -> int:
        """Units of the first layer, masked ones included."""
        return self.first.shape[0]

    def __call__(self, inputs: Float[Array, " input_dim"]) -> Float[Array, " output_dim"]:
        reached = self.weights[0] @ inputs / inputs.size**0.5
        for weights, mask in zip(self.weights[1:], self.masks, strict=True):
            count = jnp.maximum(jnp.sum(mask), 1).astype(reached.dtype)
            reached = weights @ jnp.where(mask, self.activation(reached), 0) * lax.rsqrt(count)
        return reached


class BentOutput(OnSamples):
    """The network (1 - b) f(x) + b tanh f(x).

    Attributes
    ----------
    network
        f.
    bend
        b, from 0 for f itself to 1 for a tanh behind it; not trained, and may be traced.

    References
    ----------
    liu2020, networks of nonlinear output.
    """

    network: Any  # Network
    bend: Float[Array, ""]

    @property
    def first(self) -> Float[Array, "..."]:
        """Weights nearest to the input."""
        return self.network.first

    @property
    def width(self) -> int:
        """That of the network inside."""
        return self.network.width

    def __call__(self, inputs: Array) -> Float[Array, "*output_dims"]:
        outputs, bend = self.network(inputs), lax.stop_gradient(self.bend)
        return (1 - bend) * outputs + bend * jnp.tanh(outputs)


def initialise_masked(
    key: Key[Array, ""],
    masks: tuple[Bool[Array, "_"], ...],
    activation: Activation,
    *,
    input_dim: int,
    output_dim: int = 1,
    dtype: jnp.dtype | type | None = None,
) -> MaskedNetwork:
    """A masked network of N(0, 1) weights.

    Parameters
    ----------
    key
        Randomness.
    masks
        One a hidden layer, at least one of them; may be traced.
    activation
        sigma.
    input_dim, output_dim
        Sizes of inputs and outputs.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        No hidden layer.

    References
    ----------
    liu2020, Sec. 2.
    """
    if not masks:
        raise OutsideDomain("`masks` is empty; it must hold the mask of at least one hidden layer.")
    sizes = (input_dim, *(mask.size for mask in masks), output_dim)
    shapes = [(above, below) for below, above in pairwise(sizes)]
    ends = list(accumulate(above * below for above, below in shapes))
    # One draw for all layers: each would be a program to compile.
    numbers = jax.random.normal(key, (ends[-1],), jnp.result_type(float) if dtype is None else dtype)
    weights = (part.reshape(shape) for part, shape in zip(jnp.split(numbers, ends[:-1]), shapes, strict=True))
    return MaskedNetwork(tuple(weights), masks, activation)
