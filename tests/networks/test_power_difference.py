"""The difference of powers: its map, what it refuses, and steps that multiply its weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.networks import Network, PowerDifference, power_difference_start
from solvable.tasks import make_samples
from solvable.training import gradient_descent, sgd

INPUTS = np.random.default_rng(0).normal(size=(3, 5))
DATA = make_samples(INPUTS, INPUTS[:, 0])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_map_is_the_difference_of_powers_and_starts_at_zero(depth):
    first, second = jnp.array([0.5, 2.0]), jnp.array([1.0, -1.0])
    network = PowerDifference(first, second, depth)
    assert isinstance(network, Network)
    np.testing.assert_allclose(network.coefficients()[0], first**depth - second**depth)
    np.testing.assert_allclose(network(jnp.array([3.0, 4.0])), network.coefficients() @ jnp.array([3.0, 4.0]))
    assert not np.any(power_difference_start(first, depth).coefficients())


def test_weights_far_below_rounding_are_multiplied_and_sums_over_steps_follow_them():
    totals = {"logs": lambda before, after: jnp.log(after.first / before.first)}
    start = power_difference_start(jnp.full(5, 1e-120))
    run = gradient_descent(start, DATA, learning_rate=0.05, steps=100, record=3, totals=totals)
    np.testing.assert_allclose(run.observables["logs"][-1], jnp.log(run.network.first / 1e-120), rtol=1e-12)
    slope = INPUTS.T @ INPUTS[:, 0] / 3
    np.testing.assert_allclose(run.observables["logs"][-1], 100 * np.log(1 + 0.1 * slope), rtol=1e-9)


def test_sgd_with_replacement_draws_every_step_anew():
    start = power_difference_start(jnp.full(5, 0.3))
    rule = dict(batch_size=3, learning_rate=0.05, steps=3, record=2)
    train = lambda key, replacement: sgd(start, DATA, key=key, replacement=replacement, **rule).network.first  # noqa: E731
    keys = jax.random.split(jax.random.key(0), 4)
    anew = [train(key, True) for key in keys]
    # All samples in one batch: without replacement a step of gradient descent, with it a random one.
    whole = gradient_descent(start, DATA, learning_rate=0.05, steps=3, record=2).network.first
    np.testing.assert_allclose(train(keys[0], False), whole, rtol=1e-12)
    assert len({float(first[0]) for first in anew}) == 4
    np.testing.assert_array_equal(anew[0], train(keys[0], True))


def test_refusals():
    with pytest.raises(OutsideDomain, match="shapes"):
        PowerDifference(jnp.ones(2), jnp.ones(3), 2)
    with pytest.raises(OutsideDomain, match="`depth` is 0"):
        PowerDifference(jnp.ones(2), jnp.ones(2), 0)
    with pytest.raises(OutsideDomain, match="one input has shape"):
        power_difference_start(jnp.ones(2)).features((3,))
