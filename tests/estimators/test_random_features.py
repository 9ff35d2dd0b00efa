"""Regression on random features: the normal equations of its definition, nested features, the many-sample limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import estimators, tasks
from solvable.errors import OutsideDomain

KEY = jax.random.key(3)
DRAWN = tasks.source_capacity(30, capacity=1.3, source=0.3, noise_std=0.1).sample(jax.random.key(1), 12)


def test_weights_lie_in_the_span_and_solve_the_normal_equations():
    ridge, (inputs, targets) = 0.05, (np.asarray(DRAWN.inputs), np.asarray(DRAWN.targets))
    fit = estimators.fit_random_features(KEY, DRAWN.inputs, DRAWN.targets, 20, ridge=ridge)
    features = np.asarray(jax.random.normal(KEY, (20, 30))) / np.sqrt(20)
    design = inputs @ features.T
    exact = np.linalg.solve(design.T @ design + ridge * np.eye(20), design.T @ targets).T @ features
    np.testing.assert_allclose(fit.weights, exact, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fit.train, np.mean((inputs @ exact.T - targets) ** 2), rtol=1e-8)


def test_a_bound_on_features_changes_nothing():
    plain = estimators.fit_random_features(KEY, DRAWN.inputs, DRAWN.targets, 7)
    masked = jax.jit(
        lambda count: estimators.fit_random_features(KEY, DRAWN.inputs, DRAWN.targets, count, most_features=20)
    )(jnp.asarray(7))
    np.testing.assert_allclose(masked.weights, plain.weights, rtol=1e-7, atol=1e-9)


def test_the_best_map_is_the_projection_onto_the_features():
    task = tasks.source_capacity(10, capacity=1.3, source=0.3)
    best = estimators.best_random_features(KEY, task.eigenvalues, task.coefficients, 4)
    features, roots = np.asarray(jax.random.normal(KEY, (4, 10))), np.sqrt(task.eigenvalues)
    exact = np.linalg.lstsq(roots[:, None] * features.T, np.asarray(task.coefficients), rcond=None)[0]
    np.testing.assert_allclose(best, exact @ features, rtol=1e-8)


def test_what_has_no_meaning_is_refused():
    fit = estimators.fit_random_features
    with pytest.raises(OutsideDomain, match="`num_features` is 0"):
        fit(KEY, DRAWN.inputs, DRAWN.targets, 0)
    with pytest.raises(OutsideDomain, match="at most `most_features` = 4"):
        fit(KEY, DRAWN.inputs, DRAWN.targets, 5, most_features=4)
    with pytest.raises(OutsideDomain, match="`num_features` is traced"):
        jax.jit(lambda count: fit(KEY, DRAWN.inputs, DRAWN.targets, count).train)(3)
    with pytest.raises(OutsideDomain, match="`ridge` is -1"):
        fit(KEY, DRAWN.inputs, DRAWN.targets, 3, ridge=-1.0)
