"""Levels against the gradient and the value of the population loss, written out from its definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from solvable.errors import OutsideDomain
from solvable.numerics import gaussian_cubature
from solvable.tasks import ContextStatistics, InContextRegression
from solvable.theory.flows import (
    all_linear_attention_levels,
    attention_mode_time,
    blow_up_time,
    greedy_quadratic_levels,
    linear_attention_levels,
    quadratic_network_levels,
)


def quadratic_loss(first, second, teacher):
    gap = teacher - (first.T * second[None, :]) @ first
    return jnp.sum(gap**2) + jnp.trace(gap) ** 2 / 2


def diagonal_units(strength):
    return jnp.diag(jnp.sqrt(jnp.abs(strength))), jnp.sign(strength)


def test_quadratic_levels_of_the_papers_panel_and_of_the_sheet():
    levels = quadratic_network_levels(jnp.ones(2))
    np.testing.assert_allclose(2 * levels.loss, [8, 8 / 3, 8 / 3, 0], atol=1e-15)
    levels = quadratic_network_levels(jnp.array([2.0, 1.2, 0.5]))
    np.testing.assert_allclose(2 * levels.loss[np.array([1, 3, 7])], [5.306667, 0.625, 0], atol=1e-6)
    np.testing.assert_array_equal(levels.active[3], [True, True, False])


def test_quadratic_loss_formula_is_the_gaussian_average():
    rng = np.random.default_rng(0)
    teacher, first, second = rng.normal(size=(3, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)
    teacher = teacher + teacher.T
    inputs, weights = gaussian_cubature(np.eye(3), 4)
    errors = np.einsum("pi,ij,pj->p", inputs, teacher, inputs) - (inputs @ first.T) ** 2 @ second
    np.testing.assert_allclose(quadratic_loss(first, second, teacher), weights @ errors**2 / 2, rtol=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-2.0, 2.0), min_size=3, max_size=3))
def test_quadratic_levels_are_fixed_points_of_training(eigenvalues):
    teacher = jnp.diag(jnp.asarray(eigenvalues))
    levels = quadratic_network_levels(jnp.asarray(eigenvalues))
    units = jax.vmap(diagonal_units)(levels.strength)
    values, gradients = jax.vmap(jax.value_and_grad(quadratic_loss, argnums=(0, 1)), in_axes=(0, 0, None))(
        *units, teacher
    )
    np.testing.assert_allclose(values, levels.loss, atol=1e-13)
    for gradient in gradients:
        np.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_learning_one_more_mode_never_raises_a_quadratic_level():
    levels = quadratic_network_levels(jnp.array([1.5, 0.6, -0.8, 0.3]))
    active = np.asarray(levels.active)
    contains = np.all(active[:, None] >= active[None], axis=2)
    gain = np.asarray(levels.loss)[None] - np.asarray(levels.loss)[:, None]
    assert np.all(gain[contains] >= -1e-15)


def test_which_second_level_is_visited_may_depend_on_the_signs_of_the_units():
    levels = quadratic_network_levels(jnp.array([1.5, 0.6, -0.8]))
    two = np.sort(2 * levels.loss[levels.active.sum(axis=1) == 2])
    np.testing.assert_allclose(two[:2], [0.9, 1.6])


def test_attention_levels_of_the_sheet():
    levels = linear_attention_levels(jnp.array([0.45, 1.0, 0.25, 0.7]), 31)
    np.testing.assert_allclose(2 * levels.loss, [2.4, 1.498837, 0.886337, 0.512676, 0.326378], atol=1e-6)
    np.testing.assert_array_equal(levels.active[2], [False, True, False, True])
    np.testing.assert_allclose(2 * linear_attention_levels(jnp.ones(2), 32).loss, [2, 2 - 32 / 35, 2 - 64 / 35])


def test_long_contexts_leave_no_error_and_the_stages_are_among_all_fixed_points():
    eigenvalues = jnp.array([1.0, 0.5, 0.2])
    assert linear_attention_levels(eigenvalues, 10**9).loss[-1] == pytest.approx(0, abs=1e-8)
    everything, stages = all_linear_attention_levels(eigenvalues, 8), linear_attention_levels(eigenvalues, 8)
    np.testing.assert_allclose(everything.loss[np.array([0, 1, 3, 7])], stages.loss, rtol=1e-14)
    np.testing.assert_allclose(everything.strength[7], stages.strength[-1], rtol=1e-14)


@pytest.mark.parametrize("length", [3, 32])
def test_attention_levels_are_fixed_points_with_the_query_in_the_context_and_full_heads(length):
    # Fig. 1F's setting: G = X X^T unnormalised and with the query's token, K and V of all D + 1 entries.
    eigenvalues = jnp.array([1.0, 0.6])
    moments = InContextRegression(jnp.diag(eigenvalues), length).moments(ContextStatistics(2))

    def loss(values, keys, queries):
        form = jnp.einsum("hj,hk,hl->jkl", values, keys, queries).ravel()
        return (jnp.sum(eigenvalues) - 2 * moments.sigma_yz[0] @ form + form @ moments.sigma_zz @ form) / 2

    levels = all_linear_attention_levels(eigenvalues, length)
    for level, strength in zip(levels.loss, levels.strength, strict=True):
        root = jnp.cbrt(strength / length)
        directions = jnp.diag(root)
        heads = (
            jnp.zeros((2, 3)).at[:, 2].set(root),
            jnp.concatenate([directions, jnp.zeros((2, 1))], axis=1),
            directions,
        )
        np.testing.assert_allclose(loss(*heads), level, rtol=1e-10)
        for gradient in jax.grad(loss, argnums=(0, 1, 2))(*heads):
            np.testing.assert_allclose(gradient, 0, atol=1e-10)
    best = (jnp.sum(eigenvalues) - moments.sigma_yz[0] @ jnp.linalg.pinv(moments.sigma_zz) @ moments.sigma_yz[0]) / 2
    np.testing.assert_allclose(best, levels.loss[-1], rtol=1e-9)


def test_attention_times_of_the_sheet():
    eigenvalues = jnp.array([1.0, 0.7, 0.45, 0.25])
    trace = jnp.full(4, 2.4)
    half = jnp.cbrt(linear_attention_levels(eigenvalues, 31).strength[-1] / 2)
    times = attention_mode_time(eigenvalues, trace, 31, jnp.full(4, 0.02), half)
    np.testing.assert_allclose(times, [49.12, 100.43, 243.49, 790.55], atol=0.006)


@settings(deadline=None, max_examples=40)
@given(st.floats(0.05, 2.0), st.floats(1.0, 5.0), st.integers(1, 100), st.floats(1e-4, 0.8), st.floats(0.01, 0.999))
def test_attention_time_is_the_integral(eigenvalue, ratio, length, first_share, remaining):
    slope = eigenvalue * (1 + 1 / length) + eigenvalue * ratio / length
    end = slope ** (-1 / 3)
    start = first_share * end
    stop = start + remaining * (end - start)
    found = attention_mode_time(
        *map(jnp.asarray, (eigenvalue, eigenvalue * ratio)), length, *map(jnp.asarray, (start, stop))
    )
    # In 1/s the integrand is 1 / (1 - a s^3): flat where the head is small.
    integral = quad(lambda z: 1 / (1 - slope / z**3), 1 / stop, 1 / start, epsabs=0, epsrel=1e-12, limit=200)[0]
    assert found == pytest.approx(integral / eigenvalue**2, rel=1e-8)


def test_attention_time_is_that_of_gradient_flow_on_the_half_loss():
    eigenvalues, length, start = jnp.array([0.8, 0.5]), 10, 0.1
    covariance, trace = jnp.diag(eigenvalues), 1.3
    second_moment = covariance @ covariance * (1 + 1 / length) + covariance * trace / length  # E[beta beta^T]

    def loss(head):
        form = head[0] * jnp.outer(head[1:3], head[3:])
        fitted = jnp.trace(second_moment @ form @ covariance @ form.T)
        return (trace - 2 * jnp.sum(form * (covariance @ covariance)) + fitted) / 2

    gradient = jax.jit(jax.grad(loss))
    stop = 0.95
    reached = lambda _, head: head[0] - stop  # noqa: E731
    head = [start, 0.0, start, 0.0, start]
    path = solve_ivp(lambda _, w: -np.asarray(gradient(w)), (0, 100), head, rtol=1e-9, atol=1e-12, events=reached)
    found = attention_mode_time(eigenvalues[1], jnp.asarray(trace), length, jnp.asarray(start), jnp.asarray(stop))
    assert found == pytest.approx(path.t_events[0][0], rel=1e-6)


def test_a_small_head_takes_as_long_as_its_early_flow():
    # u = (k, q) has S = [[0, L^2/2], [L^2/2, 0]]: k.L^2 q = u.S u.
    start, eigenvalue = 1e-6, 0.7
    correlation = jnp.array([[0.0, 1.0], [1.0, 0.0]]) * eigenvalue**2 / 2
    escape = blow_up_time(jnp.full((1, 2), start), jnp.array([start]), correlation).time[0]
    learned = attention_mode_time(*map(jnp.asarray, (eigenvalue, 2.0)), 20, jnp.asarray(start), jnp.asarray(0.7))
    np.testing.assert_allclose(escape, 1 / (eigenvalue**2 * start), rtol=1e-12)
    np.testing.assert_allclose(learned, escape, rtol=1e-5)


def test_dtype_is_that_of_the_inputs():
    single = jnp.array([1.0, 0.5], jnp.float32)
    for levels in (quadratic_network_levels(single), linear_attention_levels(single, 8)):
        assert levels.loss.dtype == levels.strength.dtype == jnp.float32
    time = attention_mode_time(single, jnp.full_like(single, 1.5), 8, single / 100, single / 2)
    assert time.dtype == jnp.float32
    assert np.all(
        np.isfinite(jax.jit(attention_mode_time, static_argnums=2)(single, single, 8, single / 9, single / 2))
    )


def test_level_refusals_name_what_is_wrong():
    with pytest.raises(OutsideDomain, match="1 to 20"):
        quadratic_network_levels(jnp.ones(21))
    with pytest.raises(OutsideDomain, match="finite"):
        quadratic_network_levels(jnp.array([1.0, jnp.inf]))
    with pytest.raises(OutsideDomain, match="above 0"):
        linear_attention_levels(jnp.array([1.0, -0.1]), 8)
    with pytest.raises(OutsideDomain, match="`context_length` is 0"):
        linear_attention_levels(jnp.ones(2), 0)
    one, small = jnp.asarray(1.0), jnp.asarray(0.1)
    with pytest.raises(OutsideDomain, match=r"`stop` is 1\.0"):
        attention_mode_time(one, one, 8, small, one)
    with pytest.raises(OutsideDomain, match=r"`trace` is 0\.1"):
        attention_mode_time(one, small, 8, small, small)


@settings(deadline=None, max_examples=25)
@given(st.permutations([2.0, 1.2, 0.5, 0.3]))
def test_each_quadratic_stop_is_left_along_the_largest_eigenvalue_that_is_not_learned(eigenvalues):
    eigenvalues = jnp.asarray(eigenvalues)
    levels = greedy_quadratic_levels(eigenvalues)
    assert np.all(np.diff(levels.loss) < 0)
    for before, after, strength in zip(levels.active[:-1], levels.active[1:], levels.strength[:-1], strict=True):
        gap = eigenvalues - strength
        residual = 2 * gap + jnp.sum(gap)
        np.testing.assert_allclose(residual[before], 0, atol=1e-14)
        assert np.flatnonzero(after & ~before) == [np.argmax(residual)]
        assert np.all(residual[~before] > 0)


def test_the_order_of_quadratic_stops_needs_positive_eigenvalues():
    with pytest.raises(OutsideDomain, match="all are above 0"):
        greedy_quadratic_levels(jnp.array([1.5, 0.6, -0.8]))
