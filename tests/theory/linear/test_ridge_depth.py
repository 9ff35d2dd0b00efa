"""Minima, barriers and thresholds of ridge on every layer, by stationarity and training; the saddle that misleads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable import networks, numerics, tasks, training
from solvable.errors import OutsideDomain
from solvable.theory import linear

MODE = jax.jit(linear.ridge_mode, static_argnums=2)


@settings(max_examples=20, deadline=None)
@given(target=st.floats(0.05, 20), share=st.floats(1e-5, 0.999), depth=st.sampled_from([3, 4, 7]))
def test_minimum_and_barrier_are_at_rest_on_either_side_of_the_turn(target, share, depth):
    threshold = float(MODE(target, 0.0, depth).threshold)
    assert threshold == pytest.approx(float(linear.isotropic_transitions(target, depth - 1).spinodal) / 2)
    mode = MODE(target, share * threshold, depth)
    roots = np.array([mode.minimum, mode.barrier])
    np.testing.assert_allclose((target - roots) * roots ** (1 - 2 / depth), 2 * share * threshold, rtol=1e-6)
    turn = target * (depth - 2) / (2 * (depth - 1))
    assert mode.barrier <= turn * (1 + 1e-6)
    assert mode.minimum >= turn * (1 - 1e-6)
    dead = MODE(target, 1.001 * threshold, depth)
    assert (float(dead.minimum), float(dead.barrier)) == (0, np.inf)


def test_numbers_of_the_chain_and_limits():
    found = MODE(jnp.array([1.0, -1.0, 0.0]), 0.05, 3)
    np.testing.assert_allclose(found.minimum, [0.8962826, -0.8962826, 0], atol=1e-7)
    np.testing.assert_allclose(found.barrier, [0.0010030, 0.0010030, np.inf], atol=1e-7)
    np.testing.assert_allclose(found.threshold, [0.236235, 0.236235, 0], atol=1e-6)
    assert float(MODE(1.0, 0.1, 2).minimum) == pytest.approx(0.8)
    assert float(MODE(1.0, 0.6, 2).minimum) == 0
    assert float(MODE(-1.0, 0.5, 1).minimum) == -0.5
    unpenalised = MODE(1.0, 0.0, 3)
    assert (float(unpenalised.minimum), float(unpenalised.barrier)) == (1, 0)
    ends = linear.ridge_end(jnp.array([0.0011, 0.0009, -1.0, 0.0]), 1.0, 0.05, 3)
    np.testing.assert_allclose(ends, [0.8962826, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(linear.ridge_end(jnp.array([0.0, 1.0]), 1.0, 0.1, 1), 1 / 1.2)
    np.testing.assert_allclose(linear.absorbing_strength(1.0, 0.05, 3), 0.1**3)
    assert float(linear.absorbing_strength(1.0, 0.6, 2)) == np.inf
    with pytest.raises(OutsideDomain, match=r"`depth` is 1\.5"):
        linear.ridge_mode(1.0, 0.1, 1.5)
    with pytest.raises(OutsideDomain, match=r"`ridge` is -0\.1"):
        linear.ridge_mode(1.0, -0.1, 3)
    with pytest.raises(OutsideDomain, match="`depth` is 1"):
        linear.absorbing_strength(1.0, 0.1, 1)


def test_minima_are_all_subsets_of_the_living_modes_and_descent_ends_in_one():
    targets = jnp.array([2.0, 1.0, 0.45, 0.1])
    minima = linear.ridge_minima(targets, 0.06, 3)
    assert minima.active.shape == (8, 4)
    assert not np.any(minima.active[:, 3])
    assert float(minima.loss[0]) == pytest.approx(float(jnp.sum(targets**2) / 2))
    assert linear.ridge_minima(targets, 0.06, 2).active.shape == (1, 4)
    task = tasks.MatrixCompletion(jnp.diag(targets), jnp.ones((4, 4), bool))
    draws = jax.random.normal(jax.random.key(0), (2, 3, 6, 6), float)

    @jax.jit
    @jax.vmap
    def descend(layers):
        start = linear_network(layers)
        loss = training.CompletionLoss(task, 0.06)
        run = training.gradient_descent(start, loss, learning_rate=0.04, steps=3000, record=2)
        return run.network.coefficients(), run.loss[-1], ridge_cost(run.network)

    def ridge_cost(network):
        return 0.06 * sum(jnp.sum(layer**2) for layer in network.weights)

    scaled = draws * jnp.array([0.5, 0.2])[:, None, None, None]
    maps, losses, costs = descend((scaled[:, 0, :, :4], scaled[:, 1], scaled[:, 2, :4]))
    for found, loss, cost in zip(np.linalg.svd(maps, compute_uv=False), losses, costs, strict=True):
        gaps = np.abs(np.asarray(minima.strength) - found[None, :]).max(axis=1)
        nearest = int(gaps.argmin())
        assert gaps[nearest] < 1e-5
        assert float(loss) == pytest.approx(float(minima.loss[nearest]), rel=1e-7)
        assert float(cost) == pytest.approx(float(linear.representation_cost(jnp.asarray(found), 0.06, 3)), rel=1e-6)


def linear_network(layers):
    unit = networks.Neuron(numerics.activations.identity)
    return networks.DeepNetwork(tuple(layers), unit, (unit.activation,) * (len(layers) - 2))


def test_two_entries_on_the_diagonal_fitted_by_the_identity_are_a_saddle():
    """The trap: entries beside the diagonal lower the cost, so that descent with a little noise loses the rank."""
    cost = lambda beside, strength=0.9: float(  # noqa: E731
        linear.representation_cost(
            jnp.linalg.svd(jnp.array([[strength, beside], [beside, strength]]), compute_uv=False), 0.05, 4
        )
    )
    assert cost(0.05) < cost(0.0)
    task = tasks.MatrixCompletion(jnp.eye(2), jnp.eye(2, dtype=bool))
    start = networks.decoupled_start(
        jax.random.key(0), left=jnp.eye(2), right=jnp.eye(2), scales=jnp.full((4, 2), 0.97), widths=(3, 3, 3)
    )
    start = jax.tree.map(lambda layer: layer + 1e-3 * jnp.ones_like(layer), start)
    run = training.gradient_descent(
        start, training.CompletionLoss(task, 0.02), learning_rate=0.05, steps=6000, record=2
    )
    sizes = jnp.linalg.svd(run.network.coefficients(), compute_uv=False)
    assert float(sizes[1]) < 1e-3 < float(sizes[0])


def test_modes_of_exactly_zero_never_revive():
    task = tasks.MatrixCompletion(jnp.diag(jnp.array([1.0, 0.9])), jnp.ones((2, 2), bool))
    scales = jnp.array([[0.9, 0.0]] * 3)
    start = networks.decoupled_start(jax.random.key(0), left=jnp.eye(2), right=jnp.eye(2), scales=scales, widths=(2, 2))
    run = training.gradient_descent(
        start, training.CompletionLoss(task, 0.01), learning_rate=0.05, steps=2000, record=2
    )
    assert abs(float(run.network.coefficients()[1, 1])) < 1e-12
