"""The transformer: its size, what a causal one cannot see, and what it refuses."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.networks import initialise_transformer
from solvable.tasks import PromptTask


def test_transformer():
    network = initialise_transformer(jax.random.key(0), words=18, positions=9)
    leaves = jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array))
    assert sum(leaf.size for leaf in leaves) == 13984 == 27 * 32 + 4 * 32**2 + 2 * 32 * 128 + 128 + 4 * 32 + 18 * 32
    causal = initialise_transformer(jax.random.key(0), words=18, positions=9, causal=True, read_at=None, depth=2)
    tokens = jnp.arange(9)
    both = jax.jit(lambda network: jax.vmap(network)(jnp.stack([tokens, tokens.at[5].set(0)])))(causal)
    assert both.shape == (2, 9, 18)
    np.testing.assert_array_equal(both[0, :5], both[1, :5])
    assert np.all(np.any(both[0, 5:] != both[1, 5:], axis=1))
    with pytest.raises(OutsideDomain, match="an input has 10 tokens"):
        network(jnp.zeros(10, int))
    with pytest.raises(OutsideDomain, match="`heads` is 3"):
        initialise_transformer(jax.random.key(0), words=4, positions=2, heads=3)


def test_the_prompt_task_is_solved_by_counting():
    task = PromptTask()
    tokens, labels = task.sample(jax.random.key(0), 50)
    assert task.words == 18
    assert np.all(np.asarray(tokens[:, -1]) == 17)
    signs = np.array(task.signs)[np.asarray(tokens[:, :-1])]
    np.testing.assert_array_equal(labels, np.sign(signs.sum(1) + 0.5 * signs[:, 0]))
    assert task.flip(0, 13).signs[0] == -1
    assert task.flip(0, 13).flip(0, 13) == task
    assert float(task.margin(jnp.arange(18.0))) == 1
    with pytest.raises(OutsideDomain, match="`first_weight` is 2"):
        PromptTask(first_weight=2.0)
