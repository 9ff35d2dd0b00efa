"""Linear classifiers: conditions of their minima, and a second library."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from solvable import estimators, tasks
from solvable.errors import OutsideDomain

TASK = tasks.SignTeacher(tasks.source_capacity(60, capacity=1.2, source=0.3, noise_std=0.5))


@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_logistic_regression_is_that_of_scikit_learn(ridge):
    drawn = TASK.sample(jax.random.key(0), 80)
    fit = estimators.logistic_regression(drawn.inputs, drawn.targets[:, 0], ridge)
    other = LogisticRegression(C=1 / ridge, fit_intercept=False, tol=1e-10, max_iter=10_000, solver="newton-cholesky")
    other.fit(np.asarray(drawn.inputs), np.asarray(drawn.targets[:, 0]))
    np.testing.assert_allclose(fit.weights, other.coef_[0], rtol=1e-5, atol=1e-6)
    margins = np.asarray(drawn.targets[:, 0] * (drawn.inputs @ fit.weights))
    np.testing.assert_allclose(fit.train_loss, np.mean(np.log1p(np.exp(-margins))))


def test_max_margin_meets_its_conditions():
    drawn = TASK.sample(jax.random.key(1), 40)
    labels = drawn.targets[:, 0]
    fit = estimators.max_margin(drawn.inputs, labels)
    margins = labels * (drawn.inputs @ fit.weights)
    assert (fit.dual_weights >= 0).all()
    assert (margins > 1 - 1e-9).all()
    np.testing.assert_allclose(jnp.where(fit.dual_weights > 0, margins - 1, 0), 0, atol=1e-9)
    np.testing.assert_allclose(fit.weights, (fit.dual_weights * labels) @ drawn.inputs)
    assert 0 < jnp.sum(fit.dual_weights > 0) < 40


def test_refusals_of_classifiers():
    drawn = TASK.sample(jax.random.key(1), 70)
    with pytest.raises(OutsideDomain, match="at most as many as inputs"):
        estimators.max_margin(drawn.inputs, drawn.targets[:, 0])
    with pytest.raises(OutsideDomain, match="ridge"):
        estimators.logistic_regression(drawn.inputs, drawn.targets[:, 0], 0.0)
