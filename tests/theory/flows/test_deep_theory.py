"""Escape of deep networks: depth with skips against the network itself, exponents against the flow from zero."""

from itertools import combinations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solvable import networks
from solvable.errors import OutsideDomain
from solvable.numerics import activations
from solvable.theory.flows import effective_depth, escape_exponent

HIDDEN = 4
ALL_SKIPS = list(combinations(range(1, HIDDEN + 1), 2))


@given(st.sets(st.sampled_from(ALL_SKIPS)))
@settings(max_examples=20, deadline=None)
def test_effective_depth_is_the_power_of_the_weights_in_a_small_network(skips):
    network = networks.initialise_deep(
        networks.Neuron(activations.identity),
        jax.random.key(0),
        widths=(3,) * HIDDEN,
        input_shape=(2,),
        skips=tuple(sorted(skips)),
        init_scale=1.0,
    )

    def output(scale):
        return eqx.tree_at(lambda net: net.weights, network, tuple(scale * w for w in network.weights))(jnp.ones(2))[0]

    power = jnp.log2(output(2e-4) / output(1e-4))
    assert power == pytest.approx(effective_depth(HIDDEN + 1, tuple(skips)), abs=0.01)


def test_networks_of_figure_6():
    assert [effective_depth(4, skips) for skips in ((), ((1, 2),), ((1, 3),))] == [4, 3, 2]
    assert effective_depth(2) == 2


def test_skips_add_up():
    assert effective_depth(7, ((1, 3), (3, 6))) == 2
    assert effective_depth(7, ((1, 3), (2, 6))) == 3


def time_of_escape(depth, scale):
    """Gradient flow of <R, W_L ... W_1> from a random direction, until it is a thousand times its start."""
    rng = np.random.default_rng(depth)
    start, target = scale * rng.standard_normal((depth, 2, 2)), rng.standard_normal((2, 2))
    utility = jax.jit(jax.grad(lambda weights: jnp.sum(target * jnp.linalg.multi_dot(list(weights)))))

    def velocity(time, weights):
        return np.asarray(utility(jnp.asarray(weights.reshape(depth, 2, 2)))).ravel()

    def escaped(time, weights):
        return np.linalg.norm(weights) - 1e3 * np.linalg.norm(start)

    escaped.terminal = True
    return solve_ivp(velocity, (0, 1e9), start.ravel(), rtol=1e-8, atol=1e-12, events=escaped).t_events[0][0]


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_time_of_escape_grows_with_its_exponent(depth):
    ratio = time_of_escape(depth, 0.05) / time_of_escape(depth, 0.1)
    assert ratio == pytest.approx(2.0 ** escape_exponent(depth), rel=1e-3)


@pytest.mark.parametrize("skips", [((0, 1),), ((2, 2),), ((1, 4),)])
def test_skips_that_are_not_there_are_named(skips):
    with pytest.raises(OutsideDomain, match="`skips`"):
        effective_depth(4, skips)


def test_shallow_networks_are_refused():
    with pytest.raises(OutsideDomain, match="`depth` is 1"):
        effective_depth(1)
    with pytest.raises(OutsideDomain, match="`factors` is 1"):
        escape_exponent(1)
