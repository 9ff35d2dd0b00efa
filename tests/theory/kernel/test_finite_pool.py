"""Errors off the training set: the identity itself, what it makes of the theory on a small pool, and its limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.estimators import factor_kernel
from solvable.instruments import kernel_modes
from solvable.numerics import LaplaceKernel, gram_matrix
from solvable.theory.kernel import kernel_risk, off_sample_error


def test_it_goes_as_far_as_half_of_the_pool_with_a_ridge_and_less_far_without():
    """Laplace kernel on 90 points, trained on 45: uncorrected the theory is half too low."""
    size, count, draws, ridges = 90, 45, 200, jnp.array([0.1, 1e-3])
    inputs = jax.random.normal(jax.random.key(0), (size, 8))
    targets = jnp.sin(inputs[:, :1]) + inputs[:, 1:2]
    gram = gram_matrix(LaplaceKernel(3.0), inputs)
    modes = kernel_modes(gram, targets)

    def learn(key):
        rows = jax.random.permutation(key, size)
        seen, rest = rows[:count], rows[count:]
        factored = factor_kernel(gram[seen][:, seen], targets[seen])
        errors = (jax.vmap(factored.dual_weights)(ridges)[:, :, 0] @ gram[seen] - targets[:, 0][None, :]) ** 2
        return jnp.mean(errors, 1), jnp.mean(errors[:, seen], 1), jnp.mean(errors[:, rest], 1)

    drawn = jax.jit(jax.vmap(learn))(jax.random.split(jax.random.key(1), draws))
    pool, train, rest = (jnp.mean(part, axis=0) for part in drawn)
    np.testing.assert_allclose(off_sample_error(pool, train, float(count), float(size)), rest, rtol=1e-10)
    risk = kernel_risk(modes.eigenvalues, modes.target_power, float(count), ridge=ridges)
    corrected = off_sample_error(risk.test, risk.train, float(count), float(size))
    np.testing.assert_allclose(corrected[0], rest[0], rtol=0.03)
    assert 0.75 < float(corrected[1] / rest[1]) < 0.92
    np.testing.assert_allclose(risk.test / rest, 0.5, atol=0.1)


def test_limits_and_refusals():
    assert float(off_sample_error(0.4, 0.1, 1e-9, 10.0)) == pytest.approx(0.4)
    assert float(off_sample_error(0.3, 0.3, 5.0, 10.0)) == pytest.approx(0.3)
    assert float(off_sample_error(np.inf, 0.0, 5.0, 10.0)) == np.inf
    with pytest.raises(OutsideDomain, match="pool of 10"):
        off_sample_error(0.3, 0.1, 10.0, 10.0)
    with pytest.raises(OutsideDomain, match="`num_samples` is 0"):
        off_sample_error(0.3, 0.1, 0.0, 10.0)
