"""Theorem 3 and App. F: relations among units that training keeps, and the narrower networks they stand for."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable import networks, tasks, training
from solvable.errors import OutsideDomain
from solvable.numerics import activations

WIDTH = 4
MANIFOLDS = {
    "equal": networks.equal_units(WIDTH, 2, 0),
    "zero": networks.zero_unit(WIDTH, 1),
    "proportional": networks.proportional_units(WIDTH, 3, 0, 0.5),
    "opposite": networks.proportional_units(WIDTH, 3, 0, -0.5),
    "dependent": networks.dependent_unit(3, jnp.array([0.5, -2.0, 1.0, 0.0])),
    "equal and zero": networks.equal_units(WIDTH, 2, 0) & networks.zero_unit(WIDTH, 1),
}
KEPT = {
    "linear": set(MANIFOLDS),
    "relu": set(MANIFOLDS) - {"opposite", "dependent"},
    "tanh": {"equal", "zero", "equal and zero"},
    "sigmoid": {"equal"},
    "square": {"equal", "zero", "equal and zero"},
}


def _network(name, seed=0, scale=0.4):
    unit = networks.Neuron(getattr(activations, {"linear": "identity"}.get(name, name)))
    return networks.initialise(
        unit, jax.random.key(seed), width=WIDTH, input_shape=(3,), output_dim=2, init_scale=scale
    )


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("relation", MANIFOLDS)
def test_training_keeps_exactly_the_relations_of_the_theorem(name, relation):
    manifold = MANIFOLDS[relation]
    assert manifold.is_kept_by(_network(name)) == (relation in KEPT[name])
    key = jax.random.key(1)
    samples = tasks.make_samples(jax.random.normal(key, (20, 3)), jax.random.normal(key, (20, 2)))
    run = training.gradient_descent(
        manifold.project(_network(name)),
        samples,
        learning_rate=0.01,
        steps=50,
        record=2,
        observables={"distance": manifold.distance},
    )
    drift = float(run.observables["distance"][-1])
    assert (drift < 1e-12) == (relation in KEPT[name]), drift


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), name=st.sampled_from(["linear", "relu", "tanh"]))
def test_projection_is_the_nearest_point_of_the_manifold(seed, name):
    network = _network(name, seed)
    manifold = MANIFOLDS["equal and zero"]
    nearest = manifold.project(network)
    distance = float(manifold.distance(network))
    assert float(manifold.distance(nearest)) < 1e-12
    apart = lambda one, other: float(  # noqa: E731
        jnp.sqrt(jnp.sum((one.first - other.first) ** 2) + jnp.sum((one.second - other.second) ** 2))
    )
    assert distance == pytest.approx(apart(network, nearest), rel=1e-9)
    elsewhere = manifold.project(_network(name, seed + 1))
    assert distance <= apart(network, elsewhere) + 1e-12


@pytest.mark.parametrize("name", KEPT)
def test_reduction_keeps_the_map_where_the_relation_is_kept(name):
    inputs = jax.random.normal(jax.random.key(2), (6, 3))
    for relation in KEPT[name]:
        manifold = MANIFOLDS[relation]
        network = manifold.project(_network(name))
        narrow = manifold.reduce(network)
        assert narrow.width == manifold.effective_width == WIDTH - len(manifold.removed)
        assert jnp.allclose(jax.vmap(narrow)(inputs), jax.vmap(network)(inputs), rtol=1e-10)


def test_reduction_undoes_an_embedding_on_the_manifold():
    narrow = networks.initialise(
        networks.Neuron(activations.identity),
        jax.random.key(3),
        width=3,
        input_shape=(3,),
        output_dim=2,
        init_scale=1.0,
    )
    gamma = jnp.array([0.4, -1.0, 2.0])
    cases = [
        (networks.split_unit(narrow, 1), networks.equal_units(4, 3, 1)),
        (networks.add_zero_unit(narrow), networks.zero_unit(4, 3)),
        (networks.add_proportional_unit(narrow, 1, ratio=-0.3), networks.proportional_units(4, 3, 1, -0.3)),
        (networks.add_dependent_unit(narrow, gamma), networks.dependent_unit(3, jnp.append(gamma, 0.0))),
    ]
    for wide, manifold in cases:
        assert float(manifold.distance(wide)) < 1e-14
        assert eqx.tree_equal(manifold.reduce(wide), narrow, rtol=1e-12, atol=1e-14)


def test_other_shares_embed_without_lying_on_the_manifold():
    narrow = _network("linear")
    assert float(networks.equal_units(5, 4, 1).distance(networks.split_unit(narrow, 1, share=0.3))) > 1e-3


def test_joined_relations_may_run_through_removed_units():
    chain = networks.equal_units(WIDTH, 0, 1) & networks.proportional_units(WIDTH, 1, 2, 3.0)
    assert chain.effective_width == 2
    network = chain.project(_network("relu"))
    assert jnp.allclose(network.first[0], 3 * network.first[2])
    inputs = jax.random.normal(jax.random.key(4), (6, 3))
    assert jnp.allclose(jax.vmap(chain.reduce(network))(inputs), jax.vmap(network)(inputs), rtol=1e-10)


def test_manifolds_of_deep_layers():
    key = jax.random.key(5)
    network = networks.initialise_deep(
        networks.ConvolutionKernel(activations.relu, 2, 2),
        key,
        widths=(3, 4),
        input_shape=(4,),
        activation=activations.relu,
        init_scale=0.8,
    )
    samples = tasks.make_samples(jax.random.normal(key, (10, 4)), jax.random.normal(key, (10, 1)))
    for manifold in (
        networks.proportional_units(3, 0, 2, 2.0),
        networks.equal_units(4, 1, 3, layer=2) & networks.zero_unit(4, 0, layer=2),
    ):
        run = training.gradient_descent(
            manifold.project(network),
            samples,
            learning_rate=0.05,
            steps=100,
            record=2,
            observables={"distance": manifold.distance},
        )
        assert float(run.observables["distance"][-1]) < 1e-12
        narrow = manifold.reduce(run.network)
        assert jnp.allclose(jax.vmap(narrow)(samples.inputs), jax.vmap(run.network)(samples.inputs), rtol=1e-9)


def test_single_precision_networks_are_measured_in_their_own_precision():
    network = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), _network("relu"))
    assert MANIFOLDS["equal"].distance(network).dtype == jnp.float32
    assert MANIFOLDS["equal"].project(network).first.dtype == jnp.float32


def test_what_has_no_meaning_is_refused():
    with pytest.raises(OutsideDomain, match="unit 4 is not among"):
        networks.equal_units(4, 4, 0)
    with pytest.raises(OutsideDomain, match="related to itself"):
        networks.equal_units(4, 1, 1)
    with pytest.raises(OutsideDomain, match="share of itself"):
        networks.dependent_unit(0, jnp.ones(3))
    with pytest.raises(OutsideDomain, match="removed by both"):
        MANIFOLDS["equal"] & networks.zero_unit(WIDTH, 2)
    with pytest.raises(OutsideDomain, match="depend on each other"):
        networks.equal_units(WIDTH, 0, 1) & networks.equal_units(WIDTH, 1, 0)
    with pytest.raises(OutsideDomain, match="do not meet"):
        MANIFOLDS["equal"] & networks.zero_unit(WIDTH + 1, 1)
    with pytest.raises(OutsideDomain, match="away from the manifold"):
        MANIFOLDS["equal"].reduce(_network("relu"))
    with pytest.raises(OutsideDomain, match=r"'zero'.*'homogeneous' only"):
        MANIFOLDS["proportional"].reduce(_network("tanh"))
    with pytest.raises(OutsideDomain, match="4 units and the manifold 5"):
        networks.zero_unit(5, 1).distance(_network("relu"))
