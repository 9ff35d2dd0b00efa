"""Averaged SGD: step by step as written down, one sample's exact solution, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import estimators
from solvable.errors import OutsideDomain

KEY = jax.random.key(0)


def test_records_are_those_of_a_plain_loop():
    inputs, targets = jax.random.normal(KEY, (5, 3)), jax.random.normal(jax.random.key(1), (5, 2))
    run = estimators.averaged_sgd(KEY, inputs, targets, learning_rate=0.1, record=(1, 4, 9))
    order = np.asarray(jax.random.randint(KEY, (9,), 0, 5))
    weights, path = np.zeros((2, 3)), []
    for sample in order:
        x, y = np.asarray(inputs[sample]), np.asarray(targets[sample])
        weights = weights + 0.1 * np.outer(y - weights @ x, x)
        path.append(weights)
    np.testing.assert_allclose(run.weights, [path[0], path[3], path[8]], rtol=1e-12)
    np.testing.assert_allclose(run.averages, [path[0], np.mean(path[:4], axis=0), np.mean(path, axis=0)], rtol=1e-12)
    np.testing.assert_array_equal(run.steps, [1, 4, 9])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.0}, "`learning_rate` is 0.0"),
        ({"record": (2, 2)}, "`record` is"),
        ({"record": (0, 2)}, "`record` is"),
        ({"record": ()}, "`record` is"),
    ],
)
def test_what_has_no_meaning_is_refused(change, message):
    with pytest.raises(OutsideDomain, match=message):
        estimators.averaged_sgd(
            KEY, jnp.ones((2, 1)), jnp.ones((2, 1)), **{"learning_rate": 0.1, "record": (1,), **change}
        )
