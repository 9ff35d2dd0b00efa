"""Saddles of linear layers: levels from the fixed points, times from the flow of the layer itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solvable.numerics import first_crossing
from solvable.tasks import Moments
from solvable.theory.flows import LinearLayer, diagonal_stages, escape_modes, greedy_fixed_points, linear_stages


def draw_moments(seed, output_dim=3, features=5):
    rng = np.random.default_rng(seed)
    mixing, teacher = rng.normal(size=(features, features)), rng.normal(size=(output_dim, features))
    covariance = mixing @ mixing.T / features
    cross = teacher @ covariance
    return Moments(*map(jnp.asarray, (np.sum(cross * teacher), cross, covariance)))


def half_times(moments, scale, levels, end):
    """Flow of min(C, D) units from the singular triplets of Sigma_yz at e^-scale; when half of each drop is done."""
    modes = escape_modes(moments.sigma_yz)
    outputs, inputs = np.asarray(modes.outputs), np.asarray(modes.inputs)
    cross, covariance = np.asarray(moments.sigma_yz), np.asarray(moments.sigma_zz)

    def maps(state):
        second, first = state[: outputs.size].reshape(outputs.shape), state[outputs.size :].reshape(inputs.shape)
        return second, first, second.T @ first

    def velocity(_, state):
        second, first, product = maps(state)
        residual = cross - product @ covariance
        return np.concatenate([(first @ residual.T).ravel(), (second @ residual).ravel()])

    start = np.exp(-scale) * np.concatenate([outputs.ravel(), inputs.ravel()]) / np.sqrt(2)
    times = np.linspace(0, end, 4000)
    states = solve_ivp(velocity, (0, end), start, "LSODA", times, rtol=1e-9, atol=1e-9 * np.exp(-scale)).y.T
    products = [maps(state)[2] for state in states]
    losses = np.array([float(moments.target_power) / 2 - np.sum(w * (cross - w @ covariance / 2)) for w in products])
    return np.array([first_crossing(times, losses, middle) for middle in (levels[:-1] + levels[1:]) / 2])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0.1, 5.0), min_size=3, max_size=3, unique=True))
def test_white_inputs_are_learned_at_one_over_the_singular_value(values):
    values = np.sort(values)[::-1]
    if np.min(values[:-1] / values[1:]) < 1.001:
        return
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    cross = jnp.asarray(np.diag(values) @ turn[:3])
    path = linear_stages(Moments(jnp.sum(cross**2), cross, jnp.eye(4)))
    np.testing.assert_allclose(path.times, [0, *1 / values], rtol=1e-9)
    np.testing.assert_allclose(-np.diff(path.loss), values**2 / 2, rtol=1e-8)


@pytest.mark.parametrize("sizes", [(3, 5), (4, 2)])
def test_levels_and_first_rates_are_those_of_the_greedy_fixed_points(sizes):
    moments = draw_moments(7, *sizes)
    path, points = linear_stages(moments), greedy_fixed_points(moments)
    np.testing.assert_allclose(path.loss, points.loss, rtol=1e-12)
    np.testing.assert_array_equal(path.units, np.arange(-1, min(sizes)))
    assert path.times[1] == pytest.approx(1 / float(points.escape_rate[0]))
    rates = [2 * saddle.utility.max() for saddle in path.saddles]
    np.testing.assert_allclose(rates, points.escape_rate, atol=1e-9)


@pytest.mark.parametrize("seed", [1, 5, 7])
def test_turned_triplets_inherit_as_in_the_flow(seed):
    """What each further log(1/alpha) adds to a time, from e^-35 and e^-55, where rounding is no issue yet."""
    moments = draw_moments(seed)
    path = linear_stages(moments)
    near, far = (half_times(moments, scale, path.loss, 1.1 * path.times[-1] * scale + 20) for scale in (35.0, 55.0))
    np.testing.assert_allclose((far - near) / 20, path.times[1:], rtol=0.012)


def test_exponents_are_shares_of_the_threshold():
    path = linear_stages(draw_moments(2))
    for saddle in path.saddles[1:]:
        assert np.all(saddle.accumulated < 1)
        np.testing.assert_array_equal(saddle.accumulated, saddle.exponents.max(axis=0))


def test_one_output_is_fitted_at_once_where_a_diagonal_network_needs_stages():
    moments = draw_moments(0, 1, 4)
    linear, diagonal = linear_stages(moments), diagonal_stages(moments)
    assert linear.loss.size == 2
    assert linear.times[1] < diagonal.times[1]
    np.testing.assert_allclose(linear.loss[-1], diagonal.loss[-1], atol=1e-9)


def test_targets_without_correlation_are_never_learned():
    path = linear_stages(Moments(jnp.array(1.0), jnp.zeros((2, 3)), jnp.eye(3)))
    assert path.times.size == 1
    assert path.loss[0] == 0.5


def test_float32():
    moments = jax.tree.map(lambda a: a.astype(jnp.float32), draw_moments(4))
    np.testing.assert_allclose(linear_stages(moments).times, linear_stages(draw_moments(4)).times, rtol=1e-3)
    assert LinearLayer(moments).degree == 2
