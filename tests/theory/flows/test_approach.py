"""The closest approach to a saddle: limits, and a direct integration of the two competing modes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable import theory
from solvable.errors import OutsideDomain


@settings(max_examples=30, deadline=None)
@given(learned=st.floats(0.5, 5), share=st.floats(0.05, 0.95), imbalance=st.floats(-4, 4))
def test_the_exponent_is_that_of_the_point_where_two_exponentials_meet(learned, share, imbalance):
    following = share * learned
    # The Jacobian of turning the unit in use, whose weights have |u||v| = learned and |u|^2 - |v|^2 = imbalance.
    mean = np.sqrt(learned**2 + imbalance**2 / 4)
    turning = np.array([[-(mean + imbalance / 2), following], [following, -(mean - imbalance / 2)]])
    rate = -np.linalg.eigvalsh(turning)[-1]
    logs, times = np.log([1e-8, 1e-6]), np.linspace(0, 800, 400_001)
    gaps = [np.min(np.maximum(-rate * times, 2 * log + 2 * following * times)) for log in logs]
    slope = np.diff(gaps)[0] / np.diff(logs)[0]
    found = float(theory.flows.closest_approach_exponent(learned, following, imbalance=imbalance))
    assert found == pytest.approx(slope, abs=0.01)


def test_limits():
    exponent = theory.flows.closest_approach_exponent
    assert float(exponent(2.0, 2.0)) == 0
    assert float(exponent(2.0, 1e-9)) == pytest.approx(2)
    assert float(exponent(2.0, 1.0)) == pytest.approx(2 / 3)
    # An unbalanced unit turns more slowly, and lets the next mode come closer.
    assert float(exponent(2.0, 1.0, imbalance=1.0)) < float(exponent(2.0, 1.0))


def test_modes_out_of_order_are_refused():
    with pytest.raises(OutsideDomain, match="`following` is 3"):
        theory.flows.closest_approach_exponent(2.0, 3.0)
    with pytest.raises(OutsideDomain, match="`learned` is -1"):
        theory.flows.closest_approach_exponent(-1.0, -2.0)
