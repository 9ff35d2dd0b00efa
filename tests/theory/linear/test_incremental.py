"""Thresholds of incremental learning: against the times themselves, their closed forms, and where there are none."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvable.errors import OutsideDomain, ValidityWarning
from solvable.theory import linear

RATIOS = jnp.array([1.001, 1.1, 2.0, 3.0])
ONES = jnp.ones(4)


@pytest.mark.parametrize("depth", [2, 2.5, 3, 6])
def test_at_the_threshold_one_mode_is_done_when_the_other_begins(depth):
    ratios = jnp.array([1.2, 1.5, 2.0, 3.0])
    start = np.exp(linear.incremental_threshold(ratios, ONES, depth))
    done = linear.depth_time(jnp.asarray(start), 0.9 * ratios, ratios, depth)
    begun = linear.depth_time(jnp.asarray(start), 0.1 * ONES, ONES, depth)
    assert np.asarray(done) == pytest.approx(np.asarray(begun), rel=1e-9)


def test_their_loss_has_times_as_much_longer_as_there_are_layers():
    # With the prefactor 1/(2 N^2) the flow of N = 3 weights w, sigma = w^3, takes 14.6224 from 1e-3 to a tenth of 1.7.
    def slope(_, weight):
        return weight**2 * (1.7 - weight**3) / 3

    reach = lambda _, weight: weight[0] ** 3 - 0.17  # noqa: E731
    reach.terminal = True
    flow = solve_ivp(slope, (0, 100), [0.1], events=reach, rtol=1e-11, atol=1e-13)
    ours = linear.depth_time(1e-3 * ONES, 0.17 * ONES, 1.7 * ONES, 3)
    assert 3 * float(ours[0]) == pytest.approx(flow.t_events[0][0], rel=1e-8) == pytest.approx(14.6224, rel=1e-5)


def test_two_layers_need_exponentially_and_deeper_ones_polynomially_small_starts():
    exact = {depth: np.asarray(linear.incremental_threshold(RATIOS, ONES, depth)) for depth in (2, 3, 4, 6)}
    law = linear.asymptotic_threshold(RATIOS, ONES, 2)
    # Where exp underflows, too.
    assert exact[2][0] < -4000
    assert exact[2][:2] == pytest.approx(np.asarray(law)[:2], rel=1e-12)
    assert exact[2][2:] == pytest.approx(np.asarray(law)[2:], abs=10 * np.exp(exact[2][2:]).max())
    for depth, gap in ((3, 3.1e-3), (4, 1.5e-3), (6, 7e-4)):
        near = linear.asymptotic_threshold(jnp.full(4, RATIOS[0]), ONES, depth)
        assert float(near[0]) == pytest.approx(exact[depth][0], abs=gap)


def test_one_layer_and_modes_in_the_wrong_order_are_never_incremental():
    assert np.all(np.isneginf(linear.incremental_threshold(RATIOS, ONES, 1)))
    assert np.all(np.isneginf(linear.incremental_threshold(1 / RATIOS, ONES, 3)))
    assert np.all(np.isneginf(linear.incremental_threshold(ONES, ONES, 2)))
    assert np.all(np.isneginf(linear.asymptotic_threshold(ONES, ONES, 3)))
    # Between one and two layers a large ratio makes them so.
    between = np.asarray(linear.incremental_threshold(jnp.array([2.0, 20.0, 200.0, 2000.0]), ONES, 1.5))
    assert np.isneginf(between[0])
    assert np.all(np.diff(between[1:]) > 0)


def test_requests_without_meaning_are_refused_or_warned_of():
    with pytest.raises(OutsideDomain, match="`start_share`"):
        linear.incremental_threshold(RATIOS, ONES, 2, start_share=0.9, end_share=0.1)
    with pytest.raises(OutsideDomain, match="`slow`"):
        linear.incremental_threshold(RATIOS, -ONES, 2)
    with pytest.raises(OutsideDomain, match="from 2 weight layers on"):
        linear.asymptotic_threshold(RATIOS, ONES, 1.5)
    with pytest.warns(ValidityWarning, match="too far apart"):
        linear.asymptotic_threshold(RATIOS, ONES, 3)
