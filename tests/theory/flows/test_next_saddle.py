"""The driver on a setting that is written out, and what every path of saddles obeys."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory.flows import Saddle, alternate, attention_stages, stage_time_unit


class Countdown:
    """Unit k is active at time k + 1 and halves the loss, for as many units as there are useful ones."""

    degree = 2

    def __init__(self, useful: int, units: int):
        self.useful, self.units = useful, units

    def start(self):
        return Saddle(1.0, np.zeros(self.units), np.ones(self.units), np.zeros(self.units))

    def wait(self, saddle):
        if saddle.unit + 1 == self.units:
            return float("inf"), saddle
        return 1.0, replace(saddle, unit=saddle.unit + 1)

    def descend(self, saddle):
        return replace(saddle, loss=saddle.loss / 2 if saddle.unit < self.useful else saddle.loss)


@pytest.mark.parametrize(("useful", "units"), [(3, 3), (2, 5), (0, 2)])
def test_the_loop_ends_without_utility_or_without_gain(useful, units):
    path = alternate(Countdown(useful, units))
    np.testing.assert_array_equal(path.times, np.arange(useful + 1.0))
    np.testing.assert_array_equal(path.loss, 0.5 ** np.arange(useful + 1))
    np.testing.assert_array_equal(path.units, np.arange(-1, useful))
    assert len(path.saddles) == useful + 1


def test_time_units():
    assert stage_time_unit(2, np.exp(-7.0)) == pytest.approx(7)
    assert stage_time_unit(3, 1e-3) == pytest.approx(1e3)
    assert stage_time_unit(4, 1e-3) == pytest.approx(1e6)
    path = attention_stages(jnp.array([1.0, 0.5]), 10)
    np.testing.assert_allclose(path.flow_times(1e-3), 1e3 * path.times)


def test_refusals():
    with pytest.raises(OutsideDomain, match=r"`init_scale` is 1.5; stages are told apart"):
        stage_time_unit(2, 1.5)
    with pytest.raises(OutsideDomain, match="`init_scale` is 0"):
        stage_time_unit(2, 0.0)
    with pytest.raises(OutsideDomain, match="`degree` is 1"):
        stage_time_unit(1, 0.1)
