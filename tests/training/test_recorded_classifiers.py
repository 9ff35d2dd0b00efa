"""Recorded SGD against plain NumPy, epochs, and training that is linearised from a step on, by other routes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import Diverged, OutsideDomain
from solvable.instruments import tangent_kernel
from solvable.networks import LinearisedNetwork, LinearMap, he_network
from solvable.training import accuracy, record_classifier, train_then_linearise
from solvable.training.batches import Batches

RULE = dict(key=jax.random.key(2), batch_size=4, learning_rate=0.2, momentum=0.5)
INPUTS = jnp.asarray(np.random.default_rng(1).normal(size=(10, 5)))
LABELS = np.arange(10) % 3


def test_momentum_descent_is_its_definition():
    inputs, labels = np.random.default_rng(0).normal(size=(5, 2)), np.array([0, 1, 1, 0, 1])
    found = record_classifier(
        LinearMap(jnp.zeros((1, 2))), jnp.asarray(inputs), labels, key=jax.random.key(0), batch_size=5,
        learning_rate=0.3, momentum=0.9, steps=6, record=np.array([0, 5, 6]),
    )  # fmt: skip
    weights, velocity, path = np.zeros(2), np.zeros(2), [np.zeros(2)]
    for _ in range(6):
        velocity = 0.9 * velocity - ((labels - 1 / (1 + np.exp(-inputs @ weights))) @ inputs) / 5
        weights = weights - 0.3 * velocity
        path.append(weights)
    assert found.steps.tolist() == [0, 5, 6]
    np.testing.assert_allclose(found.networks.first[:, 0], [path[0], path[5], path[6]], atol=1e-12)
    scores = jax.vmap(found.at(-1))(jnp.asarray(inputs))
    assert float(accuracy(scores, jnp.asarray(labels))) == np.mean((np.asarray(scores)[:, 0] > 0) == labels)


def test_an_epoch_visits_every_sample_once():
    batches = Batches(jax.random.key(0), num_samples=10, batch_size=5)

    def visit(order, step):
        chosen, order = batches.choose(step, order)
        return order, chosen

    # Begun in the middle of an epoch, the order is that of this epoch.
    _, chosen = jax.lax.scan(visit, batches.order(jnp.asarray(1)), jnp.arange(1, 6))
    whole = np.asarray(chosen)[1:].reshape(2, 10)
    assert [sorted(epoch) for epoch in whole.tolist()] == [list(range(10))] * 2
    assert whole[0].tolist() != whole[1].tolist()


def test_switching_agrees_with_training_each_part_by_itself():
    network = he_network(jax.random.key(0), widths=(8,), input_dim=5, output_dim=3)
    switched = train_then_linearise(network, INPUTS, LABELS, switches=np.array([0, 7, 12]), steps=12, **RULE)
    plain = record_classifier(network, INPUTS, LABELS, steps=12, record=np.array([0, 7, 12]), **RULE)
    tangent = LinearisedNetwork(network, network)
    lazy = record_classifier(tangent, INPUTS, LABELS, steps=12, record=np.array([0, 5, 12]), **RULE)

    for ours, theirs in (
        (switched.at(0).network, lazy.at(-1).network),  # linearised throughout
        (switched.at(-1).network, plain.at(-1)),  # never
        (switched.at(1).start, plain.at(1)),  # the anchor is where it stood
    ):
        np.testing.assert_allclose(ours.first, theirs.first, atol=1e-12)
        np.testing.assert_allclose(ours.second, theirs.second, atol=1e-12)
    between = np.asarray(switched.at(1).network.first)
    assert min(np.max(np.abs(between - end.first)) for end in (plain.at(-1), lazy.at(-1).network)) > 0.01
    # The kernel of a linearised network never moves, whatever its weights do.
    kernels = jax.jit(lambda: lazy.map(lambda network: tangent_kernel(network, INPUTS[:3])))()
    np.testing.assert_allclose(kernels[1:], kernels[:-1], rtol=1e-12)


def test_refusals():
    network, inputs = LinearMap(jnp.zeros((3, 5))), INPUTS
    with pytest.raises(OutsideDomain, match="`momentum` is 1"):
        record_classifier(network, inputs, LABELS, steps=1, **RULE | dict(momentum=1))
    with pytest.raises(OutsideDomain, match="`batch_size` is 11; it must be at most the 10 samples"):
        record_classifier(network, inputs, LABELS, steps=1, **RULE | dict(batch_size=11))
    with pytest.raises(Diverged, match="diverged by step 2"):
        record_classifier(
            LinearMap(jnp.full((1, 2), jnp.inf)), jnp.ones((5, 2)), np.ones(5, int), steps=6,
            record=np.array([2, 5, 6]), **RULE | dict(batch_size=5),
        )  # fmt: skip
