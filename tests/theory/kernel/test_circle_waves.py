"""Densities on the circle: closed forms, known numbers, exact roots, and how waves are learned."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable import numerics, tasks
from solvable.errors import OutsideDomain
from solvable.theory import kernel as theory

EDGES, MASSES = jnp.array([0, 0.8, 3.0, 2 * np.pi]), jnp.array([0.25, 0.6, 0.15])


def test_the_uniform_circle_in_closed_form():
    found = np.asarray(theory.relu_layer_spectrum(9, jnp.array([1.0, 0.0, 0.5])))
    even, odd = np.arange(2, 9, 2), np.arange(3, 9, 2)
    half = 1 / (2 * np.pi**2)
    np.testing.assert_allclose(found[0, :2], [half + 1 / 8, half + 1 / 16], rtol=1e-13)
    np.testing.assert_allclose(found[0, even], half * (even**2 + 1) / (even**2 - 1) ** 2, rtol=1e-12)
    np.testing.assert_allclose(found[0, odd], theory.RELU_TAIL / odd**2, rtol=1e-13)
    np.testing.assert_array_equal(found[1, odd], 0)
    by_quadrature = theory.sphere_spectrum(numerics.ReluLayerKernel(0.5), 2, 9).eigenvalues
    np.testing.assert_allclose(found[2], by_quadrature, rtol=1e-10)


def test_a_density_of_three_arcs():
    """Numbers of an independent calculation with 600 frequencies; eigenfunctions are orthonormal under the density."""
    modes = theory.density_modes(theory.relu_layer_spectrum(151), EDGES, MASSES)
    known = {0: 0.24434019474, 1: 0.1251224227, 2: 0.0542615685, 5: 0.00579246336, 20: 4.280910e-4, 40: 1.059566e-4}
    np.testing.assert_allclose(np.asarray(modes.eigenvalues)[list(known)], list(known.values()), rtol=3e-5)
    points = tasks.CircleDensity(np.asarray(EDGES), np.asarray(MASSES)).spread(4000)
    values = np.asarray(modes.evaluate(jnp.asarray(points.angles)))[:24]
    np.testing.assert_allclose((values * points.weights) @ values.T, np.eye(24), atol=1e-4)
    # High orders: geometric means of pairs, and sign changes in each arc.
    waves = theory.local_waves(jnp.array([12]), EDGES, MASSES)
    np.testing.assert_allclose(np.sqrt(modes.eigenvalues[23] * modes.eigenvalues[24]), waves.eigenvalues[0], rtol=0.02)
    signs = [np.sum(np.diff(np.sign(values[23][points.regions == region])) != 0) for region in range(3)]
    np.testing.assert_allclose(signs, waves.crossings[0], atol=1.2)
    np.testing.assert_allclose(np.sum(waves.crossings), 24)


def test_exact_roots_under_a_repeated_density():
    """Numbers of an independent root search; one density gives double roots; a fifth of a half turn goes as well."""
    lengths, shares = np.pi / 3 * np.array([0.6, 0.4]), np.array([1.0, 3.0]) / 1.8
    densities = shares / (2 * np.pi)
    found = theory.antiperiodic_eigenvalues(lengths, densities, 7)
    known = [7.62232522e-3, 3.81071403e-3, 6.49734e-4, 5.22905e-4, 2.21924e-4, 1.97536e-4, 1.10504e-4]
    np.testing.assert_allclose(found, known, rtol=5e-6)
    uniform = theory.antiperiodic_eigenvalues(np.full(2, np.pi / 10), np.full(2, 1 / (2 * np.pi)), 4)
    np.testing.assert_allclose(uniform, theory.RELU_TAIL / np.array([5, 5, 15, 15]) ** 2, rtol=1e-9)
    with pytest.raises(OutsideDomain, match="pi/3, pi/5"):
        theory.antiperiodic_eigenvalues(lengths / 2, densities, 2)
    with pytest.raises(OutsideDomain, match="mass of 2"):
        theory.antiperiodic_eigenvalues(lengths, 2 * densities, 2)


def test_waves_are_learned_at_the_times_of_their_place():
    modes = theory.density_modes(theory.relu_layer_spectrum(151), EDGES, MASSES)
    angles, densities = jnp.linspace(1.2, 2.6, 29), MASSES / jnp.diff(EDGES)
    due = theory.local_learning_time(20.0, densities, jnp.asarray(0.05))
    left = np.asarray(theory.wave_residual(modes, 20, jnp.append(0.0, due), angles))
    target = np.cos(20 * angles)
    np.testing.assert_allclose(left[0], target, atol=1e-12)
    share = np.sqrt(np.mean(left[1:] ** 2, axis=1) / np.mean(target**2))
    np.testing.assert_allclose(share[1], 0.05, rtol=0.05)
    assert share[0] > 0.05 > 1e-2 > share[2] or densities[0] > densities[1]
    ends = theory.local_learning_time(3.0, jnp.array([0.0, 1.0]), 1.0)
    np.testing.assert_array_equal(ends, 0)
    assert float(theory.local_learning_time(3.0, 0.0, 0.5)) == np.inf


def test_what_has_no_meaning_is_refused():
    spectrum = theory.relu_layer_spectrum(4, 0.0)
    with pytest.raises(OutsideDomain, match="2 pi above"):
        theory.density_modes(spectrum, EDGES[1:], MASSES[1:])
    with pytest.raises(OutsideDomain, match="sum is 1"):
        theory.density_modes(spectrum, EDGES, 2 * MASSES)
    modes = theory.density_modes(spectrum, EDGES, MASSES)
    with pytest.raises(OutsideDomain, match="waves up to 3"):
        theory.wave_residual(modes, 4, jnp.ones(1), jnp.ones(1))
    with pytest.raises(OutsideDomain, match="does not see"):
        theory.wave_residual(modes, 3, jnp.ones(1), jnp.ones(1))
    with pytest.raises(OutsideDomain, match="at most 1"):
        theory.local_learning_time(1.0, 1.0, 2.0)
    with pytest.raises(OutsideDomain, match="`masses`"):
        tasks.CircleDensity((0.0, 2 * np.pi), (0.5,))
    with pytest.raises(OutsideDomain, match="around 2 arcs"):
        tasks.CircleDensity((0.0, 2 * np.pi), (0.5, 0.5))
