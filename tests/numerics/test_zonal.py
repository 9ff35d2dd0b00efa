"""Zonal polynomials against SciPy and against their definitions, to the last level."""

from math import comb

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import eval_gegenbauer

from solvable import numerics
from solvable.errors import OutsideDomain


def test_gegenbauer_is_scipys_divided_by_its_value_at_1():
    cosines = np.linspace(-1, 1, 9)
    expected = [eval_gegenbauer(k, 6.5, cosines) / eval_gegenbauer(k, 6.5, 1.0) for k in range(25)]
    np.testing.assert_allclose(numerics.gegenbauer(jnp.asarray(cosines), 15, 25), expected, atol=1e-13)


def test_in_two_dimensions_they_are_chebyshevs():
    cosines = np.linspace(-1, 1, 9)
    expected = np.cos(np.arange(20)[:, None] * np.arccos(cosines))
    np.testing.assert_allclose(numerics.gegenbauer(jnp.asarray(cosines), 2, 20), expected, atol=1e-13)


def test_krawtchouk_is_the_alternating_sum_at_every_level():
    d = 30
    expected = [
        [sum((-1) ** j * comb(h, j) * comb(d - h, k - j) for j in range(k + 1)) / comb(d, k) for h in range(d + 1)]
        for k in range(d + 1)
    ]
    cosines = jnp.asarray(1 - 2 * np.arange(d + 1) / d)
    np.testing.assert_allclose(numerics.krawtchouk(cosines, d, d + 1), expected, rtol=1e-10, atol=1e-15)


def test_multiplicities_count_harmonics():
    np.testing.assert_array_equal(numerics.sphere_multiplicities(15, 7), [1, 15, 119, 665, 2940, 10948, 35700])
    np.testing.assert_array_equal(numerics.sphere_multiplicities(2, 4), [1, 2, 2, 2])
    np.testing.assert_array_equal(numerics.sphere_multiplicities(3, 1), [1])
    assert numerics.hypercube_multiplicities(8).sum() == 256


def test_refusals():
    with pytest.raises(OutsideDomain, match="hypercube of 3 dimensions has 4"):
        numerics.krawtchouk(jnp.ones(2), 3, 5)
    with pytest.raises(OutsideDomain, match="1e308"):
        numerics.sphere_multiplicities(1000, 1000)
    with pytest.raises(OutsideDomain, match="input_dim"):
        numerics.gegenbauer(jnp.ones(2), 1, 3)


def test_cumulative_power_goes_along_falling_eigenvalues_and_ends_at_1():
    shares = numerics.cumulative_power(jnp.array([0.1, 2.0, 1.0]), jnp.array([1.0, 5.0, 4.0]))
    np.testing.assert_allclose(shares, [0.5, 0.9, 1.0])
