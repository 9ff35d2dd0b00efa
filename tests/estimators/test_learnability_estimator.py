"""Learnability of one training set: conserved, and counting each point once; instruments see the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import estimators, instruments, numerics, tasks
from solvable.errors import OutsideDomain

D = 4
KERNEL = numerics.LevelKernel(jnp.array([1.0, 0.3, 0.1, 0.05, 0.02]), D, numerics.krawtchouk)
VALUES = (KERNEL.shares / numerics.hypercube_multiplicities(D))[tasks.parity_degrees(D)]


def test_the_sum_is_the_number_of_different_points():
    @jax.jit
    def learn(ridge):
        points = tasks.hypercube_points(D)
        inputs = points[jnp.array([0, 3, 3, 7, 9, 9, 9, 12])]
        features, gram = tasks.parity_features(inputs), numerics.gram_matrix(KERNEL, inputs)
        # The definition, on all points there are: <f, f-hat>/<f, f>.
        dual = estimators.factor_kernel(gram, features).dual_weights(ridge)
        outputs = numerics.gram_matrix(KERNEL, points, inputs) @ dual
        return (
            estimators.kernel_learnability(gram, VALUES, features, ridge),
            instruments.measure_learnability(outputs, tasks.parity_features(points)),
            jnp.diag(estimators.learned_coefficients(dual, VALUES, features)),
        )

    learned, defined, coefficients = (np.asarray(each) for each in learn(0.0))
    np.testing.assert_allclose(learned.sum(), 5, rtol=1e-9)
    np.testing.assert_allclose(defined, learned, atol=1e-9)
    np.testing.assert_allclose(coefficients, learned, atol=1e-12)
    assert learn(0.1)[0].sum() < 5


def test_instrument_refuses_nothing_to_learn():
    with pytest.raises(OutsideDomain, match="zeros"):
        instruments.measure_learnability(jnp.ones((3, 2)), jnp.zeros((3, 2)))
