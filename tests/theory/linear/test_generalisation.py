"""Errors of a noisy teacher: sampled spectra, floors, and when to stop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory.linear import (
    LearnedSpectrum,
    best_error,
    best_stopping,
    generalisation_curves,
    observed_spectrum,
    spiked_spectrum,
)

stop = jax.jit(best_stopping, static_argnames="depth")
curves = jax.jit(generalisation_curves, static_argnames="depth")
spread = jax.jit(spiked_spectrum, static_argnames=("output_dim", "input_dim", "width", "num_nodes"))
TIMES = jnp.linspace(0.0, 8.0, 41)


@pytest.mark.parametrize(("start", "least"), [(1e-2, 0.290), (1e-3, 0.175), (1e-9, 0.15788)])
def test_best_stopping_tends_to_the_best_shrinkage_of_one_spike(start, least):
    spectrum = spread(jnp.array([3.0]), output_dim=100, input_dim=200)
    best = stop(spectrum, start)
    assert float(best.test_error / spectrum.teacher_power) == pytest.approx(least, abs=6e-4)
    assert float(best.test_error / spectrum.teacher_power) > best_error(jnp.array([3.0]), 0.5) - 1e-12
    nearby = curves(best.time * jnp.array([0.99, 1.01]), spectrum, start).test_error
    assert np.all(nearby >= best.test_error)


def test_minimum_does_not_depend_on_the_width_and_the_end_grows_with_it():
    spectra = [spread(jnp.array([3.0]), output_dim=100, input_dim=200, width=width) for width in (1, 20, 100)]
    best = [float(stop(spectrum, 1e-9).test_error) for spectrum in spectra]
    ends = [curves(jnp.array([1e6]), spectrum, 1e-9) for spectrum in spectra]
    np.testing.assert_allclose(best, best[0], rtol=1e-3)
    assert np.all(np.diff([float(end.test_error[0]) for end in ends]) > 1)
    train = [float(end.train_error[0]) for end in ends]
    assert train[0] > train[1] > 0
    assert abs(train[2]) < 1e-6


def test_exact_spectrum_gives_the_definition():
    rng = np.random.default_rng(0)
    teacher = 2 * np.outer(rng.normal(size=3), rng.normal(size=4))
    data = teacher + rng.normal(size=(3, 4)) / 2
    left, values, right = np.linalg.svd(data, full_matrices=False)
    shared = jnp.asarray(np.diag(left.T @ teacher @ right.T))
    spectrum = LearnedSpectrum(
        jnp.asarray(values), jnp.ones(3), shared, jnp.asarray(np.sum(teacher**2)), jnp.array(0.0)
    )
    found = curves(jnp.array([0.4]), spectrum, 0.1)
    strengths = values / (1 + (values / 0.1 - 1) * np.exp(-0.8 * values))
    learned = left * strengths @ right
    np.testing.assert_allclose(found.test_error, np.sum((learned - teacher) ** 2), rtol=1e-10)
    np.testing.assert_allclose(found.train_error, np.sum((learned - data) ** 2), rtol=1e-10)


@pytest.mark.parametrize(("outputs", "inputs", "teacher"), [(150, 300, [3.0, 0.6]), (300, 150, [4.0])])
def test_sampled_data_have_the_curve(outputs, inputs, teacher):
    """A teacher below the threshold is part of the bulk; both aspects; exact modes of sampled matrices."""
    rng, tests = np.random.default_rng(1), []
    spectrum = spread(jnp.array(teacher), output_dim=outputs, input_dim=inputs, width=100)
    for _ in range(4):
        truth = np.zeros((outputs, inputs))
        truth[range(len(teacher)), range(len(teacher))] = teacher
        left, values, right = np.linalg.svd(truth + rng.normal(size=truth.shape) / inputs**0.5, full_matrices=False)
        shared = np.einsum("ok,oi,ki->k", left, truth, right)[:100]
        strengths = values[:100] / (
            1 + (values[:100] / 1e-3 - 1) * np.exp(-2 * values[:100] * np.asarray(TIMES)[:, None])
        )
        tests.append((strengths**2 - 2 * strengths * shared).sum(axis=1) + (truth**2).sum())
    expected = curves(TIMES, spectrum, 1e-3).test_error
    assert np.mean(np.abs(np.mean(tests, axis=0) / expected - 1)) < 0.05


def test_spectrum_read_off_data_is_that_of_the_teacher():
    loud = spread(jnp.array([6.0]), output_dim=100, input_dim=200, noise_std=2.0)
    back = observed_spectrum(loud.values[:1], output_dim=100, input_dim=200, noise_std=2.0)
    np.testing.assert_allclose(back.shared, loud.shared[:1], rtol=1e-10)
    np.testing.assert_allclose(back.teacher_power, 36.0, rtol=1e-10)
    narrow = observed_spectrum(jnp.array([6.0, 2.0, 1.0]), output_dim=100, input_dim=200, width=1, noise_std=2.0)
    np.testing.assert_allclose(narrow.unlearned_power, 5.0)


def test_pure_noise_is_best_not_learned():
    best = stop(spread(jnp.array([0.2]), output_dim=50, input_dim=100), 1e-3)
    assert float(best.time) == 0
    assert float(best.test_error) == pytest.approx(0.04, abs=1e-3)


def test_depth_one_learns_every_mode_at_one_rate_and_a_zero_mode_fades():
    ones, zero = jnp.ones(2), jnp.array(0.0)
    spectrum = LearnedSpectrum(jnp.array([2.0, 0.0]), ones, jnp.array([2.0, 0.0]), jnp.array(4.0), zero)
    shallow = curves(jnp.array([1.5]), spectrum, 0.5, depth=1)
    expected = (1.5 * np.exp(-1.5)) ** 2 + (0.5 * np.exp(-1.5)) ** 2
    np.testing.assert_allclose([shallow.test_error[0], shallow.train_error[0]], expected, rtol=1e-9)
    deep = curves(jnp.array([1e9]), spectrum, 0.5, depth=3)
    assert float(deep.test_error[0]) < 1e-9


def test_refusals():
    with pytest.raises(OutsideDomain, match="`noise_std` is 0"):
        spiked_spectrum(jnp.array([1.0]), output_dim=3, input_dim=3, noise_std=0.0)
    with pytest.raises(OutsideDomain, match="`width` is 0"):
        observed_spectrum(jnp.array([1.0]), output_dim=3, input_dim=3, width=0)
