"""Width reduction of layers of units: trained neurons, convolution kernels, attention heads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.instruments import effective_rank, reduce_width
from solvable.networks import AttentionHead, ConvolutionKernel, Neuron, UnitLayer, initialise_for
from solvable.numerics import activations
from solvable.tasks import linear_teacher, make_samples, orthogonal_pair
from solvable.training import gradient_descent

ROUNDING = 1e-12


def largest_norm(outputs):
    return np.linalg.norm(np.asarray(outputs).reshape(len(outputs), -1), axis=1).max()


def test_a_trained_relu_layer_reduces_to_its_effective_width():
    """The two rays of Fig. 1D, from 50 units in single precision."""
    samples, dtype = orthogonal_pair(), jnp.float32
    samples = make_samples(samples.inputs.astype(dtype), samples.targets.astype(dtype))
    layer = initialise_for(Neuron(activations.relu), samples, jax.random.key(1), width=50, init_scale=1e-6)
    layer = gradient_descent(layer, samples, learning_rate=0.02, steps=1500).network
    reduction = reduce_width(layer, None, samples.inputs, 1e-3)
    assert reduction.width_after == 2
    assert reduction.measured_change < 0.01
    assert reduction.model.first.dtype == dtype


def test_a_trained_linear_layer_reduces_to_the_rank_of_its_map():
    samples = linear_teacher(jnp.eye(2)).sample(jax.random.key(0), 64)
    layer = initialise_for(Neuron(activations.identity), samples, jax.random.key(1), width=50, init_scale=1e-6)
    stages = [layer]
    for _ in range(5):
        stages.append(gradient_descent(stages[-1], samples, learning_rate=0.02, steps=400).network)
    for trained, rank in ((stages[1], 1), (stages[-1], 2)):
        reduction = reduce_width(trained, None, samples.inputs, 0.01)
        assert reduction.width_after == rank == effective_rank(trained.second @ trained.first, threshold=0.02)
        assert reduction.measured_change < 0.01


def test_convolution_kernels_merge_and_keep_the_bound():
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(4, 3)), rng.normal(size=(5, 10))
    first = np.concatenate([first, 2 * first[:3], first[1:]])
    unit, data = ConvolutionKernel(activations.relu, 3, 2), jnp.asarray(rng.normal(size=(30, 11)))
    layer = UnitLayer(jnp.asarray(first), jnp.asarray(second), unit)
    reduction = reduce_width(layer, None, data, ROUNDING)
    assert reduction.width_after == 4
    assert reduction.measured_change < 1e-10
    coarse = reduce_width(layer, None, data, 0.5)
    assert coarse.width_after < 4
    assert coarse.measured_change * largest_norm(jax.vmap(layer)(data)) <= coarse.bound(largest_norm(data))


@pytest.mark.parametrize("softmax", [False, True])
def test_heads_merge_where_their_products_agree(softmax):
    rng = np.random.default_rng(6)
    keys, queries = rng.normal(size=(2, 5, 2, 3))
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    keys[3], queries[3] = 2 * turn @ keys[0], turn @ queries[0] / 2
    keys[4] = -3 * keys[1]
    queries[4] = queries[1]
    first = jnp.asarray(np.stack([keys, queries], axis=1).reshape(5, -1))
    layer = UnitLayer(first, jnp.asarray(rng.normal(size=(3, 5))), AttentionHead(rank=2, softmax=softmax))
    data = jnp.asarray(rng.normal(size=(20, 3, 7)))
    reduction = reduce_width(layer, None, data, ROUNDING)
    assert reduction.width_after == (4 if softmax else 3)
    assert reduction.measured_change < 1e-10
    coarse = reduce_width(layer, None, data, 0.6)
    assert coarse.width_after < reduction.width_after
    assert coarse.measured_change * largest_norm(jax.vmap(layer)(data)) <= coarse.bound(largest_norm(data))


def test_merged_linear_heads_reduce_by_dependency():
    rng = np.random.default_rng(7)
    first = rng.normal(size=(6, 2)) @ rng.normal(size=(2, 9))
    layer = UnitLayer(jnp.asarray(first), jnp.asarray(rng.normal(size=(3, 6))), AttentionHead(merged=True))
    reduction = reduce_width(layer, None, rng.normal(size=(20, 3, 7)), ROUNDING)
    assert reduction.width_after == 2
    assert reduction.measured_change < 1e-10
