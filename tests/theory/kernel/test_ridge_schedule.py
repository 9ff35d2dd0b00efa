"""Ridge schedules: published exponents, special cases, the closed form against sums over modes, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable import theory
from solvable.errors import OutsideDomain, ValidityWarning

SAMPLES = jnp.array([100.0, 1000.0, 10000.0])


@pytest.mark.parametrize(
    ("capacity", "source", "ridge_power", "rate"),
    [
        (2.0, 0.75, 0.5, 0.75),
        (2.0, 1.0, 0.4, 0.8),
        (2.0, 3.0, 0.4, 0.8),
        (1.5, 0.6, 1.5 / 2.8, 0.642857),
        (np.inf, 0.75, 0.5, 1.0),
        (np.inf, 0.5, 0.5, 1.0),
    ],
)
def test_powers_of_the_schedule(capacity, source, ridge_power, rate):
    samples = np.asarray(SAMPLES)
    ridge = theory.kernel.scheduled_ridge(SAMPLES, capacity, source)
    np.testing.assert_allclose(ridge / samples, samples**-ridge_power, rtol=1e-6)
    np.testing.assert_allclose(theory.kernel.scheduled_rate(SAMPLES, capacity, source), samples**-rate, rtol=1e-5)


def test_the_border_of_the_space_has_a_logarithm():
    power = 3 / 4
    share = np.log(1e4) / 1e4
    np.testing.assert_allclose(theory.kernel.scheduled_ridge(1e4, 3.0, 0.5), 1e4 * share**power)
    np.testing.assert_allclose(theory.kernel.scheduled_rate(1e4, 3.0, 0.5), share**power)


def test_closed_form_nears_the_sums_over_modes():
    modes = np.arange(1, 20001.0)
    ridge = theory.kernel.scheduled_ridge(SAMPLES, 1.5, 0.6)
    exact = theory.kernel.kernel_risk(
        jnp.asarray(modes**-1.5), jnp.asarray(modes**-2.8), SAMPLES, ridge=ridge, noise=0.2
    )
    closed = theory.kernel.power_law_risk(SAMPLES, 1.5, 0.6, ridge=ridge, noise=0.2)
    gaps = np.abs(closed.excess / exact.excess - 1)
    assert np.all(np.diff(gaps) < 0)
    assert gaps[0] < 0.15
    assert gaps[-1] < 0.02
    np.testing.assert_allclose(closed.effective_ridge, exact.effective_ridge, rtol=0.02)


def test_closed_form_without_ridge():
    risk = theory.kernel.power_law_risk(300.0, 2.0, 0.75)
    np.testing.assert_allclose(risk.effective_ridge, (np.pi / 2 / 300) ** 2)
    np.testing.assert_allclose(risk.overfitting, 2.0)
    # The plateau of noise is sigma^2 (a - 1), and kappa solves its equation for steep spectra too.
    noisy = theory.kernel.power_law_risk(jnp.array([1e12]), 60.0, 0.4, noise=0.3, ridge=1e-3)
    np.testing.assert_allclose(noisy.degrees + 1e-3 / noisy.effective_ridge, 1e12, rtol=1e-9)
    plateau = theory.kernel.power_law_risk(1e9, 3.0, 0.75, noise=0.3)
    np.testing.assert_allclose(plateau.excess, 0.3 * 2, rtol=1e-6)


def test_refusals_and_warnings():
    with pytest.raises(OutsideDomain, match="`num_samples` is 1"):
        theory.kernel.scheduled_ridge(1.0, 2.0, 0.75)
    with pytest.warns(ValidityWarning, match="outside the kernel's space"):
        theory.kernel.scheduled_rate(100.0, 2.0, 0.3)
    with pytest.raises(OutsideDomain, match=r"`capacity` is 0\.5"):
        theory.kernel.power_law_risk(10.0, 0.5, 0.75)
    with pytest.raises(OutsideDomain, match=r"`source` is 1\.0"):
        theory.kernel.power_law_risk(10.0, 2.0, 1.0)
    with pytest.warns(ValidityWarning, match="relative correction of kappa"):
        theory.kernel.power_law_risk(300.0, 2.0, 0.95)
