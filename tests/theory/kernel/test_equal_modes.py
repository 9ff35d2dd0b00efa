"""Closed forms of equal modes against the general risk, at and around the interpolation threshold."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory import kernel as theory

RATIOS = jnp.array([0.2, 0.5, 1.0, 1.5, 4.0])


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 0.3])
def test_equal_modes_are_the_general_risk(ridge):
    risk = theory.kernel_risk(
        jnp.array([0.01]), jnp.array([1.0]), 100 * RATIOS, ridge=ridge, noise=0.3, multiplicities=jnp.array([100.0])
    )
    error = theory.equal_modes_error(RATIOS, ridge, 0.3)
    np.testing.assert_allclose(error, risk.excess, rtol=1e-6)
    found = theory.equal_modes_ridge(RATIOS, ridge)
    np.testing.assert_allclose(found, 100 * RATIOS * risk.effective_ridge, rtol=1e-9, atol=1e-15)


def test_ends_of_the_curve():
    assert float(theory.equal_modes_error(1.0, 0.0, 0.1)) == np.inf
    assert float(theory.equal_modes_error(1.0)) == 0
    assert float(theory.equal_modes_error(0.0, 0.5, 0.1)) == 1
    np.testing.assert_allclose(theory.equal_modes_error(2.0, 0.0, 0.3), 0.3)


@pytest.mark.parametrize("stage", [1, 2])
def test_the_stage_formula_is_the_limit_of_many_dimensions(stage):
    shares, power = jnp.array([0.5, 1.0, 0.5, 0.2, 0.1]), jnp.array([0.0, 1.0, 0.5, 0.3, 0.1])
    ratio = jnp.array(0.5)
    limit = theory.stage_error(shares, power, stage, ratio, ridge=0.05, noise=0.1)
    gaps = []
    for dim in (50, 400, 3000):
        counts = jnp.asarray(theory_multiplicities(dim))
        risk = theory.kernel_risk(
            shares / counts, power, ratio * counts[stage], ridge=0.05, noise=0.1, multiplicities=counts
        )
        gaps.append(abs(float(risk.excess / limit) - 1))
    assert 0.03 < gaps[0] < 0.1
    assert gaps[1] < gaps[0] / 6
    assert gaps[2] < gaps[1] / 5


def theory_multiplicities(dim):
    from solvable.numerics import sphere_multiplicities

    return sphere_multiplicities(dim, 5)


def test_refusals():
    with pytest.raises(OutsideDomain, match="stage"):
        theory.stage_error(jnp.ones(2), jnp.ones(2), 2, 0.5)
    with pytest.raises(OutsideDomain, match="share"):
        theory.stage_error(jnp.array([1.0, 0.0]), jnp.ones(2), 1, 0.5)
    with pytest.raises(OutsideDomain, match="noise"):
        theory.equal_modes_error(0.5, noise=-1.0)
