"""Greedy low-rank learning: what every phase ends at, where phases end, and the powers of the first one."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

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


def test_times_between_saddles_are_those_of_the_flow_extrapolated_in_the_logarithm_of_the_scale():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(6, 6)))[0][:, :2]
    target = (basis * np.array([6.0, 2.0])) @ basis.T
    seen = np.ones((6, 6), bool)
    seen[0, 1] = seen[1, 0] = seen[2, 4] = seen[4, 2] = False
    task = MatrixCompletion(jnp.asarray(target), jnp.asarray(seen))
    path = linear.greedy_low_rank(task.gradient, 6)
    plateaus = [np.sum(seen * (np.asarray(phase) - target) ** 2) / 2 for phase in path.weights]

    def cross(log_scale):
        """Times at which the loss of the flow is half way between plateaus."""

        def slope(time, weights):
            factors = weights.reshape(6, 6)
            return -((seen * (factors @ factors.T - target)) @ factors).ravel()

        start = np.exp(-log_scale / 2) * np.eye(6)
        flow = solve_ivp(slope, (0, 1.5 * log_scale), start.ravel(), rtol=1e-9, atol=1e-6 * start.max(), max_step=0.05)
        maps = flow.y.T.reshape(-1, 6, 6) @ flow.y.T.reshape(-1, 6, 6).transpose(0, 2, 1)
        losses = np.sum(seen * (maps - target) ** 2, axis=(1, 2)) / 2
        middles = [(high + low) / 2 for high, low in itertools.pairwise(plateaus[:3])]
        return np.array([flow.t[np.argmax(losses < middle)] for middle in middles])

    near, far = 20.0, 40.0
    limit = (cross(far) - cross(near)) / (far - near)
    assert np.asarray(linear.greedy_times(task.gradient, path))[:2] == pytest.approx(limit, rel=0.02)


def test_modes_that_keep_their_axes_are_left_at_half_the_inverse_of_their_rates():
    task = MatrixCompletion(jnp.diag(jnp.array([3.0, 2.0, 0.5])), jnp.ones((3, 3), bool))
    path = linear.greedy_low_rank(task.gradient, 3)
    assert np.asarray(linear.greedy_times(task.gradient, path)) == pytest.approx([1 / 6, 1 / 4, 1], rel=1e-5)
    nothing = linear.greedy_low_rank(lambda weights: weights + jnp.eye(2), 2)
    assert linear.greedy_times(lambda weights: weights + jnp.eye(2), nothing).shape == (0,)


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
