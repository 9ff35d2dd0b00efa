"""Hidden causes behind inputs: the exact error is that on many samples, and the covariance is as said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.tasks import LatentSpace, latent_space


def test_the_exact_error_is_that_of_many_samples():
    task = LatentSpace(jnp.asarray([[1.0, 0.2], [-0.5, 0.7], [0.3, 0.0]]), jnp.asarray([1.0, -2.0]), 0.4)
    samples = task.sample(jax.random.key(0), 200_000)
    weights = jnp.asarray([0.3, -0.8, 0.2])
    error = float(jnp.mean((samples.inputs @ weights - samples.targets[:, 0]) ** 2))
    assert error == pytest.approx(float(task.excess_error(weights)) + 0.16, rel=0.02)
    assert float(task.excess_error(jnp.zeros((2, 3)))[1]) == pytest.approx(5)
    assert task.input_shape == (3,)


def test_the_causes_have_the_power_that_is_asked_for():
    task = latent_space(12, 4, strength=0.6, signal=2.5)
    np.testing.assert_allclose(task.loadings.T @ task.loadings, 12 * 0.6 / 4 * np.eye(4), atol=1e-12)
    assert float(jnp.sum(task.coefficients**2)) == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: latent_space(3, 4), "`input_dim` is 3"),
        (lambda: latent_space(3, 2, strength=-1.0), "`strength`"),
        (lambda: LatentSpace(jnp.ones((3, 2)), jnp.ones(3)), "`loadings`"),
        (lambda: LatentSpace(jnp.ones((3, 2)), jnp.ones(2), -1.0), "`noise_std`"),
        (lambda: latent_space(3, 2).sample(jax.random.key(0), 0), "`num_samples`"),
    ],
)
def test_requests_without_meaning_are_refused(make, words):
    with pytest.raises(OutsideDomain, match=words):
        make()
