"""Deep networks: their definition, their exact form in features, and what happens when they train."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from solvable import networks, numerics, tasks, training
from solvable.errors import OutsideDomain
from solvable.numerics import activations

UNITS = {
    "linear": (networks.Neuron(activations.identity), (3,)),
    "quadratic": (networks.Neuron(activations.square), (3,)),
    "convolution": (networks.ConvolutionKernel(activations.identity, 2, 2), (4,)),
    "attention": (networks.AttentionHead(), (3, 5)),
    "merged attention": (networks.AttentionHead(merged=True), (3, 5)),
}


def _draw_input(key, shape):
    inputs = jax.random.normal(key, shape)
    return inputs.at[-1, -1].set(0) if len(shape) == 2 else inputs


@pytest.mark.parametrize("name", UNITS)
def test_a_polynomial_network_is_its_coefficients_times_its_features(name):
    unit, shape = UNITS[name]
    key = jax.random.key(0)
    network = networks.initialise_deep(unit, key, widths=(5, 4), input_shape=shape, output_dim=2, init_scale=1.0)
    inputs, features = _draw_input(key, shape), network.features(shape)
    assert features is not None
    assert jnp.allclose(network(inputs), network.coefficients() @ features(inputs), rtol=1e-12)


def test_skips_are_those_of_the_paper():
    key = jax.random.key(1)
    build = lambda skips: networks.initialise_deep(  # noqa: E731
        networks.Neuron(activations.identity), key, widths=(4, 4, 4), input_shape=(2,), output_dim=2, skips=skips
    )
    w1, w2, w3, w4 = build(()).weights
    for skips, matrix in {
        (): w4 @ w3 @ w2 @ w1,
        ((1, 2),): w4 @ w3 @ (w2 @ w1 + w1),
        ((1, 3),): w4 @ (w3 @ w2 @ w1 + w1),
        ((1, 2), (1, 3), (2, 3)): w4 @ (w3 @ (w2 @ w1 + w1) + w1 + (w2 @ w1 + w1)),
    }.items():
        network = build(skips)
        assert jnp.allclose(network.coefficients(), matrix, rtol=1e-12)
        inputs = jnp.array([0.3, -1.2])
        assert jnp.allclose(network(inputs), matrix @ inputs, rtol=1e-12)


def test_a_skip_adds_what_the_layer_below_computed_after_the_activation():
    network = networks.initialise_deep(
        networks.Neuron(activations.relu),
        jax.random.key(2),
        widths=(4, 4),
        input_shape=(2,),
        activation=activations.relu,
        skips=((1, 2),),
        init_scale=1.0,
    )
    w1, w2, w3 = network.weights
    inputs = jnp.array([1.0, -0.5])
    below = jax.nn.relu(w1 @ inputs)
    assert jnp.allclose(network(inputs), w3 @ (jax.nn.relu(w2 @ below) + below))
    assert network.features((2,)) is None


def test_depth_two_is_the_layer_of_units():
    unit, key = networks.Neuron(activations.tanh), jax.random.key(3)
    layer = networks.initialise(unit, key, width=6, input_shape=(3,), output_dim=2, init_scale=1.0)
    deep = networks.DeepNetwork((layer.first, layer.second), unit)
    inputs = jax.random.normal(key, (3,))
    assert jnp.allclose(deep(inputs), layer(inputs), rtol=1e-12)


@pytest.mark.parametrize("name", ["linear", "quadratic", "convolution"])
def test_moments_features_and_samples_train_alike(name):
    unit, shape = UNITS[name]
    key = jax.random.key(4)
    samples = tasks.make_samples(jax.random.normal(key, (40, *shape)), jax.random.normal(key, (40, 2)))
    network = networks.initialise_deep(unit, key, widths=(5, 4), input_shape=shape, output_dim=2, init_scale=0.3)
    runs = [
        training.gradient_descent(network, samples, learning_rate=0.05, steps=50, reduction=reduction)
        for reduction in ("moments", "features", "samples")
    ]
    for run in runs[1:]:
        assert jnp.allclose(run.loss, runs[0].loss, rtol=1e-9)
        assert eqx.tree_equal(run.network, runs[0].network, rtol=1e-9, atol=1e-12)


def test_gradient_flow_of_a_linear_network_keeps_its_balances():
    key = jax.random.key(5)
    task = tasks.linear_teacher(jnp.array([[1.0, 0.5], [0.0, -2.0]]), jnp.array([[1.0, 0.3], [0.3, 2.0]]))
    network = networks.initialise_deep(
        networks.Neuron(activations.identity), key, widths=(4, 3), input_shape=(2,), output_dim=2, init_scale=0.5
    )

    def balances(deep):
        pairs = pairwise(deep.weights)
        return jnp.concatenate([(above.T @ above - below @ below.T).ravel() for below, above in pairs])

    run = training.gradient_flow(
        network,
        task,
        times=jnp.linspace(0.0, 3.0, 5),
        relative_tolerance=1e-11,
        absolute_tolerance=1e-12,
        observables={"balances": balances},
    )
    kept = run.observables["balances"]
    assert float(run.loss[-1]) < 0.5 * float(run.loss[0])
    assert float(jnp.abs(kept - kept[:1]).max()) < 1e-8


def test_single_precision_is_kept():
    network = networks.initialise_deep(
        networks.Neuron(activations.relu), jax.random.key(6), widths=(4, 4), input_shape=(2,), dtype=jnp.float32
    )
    assert network(jnp.ones(2, jnp.float32)).dtype == jnp.float32


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"widths": ()}, "`widths` is empty"),
        ({"widths": (3, 0)}, "`widths` is 0"),
        ({"skips": ((2, 1),)}, r"`skips` holds \(2, 1\)"),
        ({"skips": ((1, 3),)}, r"`skips` holds \(1, 3\)"),
        ({"widths": (3, 4), "skips": ((1, 2),)}, "layers of 3 and 4 entries"),
        ({"init_scale": -1.0}, "`init_scale` is -1"),
        ({"output_dim": 0}, "`output_dim` is 0"),
    ],
)
def test_what_has_no_meaning_is_refused(changes, words):
    settings = {"widths": (3, 3), "input_shape": (2,)} | changes
    with pytest.raises(OutsideDomain, match=words):
        networks.initialise_deep(networks.Neuron(numerics.activations.relu), jax.random.key(0), **settings)
