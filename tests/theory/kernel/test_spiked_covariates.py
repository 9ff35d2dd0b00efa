"""Products of spheres: closed form against quadrature, known risks, and powers of the dimension."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable import numerics
from solvable.errors import OutsideDomain
from solvable.theory import kernel as theory

POWER = jnp.array([0, 0.4, 0.3, 0.3])


def test_the_closed_form_is_the_quadrature():
    """Of the Gaussian kernel of width w, which is exp(a t1 + b t2) times a number."""
    width, strong, weak = 1.2, 1.5, 0.7
    found = theory.spiked_spectrum(numerics.GaussianKernel(width), 4, 7, 6, signal_radius=strong, noise_radius=weak)
    a, b = strong**2 / width**2, weak**2 / width**2
    closed = theory.exponential_spiked_spectrum(4, 7, 6, signal_inner=a, noise_inner=b)
    factor = np.exp(-a - b)
    np.testing.assert_allclose(found.eigenvalues, factor * np.asarray(closed.eigenvalues), rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(found.remainder, factor * np.asarray(closed.remainder), rtol=1e-3)
    np.testing.assert_array_equal(found.multiplicities[:3, 1], 7 * numerics.sphere_multiplicities(4, 3))
    # Without noise dimensions it is the one sphere.
    single = theory.exponential_spiked_spectrum(4, 0, 6, signal_inner=a)
    sphere = theory.sphere_spectrum(numerics.GaussianKernel(width), 4, 6, radius=strong)
    np.testing.assert_allclose(single.eigenvalues[:, 0], np.asarray(sphere.eigenvalues) * np.exp(a), rtol=1e-10)
    large = theory.exponential_spiked_spectrum(5000, 0, 4, signal_inner=50.0)
    assert np.all(np.isfinite(large.eigenvalues))
    np.testing.assert_allclose(
        large.remainder + np.sum(large.eigenvalues * large.multiplicities), np.exp(50.0), rtol=1e-9
    )


def test_risks_of_an_independent_calculation():
    known = {0.0: [0.823, 0.697, 0.582, 0.470], 0.6: [0.438, 0.244, 0.0732, 0.03030]}
    for exponent, expected in known.items():
        spectrum = theory.exponential_spiked_spectrum(5, 35, 9, signal_inner=5 * 40**exponent / 40, noise_inner=1.0)
        risk = theory.spiked_risk(spectrum, POWER, jnp.array([100.0, 300.0, 1000.0, 2000.0]), ridge=1e-3, noise=0.01)
        np.testing.assert_allclose(risk.test, expected, rtol=3e-3)
    # From the number of samples that half of a degree needs, its learnability is one half.
    half = theory.half_learning_samples(spectrum, ridge=1e-3)
    risk = theory.spiked_risk(spectrum, POWER, half[1:5], ridge=1e-3, noise=0.01)
    learned = np.asarray(risk.learnability).reshape(4, *spectrum.eigenvalues.shape)
    np.testing.assert_allclose([learned[0, 1, 0], learned[1, 2, 0]], 0.5, rtol=1e-9)
    silent = theory.exponential_spiked_spectrum(4, 4, 3, signal_inner=0.0, noise_inner=1.0)
    np.testing.assert_array_equal(np.isinf(theory.half_learning_samples(silent)), [False, True, True])


def test_powers_of_the_dimension_and_the_staircase():
    dims = np.array([100, 200, 400, 800, 1600, 3200])
    for exponent in (0.0, 0.6):
        halves = []
        for dim in dims:
            signal_dim = round(dim**0.4)
            strong = signal_dim * dim**exponent
            inner = dict(signal_inner=strong / (strong + dim), noise_inner=dim / (strong + dim))
            spectrum = theory.exponential_spiked_spectrum(signal_dim, int(dim) - signal_dim, 8, **inner)
            halves.append(np.asarray(theory.half_learning_samples(spectrum))[1:3])
        slopes = np.polyfit(np.log(dims), np.log(halves), 1)[0]
        np.testing.assert_allclose(slopes, theory.degree_exponent(jnp.array([1.0, 2.0]), 0.4, exponent), atol=0.1)
    sizes = jnp.array([0.0, 0.5, 1.0, 2.5, 7.0])
    np.testing.assert_allclose(theory.staircase_risk(POWER, sizes, noise=0.1), [1.1, 1.1, 0.7, 0.4, 0.1])
    np.testing.assert_allclose(theory.staircase_risk(POWER, 0.5, model="tangent"), 0.6)
    np.testing.assert_allclose(theory.effective_dimension(100.0, 10.0, jnp.array([1.0, 5.0, 50.0])), [100, 20, 10])
    # Isotropic inputs at d = 2000: the risk between two steps is that of the staircase.
    isotropic = theory.exponential_spiked_spectrum(2000, 0, 6, signal_inner=1.0)
    between = theory.spiked_risk(isotropic, POWER, 2000.0 ** jnp.array([0.4, 1.5, 2.5]), ridge=1e-3)
    stairs = theory.staircase_risk(POWER, jnp.array([0.4, 1.5, 2.5]))
    np.testing.assert_allclose(between.excess, stairs, atol=0.06)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(OutsideDomain, match="noise_dim"):
        theory.exponential_spiked_spectrum(3, 1, 4, signal_inner=1.0)
    with pytest.raises(OutsideDomain, match="semi-definite"):
        theory.spiked_spectrum(lambda inner, *_: -inner, 3, 3, 3)
    spectrum = theory.exponential_spiked_spectrum(3, 3, 2, signal_inner=1.0)
    with pytest.raises(OutsideDomain, match="at most 2 powers"):
        theory.spiked_risk(spectrum, POWER, 10.0)
    with pytest.raises(OutsideDomain, match="at most `input_dim`"):
        theory.effective_dimension(5.0, 6.0, 1.0)
    with pytest.raises(OutsideDomain, match="at least 1"):
        theory.effective_dimension(5.0, 2.0, 0.5)
    with pytest.raises(OutsideDomain, match="`signal_exponent`"):
        theory.degree_exponent(1.0, 1.5, 0.0)
