"""The followed eigenvector: exact on small matrices, close from a random start, exact along a slow change."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.numerics import follow_top_eigenvector


@jax.jit
def _follow(matrix, start):
    return follow_top_eigenvector(lambda x: (matrix @ x.ravel()).reshape(x.shape), start)


def _symmetric(seed, size):
    matrix = np.random.default_rng(seed).normal(size=(size, size))
    return jnp.asarray(matrix @ matrix.T / size)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), size=st.integers(1, 4))
def test_four_steps_exhaust_a_matrix_of_four(seed, size):
    matrix = _symmetric(seed, size)
    vector, value = _follow(matrix, jnp.arange(1.0, size + 1))
    assert float(value) == pytest.approx(np.linalg.eigvalsh(matrix)[-1], rel=1e-9)
    assert np.allclose(matrix @ vector, value * vector, atol=1e-6 * float(value))


def test_along_a_slow_change_the_error_stays_small_and_below():
    matrix, turn = _symmetric(0, 40), _symmetric(1, 40)
    vector = jax.random.normal(jax.random.key(0), (8, 5))
    for share in np.linspace(0, 1, 12):
        now = (1 - share) * matrix + share * turn
        vector, value = _follow(now, vector)
        assert vector.shape == (8, 5)
        top = np.linalg.eigvalsh(now)[-1]
        assert value <= top * (1 + 1e-12)
    assert float(value) == pytest.approx(top, rel=1e-3)
