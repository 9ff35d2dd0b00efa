"""Saddles of diagonal networks against the flow of the dual variable, and of attention and quadratic ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import lsq_linear

from solvable.errors import OutsideDomain
from solvable.tasks import Moments
from solvable.theory.flows import (
    SignedModes,
    attention_mode_time,
    attention_stages,
    diagonal_stages,
    greedy_quadratic_levels,
    linear_attention_levels,
    quadratic_network_levels,
    quadratic_stages,
)


def moments_of(inputs, teacher, noise=0.0):
    targets = inputs @ teacher + noise
    mean = lambda values: jnp.asarray(values / len(targets))  # noqa: E731
    return Moments(mean(targets @ targets), mean(targets[None, :] @ inputs), mean(inputs.T @ inputs))


def draw_moments(seed, num_samples, dim, noise=0.0):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(num_samples, dim)) @ rng.normal(size=(dim, dim))
    return moments_of(inputs, rng.normal(size=dim), noise * rng.normal(size=num_samples))


def flow_of_dual(moments, scale, times):
    """Loss along ds/dtau = g, beta = alpha^2 sinh(2 log(1/alpha) s), for log(1/alpha) = scale."""
    correlation, variances = np.asarray(moments.sigma_yz[0]), np.asarray(moments.sigma_zz)

    def strength(dual):
        exponent = np.minimum(2 * scale * (np.abs(dual) - 1), 5)
        return np.sign(dual) * (np.exp(exponent) - np.exp(-2 * scale * (np.abs(dual) + 1))) / 2

    def velocity(_, dual):
        return correlation - variances @ strength(dual)

    duals = solve_ivp(
        velocity, (0, times[-1]), np.zeros_like(correlation), "LSODA", times, rtol=1e-8, atol=1e-10, max_step=2e-3
    ).y.T
    betas = np.array([strength(dual) for dual in duals])
    return np.array([float(moments.target_power) / 2 - b @ correlation + b @ variances @ b / 2 for b in betas])


def test_events_of_the_sheets():
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(40, 8)) * np.linspace(1.5, 0.7, 8)
    path = diagonal_stages(moments_of(inputs, np.array([1.0, 0, -2, 0, 0, 1.5, 0, 0])))
    np.testing.assert_array_equal(path.units, [-1, 0, 2, 5])
    np.testing.assert_allclose(path.times[1:], [0.3223, 0.4483, 0.7673], atol=5e-5)
    np.testing.assert_allclose(path.loss[1:], [3.12918, 0.93146, 0], atol=5e-6)
    rng = np.random.default_rng(0)
    path = diagonal_stages(moments_of(rng.normal(size=(5, 7)), np.array([1, -2, 0.6, 0, 0, 0, 0])))
    np.testing.assert_allclose(path.times[1:], [0.7672, 0.8050, 1.8010, 3.9327], atol=5e-5)
    np.testing.assert_allclose(path.loss, [1.387, 0.8186, 0.4842, 0.1044, 0], atol=5e-4)
    supports = [set(np.flatnonzero(saddle.strength)) for saddle in path.saddles]
    assert supports == [set(), {5}, {0}, {0, 1}, {0, 1, 2}]


@pytest.mark.parametrize("seed", [19, 201])
def test_the_path_is_that_of_the_dual_flow_with_small_weights(seed):
    """Designs in which a coordinate leaves and comes back, with the same sign and with the other."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(12, 4)) @ rng.normal(size=(4, 4))
    rng.normal(size=4)
    moments = moments_of(inputs, rng.choice([-2, -1, 0, 1, 2.0], size=4))
    path = diagonal_stages(moments)
    history = np.array([saddle.strength != 0 for saddle in path.saddles])
    returned = [np.flatnonzero(np.diff(column.astype(int)) == 1).size > 1 for column in history.T]
    assert any(returned)
    middles = (path.times[:-1] + path.times[1:]) / 2
    np.testing.assert_allclose(flow_of_dual(moments, 300.0, middles), path.loss[:-1], rtol=2e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(2, 12))
def test_every_path_obeys_the_laws(seed, dim, num_samples):
    """Loss falls, duals stay within 1, each rest is the best of its signs, the last one is least squares."""
    moments = draw_moments(seed, num_samples, dim, noise=0.3)
    path = diagonal_stages(moments)
    correlation, variances = np.asarray(moments.sigma_yz[0]), np.asarray(moments.sigma_zz)
    assert np.all(np.diff(path.loss) < 0)
    assert np.all(np.diff(path.times) >= 0)
    assert path.times[1] == pytest.approx(1 / np.max(np.abs(correlation)))
    values, basis = np.linalg.eigh(variances)
    root = np.sqrt(np.maximum(values, 0))[:, None] * basis.T
    kept = values > 1e-10 * values[-1]
    aim = np.where(kept, basis.T @ correlation / np.sqrt(np.where(kept, values, 1)), 0)
    for saddle in path.saddles:
        assert np.all(np.abs(saddle.accumulated) <= 1)
        assert np.all(saddle.strength * saddle.accumulated >= 0)
        low = np.where(saddle.accumulated == -1, -np.inf, -1e-13)
        high = np.where(saddle.accumulated == 1, np.inf, 1e-13)
        best = lsq_linear(root, aim, (low, high), tol=1e-14).x
        best_loss = float(moments.target_power) / 2 - best @ correlation + best @ variances @ best / 2
        assert saddle.loss == pytest.approx(best_loss, abs=1e-7 * path.loss[0] + 1e-10)
    least = float(moments.target_power) / 2 - aim @ aim / 2
    assert path.loss[-1] == pytest.approx(least, abs=1e-8 * path.loss[0])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.permutations(range(4)), st.floats(0.1, 10.0))
def test_coordinates_have_no_order_and_time_scales_with_the_target(seed, order, factor):
    moments = draw_moments(seed, 9, 4)
    order = np.array(order)
    signs = np.where(np.arange(4) % 2, -factor, factor)
    correlation = moments.sigma_yz[:, order] * signs[None, :] / factor**2
    flips = np.sign(signs)
    variances = moments.sigma_zz[np.ix_(order, order)] * flips[:, None] * flips[None, :]
    path = diagonal_stages(moments)
    other = diagonal_stages(Moments(moments.target_power / factor**2, correlation, jnp.asarray(variances)))
    np.testing.assert_allclose(other.times, path.times * factor, rtol=1e-6)
    np.testing.assert_allclose(other.loss, path.loss / factor**2, atol=1e-9 * path.loss[0])
    np.testing.assert_array_equal(order[other.units[1:]], path.units[1:])


def test_orthogonal_inputs_need_no_interaction():
    path = diagonal_stages(Moments(jnp.array(14.0), jnp.array([[1.0, -3.0, 2.0]]), jnp.eye(3)))
    np.testing.assert_array_equal(path.units, [-1, 1, 2, 0])
    np.testing.assert_allclose(path.times, [0, 1 / 3, 1 / 2, 1])
    np.testing.assert_allclose(path.loss, [7, 2.5, 0.5, 0], atol=1e-12)


def test_attention_has_its_own_levels_and_the_leading_time_of_a_head():
    eigenvalues, context, start = jnp.array([0.45, 1.0, 0.25, 0.7]), 31, 1e-6
    path, levels = attention_stages(eigenvalues, context), linear_attention_levels(eigenvalues, context)
    np.testing.assert_array_equal(path.units, [-1, 1, 3, 0, 2])
    np.testing.assert_allclose(path.loss, levels.loss, rtol=1e-12)
    np.testing.assert_allclose([saddle.strength for saddle in path.saddles], levels.strength, atol=1e-12)
    half = jnp.full(4, 0.3)
    exact = attention_mode_time(eigenvalues, jnp.full(4, jnp.sum(eigenvalues)), context, jnp.full(4, start), half)
    np.testing.assert_allclose(path.flow_times(3**0.5 * start)[1:], np.sort(exact), rtol=1e-4)


def test_quadratic_networks_have_their_own_levels():
    path = quadratic_stages(jnp.array([1.2, 0.5, 2.0]))
    np.testing.assert_array_equal(path.units, [-1, 2, 0, 1])
    np.testing.assert_allclose(path.loss, greedy_quadratic_levels(jnp.array([1.2, 0.5, 2.0])).loss, atol=1e-12)
    path, every = quadratic_stages(jnp.array([1.5, 0.6, -0.8])), quadratic_network_levels(jnp.array([1.5, 0.6, -0.8]))
    for saddle in path.saddles:
        row = int(np.sum(2 ** np.flatnonzero(saddle.strength)))
        np.testing.assert_allclose(saddle.strength, every.strength[row], atol=1e-12)
        assert saddle.loss == pytest.approx(float(every.loss[row]), abs=1e-12)


def test_a_quadratic_unit_alone_takes_the_stated_time():
    """u' = 2 v S u, v' = u.S u along the best direction: |theta| from alpha to infinity in 1/(3 alpha U)."""
    eigenvalues, alpha = jnp.array([2.0, 0.5]), 1e-3
    push = 2 * 2.0 + 2.5
    start = alpha * np.array([np.sqrt(2 / 3), np.sqrt(1 / 3)])
    flow = solve_ivp(
        lambda _, w: [2 * push * w[0] * w[1], push * w[0] ** 2],
        (0, 1e4),
        start,
        rtol=1e-10,
        atol=1e-14,
        events=(reached := lambda _, w: w[0] - 1e3),
    )
    reached.terminal = True
    assert flow.t_events[0][0] == pytest.approx(quadratic_stages(eigenvalues).flow_times(alpha)[1], rel=1e-3)


def test_float32():
    moments = jax.tree.map(lambda a: a.astype(jnp.float32), draw_moments(3, 12, 4))
    path, exact = diagonal_stages(moments), diagonal_stages(draw_moments(3, 12, 4))
    np.testing.assert_allclose(path.times, exact.times, rtol=1e-3)
    np.testing.assert_allclose(path.loss, exact.loss, atol=1e-4 * exact.loss[0])


def test_refusals():
    with pytest.raises(OutsideDomain, match="`moments` has 2 outputs"):
        diagonal_stages(Moments(jnp.array(1.0), jnp.ones((2, 3)), jnp.eye(3)))
    with pytest.raises(OutsideDomain, match="`gain` is"):
        SignedModes(Moments(jnp.array(1.0), jnp.ones((1, 2)), jnp.eye(2)), jnp.array([1.0, 0.0]), 2)
    with pytest.raises(OutsideDomain, match="`degree` is 1"):
        SignedModes(Moments(jnp.array(1.0), jnp.ones((1, 2)), jnp.eye(2)), jnp.ones(2), 1)
    with pytest.raises(OutsideDomain, match="`eigenvalues` is"):
        quadratic_stages(jnp.array([1.0, jnp.nan]))
