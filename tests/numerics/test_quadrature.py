"""The softplus rule against integrals known in closed form."""

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gamma

from solvable.errors import OutsideDomain
from solvable.numerics import softplus_rule


def integrate(function, low=-72.0, high=75.0, num_nodes=512, dtype=jnp.float64):
    rule = softplus_rule(jnp.asarray(low, dtype), jnp.asarray(high, dtype), num_nodes)
    return float(jnp.sum(rule.weights * function(rule.nodes)))


@settings(deadline=None)
@given(st.floats(-0.5, 3.0))
def test_powers_at_zero_give_the_gamma_function(exponent):
    assert integrate(lambda x: x**exponent * jnp.exp(-x)) == pytest.approx(gamma(exponent + 1), rel=1e-13)


@settings(deadline=None)
@given(st.floats(-30.0, 30.0))
def test_a_knee_at_any_scale_is_resolved(log_knee):
    # int_0^inf dx / (1 + e^x / c) = ln(1 + c): flat up to ln c, then an exponential.
    knee = float(jnp.exp(log_knee))
    assert integrate(lambda x: 1 / (1 + jnp.exp(x) / knee)) == pytest.approx(float(jnp.log1p(knee)), rel=1e-12)


@settings(deadline=None)
@given(st.floats(-25.0, 2.0))
def test_a_singularity_close_to_the_end_is_resolved(log_gap):
    # int_0^inf e^x (e^x - 1 + g)^(-3/2) dx = 2 / sqrt(g).
    gap = float(jnp.exp(log_gap))
    value = integrate(lambda x: jnp.exp(-x / 2) / (-jnp.expm1(-x) + gap * jnp.exp(-x)) ** 1.5)
    assert value == pytest.approx(2 / gap**0.5, rel=1e-12)


def test_the_error_falls_exponentially_with_the_nodes():
    exact = jnp.pi  # of 1 / sqrt(e^x - 1)
    errors = [abs(integrate(lambda x: jnp.expm1(x) ** -0.5, num_nodes=n) - exact) for n in (60, 120, 240)]
    assert errors[0] < 1e-2
    assert errors[1] < 10 * errors[0] ** 2
    assert errors[2] < 1e-12


def test_dtype_follows_the_range_and_the_range_may_be_traced():
    rule = softplus_rule(jnp.float32(-60), jnp.float32(60))
    assert rule.nodes.dtype == rule.weights.dtype == jnp.float32
    assert integrate(lambda x: jnp.exp(-x), dtype=jnp.float32) == pytest.approx(1.0, rel=1e-5)
    nodes = jax.jit(lambda high: softplus_rule(jnp.float64(-60), high).nodes)(jnp.float64(2.0))
    assert nodes[-1] == jax.nn.softplus(2.0)


def test_too_few_nodes_are_refused():
    with pytest.raises(OutsideDomain, match="`num_nodes` is 1"):
        softplus_rule(jnp.float64(-1), jnp.float64(1), 1)
