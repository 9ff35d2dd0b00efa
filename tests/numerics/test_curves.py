"""Times are read off curves where the curves pass."""

import math

import jaxtyping
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.numerics import divergence_time, first_crossing

gaps = st.lists(st.floats(0.01, 10), min_size=1, max_size=20)


@given(gaps, gaps, st.floats(0.001, 0.999), st.sampled_from([-1.0, 1.0]))
def test_a_monotone_curve_is_inverted(time_gaps, value_gaps, share, direction):
    count = min(len(time_gaps), len(value_gaps))
    times, values = (np.concatenate([[0.0], np.cumsum(gaps[:count])]) for gaps in (time_gaps, value_gaps))
    level = share * values[-1]
    found = first_crossing(times, direction * values, direction * level)
    np.testing.assert_allclose(found, np.interp(level, values, times), rtol=1e-9, atol=1e-9)


def test_the_first_of_several_crossings_counts():
    times = np.linspace(0, 20, 2001)
    assert first_crossing(times, np.sin(times), -0.5) == pytest.approx(7 * np.pi / 6, abs=1e-4)


def test_a_level_never_passed_is_nan():
    assert math.isnan(first_crossing(np.arange(3.0), np.arange(3.0), 7.0))


def test_a_curve_that_starts_on_the_level_passes_it_when_it_leaves():
    assert first_crossing(np.arange(4.0), np.array([1.0, 1.0, 0.5, 0.0]), 1.0) == 1.0


@pytest.mark.parametrize(("times", "values"), [(np.arange(3.0), np.arange(2.0)), (np.ones(1), np.ones(1))])
def test_records_that_do_not_make_a_curve_are_refused(times, values, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users, who run without shape checks
    with pytest.raises(OutsideDomain, match="equally long, at least 2"):
        first_crossing(times, values, 0.0)


def test_a_pole_is_found_between_records():
    times = np.linspace(0, 2, 21)
    values = np.where(times < 1.234, 3 / (1.234 - times), np.nan)
    assert divergence_time(times, values) == pytest.approx(1.234, rel=1e-12)
    assert divergence_time(times, -values) == pytest.approx(1.234, rel=1e-12)
    assert divergence_time(times, np.exp(times)) == np.inf


def test_a_curve_that_diverges_at_once_is_refused():
    with pytest.raises(OutsideDomain, match="finite up to record 0"):
        divergence_time(np.arange(3.0), np.array([1.0, np.inf, np.inf]))
