"""Greedy low-rank learning: what every phase ends at, where phases end, and the powers of the first one."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.tasks import MatrixCompletion
from solvable.theory import linear


def test_phases_of_a_completion_problem_are_those_found_by_hand():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(10, 10)))[0][:, :3]
    target = (basis * np.array([10, 5, 2.5])) @ basis.T
    seen = np.triu(rng.random((10, 10)) < 0.75) | np.eye(10, dtype=bool)
    task = MatrixCompletion(jnp.asarray(target), jnp.asarray(seen | seen.T))
    path = linear.greedy_low_rank(task.gradient, 10)
    assert np.asarray(path.growth)[:3] == pytest.approx([9.67543, 4.77914, 2.17622], rel=1e-5)
    assert path.growth[3] < 1e-6
    maps = np.asarray(path.weights)
    assert [np.linalg.matrix_rank(phase, tol=1e-6) for phase in maps] == [0, 1, 2, 3]
    assert np.linalg.eigvalsh(maps[2])[-2:] == pytest.approx([5.40187, 10.27033], rel=1e-5)
    assert maps[3] == pytest.approx(target, abs=1e-6)
    for phase, growth, direction in zip(maps, path.growth, path.directions, strict=True):
        slope = np.asarray(task.gradient(jnp.asarray(phase)))
        assert slope @ phase == pytest.approx(0, abs=1e-5)
        assert -slope @ direction == pytest.approx(float(growth) * np.asarray(direction), abs=1e-6)


def test_seen_whole_a_matrix_is_learned_mode_by_mode_without_what_is_negative():
    target = np.zeros((10, 10))
    target[range(3), range(3)] = 3.0, -2.0, 1.0
    task = MatrixCompletion(jnp.asarray(target), jnp.ones((10, 10), bool))
    path = linear.greedy_low_rank(task.gradient, 10)
    assert np.asarray(path.growth) == pytest.approx([3.0, 1.0, 0.0], abs=1e-6)
    assert np.asarray(path.weights[-1]) == pytest.approx(np.maximum(target, 0), abs=1e-6)
    assert linear.greedy_low_rank(task.gradient, 10, most_rank=1).weights.shape == (2, 10, 10)


def test_nothing_to_learn_is_no_phase():
    path = linear.greedy_low_rank(lambda weights: weights + jnp.eye(2), 2)
    assert path.weights.shape == (1, 2, 2)


def test_the_first_phase_comes_closer_by_half_the_power_where_directions_mix():
    growth = jnp.array([2.0, 0.5, -1.0])
    assert float(linear.phase_exponent(growth, aligned=True)) == pytest.approx(0.75)
    assert float(linear.phase_exponent(growth)) == pytest.approx(0.375)
    assert float(linear.phase_exponent(jnp.array([1.0, 1.0]))) == 0
    assert float(linear.phase_exponent(jnp.array([1.0, -3.0]), aligned=True)) == 1


def test_requests_without_meaning_are_refused():
    with pytest.raises(OutsideDomain, match="`growth` holds 1"):
        linear.phase_exponent(jnp.ones(1))
    with pytest.raises(OutsideDomain, match="must be finite"):
        linear.greedy_low_rank(lambda weights: weights + jnp.nan, 2)
    with pytest.raises(OutsideDomain, match="`most_rank` is 0"):
        linear.greedy_low_rank(lambda weights: weights, 2, most_rank=0)
