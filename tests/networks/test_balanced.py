"""A balanced start is Gaussian, of equal lengths on both sides of every unit, which gradient flow keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.networks import AttentionHead, ConvolutionKernel, Neuron, balanced_start
from solvable.numerics import activations
from solvable.tasks import make_samples, orthogonal_pair
from solvable.training import make_objective

RELU = Neuron(activations.relu)


def start(key=0, unit=RELU, **changes):
    return balanced_start(unit, jax.random.key(key), **{"width": 6, "input_shape": (2,)} | changes)


@pytest.mark.parametrize(
    ("unit", "input_shape", "output_dim"),
    [
        (Neuron(activations.relu, bias=True), (2,), 2),
        (ConvolutionKernel(activations.relu, 2), (5,), 1),
        (AttentionHead(), (3, 4), 1),
    ],
)
def test_both_sides_of_a_unit_are_equally_long(unit, input_shape, output_dim):
    layer = start(unit=unit, input_shape=input_shape, output_dim=output_dim, init_scale=0.1)
    inside, behind = jnp.linalg.norm(layer.first, axis=1), jnp.linalg.norm(layer.second, axis=0)
    np.testing.assert_allclose(inside, behind, rtol=1e-12)
    assert layer(jnp.ones(input_shape)).shape == (output_dim,)


def test_first_weights_are_normal_and_second_weights_point_anywhere():
    layer = start(width=20_000, output_dim=2, init_scale=0.3)
    assert np.max(np.abs(np.cov(np.asarray(layer.first).T) - 0.09 * np.eye(2))) < 4 * np.sqrt(2) * 0.09 / 141
    directions = np.asarray(layer.second)
    directions = directions / np.linalg.norm(directions, axis=0)
    # Standard errors over 20,000 units: a mean of variance 1/2, and products of the same order.
    assert np.max(np.abs(directions.mean(axis=1))) < 4 / np.sqrt(2) / 141
    assert np.max(np.abs(directions @ directions.T / 20_000 - np.eye(2) / 2)) < 4 / 141
    assert abs(np.sign(directions[0]).mean()) < 4 / 141


def test_signs_are_as_told():
    signs = jnp.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0])
    layer = start(signs=signs, init_scale=1e-3)
    np.testing.assert_array_equal(jnp.sign(layer.second[0]), signs)
    np.testing.assert_array_equal(layer.first, start(init_scale=1e-3).first)


def test_gradient_flow_keeps_the_balance():
    """d/dt (|u|^2 - |v|^2) = 0 for every unit, wherever the weights are."""
    layer = start(unit=Neuron(activations.relu, bias=True), output_dim=2, init_scale=1.0)
    pair = orthogonal_pair()
    samples = make_samples(pair.inputs, jnp.concatenate([pair.targets, 2 * pair.targets], axis=1))
    slopes = jax.jit(jax.grad(lambda layer: make_objective(layer, samples)(layer)))(layer)
    inside, behind = jnp.sum(layer.first * slopes.first, axis=1), jnp.sum(layer.second * slopes.second, axis=0)
    assert float(jnp.max(jnp.abs(inside))) > 0.1
    np.testing.assert_allclose(inside, behind, atol=1e-12)


def test_scales_are_swept_by_vmap_with_the_same_weights_up_to_the_factor():
    scales = jnp.array([1e-200, 1e-3, 1.0])
    swept = jax.vmap(lambda scale: start(init_scale=scale))(scales)
    unscaled = start(init_scale=1.0)
    np.testing.assert_allclose(swept.first, np.multiply.outer(scales, unscaled.first), rtol=1e-12)
    np.testing.assert_allclose(swept.second, np.multiply.outer(scales, unscaled.second), rtol=1e-12)


def test_dtype_is_as_asked():
    layer = start(dtype=jnp.float32, signs=jnp.ones(6))
    assert layer.first.dtype == layer.second.dtype == jnp.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "`width` is 0"),
        ({"output_dim": 0}, "`output_dim` is 0"),
        ({"init_scale": -1.0}, "`init_scale` is -1.0"),
        ({"signs": jnp.ones(5)}, r"`signs` has shape \(5,\), for 6 units with 1 second weights"),
        ({"signs": jnp.ones(6), "output_dim": 2}, "for 6 units with 2 second weights each"),
        ({"signs": jnp.array([1.0, -1.0, 0.5, 1.0, 1.0, 1.0])}, r"every sign must be \+1 or -1"),
    ],
)
def test_starts_without_meaning_are_refused(changes, message):
    with pytest.raises(OutsideDomain, match=message):
        start(**changes)
