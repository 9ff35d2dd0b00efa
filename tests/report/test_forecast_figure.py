"""The forecast's figure and table: what is drawn where, and that nothing lies on top of anything else."""

import io
import re

import numpy as np
import pytest
import xarray as xr
from matplotlib.container import ErrorbarContainer
from rich.console import Console

from solvable.report.forecast_figure import forecast_figure
from solvable.report.tables import stage_table

STEPS = np.arange(0, 1001, 5)
STAGE_STEPS = [150.0, 300.0, 480.0, 800.0]


def result(seeds=3, stages=4, model="linear"):
    """A forecast made up of sigmoids."""
    falls = 1 / (1 + np.exp((STEPS[None] - np.array(STAGE_STEPS[:stages])[:, None]) / 15))
    loss = falls.sum(0) / stages
    names = [f"trouser + pullover against ankle boot {number}" for number in range(stages)]
    variables = {
        "predicted_loss": ("time", loss),
        "predicted_step": ("stage", STAGE_STEPS[:stages]),
        "learned": ("stage", np.array(names)),
    }
    if model == "linear":
        variables["predicted_strength"] = (("time", "mode"), 1 - falls.T)
    if seeds:
        noise = 1 + 0.01 * np.arange(seeds)[:, None]
        variables["measured_loss"] = (("seed", "time"), loss * noise)
        variables["measured_strength"] = (("seed", "time", "mode_measured"), (1 - falls.T)[None] * noise[:, :, None])
    attrs = {"model": model, "engine": "narrow-network forecast", "strength": "singular values"}
    return xr.Dataset(variables, {"step": ("time", STEPS)}, attrs)


def drawn(figure):
    figure.savefig(io.BytesIO(), dpi=80)
    return figure.axes


def test_theory_is_a_line_and_training_is_markers_with_bars_over_seeds():
    loss, strength = drawn(forecast_figure(result()))
    np.testing.assert_array_equal(loss.lines[0].get_xdata(), STEPS)
    assert loss.lines[0].get_linestyle() == "-"
    bars = [box for box in loss.containers if isinstance(box, ErrorbarContainer)]
    assert len(bars) == 1
    assert bars[0].has_yerr
    assert len(strength.containers) == 4
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["theory", "training"]
    assert strength.get_xlabel() == "gradient step"
    assert "loss" in loss.get_ylabel()


def test_one_seed_has_no_bars_and_no_training_no_markers():
    loss, _ = drawn(forecast_figure(result(seeds=1)))
    assert not loss.containers[0].has_yerr
    loss, strength = drawn(forecast_figure(result(seeds=0)))
    assert not loss.containers
    assert not strength.containers


def test_a_forecast_that_ends_is_a_line_that_ends():
    found = result(stages=1, model="relu")
    found["predicted_loss"] = found["predicted_loss"].where(found["step"] < 300)
    loss, strength = drawn(forecast_figure(found))
    assert np.isnan(loss.lines[0].get_ydata()[-1])
    assert len(strength.containers) == 1


def test_names_of_stages_stay_inside_and_apart():
    figure = forecast_figure(result())
    loss, _ = drawn(figure)
    boxes = [text.get_window_extent() for text in loss.texts]
    assert [text.get_text()[:2] for text in loss.texts] == ["1:", "2:", "3:", "4:"]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
        assert loss.bbox.x0 <= box.x0
        assert box.x1 <= loss.bbox.x1
    legend = loss.get_legend().get_window_extent()
    assert not any(box.overlaps(legend) for box in boxes)


ROW = {
    "stage": 1, "learned": "3 and 5 alike", "singular_value": 4.583, "predicted_step": 108.2, "scatter": 0.34,
    "predicted_loss": 0.26209, "level": 0.2587, "measured_step": 109.1, "measured_step_std": None,
    "measured_loss": 0.2621, "measured_loss_std": None,
}  # fmt: skip
MISSING = dict.fromkeys(ROW) | {"stage": 2, "measured_step": 475.0, "measured_step_std": 12.34}


def printed(rows, width):
    file = io.StringIO()
    Console(file=file, width=width).print(stage_table(rows))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_a_stage_is_one_line_of_forecast_and_measurement(width):
    lines = printed([ROW, MISSING], width).strip("\n").splitlines()
    assert len(lines) == 5
    assert re.search(r"1 +3 and 5 alike +4\.58 +108 ± 0\.3 +109 +0\.2621 +0\.2621", lines[3])
    assert re.search(r"2 +no forecast +475 ± 12\s*$", lines[4])


def test_sixty_columns_lose_no_number():
    text = printed([ROW, MISSING], 60)
    assert all(len(line) <= 60 for line in text.splitlines())
    assert "…" not in text
    assert all(number in text for number in ("4.58", "108", "0.3", "109", "0.2621", "475"))
