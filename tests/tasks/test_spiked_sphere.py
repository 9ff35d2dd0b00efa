"""Spiked inputs: lengths of both parts, and targets that see the strong one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import tasks
from solvable.errors import OutsideDomain


def test_both_parts_have_their_length_and_the_target_is_that_of_the_first():
    signal = tasks.SphereTask(jnp.array([0.1, 1.0, 0.5]), jnp.eye(3)[1])
    task = tasks.SpikedSphere(signal, 6, 2.0, 0.5)
    samples = jax.jit(lambda key: task.sample(key, 4000))(jax.random.key(0))
    inputs = np.asarray(samples.inputs)
    np.testing.assert_allclose(np.linalg.norm(inputs[:, :3], axis=1), 2.0)
    np.testing.assert_allclose(np.linalg.norm(inputs[:, 3:], axis=1), 0.5)
    np.testing.assert_allclose(inputs[:, 3:].T @ inputs[:, 3:] / 4000, 0.25 / 6 * np.eye(6), atol=0.005)
    np.testing.assert_allclose(samples.targets[:5, 0], signal.target(samples.inputs[:5, :3] / 2), rtol=1e-10)
    assert task.input_shape == (9,)
    with pytest.raises(OutsideDomain, match="noise_dim"):
        tasks.SpikedSphere(signal, 0, 1.0, 1.0)
