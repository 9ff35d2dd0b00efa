"""Closed forms of least squares: against the general theory, the paper's own transforms, exact averages and limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from solvable.errors import OutsideDomain
from solvable.theory.kernel import (
    best_isotropic_ridge,
    isotropic_risk,
    kernel_risk,
    latent_space_risk,
    least_squares_risk,
    ridgeless_minimum,
)

ASPECTS = np.array([0.25, 0.5, 0.9, 1.0, 1.25, 2.0, 5.0])


def arrays(*values):
    """Always arrays, so that every example finds the same compiled functions."""
    return [jnp.asarray(value) for value in values]


def test_without_ridge_the_printed_formulas():
    risk = isotropic_risk(jnp.asarray(ASPECTS), signal=5.0, noise=1.0)
    np.testing.assert_allclose(risk.bias, 5 * np.maximum(1 - 1 / ASPECTS, 0), rtol=1e-13)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(
            risk.variance, np.where(ASPECTS < 1, ASPECTS / (1 - ASPECTS), 1 / (ASPECTS - 1)), rtol=1e-13
        )
    assert np.isinf(risk.excess[3])
    # Without noise nothing diverges.
    np.testing.assert_allclose(isotropic_risk(1.0, signal=5.0).excess, 0)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 20), st.floats(1e-3, 1e3), st.floats(0, 5), st.floats(0.0, 5), st.floats(0, 2))
def test_the_closed_form_is_the_general_theory_of_one_level(aspect, ridge, signal, noise, unseen):
    law = dict(zip(("signal", "noise", "unseen", "mean_ridge"), arrays(signal, noise, unseen, ridge), strict=True))
    found = isotropic_risk(jnp.asarray(aspect), **law)
    # n = 1 sample for each gamma modes.
    core = kernel_risk(
        jnp.ones(1),
        jnp.asarray([signal]),
        jnp.ones(()),
        ridge=jnp.asarray(ridge),
        noise=jnp.asarray(noise + unseen),
        multiplicities=jnp.asarray([aspect]),
    )
    np.testing.assert_allclose(found.excess, core.excess + unseen, rtol=1e-9, atol=1e-12)
    del law["signal"]
    correlated = least_squares_risk(jnp.ones(1), jnp.asarray([signal]), jnp.asarray(aspect), **law)
    np.testing.assert_allclose(correlated.bias, found.bias, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(correlated.variance, found.variance, rtol=1e-9, atol=1e-12)


def test_with_ridge_the_stieltjes_transform_of_marchenko_and_pastur():
    """R = r^2 lambda^2 m' + s^2 gamma (m - lambda m'), m' the slope at -lambda; R* = s^2 gamma m at the best ridge."""
    aspects = jnp.array([0.5, 2.0, 0.5, 2.0])
    best = best_isotropic_ridge(aspects, signal=5.0, noise=0.7)
    ridges = jnp.where(jnp.arange(4) < 2, 0.3, best)

    def transform(z, aspect):
        middle = 1 - aspect - z
        return (-middle + jnp.sqrt(middle**2 - 4 * aspect * z)) / (-2 * aspect * z)

    m, slope = jax.jit(jax.vmap(jax.value_and_grad(transform)))(-ridges, aspects)
    risk = isotropic_risk(aspects, signal=5.0, noise=0.7, mean_ridge=ridges)
    np.testing.assert_allclose(risk.bias, 5 * ridges**2 * slope, rtol=1e-10)
    np.testing.assert_allclose(risk.variance, 0.7 * aspects * (m - ridges * slope), rtol=1e-10)
    np.testing.assert_allclose(risk.excess[2:], (0.7 * aspects * m)[2:], rtol=1e-12)
    for factor in (0.0, 0.8, 1.25, 1e6):
        others = isotropic_risk(aspects, signal=5.0, noise=0.7, mean_ridge=factor * best)
        assert (np.asarray(others.excess) > risk.excess[2:].repeat(2)[jnp.array([0, 2, 0, 2])]).all()


def test_correlated_inputs_by_the_papers_equations():
    """c0 by a root finder of SciPy's, then B and V as they are printed."""
    order = np.arange(1, 401.0)
    eigenvalues, power = order**-1.0, order**-0.6
    eigenvalues, power = eigenvalues / eigenvalues.mean(), power / power.sum()
    aspect, noise = 2.0, 0.3

    def mean(values, c):
        return np.mean(values / (1 + c * aspect * eigenvalues) ** 2)

    c = np.exp(brentq(lambda log: np.mean(1 / (1 + np.exp(log) * aspect * eigenvalues)) - 1 + 1 / aspect, -40, 40))
    ratio = mean(eigenvalues**2, c) / mean(eigenvalues, c)
    bias = (1 + aspect * c * ratio) * np.sum(power * eigenvalues / (1 + c * aspect * eigenvalues) ** 2)
    risk = least_squares_risk(jnp.asarray(eigenvalues), jnp.asarray(power), aspect, noise=noise)
    np.testing.assert_allclose(risk.bias, bias, rtol=1e-9)
    np.testing.assert_allclose(risk.variance, noise * aspect * c * ratio, rtol=1e-9)
    # Two levels stand for any number of modes; with fewer inputs than samples their variances do not matter.
    levels = jnp.array([3.0, 0.2]), jnp.array([0.7, 0.3])
    many = least_squares_risk(*levels, jnp.array([0.5, 1.0, 3.0]), noise=1.0, multiplicities=jnp.array([10.0, 30.0]))
    few = least_squares_risk(*levels, jnp.array([0.5, 1.0, 3.0]), noise=1.0, multiplicities=jnp.array([0.25, 0.75]))
    np.testing.assert_allclose(many.excess, few.excess, rtol=1e-12)
    np.testing.assert_allclose(few.excess[0], 1.0, rtol=1e-12)
    assert np.isinf(few.variance[1])
    assert float(few.bias[1]) == pytest.approx(0, abs=1e-12)


def test_the_local_minimum_exists_above_a_ratio_of_one():
    assert float(ridgeless_minimum(5.0)) == pytest.approx(1.80902, abs=1e-5)
    for ratio in (1.5, 5.0, 40.0):
        there = float(ridgeless_minimum(ratio))
        around = isotropic_risk(there * jnp.array([0.9, 1.0, 1.1]), signal=ratio, noise=1.0).excess
        assert int(np.argmin(around)) == 1
        assert float(around[1]) == pytest.approx(2 * ratio**0.5 - 1, rel=1e-12)
    for ratio in (0.0, 0.3, 1.0):
        assert float(ridgeless_minimum(ratio)) == np.inf
        falling = np.asarray(isotropic_risk(jnp.geomspace(1.01, 1e6, 50), signal=ratio, noise=1.0).excess)
        assert (np.diff(falling) < 0).all()
        assert falling[-1] > ratio
        assert falling[-1] == pytest.approx(ratio, abs=1e-5)


def test_the_latent_space_is_its_equivalent_linear_model():
    inputs, samples, causes, strength, theta, noise = 300, 200, 60, 0.7, 1.3, 0.2
    ratio = causes / inputs
    beta_power = theta * strength * ratio / (ratio + strength) ** 2
    unseen = theta * ratio / (ratio + strength)
    eigenvalues = np.where(np.arange(inputs) < causes, 1 + strength / ratio, 1.0)
    power = np.where(np.arange(inputs) < causes, beta_power / causes, 0)
    core = kernel_risk(jnp.asarray(eigenvalues), jnp.asarray(eigenvalues * power), samples, noise=noise + unseen)
    law = dict(strength=strength, signal=theta, noise=noise)
    found = latent_space_risk(inputs / samples, ratio, **law)
    np.testing.assert_allclose(found.excess, core.excess + unseen, rtol=1e-10)
    # All power of the target is either along the inputs or unseen.
    assert beta_power * (1 + strength / ratio) + unseen == pytest.approx(theta)
    aspects = jnp.array([0.5, 1.5, 5.0, 50.0, 1e6])
    falling = latent_space_risk(aspects, 0.3 / aspects, strength=1.0, signal=1.0).excess
    assert int(np.argmin(falling[1:])) == 3
    assert float(falling[-1]) < float(falling[0])
    # No causes seen: everything is noise.
    assert float(latent_space_risk(2.0, 0.5, strength=0.0).bias) == 0


def test_limits_and_refusals():
    assert float(best_isotropic_ridge(2.0, signal=0.0, noise=1.0)) == np.inf
    tiny = isotropic_risk(jnp.asarray(3.0), signal=2.0, noise=1.0, mean_ridge=jnp.array([1e-14, 1e12]))
    np.testing.assert_allclose(tiny.excess, [2 * 2 / 3 + 0.5, 2.0], rtol=1e-10)
    single = isotropic_risk(jnp.asarray(2.0, jnp.float32), signal=1.0, noise=0.5)
    assert single.excess.dtype == jnp.float32
    slope = jax.grad(lambda ridge: isotropic_risk(2.0, signal=1.0, noise=1.0, mean_ridge=ridge).excess)(0.0)
    assert float(slope) < 0
    for call, word in (
        (lambda: isotropic_risk(0.0), "aspect"),
        (lambda: isotropic_risk(1.0, unseen=-1.0), "unseen"),
        (lambda: ridgeless_minimum(-1.0), "signal_to_noise"),
        (lambda: latent_space_risk(2.0, 1.5), "latent_ratio"),
        (lambda: least_squares_risk(jnp.ones(2), jnp.ones(3), 1.0), "signal_power"),
        (lambda: least_squares_risk(-jnp.ones(2), jnp.ones(2), 1.0), "eigenvalues"),
    ):
        with pytest.raises(OutsideDomain, match=f"`{word}`"):
            call()
