"""Mode strengths of a map and the times of their half."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable import instruments, networks, numerics
from solvable.errors import OutsideDomain


def test_strengths_are_the_diagonal_in_the_modes():
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(size, 2)))[0] for size in (4, 5))
    map_ = left @ np.diag([3.0, -1.0]) @ right.T
    network = networks.UnitLayer(
        jnp.asarray(right.T), jnp.asarray(left * [3.0, -1.0]), networks.Neuron(numerics.activations.identity)
    )
    np.testing.assert_allclose(network.coefficients(), map_, atol=1e-14)
    found = instruments.mode_strengths(network, jnp.asarray(left), jnp.asarray(right))
    np.testing.assert_allclose(found, [3.0, -1.0], atol=1e-13)
    with pytest.raises(OutsideDomain, match=r"map has shape \(4, 5\)"):
        instruments.mode_strengths(network, jnp.asarray(right), jnp.asarray(right))


def test_half_times_of_sigmoids_and_of_a_mode_that_never_learns():
    times, centres = np.linspace(0, 10, 2001), np.array([2.0, 5.0, 7.0])
    heights = np.array([1.0, -3.0, 2.0])
    strengths = heights / (1 + np.exp(-8 * (times[:, None] - centres)))
    np.testing.assert_allclose(instruments.half_learning_times(times, strengths), centres, atol=1e-3)
    found = instruments.half_learning_times(times, strengths, np.array([1.0, -3.0, 10.0]))
    np.testing.assert_allclose(found, [2.0, 5.0, np.nan], atol=1e-3)
    with pytest.raises(OutsideDomain, match="`targets` has 2 modes"):
        instruments.half_learning_times(times, strengths, np.ones(2))
