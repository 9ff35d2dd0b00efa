"""The figure of the two phases shows every curve and the level of the reference."""

import numpy as np
from matplotlib.figure import Figure

from solvable.instruments import information_curves
from solvable.report import draw_information_curves


def test_every_curve_and_the_level_are_drawn():
    rng = np.random.default_rng(0)
    labels, early, late = rng.integers(0, 2, (3, 200))
    axes = Figure().subplots()
    artists = draw_information_curves(axes, information_curves({16: early, 256: late}, early, labels))
    shown = [text.get_text() for text in axes.legend().get_texts()]
    assert len(shown) == 4
    assert any("reference" in text for text in shown)
    assert all(artist.axes is axes for artist in artists)
    assert axes.get_xscale() == "log"
