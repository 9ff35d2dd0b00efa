"""Hypercube, circle, sphere and bumps: exact errors against samples, orthonormal features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import numerics, tasks
from solvable.errors import OutsideDomain


def test_parities_are_orthonormal_and_name_the_target():
    points = tasks.hypercube_points(4)
    features = tasks.parity_features(points)
    np.testing.assert_allclose(features.T @ features / 16, np.eye(16), atol=1e-12)
    task = tasks.ParityTask(4, ((0,), (1, 3), ()), jnp.array([0.5, -2.0, 0.1]))
    np.testing.assert_allclose(task.target(points), features @ task.all_coefficients(), atol=1e-12)
    np.testing.assert_array_equal(tasks.parity_degrees(2), [0, 1, 1, 2])


def test_without_replacement_all_points_come_once():
    task = tasks.ParityTask(4, ((0,),), jnp.ones(1))
    inputs = np.asarray(task.sample(jax.random.key(0), 16, replacement=False).inputs)
    assert len(np.unique(inputs, axis=0)) == 16
    with pytest.raises(OutsideDomain, match="16 different"):
        task.sample(jax.random.key(0), 17, replacement=False)
    with pytest.raises(OutsideDomain, match="subsets"):
        tasks.ParityTask(4, ((4,),), jnp.ones(1))


@pytest.mark.parametrize("num_points", [7, 8])
def test_waves_are_orthonormal(num_points):
    waves = tasks.circle_waves(num_points)
    np.testing.assert_allclose(waves.T @ waves / num_points, np.eye(num_points), atol=1e-12)


def test_level_errors_are_those_of_many_new_inputs():
    kernel = numerics.LevelKernel(jnp.array([0.5, 1.0, 0.5]), 5)
    task = tasks.SphereTask(jnp.array([0.2, 1.0, 0.0, 0.4]), jnp.eye(5)[1])
    found, expected = errors(task, kernel, lambda inputs, dual: jnp.sum(task.level_errors(kernel, inputs, dual)))
    np.testing.assert_allclose(found, expected, rtol=0.05)
    with pytest.raises(OutsideDomain, match="sphere"):
        task.level_errors(numerics.LevelKernel(jnp.ones(2), 4), jnp.ones((1, 5)), jnp.ones(1))


def test_the_error_on_bumps_is_that_of_many_new_inputs():
    task = tasks.random_kernel_teacher(jax.random.key(0), 3, width=1.5, num_centres=4)
    found, expected = errors(task, numerics.GaussianKernel(1.5), task.excess_error)
    np.testing.assert_allclose(found, expected, rtol=0.07)


def errors(task, kernel, exact):
    """Of a ridgeless fit to 8 samples: exactly, and over many new ones."""

    @jax.jit
    def both(key_samples, key_new):
        samples, new = task.sample(key_samples, 8), task.sample(key_new, 20_000)
        dual = jnp.linalg.solve(numerics.gram_matrix(kernel, samples.inputs), samples.targets[:, 0])
        outputs = numerics.gram_matrix(kernel, new.inputs, samples.inputs) @ dual
        return exact(samples.inputs, dual), jnp.mean((outputs - new.targets[:, 0]) ** 2)

    return both(*jax.random.split(jax.random.key(1)))
