"""A small transformer on tokens: pre-norm blocks of attention and a perceptron, read at one position or at all."""

from itertools import accumulate
from math import prod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from solvable.errors import OutsideDomain, check_count


class TransformerBlock(eqx.Module):
    r"""Attention and a perceptron of GELU units, each added to what it reads through a norm with gain.

    .. math:: X \leftarrow X + \mathrm{MHA}(g_1 \circ \mathrm{LN}(X)), \qquad
       X \leftarrow X + W_2\,\mathrm{gelu}(W_1\,(g_2 \circ \mathrm{LN}(X)) + b_1) + b_2

    Attributes
    ----------
    query, key, value, output
        Of all heads side by side, no biases.
    hidden, hidden_bias, back, back_bias
        W_1, b_1, W_2 and b_2.
    gains
        g_1 and g_2.

    References
    ----------
    Vaswani et al. (2017); Xiong et al. (2020) [norms before].
    """

    query: Float[Array, "width width"]
    key: Float[Array, "width width"]
    value: Float[Array, "width width"]
    output: Float[Array, "width width"]
    hidden: Float[Array, "hidden width"]
    hidden_bias: Float[Array, " hidden"]
    back: Float[Array, "width hidden"]
    back_bias: Float[Array, " width"]
    gains: Float[Array, "2 width"]

    def __call__(
        self, stream: Float[Array, "positions width"], *, heads: int, causal: bool
    ) -> Float[Array, "positions width"]:
        """The stream after the block."""
        stream = stream + self._attend(self.gains[0][None, :] * _normalise(stream), heads, causal)
        inner = (self.gains[1][None, :] * _normalise(stream)) @ self.hidden.T + self.hidden_bias[None, :]
        return stream + jax.nn.gelu(inner, approximate=False) @ self.back.T + self.back_bias[None, :]

    def _attend(self, stream: Array, heads: int, causal: bool) -> Array:
        positions, width = stream.shape
        query, key, value = (
            (stream @ weights.T).reshape(positions, heads, -1) for weights in (self.query, self.key, self.value)
        )
        scores = jnp.einsum("qhd,khd->hqk", query, key) * (width // heads) ** -0.5
        if causal:
            seen = jnp.tril(jnp.ones((positions, positions), bool))
            scores = jnp.where(seen[None], scores, -jnp.inf)
        mixed = jnp.einsum("hqk,khd->qhd", jax.nn.softmax(scores), value)
        return mixed.reshape(positions, width) @ self.output.T


class Transformer(eqx.Module):
    """Tokens to logits.

    Attributes
    ----------
    embedding, places
        Of each token and of each position, added.
    blocks
        From the input up.
    final_gain
        Of the last norm.
    read_out
        Logits of each word, no biases.
    heads
        Of each block; divides the width.
    causal
        Whether a position sees only itself and those before.
    read_at
        The position whose logits are the output, -1 for the last; None for those of all positions.

    Raises
    ------
    OutsideDomain
        When called: more tokens than there are positions.

    References
    ----------
    malladi2023 [of their models the smallest of the kind]; ren2025, causal models.
    """

    embedding: Float[Array, "words width"]
    places: Float[Array, "most width"]
    blocks: tuple[TransformerBlock, ...]
    final_gain: Float[Array, " width"]
    read_out: Float[Array, "outputs width"]
    heads: int = eqx.field(static=True)
    causal: bool = eqx.field(static=True, default=False)
    read_at: int | None = eqx.field(static=True, default=-1)

    @property
    def first(self) -> Float[Array, "words width"]:
        """The embedding; its dtype is the network's."""
        return self.embedding

    @property
    def width(self) -> int:
        """Entries of the stream."""
        return self.embedding.shape[1]

    def __call__(self, tokens: Int[Array, " positions"]) -> Float[Array, "*positions outputs"]:
        if tokens.size > len(self.places):
            raise OutsideDomain(
                f"an input has {tokens.size} tokens; this network reads up to {len(self.places)}: shorten it, or build "
                "the network with more `positions`."
            )
        stream = self.embedding[tokens] + self.places[: tokens.size]
        for block in self.blocks:
            stream = block(stream, heads=self.heads, causal=self.causal)
        read = stream if self.read_at is None else stream[self.read_at]
        return _normalise(read) @ (self.read_out * self.final_gain[None, :]).T

    def features(self, input_shape: tuple[int, ...]) -> None:
        """None: training sees the samples."""

    def coefficients(self) -> Array:
        """Not there, as there are no features."""
        raise NotImplementedError


def initialise_transformer(
    key: Key[Array, ""],
    *,
    words: int,
    positions: int,
    width: int = 32,
    heads: int = 2,
    depth: int = 1,
    hidden: int | None = None,
    outputs: int | None = None,
    causal: bool = False,
    read_at: int | None = -1,
    dtype: jnp.dtype | type | None = None,
) -> Transformer:
    """A transformer of N(0, 1/inputs) matrices and N(0, 1/width) embeddings, gains 1 and biases 0.

    Parameters
    ----------
    key
        Randomness.
    words, positions
        Of the vocabulary, and of the longest input.
    width, heads, depth
        Of the stream, of each block, and the number of blocks.
    hidden
        Units of each perceptron; four times the width unless given.
    outputs
        Logits; one a word unless given.
    causal, read_at
        As in ``Transformer``.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        Sizes below 1, or heads that do not divide the width.

    References
    ----------
    malladi2023, setting.
    """
    hidden, outputs = 4 * width if hidden is None else hidden, words if outputs is None else outputs
    sizes = {"words": words, "positions": positions, "width": width, "heads": heads, "depth": depth}
    for name, size in (*sizes.items(), ("hidden", hidden), ("outputs", outputs)):
        check_count(name, size)
    if width % heads:
        raise OutsideDomain(f"`heads` is {heads}; it must divide the `width` of {width}.")
    dtype = jnp.result_type(float) if dtype is None else dtype
    square = (width, width)
    of_block = [square, square, square, square, (hidden, width), (width, hidden)]
    shapes = [(words, width), (positions, width), *of_block * depth, (outputs, width)]
    ends = list(accumulate(map(prod, shapes)))
    # One draw for all: each would be a program to compile.
    numbers = jnp.split(jax.random.normal(key, (ends[-1],), dtype), ends[:-1])
    # Rows of embeddings are vectors of the stream; of all others, columns are inputs.
    embedding, places, *matrices, read_out = (
        part.reshape(shape) * shape[1] ** -0.5 for part, shape in zip(numbers, shapes, strict=True)
    )
    gains = jnp.ones((2, width), dtype)
    blocks = tuple(
        TransformerBlock(q, k, v, o, above, jnp.zeros(hidden, dtype), back, jnp.zeros(width, dtype), gains)
        for q, k, v, o, above, back in zip(*[iter(matrices)] * 6, strict=True)
    )
    return Transformer(embedding, places, blocks, gains[0], read_out, heads, causal, read_at)


def _normalise(stream: Float[Array, "*positions width"]) -> Float[Array, "*positions width"]:
    """Rows of mean 0 and variance 1."""
    centred = stream - jnp.mean(stream, axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + 1e-5)
