"""Units planted to be removable are removed, the others stay, and the bound holds."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.instruments import reduce_width
from solvable.instruments.width.nonlinearity import find_nonlinearity
from solvable.numerics import Activation

ROUNDING = 1e-12
HOMOGENEOUS = ("relu", "abs", "square", "cube")
ODD_OR_EVEN = ("tanh", "log_cosh")
GENERAL = ("sigmoid", "gelu")
STEEPER_OUTWARDS = ("z_sin", "z_squared_tanh")
SEEDS = st.integers(0, 2**32 - 1)


def make_layer(rng, width=6, input_dim=9, output_dim=2, bias=False, activation="relu"):
    """A layer of units that differ."""
    first, second = rng.normal(size=(width, input_dim + bias)), rng.normal(size=(output_dim, width))
    return first, second, activation


def plant(rng, first, second, copies, factors):
    """Append copies of random units times factors, with outgoing weights of their own; shuffle all units."""
    sources = rng.integers(0, len(first), copies)
    first = np.concatenate([first, rng.choice(factors, copies)[:, None] * first[sources]])
    second = np.concatenate([second, rng.normal(size=(len(second), copies))], axis=1)
    order = rng.permutation(len(first))
    return first[order], second[:, order]


def largest_norm(outputs):
    return np.linalg.norm(np.asarray(outputs).reshape(len(outputs), -1), axis=1).max()


def reduce_arrays(rng, first, second, activation, tolerance=ROUNDING):
    return reduce_width((first, second), None, rng.normal(size=(40, first.shape[1])), tolerance, activation=activation)


@given(seed=SEEDS, activation=st.sampled_from([*HOMOGENEOUS, *ODD_OR_EVEN, *GENERAL]), copies=st.sampled_from([3, 14]))
@settings(max_examples=200, deadline=None)
def test_planted_copies_are_found_and_nothing_else(seed, activation, copies):
    rng = np.random.default_rng(seed)
    first, second, _ = make_layer(rng)
    factors = [1.0]
    factors += [0.3, 5.0] if activation in HOMOGENEOUS else []
    factors += [-1.0] if activation in ODD_OR_EVEN or activation in ("abs", "square", "cube") else []
    reduction = reduce_arrays(rng, *plant(rng, first, second, copies, factors), activation)
    assert (reduction.width_before, reduction.width_after) == (6 + copies, 6)
    assert reduction.measured_change < 1e-10
    assert reduction.bound(1.0) < 1e-10 * (6 + copies)


@given(seed=SEEDS, rank=st.integers(1, 5), on_second=st.booleans())
@settings(max_examples=30, deadline=None)
def test_linear_units_reduce_to_the_rank_of_their_map(seed, rank, on_second):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(20, 7)), rng.normal(size=(6, 20))
    if on_second:
        second = rng.normal(size=(6, rank)) @ rng.normal(size=(rank, 20))
    else:
        first = rng.normal(size=(20, rank)) @ rng.normal(size=(rank, 7))
    reduction = reduce_arrays(rng, first, second, "identity")
    assert reduction.width_after == rank
    assert reduction.measured_change < 1e-10
    np.testing.assert_allclose(reduction.model[1], second @ reduction.unit_map.T, atol=1e-9)


@given(seed=SEEDS, activation=st.sampled_from(["relu", "square", "tanh", "gelu"]))
@settings(max_examples=12, deadline=None)
def test_dead_units_are_dropped(seed, activation):
    rng = np.random.default_rng(seed)
    first, second, _ = make_layer(rng, width=8)
    first[2] = 0
    second[:, 5] = 0
    reduction = reduce_arrays(rng, first, second, activation)
    assert reduction.width_after == 6
    assert reduction.measured_change < 1e-10
    np.testing.assert_array_equal(np.flatnonzero(~reduction.unit_map.any(axis=0)), [2, 5])


@pytest.mark.parametrize(
    ("activation", "factor"), [("tanh", 2.0), ("gelu", 3.0), ("sigmoid", -1.0), ("relu", -1.0), (lambda z: z**3, 2.0)]
)
def test_units_that_differ_are_left(activation, factor):
    """Scaled copies of tanh units, opposite ReLU units, and whatever an unknown function does are not copies."""
    rng = np.random.default_rng(0)
    first, second, _ = make_layer(rng, width=3)
    layer = np.concatenate([first, factor * first]), np.concatenate([second, second], axis=1)
    reduction = reduce_arrays(rng, *layer, activation, tolerance=1e-3)
    assert reduction.width_after == 6
    assert reduction.model[0] is layer[0]
    assert reduction.measured_change == 0


def test_units_that_stay_alone_keep_their_weights_to_the_last_bit():
    rng = np.random.default_rng(1)
    first, second, _ = make_layer(rng)
    reduction = reduce_arrays(rng, *plant(rng, first, second, 1, [2.0]), "relu")
    kept = {tuple(row) for row in reduction.model[0]}
    assert len(kept & {tuple(row) for row in first}) == 5


def test_activations_that_say_they_are_homogeneous_are_believed():
    rng = np.random.default_rng(2)
    steep = Activation("steep", lambda z: jnp.where(z > 0, 3 * z, -0.5 * z), homogeneous=True)
    first, second, _ = make_layer(rng)
    reduction = reduce_arrays(rng, *plant(rng, first, second, 5, [0.2, 4.0]), steep)
    assert reduction.width_after == 6
    perturbed = np.concatenate([first, first + 1e-3]), np.concatenate([second, second], axis=1)
    assert reduce_arrays(rng, *perturbed, steep, 0.1).bound(1.0) == pytest.approx(
        3 * reduce_arrays(rng, *perturbed, "relu", 0.1).bound(1.0)
    )


@given(
    seed=SEEDS,
    activation=st.sampled_from([*HOMOGENEOUS, *ODD_OR_EVEN, *GENERAL, *STEEPER_OUTWARDS, "identity"]),
    spread=st.sampled_from([1e-6, 1e-2, 0.3]),
    tolerance=st.sampled_from([1e-3, 0.03, 0.3, 2.0]),
    norm=st.floats(0.01, 10),
)
@settings(max_examples=40, deadline=None)
def test_the_bound_holds_and_keeps_the_tolerance(seed, activation, spread, tolerance, norm):
    rng = np.random.default_rng(seed)
    first, second, _ = make_layer(rng, input_dim=4)
    first, second = plant(rng, first, second, 8, [1.0])
    first = first + spread * rng.normal(size=first.shape)
    data = rng.normal(size=(100, 4))
    data *= norm / np.linalg.norm(data, axis=1, keepdims=True)
    reduction = reduce_width((first, second), None, data, tolerance, activation=activation)
    function = find_nonlinearity(activation).function
    change = reduction.measured_change * largest_norm(function(data @ first.T) @ second.T)
    assert change <= reduction.bound(norm) * (1 + 1e-9) + 1e-12
    degree = {"square": 2, "cube": 3}.get(activation, 1)
    strength = np.sum(np.linalg.norm(first, axis=1) ** degree * np.linalg.norm(second, axis=0))
    assert reduction.cost <= tolerance * strength * (1 + 1e-9)


def test_more_tolerance_leaves_fewer_units_and_at_least_one():
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(60, 3)), rng.normal(size=(1, 60))
    for activation in ("relu", "identity", "tanh", "sigmoid"):
        widths = [reduce_arrays(rng, first, second, activation, t).width_after for t in (0.0, 0.05, 0.3, 100.0)]
        assert widths == sorted(widths, reverse=True)
        assert widths[-1] >= 1
    assert reduce_arrays(rng, 0 * first, 0 * second, "relu").width_after == 1
    assert reduce_arrays(rng, 0 * first, 0 * second, "identity").width_after == 1


def test_the_average_cancels_the_change_to_first_order():
    rng = np.random.default_rng(4)
    data = np.abs(rng.normal(size=(50, 3)))  # every unit is on
    first, second = np.abs(rng.normal(size=(1, 3))) + 1e-3 * rng.normal(size=(30, 3)), np.ones((1, 30))
    reduction = reduce_width((first, second), None, data, 0.1, activation="relu")
    assert reduction.width_after == 1
    assert reduction.measured_change < 1e-6
    assert reduction.bound(1.0) / reduction.width_before > 1e-4


def test_unknown_functions_have_no_bound():
    rng = np.random.default_rng(8)
    first, second, _ = make_layer(rng)
    reduction = reduce_arrays(rng, *plant(rng, first, second, 4, [1.0]), lambda z: jnp.exp(-z))
    assert reduction.width_after == 6
    assert reduction.bound(1.0) == np.inf


U, V, X = np.ones((4, 2)), np.ones((3, 4)), np.ones((5, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reduce_width((U, V), None, X, -0.1, activation="relu"), "`tolerance` is -0.1"),
        (lambda: reduce_width((U, V), None, X, 0.1), "`activation` is missing"),
        (lambda: reduce_width((U, V), None, X, 0.1, activation="maxout"), "`activation` is 'maxout'"),
        (lambda: reduce_width((U, V.T), None, X, 0.1, activation="relu"), r"shape \(4, 2\) and the second \(4, 3\)"),
        (lambda: reduce_width((U, V[0]), None, X, 0.1, activation="relu"), "give two matrices"),
        (lambda: reduce_width((U, np.nan * V), None, X, 0.1, activation="relu"), "not finite"),
        (lambda: reduce_width((U.astype(int), V), None, X, 0.1, activation="relu"), "dtype int64"),
        (lambda: reduce_width("model", None, X, 0.1), "`model` is a str"),
        (lambda: reduce_width((U, V), None, X, 0.1, activation="relu").bound(-1.0), "`input_norm` is -1.0"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(OutsideDomain, match=message):
        call()
