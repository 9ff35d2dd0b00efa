"""A layer does not know the order of its units, and starts as it is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.networks import AttentionHead, ConvolutionKernel, Neuron, UnitLayer, initialise, initialise_for
from solvable.numerics import activations
from solvable.tasks import make_samples

LINEAR = Neuron(activations.identity)
# Kind of unit, shape of one input, number of outputs, degree of homogeneity in u.
UNITS = {
    "linear": (LINEAR, (3,), 2, 1),
    "relu": (Neuron(activations.relu), (3,), 2, 1),
    "cubic": (Neuron(activations.cube), (3,), 2, 3),
    "convolution": (ConvolutionKernel(activations.square, 2), (5,), 1, 2),
    "attention": (AttentionHead(rank=2), (3, 4), 1, 2),
    "softmax": (AttentionHead(softmax=True), (3, 4), 1, None),
}


@pytest.mark.parametrize(("unit", "input_shape", "output_dim", "degree"), UNITS.values(), ids=UNITS)
def test_the_order_of_the_units_means_nothing(unit, input_shape, output_dim, degree):
    layer = initialise(unit, jax.random.key(0), width=5, input_shape=input_shape, output_dim=output_dim, init_scale=1.0)
    inputs, order = jax.random.normal(jax.random.key(1), input_shape), jnp.array([3, 0, 4, 1, 2])
    shuffled = UnitLayer(layer.first[order], layer.second[:, order], unit)
    np.testing.assert_allclose(shuffled(inputs), layer(inputs), rtol=1e-12)
    if degree and layer.features(input_shape) is not None:
        np.testing.assert_allclose(shuffled.coefficients(), layer.coefficients(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("unit", "input_shape", "output_dim", "degree"), [case for case in UNITS.values() if case[3]], ids=list(UNITS)[:-1]
)
def test_scale_moves_freely_between_the_two_layers(unit, input_shape, output_dim, degree):
    """(c u, v / c^p) is the same map for units homogeneous of degree p."""
    layer = initialise(unit, jax.random.key(0), width=5, input_shape=input_shape, output_dim=output_dim, init_scale=1.0)
    inputs = jax.random.normal(jax.random.key(1), input_shape)
    moved = UnitLayer(2 * layer.first, layer.second / 2**degree, unit)
    np.testing.assert_allclose(moved(inputs), layer(inputs), rtol=1e-12)


def test_weights_are_independent_normal_with_the_scale_asked_for():
    layer = initialise(LINEAR, jax.random.key(0), width=20_000, input_shape=(2,), output_dim=2, init_scale=0.3)
    weights = np.concatenate([np.asarray(layer.first), np.asarray(layer.second).T], axis=1)
    assert layer.width == 20_000
    # Standard errors over 20,000 units: 0.3 / 141 for a mean, 0.09 / 141 for a product, sqrt(2) more on the diagonal.
    assert np.max(np.abs(weights.mean(axis=0))) < 4 * 0.3 / 141
    assert np.max(np.abs(weights.T @ weights / 20_000 - 0.09 * np.eye(4))) < 4 * np.sqrt(2) * 0.09 / 141


def test_the_same_key_gives_the_same_bits_at_any_scale_up_to_the_factor():
    draw = lambda seed, scale: initialise(  # noqa: E731
        LINEAR, jax.random.key(seed), width=3, input_shape=(2,), init_scale=scale
    )
    np.testing.assert_array_equal(draw(0, 0.1).first, draw(0, 0.1).first)
    np.testing.assert_array_equal(draw(0, 0.5).second, 0.5 * draw(0, 1.0).second)
    assert np.all(draw(0, 1.0).first != draw(1, 1.0).first)
    assert not np.any(draw(0, 0.0).first)


def test_scales_and_keys_are_swept_by_vmap():
    scales, keys = jnp.array([1e-6, 1e-2, 1.0]), jax.random.split(jax.random.key(0), 3)
    draw = lambda key, scale: initialise(LINEAR, key, width=3, input_shape=(2,), init_scale=scale).first  # noqa: E731
    np.testing.assert_allclose(jax.vmap(draw)(keys, scales), [draw(*pair) for pair in zip(keys, scales, strict=True)])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_sizes_and_dtype_are_read_off_the_data(dtype):
    samples = make_samples(jnp.ones((7, 3), dtype), jnp.ones((7, 2), dtype))
    layer = initialise_for(Neuron(activations.relu, bias=True), samples, jax.random.key(0), width=4, init_scale=0.1)
    assert (layer.first.shape, layer.second.shape) == ((4, 4), (2, 4))
    assert {layer.first.dtype, layer.second.dtype} == {jnp.dtype(dtype)}
    assert layer(samples.inputs[0]).dtype == dtype
    asked = initialise(
        layer.unit, jax.random.key(0), width=4, input_shape=(3,), output_dim=2, init_scale=0.1, dtype=dtype
    )
    np.testing.assert_array_equal(asked.first, layer.first)


@pytest.mark.parametrize(
    ("unit", "changes", "message"),
    [
        (LINEAR, {"width": 0}, "`width` is 0; it must be a whole number of at least 1"),
        (LINEAR, {"output_dim": 0}, "`output_dim` is 0"),
        (LINEAR, {"init_scale": -0.1}, "`init_scale` is -0.1; it must be a finite number of at least 0"),
        (LINEAR, {"init_scale": float("nan")}, "`init_scale` is nan"),
        (ConvolutionKernel(activations.relu, 2), {"output_dim": 2}, "a convolution layer has one output"),
        (AttentionHead(), {"output_dim": 2, "input_shape": (3, 4)}, "it was asked for 2 outputs"),
    ],
)
def test_layers_without_meaning_are_refused(unit, changes, message):
    with pytest.raises(OutsideDomain, match=message):
        initialise(unit, jax.random.key(0), **{"width": 2, "input_shape": (3,)} | changes)
