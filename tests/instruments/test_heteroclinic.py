"""Paths between saddles: they end at fixed points one unit wider, and stay on the manifold."""

import jax
import jax.numpy as jnp
import pytest

from solvable import instruments, networks, numerics, tasks
from solvable.errors import OutsideDomain


def _zero_layer(activation, width, input_dim, output_dim):
    unit = networks.Neuron(activation)
    return networks.UnitLayer(jnp.zeros((width, input_dim)), jnp.zeros((output_dim, width)), unit)


def test_linear_paths_visit_the_saddles_in_order_of_singular_value():
    task = tasks.linear_teacher(jnp.diag(jnp.array([2.0, 1.0])), jnp.eye(2))
    saddle = _zero_layer(numerics.activations.identity, 3, 2, 2)
    manifold = networks.zero_unit(3, 0) & networks.zero_unit(3, 1) & networks.zero_unit(3, 2)
    for released, level in ((1, 0.5), (0, 0.0)):
        found = instruments.trace_transition(
            saddle, task, manifold, jax.random.key(released), release=released, learning_rate=0.1, steps=600, record=50
        )
        assert float(found.loss[-1]) == pytest.approx(level, abs=1e-9)
        assert float(found.gradient_norm) < 1e-10
        assert float(found.off_manifold) < 1e-12
        assert released not in found.manifold.removed
        # The path runs downhill from the level of the saddle it left.
        assert bool(jnp.all(jnp.diff(found.loss) <= 1e-12))
        saddle, manifold = found.end, found.manifold
    # The last unit has nothing left to learn: it stays beside the global minimum.
    found = instruments.trace_transition(
        saddle, task, manifold, jax.random.key(9), release=2, learning_rate=0.1, steps=300, record=5
    )
    assert found.manifold is None
    assert float(found.loss[-1]) < 1e-9


def test_a_relu_unit_that_is_set_free_learns_a_point():
    samples = tasks.orthogonal_pair()
    saddle = _zero_layer(numerics.activations.relu, 2, 2, 1)
    manifold = networks.zero_unit(2, 0) & networks.zero_unit(2, 1)
    levels = {
        round(
            float(
                instruments.trace_transition(
                    saddle, samples, manifold, jax.random.key(seed), release=0, learning_rate=0.1, steps=1500, record=5
                ).loss[-1]
            ),
            6,
        )
        for seed in range(6)
    }
    # One point is learned, or none by a unit that is off at both.
    assert levels <= {0.25, 0.5}
    assert 0.25 in levels


def test_what_cannot_be_traced_is_refused():
    task = tasks.linear_teacher(jnp.eye(2), jnp.eye(2))
    layer = _zero_layer(numerics.activations.identity, 2, 2, 2)
    trace = lambda network, manifold, release: instruments.trace_transition(  # noqa: E731
        network, task, manifold, jax.random.key(0), release=release, learning_rate=0.1, steps=10
    )
    with pytest.raises(OutsideDomain, match="`release` is 1"):
        trace(layer, networks.zero_unit(2, 0), 1)
    off = networks.UnitLayer(layer.first + 1, layer.second, layer.unit)
    with pytest.raises(OutsideDomain, match="off the manifold"):
        trace(off, networks.zero_unit(2, 0), 0)
    sigmoid = _zero_layer(numerics.activations.sigmoid, 2, 2, 2)
    with pytest.raises(OutsideDomain, match="'zero'"):
        trace(sigmoid, networks.zero_unit(2, 0), 0)
