"""The diagonal engine: the staircase of an orthogonal design by hand, measured stages, and what it refuses."""

import json

import numpy as np
import pytest

import solvable
from solvable.errors import OutsideDomain
from solvable.forecasting import Settings
from solvable.forecasting.engines import predict
from solvable.tasks import make_samples

QUICK = {"model": "diagonal", "init_scale": 1e-8, "learning_rate": 0.02}


def orthogonal(strengths, num_samples=32):
    """White inputs and the target with these coefficients on them."""
    rng = np.random.default_rng(0)
    inputs = np.linalg.qr(rng.normal(size=(num_samples, len(strengths))))[0] * np.sqrt(num_samples)
    return inputs, inputs @ np.array(strengths)


def test_on_white_inputs_each_coordinate_is_learned_at_log_of_the_scale_over_its_coefficient():
    inputs, targets = orthogonal([1.0, 0.0, -2.0, 0.5])
    found = predict(make_samples(inputs, targets), Settings(**QUICK), ["y"])
    assert [stage["learned"] for stage in found.stages] == ["input 2 (-)", "input 0 (+)", "input 3 (+)"]
    times = np.log(1e8) / np.array([2.0, 1.0, 0.5]) / QUICK["learning_rate"]
    assert [stage["predicted_step"] for stage in found.stages] == pytest.approx(times)
    assert [stage["level"] for stage in found.stages] == pytest.approx([0.625, 0.125, 0.0], abs=1e-9)
    assert [stage["singular_value"] for stage in found.stages] == pytest.approx([2.0, 1.0, 0.5])
    # Half way to the first stage nothing is learned, and around it the loss is not foretold.
    assert found.loss[np.searchsorted(found.steps, times[0] / 2)] == pytest.approx(2.625)
    assert np.isnan(found.loss[np.searchsorted(found.steps, times[0])])


def test_training_follows_the_staircase():
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(40, 8)) * np.linspace(1.5, 0.7, 8)
    targets = inputs @ np.array([1.0, 0, -2, 0, 0, 1.5, 0, 0])
    result = solvable.forecast(inputs, targets, **QUICK)
    assert result.attrs["curve_gap"] < 0.03
    assert result["measured_step"].values[0] == pytest.approx(result["predicted_step"].values, rel=0.05)
    assert result["measured_stage_loss"].values[0] == pytest.approx(result["predicted_stage_loss"].values, abs=0.02)
    assert list(result["learned"].values) == ["input 0 (+)", "input 2 (-)", "input 5 (+)"]
    assert "limit of small weights" in json.loads(result.attrs["warnings"])[0]


def test_two_classes_are_two_signs():
    inputs, targets = orthogonal([1.0, 0.0])
    labels = np.where(targets > 0, "up", "down")
    result = solvable.forecast(inputs, labels=labels, train=False, **QUICK)
    assert result["learned"].values[0] == "input 0 (+)"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"init_scale": 1.0}, "`init_scale` is 1"),
        ({"learning_rate": 0.9}, "`learning_rate` is 0.9.*stable below 0.5"),
    ],
)
def test_what_leads_nowhere_is_refused(changes, words):
    inputs, targets = orthogonal([1.0, 0.0, -2.0, 0.5])
    with pytest.raises(OutsideDomain, match=words):
        solvable.forecast(inputs, targets, **(QUICK | changes))


def test_several_outputs_are_refused():
    inputs, targets = orthogonal([1.0, 2.0])
    with pytest.raises(OutsideDomain, match="one output and these data 2"):
        solvable.forecast(inputs, np.stack([targets, -targets], axis=1), **QUICK)
    with pytest.raises(OutsideDomain, match="do not correlate"):
        solvable.forecast(inputs, 0 * targets, **QUICK)
