"""Tasks of signs: exact overlaps against samples."""

import jax
import jax.numpy as jnp
import numpy as np

from solvable import tasks


def test_overlaps_of_independent_features_are_those_of_samples():
    task = tasks.SignTeacher(tasks.source_capacity(5, capacity=1.0, source=0.5, noise_std=0.7))
    weights = jnp.asarray([1.0, -0.5, 0.3, 0.0, 2.0])
    drawn, overlaps = task.sample(jax.random.key(0), 100_000), task.overlaps(weights)
    output = drawn.inputs @ weights
    np.testing.assert_allclose(jnp.mean(output**2), overlaps.student, rtol=0.02)
    wrong = jnp.mean(output * drawn.targets[:, 0] < 0)
    np.testing.assert_allclose(wrong, overlaps.classification_error, atol=0.006)
    assert task.overlaps(jnp.zeros((2, 5))).classification_error.tolist() == [0.5, 0.5]


def test_overlaps_of_other_features_are_those_of_samples():
    task = tasks.noisy_projection(jax.random.key(0), jnp.asarray([2.0, 1.0, 0.5]), 2, noise_std=0.5)
    weights = jnp.asarray([[1.0, -0.4], [0.2, 1.0]])
    drawn, overlaps = task.sample(jax.random.key(1), 100_000), task.overlaps(weights)
    output = drawn.inputs @ weights.T
    np.testing.assert_allclose(jnp.mean(output**2, axis=0), overlaps.student, rtol=0.02)
    wrong = jnp.mean(output * drawn.targets < 0, axis=0)
    np.testing.assert_allclose(wrong, overlaps.classification_error, atol=0.006)


def test_random_relu_features_are_centred():
    inputs = jax.random.normal(jax.random.key(0), (200, 7))
    features = tasks.random_relu_features(jax.random.key(1), inputs, 30)
    np.testing.assert_allclose(features.mean(0), 0, atol=1e-12)
    assert 0.1 < jnp.sum(features**2) / 200 < 1
