"""Growth under constant gradients: against integration, between depths, and in its limits."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvable.errors import OutsideDomain
from solvable.theory import linear

INF = jnp.array(np.inf)


@pytest.mark.parametrize("depth", [1, 1.5, 2, 3, 5])
def test_modes_grow_as_their_equation_says(depth):
    start, rates = 1e-2, np.array([1.5, 0.9, -0.4])
    time = float(linear.escape_time(jnp.array(start), jnp.array(0.3), jnp.array(rates[0]), depth))
    flow = solve_ivp(lambda _, u: depth * u ** (2 - 2 / depth) * rates, (0, time), 3 * [start], rtol=1e-11, atol=1e-14)
    assert flow.y[0, -1] == pytest.approx(0.3, rel=1e-8)
    grown = linear.follower_growth(jnp.array(30.0), jnp.asarray(rates[1:] / rates[0]), depth)
    assert start * np.asarray(grown) == pytest.approx(flow.y[1:, -1], rel=1e-7)


def test_depths_around_two_agree_with_two():
    given = (jnp.array(1e-6), jnp.array(0.1), jnp.array(2.0))
    two, near = linear.escape_time(*given, 2), linear.escape_time(*given, 2 + 1e-7)
    assert float(near) == pytest.approx(float(two), rel=1e-5)
    assert float(two) == pytest.approx(np.log(1e5) / 4)
    growth = jnp.array(1e4), jnp.array(0.3)
    assert float(linear.follower_growth(*growth, 2)) == pytest.approx(1e4**0.3)
    assert float(linear.follower_growth(*growth, 2 + 1e-7)) == pytest.approx(1e4**0.3, rel=1e-5)


def test_limits_are_limits_and_never_nan():
    assert float(linear.escape_time(jnp.array(1e-3), INF, jnp.array(2.0), 4)) == pytest.approx(1e-3**-0.5 / 4)
    assert np.isinf(linear.escape_time(jnp.array(1e-3), INF, jnp.array(2.0), 2))
    assert np.isinf(linear.escape_time(jnp.array(1e-3), jnp.array(1.0), jnp.array(0.0), 3))
    ratios = jnp.array([1.0, 0.5, 0.0, -1.0])
    assert np.asarray(linear.follower_growth(INF, ratios, 4)) == pytest.approx([np.inf, 4.0, 1.0, 0.25])
    assert np.asarray(linear.follower_growth(INF, ratios, 2)) == pytest.approx([np.inf, np.inf, 1.0, 0.0])
    assert np.asarray(linear.follower_growth(INF, ratios, 1)[2:3]) == pytest.approx([1.0])


def test_strengths_without_meaning_are_refused():
    with pytest.raises(OutsideDomain, match="`start`"):
        linear.escape_time(jnp.array(0.0), INF, jnp.array(1.0), 3)
    with pytest.raises(OutsideDomain, match="`leader_growth`"):
        linear.follower_growth(jnp.array(0.5), jnp.array(0.5), 3)
    with pytest.raises(OutsideDomain, match="`gradient_ratio`"):
        linear.follower_growth(jnp.array(2.0), jnp.array(1.5), 3)
