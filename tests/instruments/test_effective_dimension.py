"""Degrees of freedom and exponents: known spectra, limits, and ranges that are too short."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.instruments import effective_dimension, fit_source_capacity


def test_degrees_of_freedom_are_those_of_the_eigenvalues():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    values = np.append(np.arange(1, 16.0), np.zeros(5))
    gram = jnp.asarray((turn * values) @ turn.T)
    found = effective_dimension(gram, jnp.asarray([0.0, 2.0, 1e9]))
    shares = values / (values + 2)
    np.testing.assert_allclose(found.df1, [15, shares.sum(), values.sum() / 1e9], rtol=1e-7)
    np.testing.assert_allclose(found.df2[:2], [15, np.sum(shares**2)], rtol=1e-10)
    assert np.all(found.df2 <= found.df1)
    with pytest.raises(OutsideDomain, match="`ridge`"):
        effective_dimension(gram, -1.0)


@pytest.mark.parametrize(("capacity", "source"), [(1.3, 0.2), (2.5, 0.7), (4.0, 0.05)])
def test_exponents_of_a_power_law_are_found_within_their_errors(capacity, source):
    """With scattered target power, as a sample has it."""
    order, rng = np.arange(1, 2001.0), np.random.default_rng(3)
    power = order ** -(1 + 2 * capacity * source) * rng.chisquare(3, order.size) / 3
    fit = fit_source_capacity(order**-capacity, power)
    assert (fit.first, fit.last) == (4, 200)
    assert fit.capacity == pytest.approx(capacity, abs=3 * fit.capacity_error + 0.02)
    assert fit.source == pytest.approx(source, abs=3 * fit.source_error)
    assert fit.source_error < 0.15


def test_a_bent_spectrum_says_so():
    order = np.arange(1, 2001.0)
    straight = fit_source_capacity(order**-2, order**-2.0)
    bent = fit_source_capacity(order**-1 * np.exp(-order / 60), order**-2.0)
    assert straight.capacity_error < 0.01 < 0.2 < bent.capacity_error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(first=5, last=30), "too short a range"),
        (dict(last=3000), "too short a range"),
        (dict(first=0), "`first`"),
        (dict(eigenvalues=np.zeros(2000)), "eigenvalue of 0"),
        (dict(target_power=np.zeros(2000)), "no power"),
        (dict(target_power=np.ones(3)), "alike"),
    ],
)
def test_ranges_that_show_nothing_are_refused(change, words):
    law = np.arange(1, 2001.0) ** -2
    with pytest.raises(OutsideDomain, match=words):
        fit_source_capacity(**(dict(eigenvalues=law, target_power=law) | change))
