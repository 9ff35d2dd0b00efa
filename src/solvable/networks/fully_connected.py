"""Fully connected networks as theory of wide ones has them: factors of the width in front of weights, and biases."""

import math
from itertools import pairwise
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_choice, check_count, check_non_negative, check_positive
from solvable.numerics import Activation, activations


class FullyConnected(eqx.Module):
    r"""Layers of weights and biases with fixed factors in front of both.

    .. math:: a_1 = s_0 W_0 x + \beta b_0, \qquad a_{l+1} = s_l W_l\,\sigma(a_l) + \beta b_l, \qquad f = a_L

    Attributes
    ----------
    weights
        W_0, ..., W_{L-1}, each (entries above, entries below).
    biases
        b_0, ..., b_{L-1}, or empty for a network without.
    activation
        sigma of all hidden layers.
    weight_factors
        s_l of each layer.
    bias_factor
        beta.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    jacot2018, Eq. 1; lee2019, Eq. 1.
    """

    weights: tuple[Float[Array, "_ _"], ...]
    biases: tuple[Float[Array, "_"], ...]
    activation: Activation
    weight_factors: tuple[float, ...] = eqx.field(static=True)
    bias_factor: float = eqx.field(static=True, default=1.0)

    @property
    def depth(self) -> int:
        """Number of weight matrices L."""
        return len(self.weights)

    @property
    def first(self) -> Float[Array, "width input_dim"]:
        """Weights of the first layer."""
        return self.weights[0]

    @property
    def width(self) -> int:
        """Units of the first layer."""
        return self.first.shape[0]

    def __call__(self, inputs: Float[Array, " input_dim"]) -> Float[Array, " output_dim"]:
        outputs = self._layer(0, inputs)
        for layer in range(1, self.depth):
            outputs = self._layer(layer, self.activation(outputs))
        return outputs

    def _layer(self, layer: int, inputs: Array) -> Array:
        outputs = self.weight_factors[layer] * (self.weights[layer] @ inputs)
        return outputs + self.bias_factor * self.biases[layer] if self.biases else outputs

    def features(self, input_shape: tuple[int, ...]) -> None:
        """None: trained on samples."""
        del input_shape

    def coefficients(self) -> Array:
        """Never: ``features`` is None."""
        raise OutsideDomain("this network is not read as a polynomial of its input; use samples.")


def initialise_fully_connected(
    key: Key[Array, ""],
    *,
    widths: tuple[int, ...],
    input_dim: int,
    output_dim: int = 1,
    activation: Activation = activations.relu,
    weight_variance: float = 1.0,
    bias_variance: float | None = None,
    first_variance: float | None = None,
    parametrisation: Literal["ntk", "standard"] = "ntk",
    dtype: jnp.dtype | type | None = None,
) -> FullyConnected:
    r"""A network whose outputs at the start do not grow with its widths, in either parametrisation.

    Parameters
    ----------
    key
        Randomness; it gives the same function of the input in both parametrisations.
    widths
        Units of each hidden layer; empty for a linear map.
    input_dim, output_dim
        Entries of input and output.
    activation
        sigma.
    weight_variance
        c: what acts as a weight has variance c/(entries below).
    bias_variance
        beta^2 of what acts as a bias; None for a network without biases.
    first_variance
        Variance of what acts as a weight of the first layer; weight_variance/input_dim unless given.
    parametrisation
        ``"ntk"``: weights and biases are N(0, 1), the factors sqrt(variance). ``"standard"``: the factors are 1, and
        gradient descent at a rate of the order of 1/width does what the former does at a rate of order 1.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        Sizes or variances without meaning.

    References
    ----------
    jacot2018, Eq. 1 [c = 1, beta = 0.1]; lee2019, Eq. 1 and App. F on the standard parametrisation; arora2019c, Sec. 3
    [first_variance 1, c = c_sigma, no biases].
    """
    sizes = (input_dim, *widths, output_dim)
    for name, size in (("input_dim", input_dim), ("output_dim", output_dim), *(("widths", width) for width in widths)):
        check_count(name, size)
    check_positive("weight_variance", weight_variance)
    check_choice("parametrisation", parametrisation, ("ntk", "standard"))
    if bias_variance is not None:
        check_non_negative("bias_variance", bias_variance)
    if first_variance is not None:
        check_positive("first_variance", first_variance)
    first = weight_variance / input_dim if first_variance is None else first_variance
    stds = (first**0.5, *((weight_variance / width) ** 0.5 for width in widths))
    bias_std = (bias_variance or 0.0) ** 0.5
    dtype = jnp.result_type(float) if dtype is None else dtype
    shapes = [(above, below) for below, above in pairwise(sizes)]
    shapes += [] if bias_variance is None else [(above,) for above in sizes[1:]]
    drawn = draw_normals(key, shapes, dtype)
    weights, biases = drawn[: len(stds)], drawn[len(stds) :]
    if parametrisation == "ntk":
        return FullyConnected(weights, biases, activation, stds, bias_std)
    weights = tuple(std * normal for std, normal in zip(stds, weights, strict=True))
    return FullyConnected(weights, tuple(bias_std * normal for normal in biases), activation, (1.0,) * len(stds))


def draw_normals(key: Key[Array, ""], shapes: list[tuple[int, ...]], dtype: jnp.dtype | type) -> tuple[Array, ...]:
    """Independent N(0, 1) arrays, from one draw: each more would take as long to compile. Ref.: none."""
    sizes = [math.prod(shape) for shape in shapes]
    parts = jnp.split(jax.random.normal(key, (sum(sizes),), dtype), np.cumsum(sizes)[:-1])
    return tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))
