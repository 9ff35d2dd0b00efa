"""The completion of least nuclear norm: its certificate, known solutions, and shapes of every kind."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.tasks import MatrixCompletion
from solvable.theory import linear


def problem(shape, share, seed=0):
    rng = np.random.default_rng(seed)
    return MatrixCompletion(jnp.asarray(rng.normal(size=shape)), jnp.asarray(rng.random(shape) < share))


@pytest.mark.parametrize(("shape", "share"), [((8, 5), 0.5), ((3, 12), 0.7)])
def test_the_certificate_proves_the_minimum(shape, share):
    task = problem(shape, share)
    found = linear.least_nuclear_norm(task)
    assert float(found.gap) < 1e-6
    observed = np.asarray(task.observed)
    assert np.array_equal(np.asarray(found.weights)[observed], np.asarray(task.target)[observed])
    dual = np.asarray(found.certificate)
    assert np.all(dual[~observed] == 0)
    assert np.linalg.norm(dual, 2) <= 1 + 1e-9
    norm = np.linalg.norm(found.weights, "nuc")
    assert float(found.nuclear_norm) == pytest.approx(norm)
    assert np.sum(dual * np.where(observed, task.target, 0)) == pytest.approx(norm, rel=2e-6)
    # No other completion has less.
    rng = np.random.default_rng(1)
    for _ in range(20):
        other = np.where(observed, found.weights, found.weights + 0.1 * rng.normal(size=shape))
        assert np.linalg.norm(other, "nuc") >= norm * (1 - 1e-6)


def test_a_two_by_two_corner_is_filled_to_rank_one():
    # Of three ones the missing entry is 1, which makes rank one.
    seen = jnp.array([[True, True], [True, False]])
    ones = linear.least_nuclear_norm(MatrixCompletion(jnp.ones((2, 2)), seen))
    assert float(ones.weights[1, 1]) == pytest.approx(1.0, abs=1e-2)
    assert float(ones.nuclear_norm) == pytest.approx(2.0, rel=1e-5)


def test_all_observed_is_the_matrix_and_nothing_but_zeros_stays_zero():
    task = problem((2, 2), 2.0)
    assert np.array_equal(linear.least_nuclear_norm(task).weights, task.target)
    blank = linear.least_nuclear_norm(MatrixCompletion(jnp.zeros((2, 2)), jnp.eye(2, dtype=bool)))
    assert np.all(np.asarray(blank.weights) == 0)
    assert float(blank.gap) == 0


def test_an_early_stop_tells_its_gap_and_a_tolerance_must_be_positive():
    rough = linear.least_nuclear_norm(problem((8, 5), 0.5), most_steps=3)
    assert int(rough.steps) == 3
    assert float(rough.gap) > 1e-6
    with pytest.raises(OutsideDomain, match="`tolerance`"):
        linear.least_nuclear_norm(problem((2, 2), 2.0), tolerance=0.0)
