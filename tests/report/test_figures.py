import io
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from solvable.claims import Source, max_relative_error, observables
from solvable.report import draw_default, figure_of

TIME = ("time", [0.0, 1.0, 2.0], {"long_name": "time", "units": "1/rate", "scale": "symlog"})
CURVES = np.array([[1.0, 0.5, 0.2], [1.0, 0.8, 0.7]])


def axes():
    return Figure().subplots()


def evidence(prediction, measurement, *variables, reason="", draw=None, says="It decays as $r_1$ and `r_2`."):
    claim = SimpleNamespace(
        source=Source("toy2020", "Eq. 1", "exact"), metric=max_relative_error(*variables), says=says
    )
    if draw:
        claim.draw = draw
    verdict = SimpleNamespace(verdict="holds", as_expected=not reason, error=0.1, tolerance=0.2, reason=reason)
    return SimpleNamespace(claim=claim, prediction=prediction, measurement=measurement, verdict=verdict)


def test_theory_is_a_line_and_measurement_is_markers_with_bars_over_seeds():
    theory = observables({"time": TIME}, loss=(("mode", "time"), CURVES, {"long_name": "train loss", "scale": "log"}))
    seeds = CURVES[None] * np.array([0.9, 1.1])[:, None, None]
    measured = observables({"time": TIME}, loss=(("seed", "time", "mode"), seeds.swapaxes(1, 2)))
    ax = axes()
    draw_default(ax, theory, measured, "loss")
    bars = [box for box in ax.containers if isinstance(box, ErrorbarContainer)]
    lines = [line for line in ax.lines if line.get_marker() == "None" and np.size(line.get_xdata()) == 3]
    assert len(bars) == len(lines) >= 2
    for line, bar, curve in zip(lines, bars, CURVES, strict=False):
        assert np.array_equal(line.get_ydata(), curve)
        assert np.allclose(bar.lines[0].get_ydata(), curve)
        assert line.get_color() == bar.lines[0].get_color()
        tops = np.array([segment[1, 1] for segment in bar.lines[2][0].get_segments()])
        assert np.allclose(tops, 1.1 * curve)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (1/rate)", "train loss")
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "log")
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["theory", "measured", "mode 0", "mode 1"]


def test_single_numbers_words_and_long_curves_can_be_drawn():
    ax = axes()
    draw_default(ax, observables(slope=0.4), observables(slope=("seed", [0.39, 0.42])), "slope")
    assert np.all(np.asarray(ax.lines[0].get_ydata()) == 0.4)
    ax = axes()
    data = observables({"mode": ["first", "second"]}, rank=("mode", [1, 2]))
    draw_default(ax, data, data, "rank")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["first", "second"]
    ax = axes()
    data = observables(loss=("step", np.linspace(1, 0, 10_000)))
    draw_default(ax, data, data, "loss")
    assert [np.size(box.lines[0].get_xdata()) for box in ax.containers if isinstance(box, ErrorbarContainer)] == [40]


def test_a_missing_observable_is_a_key_error():
    with pytest.raises(KeyError, match="rank"):
        draw_default(axes(), observables(loss=1.0), observables(loss=1.0), "rank")


def test_the_figure_has_a_panel_an_observable_a_title_and_a_caption():
    data = observables({"time": TIME}, loss=("time", [1.0, 0.5, 0.2]), rank=("time", [1, 1, 2]))
    figure = figure_of(evidence(data, data, "loss", "rank"))
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss", "rank"]
    assert figure.get_suptitle() == "It decays as $r_1$ and `r_2`."
    assert figure.get_supxlabel() == "toy2020, Eq. 1: error 0.1, tolerance 0.2, holds"


def test_a_claim_may_draw_itself():
    data = observables(loss=1.0, rank=1.0)
    figure = figure_of(evidence(data, data, "loss", "rank", draw=lambda ax, *sides: ax.plot(range(len(sides)))))
    assert len(figure.axes) == len(figure.axes[0].lines) == 1


def test_what_could_not_be_compared_is_written_out():
    nothing = observables()
    figure = figure_of(evidence(nothing, nothing, "loss", reason="The loss is not finite from step 7."))
    assert figure.axes[0].texts[0].get_text() == "The loss is not finite from step 7."
    assert "against expectation" in figure.get_supxlabel()


@settings(max_examples=10, deadline=None)
@given(st.text(min_size=1, max_size=200))
def test_any_sentence_can_be_a_title(says):
    data = observables(loss=1.0)
    with pytest.MonkeyPatch.context() as patch, io.BytesIO() as file:
        # Fonts lack most of Unicode: that warning is not about the figure.
        patch.setattr("warnings.warn", lambda *_, **__: None)
        figure_of(evidence(data, data, "loss", says=says)).savefig(file, dpi=20)
        assert file.tell() > 100


def test_drawing_leaves_pyplot_alone():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    data = observables(loss=1.0)
    figure_of(evidence(data, data, "loss"))
    assert plt.get_fignums() == before
