"""Modular addition holds all pairs of shifts, and templates have the spectrum that was asked for."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable import tasks
from solvable.errors import OutsideDomain


@pytest.mark.parametrize("size", [2, 5, 6])
def test_every_pair_is_two_shifts_and_their_sum(size):
    template = np.random.default_rng(size).normal(size=size)
    samples = tasks.modular_addition(jnp.array(template))
    pairs = [(a, b) for a in range(size) for b in range(size)]
    inputs = [np.concatenate([np.roll(template, a), np.roll(template, b)]) for a, b in pairs]
    np.testing.assert_array_equal(samples.inputs, inputs)
    np.testing.assert_array_equal(samples.targets, [np.roll(template, a + b) for a, b in pairs])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_a_wave_template_has_its_magnitudes_and_no_mean(magnitudes):
    template = tasks.wave_template(jnp.array(magnitudes))
    assert template.size == 2 * len(magnitudes) + 1
    np.testing.assert_allclose(np.abs(np.fft.rfft(template)), [0, *magnitudes], atol=1e-10)


def test_float32_stays_float32():
    template = tasks.wave_template(jnp.array([1.0, 2.0], jnp.float32))
    assert template.dtype == tasks.modular_addition(template).inputs.dtype == jnp.float32


def test_refusals():
    with pytest.raises(OutsideDomain, match="`magnitudes` is"):
        tasks.wave_template(jnp.array([1.0, -1.0]))
    with pytest.raises(OutsideDomain, match="at least one sample"):
        tasks.modular_addition(jnp.zeros(0))
