"""Modes on inputs of unequal variance: ODEs, data without variance, the limit of vanishing weights, losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solvable import tasks
from solvable.errors import OutsideDomain
from solvable.numerics import Monomials
from solvable.theory.flows import linear_stages
from solvable.theory.linear import logistic_mode, modes_loss, one_layer_mode, sequential_limit, two_layer_mode

one_layer, two_layer = jax.jit(one_layer_mode), jax.jit(two_layer_mode)
TIMES = np.linspace(0, 2, 5)
numbers = st.floats(-2, 2).map(lambda value: round(value, 2))


@settings(max_examples=30, deadline=None)
@given(numbers, st.floats(0, 3).map(lambda value: round(value, 2)), numbers)
@example(0.0, 0.0, 0.5)
@example(0.7, 0.0, -0.5)
@example(1.0, 1.5, 0.0)
@example(0.0, 1.5, 0.5)
def test_strengths_follow_their_flows(covariance, variance, start):
    for layers, found in ((1, one_layer), (2, two_layer)):
        speed = lambda _, w: (2 * np.abs(w) if layers == 2 else 1.0) * (covariance - variance * w)  # noqa: B023, E731
        path = solve_ivp(speed, (0, TIMES[-1]), [start], "DOP853", TIMES, rtol=1e-10, atol=1e-12).y[0]
        learned = found(jnp.asarray(TIMES), covariance, variance, start)
        np.testing.assert_allclose(learned, path, rtol=1e-6, atol=1e-8)


def test_white_inputs_are_logistic_and_late_times_stay_finite():
    times = jnp.array([0.0, 0.5, 2.0, 1e4])
    np.testing.assert_allclose(
        two_layer(times, 1.5, 1.0, 1e-3), logistic_mode(times, jnp.asarray(1.5), jnp.asarray(1e-3))
    )
    assert float(two_layer(1e4, 1.5, 2.0, np.exp(-120.0))) == pytest.approx(0.75)
    assert float(one_layer(1e4, 1.5, 2.0, 0.0)) == pytest.approx(0.75)


@pytest.mark.parametrize(("delta", "gap"), [(3.0, 1e-3), (6.0, 3e-6)])
def test_a_mode_is_at_its_meeting_point_when_it_is_due(delta, gap):
    sigma, spread = np.array([1.5, 1.0, 0.6]), np.array([2.0, 1.5, 1.2])
    found = two_layer(jnp.asarray(delta / sigma), sigma, spread, np.full(3, np.exp(-2 * delta)))
    limit = sequential_limit(jnp.asarray(1 / sigma), jnp.asarray(sigma), jnp.asarray(spread))
    np.testing.assert_allclose(limit, sigma / (sigma + spread))
    np.testing.assert_allclose(found, limit, atol=gap)


def test_the_limit_is_a_staircase_in_order_of_covariance_alone():
    sigma, spread = jnp.array([1.0, 0.5, -1.0, 0.0]), jnp.array([2.0, 0.1, 1.0, 1.0])
    late = [sequential_limit(jnp.full(4, time), sigma, spread) for time in (0.9, 1.5, 2.5)]
    np.testing.assert_allclose(late, [[0, 0, 0, 0], [0.5, 0, 0, 0], [0.5, 5.0, 0, 0]])


def test_white_staircase_has_the_times_of_the_saddle_to_saddle_flow():
    task = tasks.linear_teacher(jnp.diag(jnp.array([2.0, 1.0, 0.5])))
    path = linear_stages(task.moments(Monomials(3, 1)))
    np.testing.assert_allclose(path.times[1:], [0.5, 1.0, 2.0], rtol=1e-6)


def test_loss_is_that_of_the_task():
    teacher = tasks.mode_teacher(covariances=jnp.array([1.5, -0.5]), variances=jnp.array([2.0, 0.5, 1.0]), output_dim=3)
    moments, strengths = teacher.task.moments(Monomials(3, 1)), np.array([0.3, 0.8])
    left, right = np.asarray(teacher.left), np.asarray(teacher.right)
    gap = left * (strengths - np.array([0.75, -1.0])) @ right.T
    expected = np.trace(gap @ np.asarray(moments.sigma_zz) @ gap.T) / 2
    found = modes_loss(jnp.asarray(strengths), jnp.array([1.5, -0.5]), jnp.array([2.0, 0.5]))
    assert float(found) == pytest.approx(expected, rel=1e-12)
    assert float(modes_loss(jnp.ones(2), jnp.zeros(2), jnp.zeros(2))) == 0


def test_negative_variances_are_refused():
    one = jnp.ones(())
    for call in (one_layer_mode, two_layer_mode):
        with pytest.raises(OutsideDomain, match="`variance` is -1"):
            call(one, one, -one, one)
    with pytest.raises(OutsideDomain, match="must be above 0"):
        sequential_limit(one, one, jnp.zeros(()))
