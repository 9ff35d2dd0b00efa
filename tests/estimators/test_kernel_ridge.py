"""Kernel ridge regression by one factorisation: against direct solves, refits without a sample, and limits."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from solvable.errors import OutsideDomain
from solvable.estimators import factor_design, factor_kernel
from solvable.numerics import GaussianKernel, gram_matrix

RIDGES = jnp.asarray([0.01, 0.3, 5.0])


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(25, 3)), rng.normal(size=(25, 2))
    gram = np.array(gram_matrix(GaussianKernel(1.5), jnp.asarray(inputs)))
    return gram, targets, factor_kernel(jnp.asarray(gram), jnp.asarray(targets))


def test_weights_and_train_error_are_those_of_a_direct_solve(data):
    gram, targets, factored = data
    statistics = factored.statistics(RIDGES)
    for number, ridge in enumerate(RIDGES):
        weights = np.linalg.solve(gram + float(ridge) * np.eye(25), targets)
        np.testing.assert_allclose(factored.dual_weights(ridge), weights, rtol=1e-9)
        train = np.sum((gram @ weights - targets) ** 2) / 25
        assert float(statistics.train[number]) == pytest.approx(train, rel=1e-9)
        inverse = np.linalg.inv(gram + float(ridge) * np.eye(25))
        assert float(statistics.effective_ridge[number]) == pytest.approx(1 / np.trace(inverse), rel=1e-10)
        # GCV is the train error over the square of the share of the effective ridge that the ridge itself is.
        share = float(ridge) / 25 / float(statistics.effective_ridge[number])
        assert float(statistics.gcv[number]) == pytest.approx(train / share**2, rel=1e-10)


def test_leave_one_out_is_what_refits_give(data):
    gram, targets, factored = data
    errors = []
    for out in range(25):
        rest = np.arange(25) != out
        weights = np.linalg.solve(gram[np.ix_(rest, rest)] + 0.3 * np.eye(24), targets[rest])
        errors.append(np.sum((gram[out, rest] @ weights - targets[out]) ** 2))
    assert float(factored.statistics(0.3).leave_one_out) == pytest.approx(np.mean(errors), rel=1e-9)


def test_ridge_zero_is_the_limit_of_small_ridges(data):
    """With a kernel of full rank and with a linear one of rank 3, where residuals are left."""
    _, targets, factored = data
    inputs = np.random.default_rng(1).normal(size=(25, 3))
    linear = factor_kernel(jnp.asarray(inputs @ inputs.T), jnp.asarray(targets))
    assert int(jnp.sum(linear.eigenvalues > 0)) == 3
    for each in (factored, linear):
        limit, small = each.statistics(0.0), each.statistics(1e-9)
        for name in ("gcv", "leave_one_out", "train"):
            np.testing.assert_allclose(getattr(limit, name), getattr(small, name), rtol=1e-3, atol=1e-12)
    residual = targets - inputs @ np.linalg.lstsq(inputs, targets)[0]
    assert float(linear.statistics(0.0).train) == pytest.approx(np.sum(residual**2) / 25, rel=1e-10)
    np.testing.assert_allclose(inputs.T @ linear.dual_weights(0.0), np.linalg.lstsq(inputs, targets)[0], rtol=1e-9)


def test_the_linear_kernel_is_linear_regression():
    """Two routes, more inputs than samples and fewer; and the flow ends at the weights of least norm."""
    for shape in ((6, 9), (9, 6)):
        rng = np.random.default_rng(2)
        inputs, targets = jnp.asarray(rng.normal(size=shape)), jnp.asarray(rng.normal(size=(shape[0], 2)))
        design, kernel = factor_design(inputs, targets), factor_kernel(inputs @ inputs.T, targets)
        for ridge in (0.0, 0.4):
            dual = kernel.dual_weights(ridge).T @ inputs
            np.testing.assert_allclose(design.ridge_weights(ridge), dual, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(design.flow_weights(1e6), design.ridge_weights(0.0), rtol=1e-8, atol=1e-10)


def test_flow_solves_its_equation_and_its_mean_is_the_mean():
    rng = np.random.default_rng(3)
    inputs, targets = jnp.asarray(rng.normal(size=(6, 4))), jnp.asarray(rng.normal(size=(6, 1)))
    design = factor_design(inputs, targets)
    times = jnp.linspace(0, 0.4, 4001)
    path = design.flow_weights(times)[:, 0]
    slope = jax.jvp(design.flow_weights, (jnp.asarray(0.2),), (jnp.asarray(1.0),))[1]
    np.testing.assert_allclose(slope[0], (targets[:, 0] - inputs @ path[2000]) @ inputs, rtol=1e-9)
    np.testing.assert_allclose(
        design.averaged_flow_weights(0.4)[0], jnp.trapezoid(path, dx=1e-4, axis=0) / 0.4, rtol=1e-6
    )
    # Across the switch to the series of short times the mean goes on smoothly.
    short = design.averaged_flow_weights(jnp.asarray([1e-8, 2e-8]))
    np.testing.assert_allclose(short[1], 2 * short[0], rtol=1e-6)


def test_flow_in_the_kernel_follows_its_equation_and_ends_at_ridge_zero(data):
    """Residuals by the matrix exponential."""
    gram, targets, factored = data
    residuals = scipy.linalg.expm(-0.7 * gram) @ targets
    np.testing.assert_allclose(targets - gram @ factored.flow_weights(0.7), residuals, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(factored.flow_weights(1e12), factored.dual_weights(0.0), rtol=1e-6)
    assert not np.any(factored.flow_weights(0.0))
    with pytest.raises(OutsideDomain, match="`time`"):
        factored.flow_weights(-1.0)


def test_requests_without_meaning_are_refused(data):
    with pytest.raises(OutsideDomain, match="`ridge` is -1"):
        data[2].statistics(-1.0)
    with pytest.raises(OutsideDomain, match="must be square"):
        inspect.unwrap(factor_kernel)(jnp.ones((3, 3)), jnp.ones((2, 1)))
