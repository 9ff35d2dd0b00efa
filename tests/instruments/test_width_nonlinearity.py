"""The table of activations says what is true of them."""

import jax
import numpy as np
import pytest

from solvable.instruments.width.nonlinearity import _KNOWN, _POWERS, find_nonlinearity
from solvable.numerics import activations

GRID = np.linspace(-6, 6, 4001)


@pytest.mark.parametrize("name", [*_POWERS, *_KNOWN])
def test_symmetries_and_slopes_of_the_table(name):
    known = find_nonlinearity(name)
    values = known.function(GRID)
    if known.degree is not None:
        np.testing.assert_allclose(known.function(2.5 * GRID), 2.5**known.degree * values, rtol=1e-12)
    else:
        points = GRID[np.abs(GRID) > 0.5]
        assert np.ptp(known.function(2 * points) / known.function(points)) > 1e-3
    if known.parity:
        np.testing.assert_allclose(known.function(-GRID), known.parity * values, rtol=1e-12, atol=1e-12)
    for reach in (0.3, 1.0, 2.5, 6.0):
        inside = np.abs(GRID) <= reach + 1e-12
        steepest = np.abs(np.diff(values[inside]) / np.diff(GRID[inside])).max()
        assert steepest <= known.slope(reach) * (1 + 1e-9)
    assert steepest > 0.75 * known.slope(6.0)


def test_names_functions_and_activations_are_the_same():
    for name, function, activation in (
        ("relu", jax.nn.relu, activations.relu),
        ("tanh", jax.numpy.tanh, activations.tanh),
        ("sigmoid", jax.nn.sigmoid, activations.sigmoid),
    ):
        described = [find_nonlinearity(given) for given in (name, function, activation)]
        assert len({(one.degree, one.parity, one.slope(1.0)) for one in described}) == 1
    assert find_nonlinearity(activations.cube).degree == 3
