"""Regression with powers of errors: gradient of the loss, the square among them, training on it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import networks, tasks, training
from solvable.errors import OutsideDomain

RNG = np.random.default_rng(0)
SAMPLES = tasks.make_samples(RNG.normal(size=(9, 3)), RNG.normal(size=(9, 2)))
WEIGHTS = jnp.asarray(RNG.normal(size=(2, 3)))


@pytest.mark.parametrize("power", [1.5, 2.0, 4.0])
def test_the_gradient_is_that_of_the_loss(power):
    task = tasks.PowerRegression(SAMPLES, power)
    assert np.allclose(jax.jit(jax.grad(task.loss))(WEIGHTS), task.gradient(WEIGHTS), atol=1e-12)


def test_the_square_is_the_half_mean_squared_error_of_training():
    network, loss = networks.LinearMap(WEIGHTS), training.MapLoss(tasks.PowerRegression(SAMPLES).loss)
    usual = training.make_objective(network, SAMPLES, "samples")
    assert float(loss(network)) == pytest.approx(float(usual(network)))


def test_a_power_that_is_not_positive_is_refused():
    with pytest.raises(OutsideDomain, match="`power`"):
        tasks.PowerRegression(SAMPLES, 0.0)
