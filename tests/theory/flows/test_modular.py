"""Modular addition: the utility from its definition over all pairs, the best of it, and the levels by least squares."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from solvable.errors import OutsideDomain
from solvable.tasks import modular_addition, wave_template
from solvable.theory.flows import best_modular_utilities, modular_stages, modular_utility


def draw_template(size, seed=0):
    template = np.random.default_rng(seed).normal(size=size)
    return jnp.asarray(template - template.mean())


def outputs_of(samples, first, second):
    return np.square(np.asarray(samples.inputs) @ first)[:, None] * second[None, :]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([4, 7]))
def test_utility_is_the_correlation_over_all_pairs(seed, size):
    template, rng = draw_template(size, seed), np.random.default_rng(seed + 1)
    samples = modular_addition(template)
    first, second = rng.normal(size=2 * size), rng.normal(size=size)
    direct = np.mean(np.sum(outputs_of(samples, first, second) * np.asarray(samples.targets), axis=1))
    assert float(modular_utility(template, jnp.asarray(first), jnp.asarray(second))) == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize("size", [4, 9])
def test_the_best_utility_is_the_largest_found_numerically(size):
    template, rng = draw_template(size), np.random.default_rng(1)

    @jax.jit
    def loss(weights):
        weights = weights / jnp.linalg.norm(weights)
        return -modular_utility(template, weights[: 2 * size], weights[2 * size :])

    slope = jax.jit(jax.grad(loss))
    found = [minimize(loss, rng.normal(size=3 * size), jac=slope, method="BFGS").fun for _ in range(12)]
    assert -min(found) == pytest.approx(float(best_modular_utilities(template).max()), rel=1e-6)


def test_numbers_of_the_sheet():
    template = wave_template(jnp.array([4.0, 6.5, 2.5, 9.0, 1.0]))
    assert float(best_modular_utilities(template).max()) == pytest.approx(5.43840587, abs=1e-8)
    path = modular_stages(template)
    np.testing.assert_array_equal(path.units[1:] + 1, [4, 2, 1, 3, 5])
    np.testing.assert_allclose(path.loss, [13.3182, 5.9545, 2.1136, 0.6591, 0.0909, 0], atol=5e-5)
    np.testing.assert_allclose(path.flow_times(0.01)[1:4], [6.1, 16.3, 69.8], atol=0.05)


@pytest.mark.parametrize("size", [5, 8])
def test_levels_are_least_squares_over_units_of_the_learned_frequencies(size):
    """Random phases in plenty: units on a set of frequencies fit what the path says they fit."""
    template, rng = draw_template(size), np.random.default_rng(2)
    samples, path = modular_addition(template), modular_stages(template)
    targets = np.asarray(samples.targets)
    wave = lambda k, phase: np.cos(2 * np.pi * k * np.arange(size) / size + phase)  # noqa: E731
    squares, waves = [], []
    for stage in range(1, path.units.size):
        k = path.units[stage] + 1
        for left, right in rng.uniform(0, 2 * np.pi, (40, 2)):
            first = np.concatenate([wave(k, left), wave(k, right)])
            squares.append(np.square(np.asarray(samples.inputs) @ first))
            waves.append((wave(k, 0.0), wave(k, np.pi / 2)))
        features = np.array([np.outer(s, w).ravel() for s, pair in zip(squares, waves, strict=True) for w in pair]).T
        rest = targets.ravel() - features @ np.linalg.lstsq(features, targets.ravel(), rcond=1e-10)[0]
        level = np.mean(np.sum(rest.reshape(targets.shape) ** 2, axis=1)) / 2
        assert level == pytest.approx(path.loss[stage], abs=1e-8 * path.loss[0])


def test_a_shift_or_a_silent_frequency_changes_nothing():
    template = wave_template(jnp.array([2.0, 0.0, 3.0]))
    path, shifted = modular_stages(template), modular_stages(jnp.roll(template, 2))
    np.testing.assert_array_equal(path.units, [-1, 2, 0])
    np.testing.assert_allclose(shifted.times, path.times, rtol=1e-9)


def test_float32():
    template = wave_template(jnp.array([2.0, 3.0], jnp.float32))
    assert best_modular_utilities(template).dtype == jnp.float32
    np.testing.assert_allclose(modular_stages(template).loss[-1], 0, atol=1e-5)


def test_refusals():
    with pytest.raises(OutsideDomain, match="`template` has mean 1"):
        modular_stages(jnp.ones(5))
    with pytest.raises(OutsideDomain, match=r"`template` has shape \(1,\)"):
        best_modular_utilities(jnp.zeros(1))
    with pytest.raises(OutsideDomain, match="they must have 10 and 5"):
        modular_utility(draw_template(5), jnp.ones(5), jnp.ones(5))
