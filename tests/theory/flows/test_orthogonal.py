"""ReLU layers on orthogonal inputs: numbers of the paper, symmetries, and second methods for every formula."""

from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import linprog

from solvable.errors import OutsideDomain
from solvable.tasks import Samples, make_samples, orthogonal_pair, orthogonal_points
from solvable.theory.flows import (
    align_unit,
    early_velocity,
    group_growth,
    interpolate_with_least_norm,
    norm_excess_exponent,
    plateau_losses,
    sign_growth,
    transition_times,
)

sizes = st.floats(0.2, 3.0)
targets = st.one_of(sizes, sizes.map(lambda y: -y))
# Always of one shape, since JAX compiles every operation once a shape.
points = st.lists(st.tuples(sizes, targets), min_size=4, max_size=4)


def make(norms, targets, input_dim=None, seed=None, dtype=float):
    key = None if seed is None else jax.random.key(seed)
    return orthogonal_points(jnp.asarray(norms, dtype), jnp.asarray(targets, dtype), input_dim=input_dim, key=key)


def of(pairs, seed=None):
    """Four points in five dimensions, turned at random by a seed."""
    norms, targets = np.array(pairs).T
    turn = np.eye(5) if seed is None else np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))[0]
    return make_samples(norms[:, None] * turn[:4], targets)


FOUR = of([(1.0, 1.0), (1.0, 1.0), (1.0, -0.6), (1.0, -0.6)])
FIVE = make([1.0, 1.5, 0.8, 1.2, 0.7], [1.0, 2.0, 1.5, -0.8, -0.5], input_dim=8, seed=1)
ONE_SIGN = make([1.0, 2.0], [-1.0, -0.5])


def test_the_pair_has_the_papers_numbers():
    pair = orthogonal_pair()
    np.testing.assert_allclose(sign_growth(pair).rates, [0.559017, 1.118034], rtol=1e-6)
    np.testing.assert_allclose(transition_times(pair, np.exp(-1.0)), [1.788854, 0.894427], rtol=1e-6)
    np.testing.assert_allclose(plateau_losses(pair), [0.5, 0.25, 0.0], rtol=1e-12)
    found = interpolate_with_least_norm(pair)
    np.testing.assert_allclose([found.positive, found.negative], [[0.8, 0.4], [-0.2, 0.4]], rtol=1e-12)
    assert float(found.norm) == pytest.approx(1.341641, rel=1e-6)


def test_four_and_five_points_have_the_numbers_of_their_formulas():
    np.testing.assert_allclose(sign_growth(FOUR).rates, [np.sqrt(2) / 4, 0.6 * np.sqrt(2) / 4], rtol=1e-12)
    assert float(interpolate_with_least_norm(FOUR).norm) == pytest.approx(1.6 * np.sqrt(2), rel=1e-12)
    assert float(norm_excess_exponent(FOUR)) == pytest.approx(2 - np.sqrt(2), rel=1e-12)
    assert float(interpolate_with_least_norm(FIVE).norm) == pytest.approx(3.486, abs=1e-3)
    assert float(norm_excess_exponent(FIVE)) == pytest.approx(2 - 2 * np.sqrt(10.44 / 11.44), rel=1e-9)


@given(points, st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_turning_shuffling_and_exchanging_the_signs_change_nothing_but_names(pairs, seed):
    plain, turned = of(pairs), of(pairs[::-1], seed)
    swapped = make_samples(plain.inputs, -plain.targets)
    np.testing.assert_allclose(sign_growth(turned).rates, sign_growth(plain).rates, rtol=1e-9)
    np.testing.assert_allclose(sign_growth(swapped).rates, sign_growth(plain).rates[::-1], rtol=1e-12)
    norms = [float(interpolate_with_least_norm(samples).norm) for samples in (plain, turned, swapped)]
    np.testing.assert_allclose(norms, norms[0], rtol=1e-9)


@given(points, st.floats(0.1, 10.0))
@settings(max_examples=15, deadline=None)
def test_scaling_the_targets_scales_rates_and_norms_and_leaves_the_exponent(pairs, factor):
    plain = of(pairs)
    scaled = make_samples(plain.inputs, factor * plain.targets)
    np.testing.assert_allclose(sign_growth(scaled).rates, factor * sign_growth(plain).rates, rtol=1e-9)
    assert float(interpolate_with_least_norm(scaled).norm) == pytest.approx(
        factor * float(interpolate_with_least_norm(plain).norm), rel=1e-9
    )
    if np.unique(np.sign(plain.targets)).size < len(pairs):
        assert float(norm_excess_exponent(scaled)) == pytest.approx(float(norm_excess_exponent(plain)), rel=1e-6)


@given(points)
@settings(max_examples=15, deadline=None)
def test_the_exponent_is_the_maximum_over_all_proper_parts_of_a_sign(pairs):
    samples, exponents = of(pairs), []
    for sign in (1, -1):
        pulls = [norm * abs(y) for norm, y in pairs if y * sign > 0]
        parts = [part for size in range(1, len(pulls)) for part in combinations(pulls, size)]
        exponents += [2 * (1 - np.linalg.norm(part) / np.linalg.norm(pulls)) for part in parts]
    if exponents:
        assert float(norm_excess_exponent(samples)) == pytest.approx(min(exponents), rel=1e-6, abs=1e-12)
    else:
        with pytest.raises(OutsideDomain, match="no sign has two points"):
            norm_excess_exponent(samples)


def test_a_weakest_point_that_hardly_pulls_leaves_an_exponent_without_cancellation():
    weak = 1e-9
    exponent = norm_excess_exponent(make([1.0, 1.0], [1.0, weak]))
    assert float(exponent) == pytest.approx(weak**2, rel=1e-9)


@pytest.mark.parametrize("norms", [(1.0, 1.0, 0.7), (0.5, 1.5, 1.1)])
def test_the_least_norm_is_that_of_a_convex_program_over_directions(norms):
    """min sum |c_i| over units c_i relu(d_i . x) that interpolate, on a fine net of directions d_i."""
    samples = make(norms, [1.0, 0.6, -0.8])
    angle, height = np.meshgrid(np.linspace(-np.pi, np.pi, 181), np.linspace(-1, 1, 81))
    radius = np.sqrt(1 - height**2)
    net = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=-1).reshape(-1, 3)
    hidden = np.maximum(np.asarray(samples.inputs) @ net.T, 0)
    program = linprog(
        np.ones(2 * len(net)), A_eq=np.concatenate([hidden, -hidden], axis=1), b_eq=np.asarray(samples.targets)[:, 0]
    )
    found = interpolate_with_least_norm(samples)
    # The net holds no better map, and one nearly as good.
    assert float(found.norm) * (1 - 1e-9) <= program.fun <= float(found.norm) * 1.001


@given(points, st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_the_least_norm_map_interpolates(pairs, seed):
    samples = of(pairs, seed)
    outputs = jax.vmap(interpolate_with_least_norm(samples))(samples.inputs)
    np.testing.assert_allclose(outputs, samples.targets[:, 0], rtol=1e-9)


@given(points)
@settings(max_examples=15, deadline=None)
def test_the_plateau_is_the_loss_of_the_map_without_the_slow_unit(pairs):
    samples = of(pairs)
    rates, found = np.asarray(sign_growth(samples).rates), interpolate_with_least_norm(samples)
    if rates[0] == pytest.approx(rates[1], rel=1e-6):
        return
    fast = found.positive if rates[0] > rates[1] else found.negative
    outputs = (1 if rates[0] > rates[1] else -1) * jnp.maximum(samples.inputs @ fast, 0)
    rest = jnp.mean((samples.targets[:, 0] - outputs) ** 2) / 2
    start = jnp.mean(samples.targets**2) / 2
    np.testing.assert_allclose(plateau_losses(samples), [start, rest, 0.0], rtol=1e-9, atol=1e-15)


def test_samples_may_weigh_differently():
    """A point of twice the weight pulls like two; the interpolator does not care."""
    weighted = Samples(FOUR.inputs, FOUR.targets, jnp.array([0.4, 0.2, 0.2, 0.2]))
    np.testing.assert_allclose(sign_growth(weighted).rates, [np.sqrt(0.2), 0.12 * np.sqrt(2)], rtol=1e-12)
    np.testing.assert_allclose(plateau_losses(weighted), [0.372, 0.072, 0.0], rtol=1e-12)
    assert float(interpolate_with_least_norm(weighted).norm) == pytest.approx(1.6 * np.sqrt(2))


def test_one_sign_alone_has_one_transition():
    np.testing.assert_allclose(sign_growth(ONE_SIGN).rates, [0.0, np.sqrt(2) / 2], rtol=1e-12)
    times = transition_times(ONE_SIGN, jnp.array([1e-2, 1e-4]))
    assert np.all(np.isinf(times[:, 0]))
    np.testing.assert_allclose(times[:, 1], np.log([1e2, 1e4]) * np.sqrt(2), rtol=1e-12)
    np.testing.assert_allclose(plateau_losses(ONE_SIGN), [1.25 / 4, 0.0, 0.0], rtol=1e-12)
    assert not np.any(interpolate_with_least_norm(ONE_SIGN).positive)
    assert float(norm_excess_exponent(ONE_SIGN)) == pytest.approx(2 - np.sqrt(2))


def flow_of_small_units(samples, first, second, times):
    """Each unit of the early flow on its own, by an adaptive integrator."""
    shapes = first.shape, second.shape

    def velocity(_, state):
        weights = state[: first.size].reshape(shapes[0]), state[first.size :].reshape(shapes[1])
        return np.concatenate([np.asarray(v).ravel() for v in early_velocity(samples, *map(jnp.asarray, weights))])

    start = np.concatenate([np.asarray(first).ravel(), np.asarray(second).ravel()])
    states = solve_ivp(velocity, (0, times[-1]), start, t_eval=times, rtol=1e-10, atol=1e-13).y.T
    return states[:, : first.size].reshape(-1, *shapes[0])


def test_units_align_and_grow_as_the_early_velocity_says():
    """Units of either sign on a part of the points of their sign, with the constant rest outside of the data."""
    groups = jnp.array([[True, True, True, False, False], [True, False, True, False, False], [False] * 3 + [True] * 2])
    growth, signs = group_growth(FIVE, groups), np.array([1.0, 1.0, -1.0])
    rng = np.random.default_rng(0)
    outside = np.linalg.qr(np.concatenate([np.asarray(FIVE.inputs).T, rng.normal(size=(8, 3))], axis=1))[0][:, 5:].T
    first = np.where(groups, rng.uniform(0.1, 1, (3, 5)), -rng.uniform(0.1, 1, (3, 5))) @ np.asarray(FIVE.inputs)
    first = first + rng.normal(size=(3, 3)) @ outside
    second = (signs * np.linalg.norm(first, axis=1))[None, :]
    times = np.linspace(0.0, 12.0, 7)
    paths = flow_of_small_units(FIVE, first, second, times)
    norms = np.linalg.norm(paths, axis=2)
    angles = np.arccos(np.einsum("tud,ud->tu", paths, growth.directions) / norms / np.asarray(growth.rates))
    found = align_unit(jnp.asarray(angles[0]), growth.rates, jnp.asarray(times))
    np.testing.assert_allclose(found.angle, angles.T, atol=1e-6)
    np.testing.assert_allclose(found.log_growth, np.log(norms / norms[0]).T, atol=1e-7)


@given(st.floats(0.0, 3.0), st.floats(0.1, 2.0), st.floats(0.0, 5.0), st.floats(0.0, 5.0))
@settings(max_examples=20, deadline=None)
def test_aligning_is_a_flow(angle, rate, earlier, later):
    """Going on from where a unit has come is the same as going all the way."""
    go = lambda start, time: align_unit(jnp.asarray(start), jnp.asarray(rate), jnp.array([time]))  # noqa: E731
    half, whole = go(angle, earlier), go(angle, earlier + later)
    rest = go(half.angle[0], later)
    assert float(rest.angle[0]) == pytest.approx(float(whole.angle[0]), rel=1e-9, abs=1e-12)
    assert float((half.log_growth + rest.log_growth)[0]) == pytest.approx(float(whole.log_growth[0]), abs=1e-9)


def test_a_unit_against_its_pull_stays_there_and_no_exponential_overflows():
    against = align_unit(jnp.array(np.pi), jnp.array(1.0), jnp.array([0.0, 2.0]))
    np.testing.assert_allclose(against.angle, np.pi, rtol=1e-12)
    np.testing.assert_allclose(against.log_growth, [0.0, -2.0], atol=1e-12)
    late = align_unit(jnp.array(1.0), jnp.array(1.0), jnp.array([1e4]))
    assert float(late.log_growth[0]) == pytest.approx(1e4 + 2 * np.log(np.cos(0.5)))


def test_dtype_follows_the_data():
    dtype = jnp.float32
    samples = make([1.0, 2.0], [1.0, 0.5], seed=3, dtype=dtype)
    found = interpolate_with_least_norm(samples)
    aligned = align_unit(jnp.ones(2, dtype), sign_growth(samples).rates, jnp.ones(2, dtype))
    times = transition_times(make_samples(samples.inputs, jnp.array([1.0, -1.0], dtype)), 1e-60)
    values = [plateau_losses(samples), times, norm_excess_exponent(samples), found.norm]
    assert {value.dtype for value in [*values, found.positive, aligned.angle]} == {jnp.dtype(dtype)}
    assert all(bool(jnp.all(jnp.isfinite(value))) for value in values)


def test_targets_are_swept_by_vmap():
    def times(target):
        samples = make_samples(jnp.eye(2), jnp.stack([target, -jnp.ones_like(target)]))
        return (
            transition_times(samples, jnp.array(np.exp(-1.0))),
            plateau_losses(samples),
            norm_excess_exponent(samples),
        )

    swept, losses, exponents = jax.vmap(times)(jnp.array([0.5, 2.0]))
    np.testing.assert_allclose(swept, [[4.0, 2.0], [1.0, 2.0]], rtol=1e-12)
    np.testing.assert_allclose(losses[:, 1], [1 / 16, 1 / 4], rtol=1e-12)
    assert np.all(np.isinf(exponents))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (make_samples(jnp.array([[1.0, 0.0], [1.0, 1.0]]), jnp.ones(2)), r"inputs 0 and 1 have \|cosine\| 0.71"),
        (make_samples(jnp.eye(2), jnp.array([1.0, 0.0])), r"`\|targets\[1\]\|` is 0.0; .* leave the sample out"),
        (make_samples(jnp.diag(jnp.array([0.0, 1.0])), jnp.ones(2)), r"`\|inputs\[0\]\|` is 0.0"),
        (Samples(jnp.eye(2), jnp.ones((2, 1)), jnp.array([1.0, 0.0])), r"`weights\[1\]` is 0.0"),
        (make_samples(jnp.eye(2), jnp.ones((2, 2))), "with one output"),
        (make_samples(jnp.ones((2, 2, 2)), jnp.ones(2)), "vectors"),
    ],
)
@pytest.mark.parametrize("function", [sign_growth, plateau_losses, interpolate_with_least_norm, norm_excess_exponent])
def test_other_data_are_refused(function, samples, message):
    with pytest.raises(OutsideDomain, match=message):
        function(samples)


def test_requests_without_meaning_are_refused():
    with pytest.raises(OutsideDomain, match="row 1 of `groups` has points of both signs"):
        group_growth(FOUR, jnp.array([[True, True, False, False], [True, False, True, False]]))
    with pytest.raises(OutsideDomain, match="`groups` has 3 columns for 4 samples"):
        group_growth(FOUR, jnp.ones((1, 3), bool))
    with pytest.raises(OutsideDomain, match="neither sign is learned first"):
        plateau_losses(make([1.0, 2.0], [1.0, -0.5]))
    for scale in (0.0, 1.0, np.nan):
        with pytest.raises(OutsideDomain, match="every scale must lie between 0 and 1"):
            transition_times(FOUR, jnp.array([1e-3, scale]))


def test_orthogonal_points_are_what_they_are_asked_to_be():
    gram = FIVE.inputs @ FIVE.inputs.T
    np.testing.assert_allclose(gram, np.diag(np.array([1.0, 1.5, 0.8, 1.2, 0.7]) ** 2), atol=1e-12)
    assert FIVE.inputs.shape == (5, 8)
    with pytest.raises(OutsideDomain, match="`input_dim` is 1; it must be a whole number of at least 2"):
        make([1.0, 1.0], [1.0, 1.0], input_dim=1)
    with pytest.raises(OutsideDomain, match="every length must be above 0"):
        make([1.0, 0.0], [1.0, 1.0])
