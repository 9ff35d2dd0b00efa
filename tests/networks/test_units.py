"""Units are what the paper says they are: maps, sums over units, and exact polynomials of the input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.networks import AttentionHead, ConvolutionKernel, Neuron, UnitLayer
from solvable.numerics import activations

seeds = st.integers(0, 2**32 - 1)
# Kind of unit, shape of one input, number of outputs.
UNITS = {
    "linear": (Neuron(activations.identity), (3,), 2),
    "quadratic": (Neuron(activations.square), (3,), 2),
    "cubic": (Neuron(activations.cube), (3,), 1),
    "relu": (Neuron(activations.relu), (3,), 2),
    "tanh with bias": (Neuron(activations.tanh, bias=True), (3,), 2),
    "linear convolution": (ConvolutionKernel(activations.identity, 2, stride=2), (6,), 1),
    "relu convolution": (ConvolutionKernel(activations.relu, 3), (6,), 1),
    "quadratic convolution": (ConvolutionKernel(activations.square, 2), (5,), 1),
    "linear attention": (AttentionHead(rank=2), (3, 5), 1),
    "mean attention": (AttentionHead(mean_over_context=True), (3, 5), 1),
    "merged attention": (AttentionHead(merged=True), (3, 5), 1),
    "softmax attention": (AttentionHead(rank=2, softmax=True), (3, 5), 1),
}
POLYNOMIAL = {name: case for name, case in UNITS.items() if case[0].features(case[1]) is not None}


def draw_layer(unit, input_shape, output_dim, seed, width=4):
    """Weights of order one, and one input; the label slot of an attention query is 0, as in its task."""
    rng = np.random.default_rng(seed)
    n_u, n_v = unit.sizes(input_shape, output_dim)
    inputs = rng.normal(size=input_shape)
    if isinstance(unit, AttentionHead):
        inputs[-1, -1] = 0
    return UnitLayer(jnp.array(rng.normal(size=(width, n_u))), jnp.array(rng.normal(size=(n_v, width))), unit), inputs


@pytest.mark.parametrize(("unit", "input_shape", "output_dim"), UNITS.values(), ids=UNITS)
def test_the_layer_is_the_sum_of_phi_v(unit, input_shape, output_dim):
    """Eq. 1, unit by unit."""
    layer, inputs = draw_layer(unit, input_shape, output_dim, 0)
    total = sum(
        unit.phi(jnp.array(inputs), u, output_dim) @ v for u, v in zip(layer.first, layer.second.T, strict=True)
    )
    assert total.shape == (output_dim,)
    np.testing.assert_allclose(layer(jnp.array(inputs)), total, rtol=1e-12, atol=1e-12)


def test_which_units_are_polynomial():
    assert set(UNITS) - set(POLYNOMIAL) == {"relu", "tanh with bias", "relu convolution", "softmax attention"}
    assert Neuron(activations.square, bias=True).features((3,)) is None


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), seeds)
@settings(max_examples=8, deadline=None)
def test_polynomial_neurons_are_linear_in_their_features(degree, input_dim, width, output_dim, seed):
    assert_linear_in_features(Neuron(activations.power(degree)), (input_dim,), output_dim, seed, width)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 4), seeds)
@settings(max_examples=8, deadline=None)
def test_polynomial_convolutions_are_linear_in_their_features(degree, kernel_size, stride, longer, seed):
    unit = ConvolutionKernel(activations.power(degree), kernel_size, stride)
    assert_linear_in_features(unit, (kernel_size + longer,), 1, seed)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.booleans(), st.booleans(), seeds)
@settings(max_examples=8, deadline=None)
def test_linear_attention_is_linear_in_its_features(rank, input_dim, length, merged, mean, seed):
    unit = AttentionHead(rank=rank, merged=merged, mean_over_context=mean)
    assert_linear_in_features(unit, (input_dim + 1, length + 1), 1, seed)


def assert_linear_in_features(unit, input_shape, output_dim, seed, width=3):
    """f(x) = A z(x)."""
    layer, inputs = draw_layer(unit, input_shape, output_dim, seed, width)
    inputs = jnp.array(inputs)
    by_features = layer.coefficients() @ layer.features(input_shape)(inputs)
    np.testing.assert_allclose(by_features, layer(inputs), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_convolution_is_that_of_numpy(stride):
    rng = np.random.default_rng(0)
    kernel, inputs = rng.normal(size=3), rng.normal(size=8)
    slid = ConvolutionKernel(activations.identity, 3, stride).phi(jnp.array(inputs), jnp.array(kernel), 1)
    np.testing.assert_allclose(slid, np.correlate(inputs, kernel, mode="valid")[None, ::stride], rtol=1e-12)
    np.testing.assert_allclose(slid, np.convolve(inputs, kernel[::-1], mode="valid")[None, ::stride], rtol=1e-12)


def split_heads(first, rank, token_dim):
    return first.reshape(-1, 2, rank, token_dim).transpose(1, 0, 2, 3)


def test_softmax_attention_is_that_of_the_paper():
    """ATTN(Z) = smax(Z Q K^T Z^T) Z V with tokens as rows of Z, read at the last entry of the last token."""
    layer, inputs = draw_layer(AttentionHead(rank=2, softmax=True), (3, 5), 1, seed=1)
    tokens, output = inputs.T, inputs.T[-1, -1]
    for key, query, value in zip(*split_heads(np.asarray(layer.first), 2, 3), np.asarray(layer.second).T, strict=True):
        scores = np.exp(tokens @ query.T @ key @ tokens.T)
        attention = scores / scores.sum(axis=1, keepdims=True)
        output += (attention @ tokens @ value)[-1]
    np.testing.assert_allclose(layer(jnp.array(inputs)), [output], rtol=1e-12)


def test_linear_attention_is_that_of_the_paper():
    """f(X) = X + sum_i V_i X X^T K_i^T Q_i X (Eq. 69): only the last row of V reaches the entry that is read."""
    layer, X = draw_layer(AttentionHead(rank=2), (3, 5), 1, seed=2)
    output, rng = X.copy(), np.random.default_rng(0)
    for key, query, value in zip(*split_heads(np.asarray(layer.first), 2, 3), np.asarray(layer.second).T, strict=True):
        V = np.vstack([rng.normal(size=(2, 3)), value])
        output += V @ X @ X.T @ key.T @ query @ X
    np.testing.assert_allclose(layer(jnp.array(X)), [output[-1, -1]], rtol=1e-12)


def test_merged_heads_are_heads_with_the_product_of_keys_and_queries():
    layer, inputs = draw_layer(AttentionHead(rank=2), (3, 5), 1, seed=3)
    keys, queries = split_heads(np.asarray(layer.first), 2, 3)
    merged = jnp.array(np.einsum("hra,hrb->hab", keys, queries).reshape(-1, 9))
    same = UnitLayer(merged, layer.second, AttentionHead(merged=True))
    np.testing.assert_allclose(same(jnp.array(inputs)), layer(jnp.array(inputs)), rtol=1e-12)


def test_the_bias_is_the_last_entry_of_u():
    unit, x = Neuron(activations.tanh, bias=True), jnp.array([0.3, -1.0])
    phi = unit.phi(x, jnp.array([0.5, 2.0, 0.7]), 2)
    np.testing.assert_allclose(phi, np.tanh(0.5 * 0.3 - 2.0 + 0.7) * np.eye(2), rtol=1e-12)


@pytest.mark.parametrize(("unit", "input_shape", "output_dim"), UNITS.values(), ids=UNITS)
def test_float32_stays_float32(unit, input_shape, output_dim):
    layer, inputs = draw_layer(unit, input_shape, output_dim, 0)
    layer, inputs = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), (layer, inputs))
    assert layer(inputs).dtype == jnp.float32
    assert unit.phi(inputs, layer.first[0], output_dim).dtype == jnp.float32
    if layer.features(input_shape) is not None:
        assert layer.coefficients().dtype == jnp.float32
        assert layer.features(input_shape)(inputs).dtype == jnp.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConvolutionKernel(activations.relu, 0), "`kernel_size` is 0"),
        (lambda: ConvolutionKernel(activations.relu, 2, stride=0), "`stride` is 0"),
        (
            lambda: ConvolutionKernel(activations.relu, 2).sizes((4,), 2),
            "it was given 2 outputs and inputs of length 4",
        ),
        (lambda: ConvolutionKernel(activations.relu, 5).sizes((4,), 1), "length 4 for kernels of length 5"),
        (lambda: AttentionHead(rank=0), "`rank` is 0"),
        (lambda: AttentionHead(softmax=True, mean_over_context=True), "`mean_over_context` is True; softmax"),
        (lambda: AttentionHead().sizes((3, 5), 2), "read out at one entry; it was asked for 2 outputs"),
    ],
)
def test_units_without_meaning_are_refused(make, message):
    with pytest.raises(OutsideDomain, match=message):
        make()
