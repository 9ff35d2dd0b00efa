"""Exponents of synthetic learning curves: their power, its interval, floors, drift with the window, refusals."""

import jax
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.instruments import learning_exponent

SIZES = 100 * 2 ** np.arange(6)


def noisy(curve, seeds=8, size=0.05, seed=0):
    return curve * np.exp(size * np.random.default_rng(seed).normal(size=(seeds, len(curve))))


def test_interval_covers_the_power_as_often_as_it_says():
    curve, covered = 3.0 * SIZES**-0.6, 0
    for seed in range(25):
        fit = learning_exponent(SIZES, noisy(curve, seed=seed), jax.random.key(seed), floor=False, resamples=200)
        covered += fit.interval[0] <= 0.6 <= fit.interval[1]
    # Resampled eight seeds are a little too sure.
    assert 0.8 <= covered / 25 < 1
    assert fit.exponent == pytest.approx(0.6, abs=0.03)
    np.testing.assert_allclose(fit.curve(SIZES), curve, rtol=0.1)
    np.testing.assert_allclose(fit.windows, 0.6, atol=0.1)
    np.testing.assert_allclose(fit.local, 0.6, atol=0.2)


def test_a_floor_is_found_that_a_straight_line_would_take_for_a_smaller_power():
    curve = 3.0 * SIZES**-0.6 + 0.05
    errors = noisy(curve, size=1e-3)
    line = learning_exponent(SIZES, errors, jax.random.key(0), floor=False, resamples=20)
    fit = learning_exponent(SIZES, errors, jax.random.key(0), resamples=20)
    assert line.exponent == pytest.approx(0.341, abs=2e-3)
    assert line.floor == 0
    assert fit.exponent == pytest.approx(0.6, abs=0.01)
    assert fit.floor == pytest.approx(0.05, rel=0.02)
    assert fit.interval[0] < 0.6 < fit.interval[1]
    # Sizes that were not seen: only the floor extrapolates.
    beyond = 3.0 * 12800**-0.6 + 0.05
    assert fit.curve(np.array([12800.0]))[0] == pytest.approx(beyond, rel=0.02)
    assert line.curve(np.array([12800.0]))[0] < 0.8 * beyond
    # A power law has none, nor has a curve that bends down.
    for other in (3.0 * SIZES**-0.6, np.exp(-SIZES / 1000)):
        assert learning_exponent(SIZES, noisy(other, size=1e-3), jax.random.key(0), resamples=20).floor == 0


@pytest.mark.parametrize(
    ("sizes", "errors", "says"),
    [
        ([10, 20], np.ones((3, 2)), "at least 3"),
        ([10, 20, 30], np.ones((3, 3)), "too short a range"),
        ([10, 20, 40], np.ones((1, 3)), "two seeds"),
        ([10, 20, 40], np.array([[1.0, 1, 0], [1, 1, 1]]), "above 0"),
    ],
)
def test_what_tells_no_power_is_refused(sizes, errors, says):
    with pytest.raises(OutsideDomain, match=says):
        learning_exponent(np.array(sizes), errors, jax.random.key(0))
