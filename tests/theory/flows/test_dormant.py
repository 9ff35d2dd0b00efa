"""Activation of dormant units against closed forms, other theories of this room and the flow of the weights."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from solvable.errors import OutsideDomain
from solvable.theory.flows import activation_times, blow_up_time, first_activation


class Quadratic(eqx.Module):
    """U = w.M w / 2, whose flow is linear."""

    matrix: jax.Array

    def __call__(self, weights):
        return weights @ self.matrix @ weights / 2


class Form(eqx.Module):
    """U = v u.S u with v the last weight: a quadratic unit under the correlation S."""

    correlation: jax.Array

    def __call__(self, weights):
        return weights[-1] * (weights[:-1] @ self.correlation @ weights[:-1])


def draw_directions(count, size, seed=0, dtype=jnp.float64):
    values = jax.random.normal(jax.random.key(seed), (count, size), dtype)
    return values / jnp.linalg.norm(values, axis=1, keepdims=True)


def linear_time(rates, direction, log_norm, until):
    """When the norm of e^(rates t) direction is e^(log until - log_norm)."""

    def log_size(time):
        return np.logaddexp.reduce(2 * (rates * time + np.log(np.abs(direction)))) / 2

    return brentq(lambda time: log_size(time) + log_norm - np.log(until), 0, 1e5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(-700, -3), st.floats(0.1, 1.0), st.floats(0.2, 10.0))
def test_degree_two_grows_as_the_linear_flow(seed, log_norm, until, rate):
    rates = rate * np.array([1.0, 0.4, -0.6])
    directions = draw_directions(3, 3, seed)
    times = activation_times(
        Quadratic(jnp.diag(jnp.asarray(rates))), directions, jnp.full(3, log_norm), degree=2, until=until
    )
    expected = [linear_time(rates, np.asarray(direction), log_norm, until) for direction in directions]
    np.testing.assert_allclose(times, expected, rtol=1e-5)


def test_degree_three_is_infinite_when_the_theory_of_quadratic_units_says():
    """Theory's blow-up time is that of norm infinity: 1/(3 U) of 1/until later than ours, for settled units."""
    correlation, directions, log_norm = jnp.diag(jnp.array([1.0, 0.3, -0.5])), draw_directions(20, 4, 1), -30.0
    times = activation_times(Form(correlation), directions, jnp.full(20, log_norm), degree=3)
    scale = jnp.exp(log_norm)
    exact = blow_up_time(scale * directions[:, :3], scale * directions[:, 3], correlation).time
    np.testing.assert_allclose(times, exact, rtol=2e-4)


def test_an_aligned_unit_obeys_the_accumulated_utility():
    direction = jnp.array([[np.sqrt(2 / 3), 0.0, np.sqrt(1 / 3)]])
    utility = 2 / 27**0.5 * 1.7
    times = activation_times(
        Form(jnp.diag(jnp.array([1.7, 0.2]))), direction, jnp.log(jnp.array([1e-30])), degree=3, until=0.5
    )
    np.testing.assert_allclose(times, (1e30 - 2) / (3 * utility), rtol=1e-7)


@pytest.mark.parametrize("degree", [2, 3])
def test_all_units_are_taken_to_the_time_of_the_first(degree):
    """Each is where the flow of its own weights is at that time."""
    form = Quadratic(jnp.diag(jnp.array([1.0, 0.5, -0.2]))) if degree == 2 else Form(jnp.diag(jnp.array([1.0, 0.5])))
    directions, log_norms = draw_directions(6, 3, 3), jnp.log(jnp.linspace(0.02, 0.03, 6))
    found = first_activation(form, directions, log_norms, degree=degree)
    times = activation_times(form, directions, log_norms, degree=degree)
    np.testing.assert_allclose(found.times, jnp.min(times), rtol=1e-9)
    assert int(jnp.sum(found.active)) == 1
    assert int(jnp.argmax(found.active)) == int(jnp.argmin(times))
    steps = 20_000
    flow = jax.jit(
        lambda weights: jax.lax.fori_loop(
            0, steps, lambda _, w: w + jnp.min(times) / steps * jax.vmap(jax.grad(form))(w), weights
        )
    )
    weights = flow(directions * jnp.exp(log_norms)[:, None])
    np.testing.assert_allclose(jnp.log(jnp.linalg.norm(weights, axis=1)), found.log_norms, atol=5e-3)
    np.testing.assert_allclose(weights / jnp.linalg.norm(weights, axis=1, keepdims=True), found.directions, atol=5e-3)


def test_units_without_utility_are_never_active():
    form = Quadratic(jnp.diag(jnp.array([-1.0, -2.0])))
    directions, log_norms = jnp.array([[1.0, 0.0], [0.6, 0.8]]), jnp.full(2, -5.0)
    assert not np.any(np.isfinite(activation_times(form, directions, log_norms, degree=2)))
    assert not np.any(first_activation(form, directions, log_norms, degree=2).active)
    still = Quadratic(jnp.zeros((2, 2)))
    assert not np.any(np.isfinite(activation_times(still, directions, log_norms, degree=2)))


def test_float32():
    directions = draw_directions(4, 3, 5, jnp.float32)
    form = Form(jnp.diag(jnp.array([1.0, 0.5], jnp.float32)))
    times = activation_times(form, directions, jnp.full(4, -6.0, jnp.float32), degree=3)
    assert times.dtype == jnp.float32
    exact = activation_times(
        Form(jnp.diag(jnp.array([1.0, 0.5]))), directions.astype(float), jnp.full(4, -6.0), degree=3
    )
    np.testing.assert_allclose(times, exact, rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"degree": 1}, "`degree` is 1"),
        ({"until": 0.0}, "`until` is 0"),
        ({"directions": jnp.ones((2, 2))}, "`directions` holds a row that is not of norm 1"),
        ({"log_norms": jnp.zeros(2)}, "units must start below `until` = 0.5"),
    ],
)
def test_refusals(change, message):
    given = {"directions": jnp.eye(2), "log_norms": jnp.full(2, -5.0), "degree": 2} | change
    with pytest.raises(OutsideDomain, match=message):
        activation_times(Quadratic(jnp.eye(2)), given.pop("directions"), given.pop("log_norms"), **given)
