"""Training in function space against training itself: a linear model in its weights, step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from solvable.errors import OutsideDomain
from solvable.theory.kernel import (
    Descent,
    Flow,
    FrictionFlow,
    ensemble_path,
    gaussian_posterior,
    linear_path,
    step_bounds,
    weight_change,
    weight_distance,
)

RNG = np.random.default_rng(0)
JACOBIAN, CROSS = jnp.asarray(RNG.normal(size=(4, 6))), jnp.asarray(RNG.normal(size=(3, 6)))
TARGETS, START, OTHER_START = (jnp.asarray(RNG.normal(size=(n, 1))) for n in (4, 4, 3))
KERNEL, CROSS_KERNEL = JACOBIAN @ JACOBIAN.T, CROSS @ JACOBIAN.T
PATH = {"start": START, "cross_kernel": CROSS_KERNEL, "cross_start": OTHER_START}


def test_descent_is_descent_of_the_weights():
    """Outputs, weights and their lengths, at once; from below the largest stable rate to beyond it."""
    bounds = step_bounds(KERNEL)
    steps = jnp.array([0, 1, 7, 30])
    jacobian, residual = np.asarray(JACOBIAN), np.asarray(START - TARGETS)[:, 0]
    for rate in (0.3 * float(bounds.largest), 1.02 * float(bounds.largest)):
        weights = np.zeros((31, 6))
        for step in range(30):
            weights[step + 1] = weights[step] - rate * jacobian.T @ (residual + jacobian @ weights[step])
        weights = weights[np.asarray(steps)]
        clock = Descent(steps, rate)
        path = linear_path(KERNEL, TARGETS, clock, **PATH)
        np.testing.assert_allclose(
            path.train[:, :, 0], np.asarray(START)[:, 0] + weights @ jacobian.T, rtol=1e-9, atol=1e-9
        )
        np.testing.assert_allclose(
            path.test[:, :, 0], np.asarray(OTHER_START)[:, 0] + weights @ np.asarray(CROSS).T, atol=1e-9
        )
        np.testing.assert_allclose(weight_change(JACOBIAN, jnp.asarray(residual), clock), weights, atol=1e-9)
        lengths = np.linalg.norm(weights, axis=1)
        np.testing.assert_allclose(weight_distance(KERNEL, START - TARGETS, clock), lengths, atol=1e-9)
    # At the critical rate the fastest and the slowest mode shrink alike; far beyond the largest all stay numbers.
    shares = Descent(jnp.array([1]), bounds.critical).remaining(jnp.linalg.eigvalsh(KERNEL))[0]
    np.testing.assert_allclose(np.abs(shares[np.array([0, -1])]), bounds.contraction)
    assert np.isfinite(linear_path(KERNEL, TARGETS, Descent(jnp.array([10**6]), 10.0), **PATH).train).all()
    assert np.isinf(step_bounds(jnp.zeros((2, 2))).largest)


def test_clocks_at_their_limits():
    rates = jnp.array([0.0, 1e-9, 0.24, 0.25, 0.26, 2.0])
    # Friction 1 is critical at rate 1/4: the solution of the equation of motion, its derivatives by autodiff.
    shares = jax.jit(lambda t: FrictionFlow(t[None], 1.0).remaining(rates)[0])
    at, step = jnp.asarray(1.7), 1e-3
    before, now, after = shares(at - step), shares(at), shares(at + step)
    motion = (after - 2 * now + before) / step**2 + (after - before) / (2 * step) + rates * now
    np.testing.assert_allclose(motion, 0, atol=1e-6)
    np.testing.assert_allclose(shares(at)[3], np.exp(-0.85) * 1.85)
    np.testing.assert_allclose(shares(at * 0), 1)
    for clock in (Flow(jnp.array([1.7, jnp.inf])), FrictionFlow(jnp.array([1.7, jnp.inf]), 1.0)):
        left, learned = jax.jit(lambda clock: (clock.remaining(rates), clock.reach(rates)))(clock)
        np.testing.assert_allclose(np.asarray(learned)[:, 2:] * np.asarray(rates)[2:], 1 - np.asarray(left)[:, 2:])
        np.testing.assert_allclose(left[1], [1, 0, 0, 0, 0, 0])
        np.testing.assert_allclose(learned[0, 0], learned[0, 1], rtol=1e-6)
    # Much friction is flow, slowed down by it; small steps are flow.
    shares, reach = jax.jit(lambda clock: clock.remaining(rates)), jax.jit(lambda clock: clock.reach(rates))
    flow, slow = Flow(jnp.array([1.0])), FrictionFlow(jnp.array([300.0]), 300.0)
    np.testing.assert_allclose(shares(slow), shares(flow), atol=1e-4)
    np.testing.assert_allclose(reach(Descent(jnp.array([10_000]), 1e-4)), reach(flow), atol=1e-4)


def test_an_ensemble_trained_in_the_last_layer_ends_at_the_posterior():
    prior = jnp.concatenate([JACOBIAN, CROSS]) @ jnp.concatenate([JACOBIAN, CROSS]).T
    sizes = {"cross_covariance": CROSS_KERNEL, "other_covariance": prior[4:, 4:]}
    clock = Flow(jnp.array([0.0, 0.5, jnp.inf]))
    law = ensemble_path(KERNEL, KERNEL, TARGETS, clock, cross_kernel=CROSS_KERNEL, **sizes)
    posterior = gaussian_posterior(KERNEL, TARGETS, **sizes)
    inverse, cross = np.linalg.inv(KERNEL), np.asarray(CROSS_KERNEL)
    np.testing.assert_allclose(posterior.mean, cross @ inverse @ np.asarray(TARGETS), rtol=1e-8)
    np.testing.assert_allclose(law.mean[-1], posterior.mean, rtol=1e-8)
    np.testing.assert_allclose(law.covariance[-1], posterior.covariance, atol=1e-9)
    np.testing.assert_allclose(posterior.covariance, np.asarray(prior)[4:, 4:] - cross @ inverse @ cross.T, atol=1e-9)
    np.testing.assert_allclose(law.covariance[0], prior[4:, 4:])
    # Samples of weights and the path of each: the covariance in between.
    starts = RNG.normal(size=(6, 20_000))
    learned = inverse - inverse @ scipy.linalg.expm(-0.5 * np.asarray(KERNEL))
    paths = np.asarray(CROSS) @ starts - cross @ learned @ (np.asarray(JACOBIAN) @ starts - np.asarray(TARGETS))
    np.testing.assert_allclose(law.mean[1, :, 0], paths.mean(axis=1), atol=0.05)
    np.testing.assert_allclose(law.covariance[1], np.cov(paths), atol=0.1)
    # A kernel of less than full rank: what it cannot reach stays, and nothing is NaN.
    flat = linear_path(jnp.ones((4, 4)), TARGETS, clock, cross_kernel=jnp.ones((3, 4)))
    np.testing.assert_allclose(flat.train[-1], jnp.mean(TARGETS), atol=1e-12)
    np.testing.assert_allclose(flat.test[-1], jnp.mean(TARGETS), atol=1e-12)


def test_refusals():
    with pytest.raises(OutsideDomain, match="at least 0"):
        Flow(jnp.array([-1.0]))
    with pytest.raises(OutsideDomain, match="oscillate"):
        FrictionFlow(jnp.array([jnp.inf]), 0.0)
    with pytest.raises(OutsideDomain, match="learning_rate"):
        Descent(jnp.array([1]), 0.0)
