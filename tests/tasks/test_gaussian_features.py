"""Gaussian features: samples have the moments they say, and the exact error is that on many samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.numerics import Monomials
from solvable.tasks import GaussianFeatures, sample_moments, source_capacity


@pytest.mark.parametrize("law", ["normal", "sign"])
def test_samples_have_the_moments_of_the_population(law):
    task = GaussianFeatures(jnp.asarray([2.0, 0.5, 0.0]), jnp.asarray([1.0, -0.5, 0.3]), 0.4, law)
    samples = task.sample(jax.random.key(0), 200_000)
    exact, drawn = task.moments(Monomials(3, 1)), sample_moments(samples, Monomials(3, 1))
    for name in ("target_power", "sigma_yz", "sigma_zz"):
        np.testing.assert_allclose(getattr(drawn, name), getattr(exact, name), atol=0.02)
    kurtosis = float(jnp.mean(samples.inputs[:, 0] ** 4)) / 4
    assert kurtosis == pytest.approx(3 if law == "normal" else 1, abs=0.05)
    # The mode of eigenvalue 0 does not show in the inputs, and is error whatever the weights.
    weights = jnp.asarray([0.5, 0.2, 9.0])
    error = jnp.mean((samples.inputs @ weights - samples.targets[:, 0]) ** 2)
    assert float(error) == pytest.approx(float(task.excess_error(weights)) + 0.16, rel=0.02)


def test_source_and_capacity_are_the_exponents():
    task = source_capacity(50, capacity=1.5, source=0.4)
    order = np.arange(1, 51.0)
    np.testing.assert_allclose(task.eigenvalues, order**-1.5)
    np.testing.assert_allclose(task.coefficients**2, order ** -(1 + 2 * 1.5 * 0.4))
    many = task.excess_error(jnp.zeros((2, 3, 50)))
    np.testing.assert_allclose(many, np.sum(task.coefficients**2) * np.ones((2, 3)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GaussianFeatures(-jnp.ones(2), jnp.ones(2)), "`eigenvalues`"),
        (lambda: GaussianFeatures(jnp.ones(2), jnp.ones(2), -1.0), "`noise_std`"),
        (lambda: source_capacity(3, capacity=0.0, source=1.0), "`capacity`"),
        (lambda: source_capacity(3, capacity=1.0, source=0.0), "`source`"),
        (lambda: GaussianFeatures(jnp.ones(2), jnp.ones(2)).moments(Monomials(2, 2)), "`features`"),
        (lambda: GaussianFeatures(jnp.ones(2), jnp.ones(2)).sample(jax.random.key(0), 0), "`num_samples`"),
    ],
)
def test_requests_without_meaning_are_refused(make, words):
    with pytest.raises(OutsideDomain, match=words):
        make()
