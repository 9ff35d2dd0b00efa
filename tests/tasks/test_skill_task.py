"""Sparse skills: samples against their exact moments, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import tasks
from solvable.errors import OutsideDomain
from solvable.numerics import Monomials

TASK = tasks.SparseSkills(tasks.power_law_spectrum(5, 1.6), 3.0)


def test_each_sample_exercises_one_skill():
    samples = TASK.sample(jax.random.key(0), 4000)
    used = np.abs(np.asarray(samples.inputs))
    assert np.array_equal(used.sum(axis=1), np.ones(4000))
    assert np.allclose(samples.targets[:, 0], 3 * samples.inputs.sum(axis=1))
    error = np.sqrt(np.asarray(TASK.frequencies) / 4000)
    assert np.all(np.abs(used.mean(axis=0) - TASK.frequencies) < 4 * error)
    assert np.all(np.abs(np.asarray(samples.inputs).mean(axis=0)) < 4 * error)


def test_moments_are_frequencies():
    moments = TASK.moments(Monomials(5, 1))
    assert np.allclose(moments.sigma_zz, np.diag(TASK.frequencies))
    assert np.allclose(moments.sigma_yz, 3 * TASK.frequencies[None, :])
    assert float(moments.target_power) == pytest.approx(9)


def test_frequencies_that_are_none_are_refused():
    with pytest.raises(OutsideDomain, match="sums to 2"):
        tasks.SparseSkills(jnp.ones(2))
    with pytest.raises(OutsideDomain, match="least entry is -1"):
        tasks.SparseSkills(jnp.array([2.0, -1.0]))
