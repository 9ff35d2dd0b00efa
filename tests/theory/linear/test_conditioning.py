"""Depth at both ends of training: exponents of Gaussian products, curvature at the solution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory.linear import chain_curvature, lyapunov_exponents


@pytest.mark.parametrize("width", [1, 8])
def test_exponents_are_means_of_logarithms_of_chi_variables(width):
    rng = np.random.default_rng(0)
    squares = rng.chisquare(np.arange(width, 0, -1), size=(100_000, width)) / width
    np.testing.assert_allclose(lyapunov_exponents(width), np.log(squares).mean(axis=0) / 2, atol=0.015)


def test_sum_of_exponents_is_the_mean_log_determinant():
    rng = np.random.default_rng(1)
    found = np.linalg.slogdet(rng.normal(size=(40_000, 5, 5)) / np.sqrt(5))[1].mean()
    assert float(jnp.sum(lyapunov_exponents(5))) == pytest.approx(found, abs=0.03)


def test_gain_shifts_all_exponents():
    np.testing.assert_allclose(lyapunov_exponents(6, gain=2.0), lyapunov_exponents(6) + np.log(2), rtol=1e-12)
    assert np.all(np.diff(lyapunov_exponents(6)) < 0)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_curvature_is_the_top_eigenvalue_of_the_hessian(depth):
    target = 1.7
    hessian = jax.hessian(lambda chain: (target - jnp.prod(chain)) ** 2 / 2)(jnp.full(depth, target ** (1 / depth)))
    top = float(jnp.linalg.eigvalsh(hessian)[-1])
    assert float(chain_curvature(jnp.asarray(target), depth)) == pytest.approx(top, rel=1e-10)


def test_refusals_name_the_argument():
    with pytest.raises(OutsideDomain, match="`width` is 0"):
        lyapunov_exponents(0)
    with pytest.raises(OutsideDomain, match="`gain` is -1"):
        lyapunov_exponents(2, gain=-1.0)
    with pytest.raises(OutsideDomain, match=r"`depth` is 0\.5"):
        chain_curvature(jnp.asarray(1.0), 0.5)
    with pytest.raises(OutsideDomain, match="`target` is -1"):
        chain_curvature(jnp.asarray(-1.0), 2)
