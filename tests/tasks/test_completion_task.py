"""Completion problems: what is drawn, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import tasks
from solvable.errors import OutsideDomain

KEY = jax.random.key(0)


def test_a_random_problem_has_the_rank_norm_and_number_of_entries_asked_for():
    task = tasks.low_rank_completion(KEY, shape=(7, 5), rank=2, num_observed=11, norm=3.0)
    assert np.linalg.matrix_rank(task.target) == 2
    assert float(jnp.linalg.norm(task.target)) == pytest.approx(3.0)
    assert int(task.observed.sum()) == 11
    full = tasks.low_rank_completion(KEY, shape=(7, 5), rank=5, num_observed=35, dtype=jnp.float32)
    assert bool(full.observed.all())
    assert full.target.dtype == jnp.float32
    assert float(jnp.linalg.norm(full.target)) == pytest.approx(35**0.5, rel=1e-6)


def test_a_symmetric_problem_keeps_its_eigenvalues_and_sees_pairs():
    values = jnp.array([3.0, -1.0])
    task = tasks.symmetric_completion(KEY, eigenvalues=values, dim=6, observed_share=0.5)
    assert np.linalg.eigvalsh(task.target)[[0, -1]] == pytest.approx([-1.0, 3.0])
    assert bool((task.observed == task.observed.T).all())
    assert bool(jnp.diagonal(task.observed).all())
    for share, count in ((0.0, 6), (1.0, 36)):
        seen = tasks.symmetric_completion(KEY, eigenvalues=values, dim=6, observed_share=share).observed
        assert int(seen.sum()) == count


def test_gradient_and_error_are_those_of_observed_and_of_all_entries():
    task = tasks.low_rank_completion(KEY, shape=(4, 3), rank=1, num_observed=5)
    weights = np.arange(12.0).reshape(4, 3)
    gradient = np.asarray(task.gradient(jnp.asarray(weights)))
    assert np.array_equal(gradient != 0, task.observed)
    assert np.allclose((weights - gradient)[task.observed], task.target[task.observed])
    assert float(task.relative_error(0 * task.target)) == pytest.approx(1.0)


def test_problems_without_meaning_are_refused():
    target, seen = jnp.eye(2), jnp.ones((2, 2), bool)
    with pytest.raises(OutsideDomain, match="shapes"):
        tasks.MatrixCompletion(target, seen[:1])
    with pytest.raises(OutsideDomain, match="not finite"):
        tasks.MatrixCompletion(target * jnp.nan, seen)
    with pytest.raises(OutsideDomain, match="at least one entry"):
        tasks.MatrixCompletion(target, ~seen)
    with pytest.raises(OutsideDomain, match="`rank` is 3"):
        tasks.low_rank_completion(KEY, shape=(4, 2), rank=3, num_observed=2)
    with pytest.raises(OutsideDomain, match="`num_observed` is 9"):
        tasks.low_rank_completion(KEY, shape=(4, 2), rank=1, num_observed=9)
    with pytest.raises(OutsideDomain, match="`dim` is 1"):
        tasks.symmetric_completion(KEY, eigenvalues=jnp.ones(2), dim=1, observed_share=0.5)
    with pytest.raises(OutsideDomain, match="`observed_share`"):
        tasks.symmetric_completion(KEY, eigenvalues=jnp.ones(2), dim=3, observed_share=1.5)
