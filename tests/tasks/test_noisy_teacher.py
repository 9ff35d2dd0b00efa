"""White designs, noise of the stated size, and moments of the same distribution as samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.numerics import Monomials
from solvable.tasks import NoisyTeacher, low_rank_map, sample_moments

TEACHER = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3)))


def test_inputs_are_white_and_the_correlation_has_the_noise():
    task, keys = NoisyTeacher(TEACHER, 0.5), jax.random.split(jax.random.key(0), 400)
    sampled = jax.jit(jax.vmap(lambda key: sample_moments(task.sample(key, 12), lambda inputs: inputs)))(keys)
    drawn = jax.jit(jax.vmap(lambda key: task.sample_moments(key, 12)))(keys)
    np.testing.assert_allclose(sampled.sigma_zz[0], np.eye(3), atol=1e-12)
    for moments in (sampled, drawn):
        noise = (moments.sigma_yz - TEACHER[None]) * 12**0.5 / 0.5
        assert abs(float(noise.mean())) < 4 / 2400**0.5
        assert abs(float(noise.var()) - 1) < 4 * (2 / 2400) ** 0.5
    assert abs(float(sampled.target_power.mean() / drawn.target_power.mean()) - 1) < 0.05


def test_population_is_the_limit_of_many_samples_and_no_noise_is_exact():
    task = NoisyTeacher(TEACHER, 0.5)
    population, many = task.moments(Monomials(3, 1)), task.sample_moments(jax.random.key(1), 10**8)
    np.testing.assert_allclose(many.sigma_yz, population.sigma_yz, atol=1e-3)
    np.testing.assert_allclose(many.target_power, population.target_power, rtol=1e-3)
    clean = NoisyTeacher(TEACHER, 0.0).sample_moments(jax.random.key(1), 3)
    np.testing.assert_allclose(clean.sigma_yz, TEACHER)
    assert task.input_shape == (3,)


def test_low_rank_map_has_the_singular_values():
    values = jnp.linalg.svdvals(low_rank_map(jax.random.key(0), jnp.array([2.0, 0.5]), output_dim=3, input_dim=5))
    np.testing.assert_allclose(values, [2.0, 0.5, 0.0], atol=1e-14)


def test_refusals():
    task = NoisyTeacher(TEACHER)
    for call, message in (
        (lambda: NoisyTeacher(TEACHER, -1.0), "`noise_std` is -1.0"),
        (lambda: task.sample(jax.random.key(0), 2), "`num_samples` is 2; white inputs need"),
        (lambda: task.sample_moments(jax.random.key(0), 2), "`num_samples` is 2"),
        (lambda: task.moments(Monomials(3, 2)), "`features`"),
        (lambda: low_rank_map(jax.random.key(0), jnp.ones(3), output_dim=2, input_dim=4), "`output_dim` is 2"),
        (lambda: low_rank_map(jax.random.key(0), -jnp.ones(1), output_dim=2, input_dim=4), "`singular_values`"),
    ):
        with pytest.raises(OutsideDomain, match=message):
            call()
