"""Theorem 1: embedded units change neither the map nor, at a fixed point, the vanishing of the gradient."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable import networks
from solvable.errors import OutsideDomain
from solvable.numerics import activations

KINDS = {
    "linear": (networks.Neuron(activations.identity), (3,), 2),
    "relu": (networks.Neuron(activations.relu), (3,), 2),
    "relu with bias": (networks.Neuron(activations.relu, bias=True), (3,), 2),
    "quadratic": (networks.Neuron(activations.square), (3,), 2),
    "tanh": (networks.Neuron(activations.tanh), (3,), 2),
    "sigmoid": (networks.Neuron(activations.sigmoid), (3,), 2),
    "convolution": (networks.ConvolutionKernel(activations.identity, 2), (4,), 1),
    "relu convolution": (networks.ConvolutionKernel(activations.relu, 2), (4,), 1),
    "attention": (networks.AttentionHead(), (3, 4), 1),
    "merged attention": (networks.AttentionHead(merged=True), (3, 4), 1),
    "softmax attention": (networks.AttentionHead(softmax=True), (3, 4), 1),
}
DEPENDENCE = {
    "linear": "linear",
    "relu": "homogeneous",
    "relu with bias": "homogeneous",
    "quadratic": "zero",
    "tanh": "zero",
    "sigmoid": "general",
    "convolution": "linear",
    "relu convolution": "homogeneous",
    "attention": "zero",
    "merged attention": "linear",
    "softmax attention": "general",
}


def _embeddings(network, layer, number):
    """Every embedding that the layer allows, with numbers that are not on a manifold."""
    kind = networks.unit_dependence(network, layer)
    width = networks.get_units(network, layer)[0].shape[0]
    yield networks.split_unit(network, 0, share=number, layer=layer)
    if kind != "general":
        yield networks.add_zero_unit(network, layer=layer)
    if kind in ("homogeneous", "linear"):
        ratio = number if kind == "linear" else abs(number)
        yield networks.add_proportional_unit(network, width - 1, ratio=ratio, share=0.7 - number, layer=layer)
    if kind == "linear":
        gammas = jnp.linspace(-1.0, number, width)
        yield networks.add_dependent_unit(network, gammas, shares=gammas[::-1] + 0.3, layer=layer)


@pytest.mark.parametrize("kind", KINDS)
def test_the_dependence_of_units_is_what_their_map_does(kind):
    unit, shape, outputs = KINDS[kind]
    key = jax.random.key(0)
    inputs = jax.random.normal(key, (9, *shape))
    n_u, _ = unit.sizes(shape, outputs)
    u, w = jax.random.normal(key, (2, n_u))
    phi = lambda first: jax.vmap(lambda each: unit.phi(each, first, outputs))(inputs)  # noqa: E731
    found = "general"
    if jnp.allclose(phi(0 * u), 0):
        found = "zero"
        if jnp.allclose(phi(2.5 * u), 2.5 * phi(u)):
            found = "homogeneous"
            if jnp.allclose(phi(u - w), phi(u) - phi(w)):
                found = "linear"
    assert unit.dependence == found == DEPENDENCE[kind]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=3, deadline=None)
@given(number=st.floats(-2, 2), seed=st.integers(0, 100))
def test_the_map_stays_and_the_gradient_is_a_combination_of_the_old_one(kind, number, seed):
    unit, shape, outputs = KINDS[kind]
    key = jax.random.key(seed)
    narrow = networks.initialise(unit, key, width=3, input_shape=shape, output_dim=outputs, init_scale=1.0)
    inputs = jax.random.normal(key, (4, *shape))
    # A loss whose gradient vanishes at the narrow network as a fixed point of a map, whatever the data: |f - f*|^2.
    targets = jax.vmap(narrow)(inputs)
    loss = eqx.filter_grad(lambda network: jnp.sum((jax.vmap(network)(inputs) - targets) ** 2))
    for wide in _embeddings(narrow, 1, number):
        assert wide.width == 4
        assert jnp.allclose(jax.vmap(wide)(inputs), targets, rtol=1e-9, atol=1e-9)
        for gradient in jax.tree.leaves(loss(wide)):
            assert jnp.allclose(gradient, 0, atol=1e-8)


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("activation", [activations.identity, activations.relu, activations.tanh])
def test_embeddings_in_any_layer_of_a_deep_network(activation, layer):
    key = jax.random.key(3)
    unit = networks.ConvolutionKernel(activation, 2, 2)
    narrow = networks.initialise_deep(
        unit, key, widths=(2, 3), input_shape=(4,), output_dim=2, activation=activation, init_scale=1.0
    )
    inputs = jax.random.normal(key, (5, 4))
    for wide in _embeddings(narrow, layer, 0.4):
        assert networks.get_units(wide, layer)[0].shape[0] == (2, 3)[layer - 1] + 1
        assert jnp.allclose(jax.vmap(wide)(inputs), jax.vmap(narrow)(inputs), rtol=1e-10, atol=1e-12)


def test_units_of_a_layer_go_out_and_back():
    network = networks.initialise_deep(
        networks.AttentionHead(), jax.random.key(4), widths=(3, 4), input_shape=(3, 5), init_scale=1.0
    )
    for layer in (1, 2):
        assert eqx.tree_equal(networks.set_units(network, *networks.get_units(network, layer), layer), network)
    first, second = networks.get_units(network, 1)
    assert (first.shape, second.shape) == ((3, 6), (12, 3))
    # Reordering units, with their weights on both sides, is no change.
    order = jnp.array([2, 0, 1])
    turned = networks.set_units(network, first[order], second[:, order], 1)
    inputs = jax.random.normal(jax.random.key(5), (3, 5))
    assert jnp.allclose(turned(inputs), network(inputs), rtol=1e-12)


def test_what_a_unit_does_not_allow_is_refused():
    build = lambda name: networks.initialise(KINDS[name][0], jax.random.key(0), width=2, input_shape=KINDS[name][1])  # noqa: E731
    with pytest.raises(OutsideDomain, match=r"'general'.*vanish at u = 0"):
        networks.add_zero_unit(build("sigmoid"))
    with pytest.raises(OutsideDomain, match=r"'zero'.*homogeneous"):
        networks.add_proportional_unit(build("tanh"), 0, ratio=2.0)
    with pytest.raises(OutsideDomain, match="`ratio` is -1"):
        networks.add_proportional_unit(build("relu"), 0, ratio=-1.0)
    with pytest.raises(OutsideDomain, match=r"'homogeneous'.*linear in u"):
        networks.add_dependent_unit(build("relu"), jnp.ones(2))
    with pytest.raises(OutsideDomain, match="one number for each of the 2 units"):
        networks.add_dependent_unit(build("linear"), jnp.ones(3))
    with pytest.raises(OutsideDomain, match="units 0 to 1"):
        networks.split_unit(build("relu"), 2)
    with pytest.raises(OutsideDomain, match="hidden layers 1 to 1"):
        networks.split_unit(build("relu"), 0, layer=2)


def test_a_layer_that_a_skip_touches_is_refused():
    network = networks.initialise_deep(
        networks.Neuron(activations.identity), jax.random.key(0), widths=(3, 3, 2), input_shape=(2,), skips=((1, 2),)
    )
    with pytest.raises(OutsideDomain, match="skip connection"):
        networks.split_unit(network, 0, layer=2)
    assert networks.split_unit(network, 0, layer=3).weights[2].shape == (3, 3)
