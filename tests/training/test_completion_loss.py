"""The completion loss: its value, its ridge, and what a linear network reaches by falling."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import networks, tasks, training
from solvable.errors import OutsideDomain

KEY = jax.random.key(3)
TASK = tasks.low_rank_completion(KEY, shape=(5, 4), rank=1, num_observed=16)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_loss_counts_observed_entries_and_all_layers(depth):
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(5, 4)))
    network = networks.balanced_factors(weights, depth=depth)
    gap = np.where(TASK.observed, weights - TASK.target, 0)
    # Balanced layers: each has the squared norm of the 2/L-th powers of the singular values.
    norm = depth * np.sum(np.linalg.svd(weights)[1] ** (2 / depth))
    loss = eqx.filter_jit(training.CompletionLoss(TASK, 0.1))(network)
    assert float(loss) == pytest.approx(np.sum(gap**2) / 2 + 0.1 * norm)


def test_descent_on_two_small_layers_completes_the_matrix():
    start = networks.balanced_factors(1e-3 * jnp.eye(5, 4), depth=2)
    run = training.gradient_descent(start, training.CompletionLoss(TASK), learning_rate=0.05, steps=2000, record=2)
    assert float(run.loss[-1]) < 1e-4
    assert float(TASK.relative_error(run.network.coefficients())) < 0.1


def test_a_network_of_another_shape_is_refused():
    network = networks.balanced_factors(jnp.eye(4, 4), depth=2)
    with pytest.raises(OutsideDomain, match="must agree"):
        training.CompletionLoss(TASK)(network)
