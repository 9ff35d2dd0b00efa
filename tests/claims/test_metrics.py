import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.claims import fraction_wrong, max_curve_gap, max_relative_error, observables, perturbed

TIMES = {"time": [0.0, 1.0, 2.0]}
CURVE = observables(TIMES, loss=("time", [2.0, 1.0, 0.5]))


def curve(*values, dims="time", coords=TIMES):
    return observables(coords, loss=(dims, list(values)))


def test_each_metric_against_its_definition_by_hand():
    measured = curve(2.0, 1.1, 0.4)
    assert max_relative_error("loss")(CURVE, measured) == pytest.approx(0.2)
    assert max_curve_gap("loss")(CURVE, measured) == pytest.approx(0.05)
    assert fraction_wrong("loss")(CURVE, measured) == pytest.approx(2 / 3)


@given(st.floats(0.01, 100), st.floats(-0.5, 0.5))
def test_relative_measures_know_no_units(scale, shift):
    measured = curve(2.0, 1.0 + shift, 0.5)
    for metric in (max_relative_error("loss"), max_curve_gap("loss")):
        assert metric(CURVE * scale, measured * scale) == pytest.approx(metric(CURVE, measured))


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=3), st.floats(0.01, 1))
def test_perturbing_a_perfect_prediction_costs_what_was_added(values, share):
    exact = curve(*values)
    assert max_relative_error("loss")(exact, exact) == 0
    assert max_relative_error("loss")(perturbed(exact, "loss", 1 + share), exact) == pytest.approx(share / (1 + share))
    assert fraction_wrong("loss")(perturbed(exact, "loss", 1 + share), exact) == 1


def test_the_worst_of_several_observables_counts():
    prediction = observables(start=1.0, end=1.0)
    measurement = observables(start=1.01, end=1.3)
    metric = max_relative_error("start", "end")
    assert metric.name == "max_relative_error(start, end)"
    assert metric(prediction, measurement) == pytest.approx(0.3)


def test_seeds_one_by_one_or_their_mean():
    measured = observables(TIMES, loss=(("time", "seed"), np.array([[2.0, 2.0], [0.9, 1.1], [0.5, 0.5]])))
    assert max_relative_error("loss")(CURVE, measured) == pytest.approx(0.1)
    assert max_relative_error("loss", over="mean")(CURVE, measured) == pytest.approx(0.0, abs=1e-15)
    both = observables(TIMES, loss=(("seed", "time"), measured["loss"].values.T))
    assert max_relative_error("loss", over="mean")(both, measured) == 0


def test_an_exact_zero_is_met_or_missed():
    zero = observables(loss=0.0)
    assert max_relative_error("loss")(zero, zero) == 0
    assert max_relative_error("loss")(zero, observables(loss=1e-300)) == math.inf
    assert max_curve_gap("loss")(curve(0.0, 1.0, 1.0), curve(0.0, 1.0, 2.0)) == math.inf


@pytest.mark.parametrize(
    ("measured", "match"),
    [
        (observables(TIMES, error=("time", [1, 2, 3])), "measurement has no variable `loss`"),
        (curve(2.0, math.nan, 0.5), "not finite"),
        (curve(2.0, math.inf, 0.5), "not finite"),
        (curve(2.0, 1.0, coords=None), r"'time': 3.*'time': 2"),
        (curve(2.0, 1.0, 0.5, dims="step", coords=None), "'step': 3"),
        (observables(loss=(("time", "mode"), np.ones((3, 2)))), "'mode': 2"),
        (curve(2.0, 1.0, 0.5, coords={"time": [0.0, 1.0, 2.1]}), "other values of `time`"),
        (curve(dims="time", coords=None), "empty"),
    ],
)
@pytest.mark.parametrize("over", ["each", "mean"])
@pytest.mark.parametrize("kind", [max_relative_error, max_curve_gap, fraction_wrong])
def test_what_cannot_be_compared_never_passes_and_says_why(measured, match, over, kind):
    import re

    error, reason = kind("loss", over=over).compare(CURVE, measured)
    assert error == math.inf
    assert re.search(match, reason)


def test_a_nan_seed_is_not_averaged_away():
    measured = observables(TIMES, loss=(("seed", "time"), np.array([[2.0, 1.0, 0.5], [2.0, math.nan, 0.5]])))
    assert max_relative_error("loss", over="mean")(CURVE, measured) == math.inf


def test_times_that_differ_by_rounding_are_the_same_times():
    measured = curve(2.0, 1.0, 0.5, coords={"time": [0.0, 1.0 + 1e-15, 2.0]})
    assert max_relative_error("loss")(CURVE, measured) == 0
