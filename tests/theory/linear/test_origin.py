"""Escape from the origin: the straight path against the chain's exact time, random starts against the flow itself."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.theory import linear

DESCENT = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)))
STRENGTHS = jnp.linalg.svd(DESCENT, compute_uv=False)


def random_weights(depth, seed=0, width=5):
    rng, sizes = np.random.default_rng(seed), (3, *(width,) * (depth - 1), 4)
    layers = [rng.normal(size=(above, below)) for below, above in pairwise(sizes)]
    norm = np.sqrt(sum(np.sum(layer**2) for layer in layers))
    return tuple(jnp.asarray(layer / norm) for layer in layers)


@pytest.mark.parametrize("depth", [1, 2.5, 4])
def test_distance_inverts_time_and_time_is_that_of_the_chain_while_it_is_small(depth):
    speed = linear.optimal_speed(2.0, depth)
    time = linear.straight_time(0.01, 0.05, speed, depth)
    np.testing.assert_allclose(linear.straight_distance(time, 0.01, speed, depth), 0.05)
    strengths = [jnp.asarray((distance / depth**0.5) ** depth) for distance in (0.01, 0.05)]
    exact = linear.depth_time(*strengths, jnp.asarray(2.0), depth)
    assert float(exact / time) == pytest.approx(1, abs=max(0.03 * 0.05 ** (depth - 1), 1e-7))


def test_limits_of_the_straight_path_are_not_nan():
    assert float(linear.straight_time(0.0, 1.0, 1.0, 1)) == 1
    assert float(linear.straight_time(0.0, 1.0, 1.0, 2)) == np.inf
    assert float(linear.straight_time(0.0, 1.0, 1.0, 4)) == np.inf
    assert float(linear.straight_time(0.1, 1.0, 0.0, 3)) == np.inf
    assert float(linear.straight_time(0.1, 0.1, 0.0, 3)) == 0
    assert float(linear.straight_distance(5.0, 0.0, 1.0, 3)) == 0
    assert float(linear.straight_distance(20.0, 0.1, 1.0, 3)) == np.inf
    with pytest.raises(OutsideDomain, match="`depth` is 0"):
        linear.optimal_speed(1.0, 0)


def test_optimal_direction_has_the_largest_power_and_keeps_it():
    direction = linear.optimal_escape(DESCENT, (5, 5))
    assert sum(float(jnp.sum(layer**2)) for layer in direction) == pytest.approx(1)
    escape = linear.random_escape(DESCENT, tuple(0.1 * layer for layer in direction))
    assert float(escape.distance) == pytest.approx(0.1)
    assert float(escape.speed) == pytest.approx(float(linear.optimal_speed(STRENGTHS[0], 3)))
    assert [layer.shape for layer in linear.optimal_escape(DESCENT, ())] == [(4, 3)]


def test_two_layers_leave_by_what_they_have_along_the_leading_mode():
    weights = random_weights(2)
    left, _, right = jnp.linalg.svd(DESCENT, full_matrices=False)
    along = jnp.linalg.norm(weights[0] @ right[0] + weights[1].T @ left[:, 0]) / 2**0.5
    assert float(linear.random_escape(DESCENT, weights).distance) == pytest.approx(float(along), rel=1e-5)


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-4, 10))
def test_the_constant_is_at_least_one_and_the_distance_in_proportion(seed, scale):
    weights = random_weights(3, seed)
    whole, part = (linear.random_escape(DESCENT, tuple(size * layer for layer in weights)) for size in (1.0, scale))
    assert float(whole.distance) <= 1
    assert float(part.distance / whole.distance) == pytest.approx(scale, rel=1e-6)


def test_a_start_on_the_way_into_a_saddle_escapes_slower():
    left, sizes, right = jnp.linalg.svd(DESCENT, full_matrices=False)
    hidden = jnp.eye(5)[0]
    second = (jnp.outer(hidden, right[1]), jnp.outer(hidden, jnp.eye(5)[0]), jnp.outer(left[:, 1], hidden))
    escape = linear.random_escape(DESCENT, tuple(layer / 3**0.5 for layer in second))
    assert float(escape.speed) == pytest.approx(float(linear.optimal_speed(sizes[1], 3)))


def test_nothing_moves_without_signal_or_weights():
    weights = random_weights(3)
    for descent, layers in ((np.zeros((4, 3)), weights), (DESCENT, [np.zeros(layer.shape) for layer in weights])):
        escape = linear.random_escape(jnp.asarray(descent), tuple(jnp.asarray(layer) for layer in layers))
        assert float(escape.speed) == 0
        assert np.isfinite(float(escape.distance))
    single = linear.random_escape(
        DESCENT.astype(jnp.float32), jax.tree.map(lambda layer: layer.astype(jnp.float32), weights)
    )
    assert single.distance.dtype == jnp.float32
    assert float(single.distance) == pytest.approx(float(linear.random_escape(DESCENT, weights).distance), rel=1e-3)
    with pytest.raises(OutsideDomain, match="`weights` has layers of shapes"):
        linear.random_escape(DESCENT, weights[:1])


def test_powers_of_the_second_mode():
    assert float(linear.rank_exponent(STRENGTHS, 4)) == 4
    assert float(linear.rank_exponent(jnp.array([1.0, 2.0]), 2)) == 1
    assert float(linear.rank_exponent(jnp.array([2.0, 2.0]), 2)) == 0
    assert float(linear.rank_exponent(jnp.array([2.0]), 2)) == 2
    with pytest.raises(OutsideDomain, match="`strengths` is"):
        linear.rank_exponent(jnp.zeros(2), 3)


def test_the_phases_meet_at_one():
    powers = linear.distance_exponents(jnp.array([0.75, 1.0, 1.5]), 4)
    np.testing.assert_allclose(powers.minimum, [-0.375, 0, 0])
    np.testing.assert_allclose(powers.saddle, [0.125, 0, -0.25])
    with pytest.raises(OutsideDomain, match="`gamma` is"):
        linear.distance_exponents(0.5, 3)
