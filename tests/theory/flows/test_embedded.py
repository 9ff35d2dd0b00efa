"""Embedded fixed points: index counts against full Hessians built here, limits, and distances from manifolds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable import tasks, theory
from solvable.errors import OutsideDomain
from solvable.numerics import Monomials, activations


def _index(loss, point):
    values = np.linalg.eigvalsh(jax.hessian(loss)(point))
    return int(np.sum(values < -1e-8 * np.abs(values).max()))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), bits=st.integers(0, 7), extra=st.integers(0, 2))
def test_the_linear_index_is_that_of_the_full_hessian(seed, bits, extra):
    """The point is built from Lemma 6 by the pseudo-inverse, for general input covariances, with mixed-in units."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(3, 3))
    covariance = mix @ mix.T + 0.5 * np.eye(3)
    moments = tasks.linear_teacher(jnp.asarray(rng.normal(size=(3, 3))), jnp.asarray(covariance)).moments(
        Monomials(3, 1)
    )
    points = theory.flows.greedy_fixed_points(moments)
    active = np.array([bool(bits >> mode & 1) for mode in range(3)])
    if np.min(-np.diff(points.eigenvalues)) < 1e-3 * points.eigenvalues[0]:
        return  # nearly equal eigenvalues have no index to speak of
    learned = np.asarray(points.directions)[active]
    best = learned.T @ learned @ np.asarray(moments.sigma_yz) @ np.linalg.inv(np.asarray(moments.sigma_zz))
    left, strengths, right = np.linalg.svd(best)
    rank, width = int(active.sum()), int(active.sum()) + extra
    root = np.sqrt(strengths[:rank])
    second = np.hstack([left[:, :rank] * root, np.zeros((3, extra))])
    first = np.vstack([root[:, None] * right[:rank], np.zeros((extra, 3))])
    turn = rng.normal(size=(width, width))
    point = jnp.asarray(np.concatenate([(second @ np.linalg.inv(turn)).ravel(), (turn @ first).ravel()]))

    def loss(flat):
        residual = flat[: 3 * width].reshape(3, width) @ flat[3 * width :].reshape(width, 3)
        return jnp.trace(residual @ moments.sigma_zz @ residual.T) / 2 - jnp.sum(residual * moments.sigma_yz)

    if width and np.linalg.cond(turn) < 30:
        assert np.linalg.norm(jax.grad(loss)(point)) < 1e-8
        assert int(theory.flows.linear_saddle_index(moments, jnp.asarray(active), width)) == _index(loss, point)


def test_the_global_minimum_has_index_zero_and_zero_weights_the_most():
    moments = tasks.linear_teacher(jnp.diag(jnp.array([2.0, 1.0])), jnp.eye(2)).moments(Monomials(2, 1))
    index = lambda *active, width=5: int(  # noqa: E731
        theory.flows.linear_saddle_index(moments, jnp.array(active), width)
    )
    assert index(True, True) == 0
    assert index(True, True, width=2) == 0
    assert index(False, False) == 5 * 2
    assert index(True, False) == 4
    assert index(False, True) == 4 + 1


def test_rank_deficient_targets_leave_fewer_ways_down():
    moments = tasks.linear_teacher(jnp.array([[2.0, 0.0], [0.0, 0.0]]), jnp.eye(2)).moments(Monomials(2, 1))
    assert int(theory.flows.linear_saddle_index(moments, jnp.array([False, False]), 4)) == 4
    with pytest.raises(OutsideDomain, match="uses 2 modes"):
        theory.flows.linear_saddle_index(moments, jnp.array([True, True]), 1)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([-1.0, 0.2, 0.5, 0.9, 1.4]))
def test_the_curvature_of_a_unit_is_the_hessian_at_frozen_residual(seed, share):
    rng = np.random.default_rng(seed)
    inputs, first, second = rng.normal(size=(20, 3)), rng.normal(size=(2, 3)), rng.normal(size=(1, 2))
    samples = tasks.make_samples(inputs, rng.normal(size=(20, 1)))
    first, second = jnp.asarray(first), jnp.asarray(second)
    curvature = theory.flows.unit_curvature(samples, first, second, activations.tanh, 1)
    residual = samples.targets - jnp.tanh(samples.inputs @ first.T) @ second.T
    frozen = lambda u: -jnp.mean(residual[:, 0] * second[0, 1] * jnp.tanh(samples.inputs @ u))  # noqa: E731
    assert np.allclose(curvature, jax.hessian(frozen)(first[1]), rtol=1e-9, atol=1e-12)
    # The other side of the split counts the other sign.
    inside = int(theory.flows.split_index(3, curvature, share)) - 3
    outside = int(theory.flows.split_index(3, curvature, 1.5 if 0 < share < 1 else 0.5)) - 3
    assert inside + outside == 3


def test_a_split_that_gives_all_to_one_unit_gains_nothing():
    curvature = jnp.diag(jnp.array([1.0, -2.0]))
    assert [int(theory.flows.split_index(0, curvature, share)) for share in (0.0, 1.0)] == [0, 0]


def test_the_distance_vanishes_at_the_value_of_the_appendix_only():
    second = jnp.array([[1.0, -2.0], [0.5, 0.0]])
    for gamma in (jnp.array([1.0, 0.0]), jnp.array([0.3, -1.5])):
        at_value = gamma / (1 + jnp.sum(gamma**2))
        assert float(theory.flows.embedded_distance(gamma, at_value, second)) < 1e-15
        assert float(theory.flows.embedded_distance(gamma, 1.1 * at_value, second)) > 1e-3


def test_a_unit_that_is_not_there_is_refused():
    samples = tasks.make_samples(np.ones((2, 2)), np.ones((2, 1)))
    with pytest.raises(OutsideDomain, match="units 0 to 0"):
        theory.flows.unit_curvature(samples, jnp.ones((1, 2)), jnp.ones((1, 1)), activations.tanh, 1)
