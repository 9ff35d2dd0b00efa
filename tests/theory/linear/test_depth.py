"""Balanced chains of any depth: quadrature and hypergeometric functions, inverses, limits, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import hyp2f1

from solvable.errors import OutsideDomain
from solvable.theory.linear import depth_mode, depth_time, endless_depth_time, logistic_mode, one_layer_mode

# Each depth compiles anew, so that strengths keep one shape and bisection sees few depths.
mode_of = jax.jit(depth_mode, static_argnums=3)
DEPTHS, FEW_DEPTHS = (1.0, 2.0, 2.5, 3.0, 10.0, 1e4), (1.0, 2.0, 1e4)


def by_quadrature(start, end, target, depth):
    """In ln u, which stays smooth from very small strengths."""
    rate = lambda log: np.exp(log * (2 / depth - 1)) / (target - np.exp(log)) / depth  # noqa: E731
    return quad(rate, np.log(start), np.log(end), epsabs=0, epsrel=1e-11, limit=400)[0]


@pytest.mark.parametrize("depth", DEPTHS)
def test_times_are_integrals_of_the_flow(depth):
    starts, ends = np.array([1e-8, 1e-3, 0.3, 1.8, 4.0, 2.2]), np.array([1e-3, 1.9, 1.0, 1.99, 2.1, 2.0001])
    found = depth_time(jnp.asarray(starts), jnp.asarray(ends), jnp.full(6, 2.0), depth)
    expected = [by_quadrature(start, end, 2.0, depth) for start, end in zip(starts, ends, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("depth", [3, 5, 30])
def test_the_printed_hypergeometric_form(depth):
    q = 1 - 2 / depth
    primitive = lambda x: -(x**-q) / q * hyp2f1(1, -q, 1 - q, x)  # noqa: E731
    expected = 2.0 ** (2 / depth - 2) / depth * (primitive(0.95) - primitive(0.05))
    assert float(depth_time(jnp.asarray(0.1), jnp.asarray(1.9), jnp.asarray(2.0), float(depth))) == pytest.approx(
        expected, rel=1e-12
    )


@pytest.mark.parametrize("depth", FEW_DEPTHS)
def test_strength_and_time_are_inverse(depth):
    starts, ends = jnp.array([1e-6, 0.2, 1.0, 5.0, 2.5, 1e-3]), jnp.array([1.999, 1.0, 1.5, 2.3, 2.001, 1e-2])
    times = depth_time(starts, ends, jnp.full(6, 2.0), depth)
    np.testing.assert_allclose(mode_of(times, jnp.full(6, 2.0), starts, depth), ends, rtol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-6, 5), st.floats(0.1, 4), st.floats(0, 1), st.sampled_from(FEW_DEPTHS))
def test_learning_is_monotonic_and_never_passes_the_target(start, target, share, depth):
    times = jnp.asarray([0.0, share, 2 * share + 0.01, 4.0, 30.0, 1e4]) / depth
    path = np.asarray(mode_of(times, jnp.full(6, target), jnp.full(6, start), depth))
    assert path[0] == pytest.approx(start, rel=1e-9)
    assert np.all(np.diff(path) * np.sign(target - start) >= -1e-12)
    assert np.all((path - target) * (start - target) >= -1e-12)


def test_two_layers_are_logistic_and_one_is_exponential():
    times, target, start = jnp.linspace(0, 4, 6), jnp.full(6, 1.5), jnp.full(6, 0.01)
    np.testing.assert_allclose(mode_of(times, target, start, 2.0), logistic_mode(times, target, start), rtol=1e-11)
    linear = one_layer_mode(times, target, jnp.ones(6), start)
    np.testing.assert_allclose(mode_of(times, target, start, 1.0), linear, rtol=1e-10)


def test_scaled_time_tends_to_that_of_endless_depth():
    start, end, target = jnp.asarray(0.1), jnp.asarray(1.9), jnp.asarray(2.0)
    endless = float(endless_depth_time(start, end, target))
    printed = np.log(1.9 * -1.9 / (0.1 * -0.1)) / 4 + 1 / 0.2 - 1 / 3.8
    assert endless == pytest.approx(printed, rel=1e-12)
    scaled = [depth * float(depth_time(start, end, target, depth)) * 2 ** (-2 / depth) for depth in (1e2, 1e3, 1e4)]
    gaps = np.abs(np.array(scaled) - endless)
    np.testing.assert_allclose(gaps[:-1] / gaps[1:], 10, rtol=0.05)


def test_the_depth_that_slows_learning_is_bought_back_by_the_learning_rate():
    steps = [294.44, 430.18, 626.11, 866.32, 1097.2, 1196.1, 1237.1]
    for depth, expected in zip((2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0), steps, strict=True):
        time = float(depth_time(jnp.asarray(0.1), jnp.asarray(1.9), jnp.asarray(2.0), depth))
        assert time * depth * 2 ** (2 - 2 / depth) / 0.02 == pytest.approx(expected, abs=0.06)


def test_at_and_across_the_target():
    starts, ends = jnp.array([0.5, 3.0, 0.5, 1.0, 0.5, 1.0]), jnp.array([2.0, 2.0, 3.0, 0.5, 1.0, 1.0])
    found = depth_time(starts, ends, jnp.full(6, 2.0), 3.0)
    np.testing.assert_array_equal(found[:3], [np.inf, np.inf, np.nan])
    assert float(found[3]) == -float(found[4])
    assert float(found[5]) == 0
    np.testing.assert_array_equal(mode_of(jnp.full(6, 7.0), jnp.full(6, 2.0), jnp.full(6, 2.0), 2.0), 2)


def test_single_precision_and_very_long_times():
    times, target, start = (
        jnp.asarray([0.0, 1.0, 1e4], jnp.float32),
        jnp.full(3, 2, jnp.float32),
        jnp.full(3, 0.5, jnp.float32),
    )
    found = mode_of(times, target, start, 2.0)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, [0.5, 2 / (1 + 3 * np.exp(-4)), 2], rtol=1e-5)


def test_may_be_compiled_around_fixed_strengths():
    fixed = jnp.asarray(0.1)
    assert np.isfinite(float(jax.jit(lambda end: depth_time(fixed, end, jnp.asarray(2.0), 3.0))(jnp.asarray(1.0))))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.1, 1.0, 2.0, 0.5), "`depth` is 0.5"),
        ((0.0, 1.0, 2.0, 2.0), "`start` is 0"),
        ((0.1, -1.0, 2.0, 2.0), "`end` is -1"),
        ((0.1, 1.0, 0.0, 2.0), "`target` is 0"),
    ],
)
def test_refuses_chains_that_do_not_move(arguments, message):
    *strengths, depth = arguments
    with pytest.raises(OutsideDomain, match=message):
        depth_time(*map(jnp.asarray, strengths), depth)
