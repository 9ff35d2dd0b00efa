"""SGD over observed entries: unbiased entries, plain NumPy steps, whole batches, no way back from a lost rank."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import networks, numerics, tasks
from solvable.errors import OutsideDomain
from solvable.training import completion_sgd, draw_entry

OBSERVED = jnp.array([[True, False, True], [False, True, True]])
TASK = tasks.MatrixCompletion(jnp.array([[1.0, 0.3, -0.2], [0.4, 0.5, 0.6]]), OBSERVED)
START = networks.balanced_start(
    networks.Neuron(numerics.activations.identity),
    jax.random.key(3),
    width=3,
    input_shape=(3,),
    output_dim=2,
    init_scale=0.5,
)


def test_entries_are_those_observed_equally_often():
    draw = jax.jit(jax.vmap(lambda step: draw_entry(jax.random.key(0), step, TASK)))
    counts = np.bincount(np.asarray(draw(jnp.arange(8000))), minlength=6)
    np.testing.assert_array_equal(counts[~np.asarray(OBSERVED).ravel()], 0)
    np.testing.assert_allclose(counts[np.asarray(OBSERVED).ravel()], 2000, atol=200)


def test_steps_are_those_of_the_definition_and_a_batch_is_its_runs():
    key, rate, ridge = jax.random.key(1), 0.05, 0.02
    run = jax.jit(
        lambda key, rate: completion_sgd(START, TASK, key=key, learning_rate=rate, steps=20, ridge=ridge, record=3)
    )
    trajectory = run(key, jnp.asarray(rate))
    first, second = (np.asarray(layer) for layer in (START.first, START.second))
    entries = jax.jit(jax.vmap(lambda step: draw_entry(key, step, TASK)))(jnp.arange(20))
    for entry in np.asarray(entries):
        gap = np.zeros((2, 3))
        gap.flat[entry] = 4 * (second @ first - np.asarray(TASK.target)).flat[entry]
        first, second = (
            first - rate * (second.T @ gap + 2 * ridge * first),
            second - rate * (gap @ first.T + 2 * ridge * second),
        )
    np.testing.assert_allclose(trajectory.network.first, first, rtol=1e-10)
    misfit = np.sum(np.where(OBSERVED, second @ first - TASK.target, 0) ** 2) / 2
    assert float(trajectory.loss[-1]) == pytest.approx(misfit + ridge * (np.sum(first**2) + np.sum(second**2)))
    both = jax.vmap(run)(jax.random.split(key, 2), jnp.array([0.05, 0.02]))
    alone = run(jax.random.split(key, 2)[1], jnp.asarray(0.02))
    np.testing.assert_allclose(both.network.first[1], alone.network.first, rtol=1e-10)


def test_arguments_without_meaning_are_refused():
    with pytest.raises(OutsideDomain, match="`learning_rate` is 0"):
        completion_sgd(START, TASK, key=jax.random.key(0), learning_rate=0.0, steps=10)
    with pytest.raises(OutsideDomain, match="`ridge` is -1"):
        completion_sgd(START, TASK, key=jax.random.key(0), learning_rate=0.1, steps=10, ridge=-1.0)
