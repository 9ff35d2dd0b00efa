"""The three kinds of unit: what phi(x; u) is in f(x) = sum_i phi(x; u_i) v_i.

Each unit is a setting without weights. It knows its unit map ``phi``, the sum over units ``outputs`` (the same thing,
computed without forming phi), and, where the sum is a polynomial of the input, the exact form f(x) = A z(x):
``features`` gives z and ``coefficients`` gives A.
"""

from typing import Literal, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count
from solvable.numerics import Activation, Monomials, contract
from solvable.tasks import ContextStatistics, FeatureMap

# How phi(x; u) depends on u, each word including those before it (zhang2026, Theorem 1): in no special way; it vanishes
# at u = 0; it is homogeneous of degree 1, for positive factors; it is linear.
Dependence = Literal["general", "zero", "homogeneous", "linear"]
DEPENDENCES: tuple[Dependence, ...] = ("general", "zero", "homogeneous", "linear")


def _dependence(activation: Activation) -> Dependence:
    if activation.degree == 1:
        return "linear"
    if activation.homogeneous:
        return "homogeneous"
    return "zero" if activation.order >= 1 else "general"


def _check_axes(input_shape: tuple[int, ...], axes: str) -> None:
    if len(input_shape) != axes.count(",") + (not axes.endswith(",)")):
        raise OutsideDomain(f"one input has shape {input_shape}; these units read inputs of shape {axes}.")


def _not_polynomial() -> OutsideDomain:
    return OutsideDomain("this layer is not a polynomial of its input, so moments do not determine it; use samples.")


@runtime_checkable
class Unit(Protocol):
    """What a layer asks of its units."""

    @property
    def dependence(self) -> Dependence: ...

    def sizes(self, input_shape: tuple[int, ...], output_dim: int) -> tuple[int, int]: ...

    def phi(self, inputs: Array, first: Array, output_dim: int) -> Array: ...

    def outputs(self, inputs: Array, first: Array, second: Array) -> Array: ...

    def features(self, input_shape: tuple[int, ...]) -> FeatureMap | None: ...

    def coefficients(self, first: Array, second: Array) -> Array: ...


class Neuron(eqx.Module):
    """A hidden neuron: phi(x; w, b) = sigma(w . x + b).

    Attributes
    ----------
    activation
        sigma.
    bias
        Whether u carries a bias as its last entry.
    """

    activation: Activation
    bias: bool = eqx.field(static=True, default=False)

    @property
    def dependence(self) -> Dependence:
        """How phi depends on u: of the activation."""
        return _dependence(self.activation)

    def sizes(self, input_shape: tuple[int, ...], output_dim: int) -> tuple[int, int]:
        """Entries of u_i and of v_i."""
        return input_shape[0] + self.bias, output_dim

    def _extended(self, inputs: Float[Array, " input_dim"]) -> Float[Array, " extended"]:
        return jnp.append(inputs, jnp.ones((), inputs.dtype)) if self.bias else inputs

    def phi(
        self, inputs: Float[Array, " input_dim"], first: Float[Array, " n_u"], output_dim: int
    ) -> Float[Array, "output_dim output_dim"]:
        """sigma(u . x) times the identity on the outputs."""
        return self.activation(self._extended(inputs) @ first) * jnp.eye(output_dim, dtype=inputs.dtype)

    def outputs(
        self, inputs: Float[Array, " input_dim"], first: Float[Array, "width n_u"], second: Float[Array, "n_v width"]
    ) -> Float[Array, " n_v"]:
        """sum_i v_i sigma(u_i . x)."""
        hidden = self.activation(contract(first, self._extended(inputs)[:, None]))
        return contract(second, hidden)[:, 0]

    def features(self, input_shape: tuple[int, ...]) -> FeatureMap | None:
        """Monomials of the input where sigma is a power and there is no bias."""
        _check_axes(input_shape, "(input_dim,)")
        if self.activation.degree is None or self.bias:
            return None
        return Monomials(input_shape[0], self.activation.degree)

    def coefficients(
        self, first: Float[Array, "width n_u"], second: Float[Array, "n_v width"]
    ) -> Float[Array, "n_v size"]:
        """A in f(x) = A z(x)."""
        if self.activation.degree is None or self.bias:
            raise _not_polynomial()
        return Monomials(first.shape[1], self.activation.degree).coefficients(first, second)


class PatchMonomials(eqx.Module):
    """Monomials of every patch of the input, one patch after the other."""

    kernel_size: int = eqx.field(static=True)
    stride: int = eqx.field(static=True)
    degree: int = eqx.field(static=True)

    def __call__(self, inputs: Float[Array, " length"]) -> Float[Array, " size"]:
        patches = _patches(inputs, self.kernel_size, self.stride)
        return jax.vmap(Monomials(self.kernel_size, self.degree))(patches).ravel()


def _patches(inputs: Float[Array, " length"], size: int, stride: int) -> Float[Array, "positions size"]:
    starts = jnp.arange(0, inputs.shape[0] - size + 1, stride)
    return inputs[starts[:, None] + jnp.arange(size)[None, :]]


class ConvolutionKernel(eqx.Module):
    """A kernel that slides over a one-dimensional input: phi(x; u) = sigma(u * x), one entry a position.

    The second layer weighs positions, so v_i has one entry a position and the output is a scalar.

    Attributes
    ----------
    activation
        sigma.
    kernel_size, stride
        Length of u_i, and the distance between neighbouring patches; no padding.
    """

    activation: Activation
    kernel_size: int = eqx.field(static=True)
    stride: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        check_count("kernel_size", self.kernel_size)
        check_count("stride", self.stride)

    @property
    def dependence(self) -> Dependence:
        """How phi depends on u: of the activation."""
        return _dependence(self.activation)

    def sizes(self, input_shape: tuple[int, ...], output_dim: int) -> tuple[int, int]:
        """Entries of u_i and of v_i."""
        if output_dim != 1 or input_shape[0] < self.kernel_size:
            raise OutsideDomain(
                f"a convolution layer has one output and inputs no shorter than its kernel; it was given {output_dim} "
                f"outputs and inputs of length {input_shape[0]} for kernels of length {self.kernel_size}."
            )
        return self.kernel_size, (input_shape[0] - self.kernel_size) // self.stride + 1

    def phi(
        self, inputs: Float[Array, " length"], first: Float[Array, " n_u"], output_dim: int
    ) -> Float[Array, "1 positions"]:
        """sigma(u * x) as a row."""
        return self.activation(_patches(inputs, self.kernel_size, self.stride) @ first)[None, :]

    def outputs(
        self, inputs: Float[Array, " length"], first: Float[Array, "width n_u"], second: Float[Array, "n_v width"]
    ) -> Float[Array, " 1"]:
        """sum_i v_i . sigma(u_i * x)."""
        hidden = self.activation(contract(_patches(inputs, self.kernel_size, self.stride), first.T))
        return jnp.sum(second * hidden)[None]

    def features(self, input_shape: tuple[int, ...]) -> FeatureMap | None:
        """Monomials of the patches where sigma is a power."""
        _check_axes(input_shape, "(length,)")
        if self.activation.degree is None:
            return None
        return PatchMonomials(self.kernel_size, self.stride, self.activation.degree)

    def coefficients(
        self, first: Float[Array, "width n_u"], second: Float[Array, "n_v width"]
    ) -> Float[Array, "1 size"]:
        """A in f(x) = A z(x): each position has the coefficients of a neuron layer."""
        if self.activation.degree is None:
            raise _not_polynomial()
        return Monomials(self.kernel_size, self.activation.degree).coefficients(first, second).reshape(1, -1)


class AttentionHead(eqx.Module):
    """An attention head read out at the query token's label: phi(X; K, Q) v with v the last row of V.

    The output is X[-1, -1] + sum_i v_i^T X a(X^T K_i^T Q_i x_q) with x_q the last column of X, where a is the
    identity (linear attention) or the softmax over tokens. The other rows of V get no gradient and are left out.

    Attributes
    ----------
    rank
        Rows R of K_i and Q_i; u_i stacks K_i and Q_i, row by row.
    softmax
        Whether attention weights pass through the softmax.
    merged
        Whether u_i is the full matrix M_i = K_i^T Q_i instead (``rank`` is then not used).
    mean_over_context
        Linear attention only: divide X X^T by the context length.
    """

    rank: int = eqx.field(static=True, default=1)
    softmax: bool = eqx.field(static=True, default=False)
    merged: bool = eqx.field(static=True, default=False)
    mean_over_context: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        check_count("rank", self.rank)
        if self.softmax and self.mean_over_context:
            raise OutsideDomain("`mean_over_context` is True; softmax attention is an average already: leave it False.")

    @property
    def dependence(self) -> Dependence:
        """How phi depends on u: not at all as the theorems need under the softmax, which averages at u = 0 too."""
        if self.softmax:
            return "general"
        return "linear" if self.merged else "zero"

    def sizes(self, input_shape: tuple[int, ...], output_dim: int) -> tuple[int, int]:
        """Entries of u_i and of v_i."""
        token_dim = input_shape[0]
        if output_dim != 1:
            raise OutsideDomain(f"an attention layer is read out at one entry; it was asked for {output_dim} outputs.")
        return token_dim**2 if self.merged else 2 * self.rank * token_dim, token_dim

    def bilinear(self, first: Float[Array, "width n_u"], token_dim: int) -> Float[Array, "width token_dim token_dim"]:
        """M_i = K_i^T Q_i for every head."""
        if self.merged:
            return first.reshape(-1, token_dim, token_dim)
        keys, queries = jnp.split(first.reshape(-1, 2 * self.rank, token_dim), 2, axis=1)
        return jnp.sum(keys[:, :, :, None] * queries[:, :, None, :], axis=1)

    def phi(
        self, inputs: Float[Array, "token_dim tokens"], first: Float[Array, " n_u"], output_dim: int
    ) -> Float[Array, "1 token_dim"]:
        """The head's average of tokens, as a row."""
        return self._averages(inputs, first[None, :])

    def _averages(
        self, inputs: Float[Array, "token_dim tokens"], first: Float[Array, "width n_u"]
    ) -> Float[Array, "width token_dim"]:
        scores = (self.bilinear(first, inputs.shape[0]) @ inputs[:, -1]) @ inputs
        if self.softmax:
            return jax.nn.softmax(scores, axis=1) @ inputs.T
        averages = scores @ inputs.T
        return averages / (inputs.shape[1] - 1) if self.mean_over_context else averages

    def outputs(
        self,
        inputs: Float[Array, "token_dim tokens"],
        first: Float[Array, "width n_u"],
        second: Float[Array, "n_v width"],
    ) -> Float[Array, " 1"]:
        """The query's label as read from all heads."""
        return (inputs[-1, -1] + jnp.sum(second.T * self._averages(inputs, first)))[None]

    def features(self, input_shape: tuple[int, ...]) -> FeatureMap | None:
        """Products of X X^T and the query for linear attention; the query's label slot must be 0."""
        _check_axes(input_shape, "(token_dim, tokens)")
        return None if self.softmax else ContextStatistics(input_shape[0] - 1, self.mean_over_context)

    def coefficients(
        self, first: Float[Array, "width n_u"], second: Float[Array, "n_v width"]
    ) -> Float[Array, "1 size"]:
        """A in f(x) = A z(x): sum_i v_ij M_ikl."""
        if self.softmax:
            raise _not_polynomial()
        token_dim = second.shape[0]
        readable = self.bilinear(first, token_dim)[:, :, :-1]
        return contract(second, readable.reshape(first.shape[0], -1)).reshape(1, -1)
