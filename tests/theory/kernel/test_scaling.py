"""Exponents of learning curves: against the whole theory's curves at large n, at their limits, and between regimes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.theory.kernel import (
    best_ridge_exponent,
    kernel_risk,
    noise_free_exponent,
    noisy_exponent,
    regression_regime,
)

SAMPLES = jnp.array([1e3, 3e3, 1e4])


def curve_slopes(capacity, source, ridge_exponent, noise):
    """Minus the slope of the excess error's logarithm, from a long power-law spectrum."""
    order = jnp.arange(1.0, 200001)
    ridge = SAMPLES ** (1 - ridge_exponent) if np.isfinite(ridge_exponent) else 0.0
    risk = kernel_risk(order**-capacity, order ** -(1 + 2 * capacity * source), SAMPLES, ridge=ridge, noise=noise)
    return -np.gradient(np.log(risk.excess), np.log(SAMPLES))[-1], risk.excess[-1]


@pytest.mark.parametrize(
    ("capacity", "source", "ridge_exponent", "noise", "name", "exponent"),
    [
        (1.8, 0.6, np.inf, 0.0, "green", 2.16),
        (1.8, 0.6, 0.8, 0.0, "blue", 0.96),
        (1.8, 0.6, np.inf, 0.01, "red", 0.0),
        (1.8, 0.6, 1.2, 0.3, "orange", 1 / 3),
        (2.5, 3.0, np.inf, 0.0, "green", 5.0),
    ],
)
def test_each_regime_is_the_slope_of_the_whole_theory(capacity, source, ridge_exponent, noise, name, exponent):
    regime = regression_regime(capacity, source, ridge_exponent, noise=noise)
    assert regime.name() == name
    np.testing.assert_allclose(regime.exponent(), exponent, rtol=1e-12)
    slope, excess = curve_slopes(capacity, source, ridge_exponent, noise)
    np.testing.assert_allclose(slope, exponent, atol=0.06)
    if name == "red":
        np.testing.assert_allclose(excess, noise * (capacity - 1), rtol=0.1)


def test_the_best_ridge_gives_the_exponent_with_noise_and_lies_where_its_own_says():
    capacity, source, noise = 1.8, 0.6, 0.2
    order, grid = jnp.arange(1.0, 20001), jnp.logspace(-4, 0, 161)
    samples, ratios = (axis.ravel() for axis in jnp.meshgrid(SAMPLES, grid, indexing="ij"))
    excess = kernel_risk(
        order**-capacity, order ** -(1 + 2 * capacity * source), samples, ridge=ratios * samples, noise=noise
    ).excess.reshape(3, -1)
    fall = np.log(SAMPLES[-1] / SAMPLES[0])
    np.testing.assert_allclose(
        np.log(excess.min(1)[0] / excess.min(1)[-1]) / fall, noisy_exponent(capacity, source), atol=0.015
    )
    best = grid[excess.argmin(1)]
    np.testing.assert_allclose(np.log(best[0] / best[-1]) / fall, best_ridge_exponent(capacity, source), atol=0.03)


positive = st.floats(0.05, 20)


@given(st.floats(1.01, 20), positive)
def test_one_exponent_follows_from_the_other_and_faster_decay_alone_changes_little(capacity, source):
    free, noisy, best = (f(capacity, source) for f in (noise_free_exponent, noisy_exponent, best_ridge_exponent))
    np.testing.assert_allclose(noisy, free / (1 + free), rtol=1e-12)
    # At the best ridge both errors fall alike, so that its regime has the same exponent from either side.
    regime = regression_regime(capacity, source, float(best), noise=0.5)
    np.testing.assert_allclose([regime.target_exponent, regime.noise_exponent], [noisy] * 2, rtol=1e-9)
    # At a fixed law of the target, 2 a r = s, the capacity does not matter.
    if source * 2 < 1:
        np.testing.assert_allclose(noise_free_exponent(2 * capacity, source / 2), free, rtol=1e-12)


def test_what_the_noise_takes_over_it_takes_over_at_the_crossover():
    for ridge_exponent, colours in ((np.inf, ("green", "red")), (1.2, ("blue", "orange")), (0.2, ("blue", "orange"))):
        regime = regression_regime(1.8, 0.6, ridge_exponent, noise=1e-4)
        middle = float(regime.crossover)
        before, after = regime.name(middle / 1.1), regime.name(middle * 1.1)
        later = float(regime.target_exponent) > float(regime.noise_exponent)
        assert (before, after) == (colours if later else colours[::-1])
    np.testing.assert_allclose(regression_regime(1.8, 0.6, np.inf, noise=1e-4).crossover, 1e-4 ** (-1 / 2.16))


def test_limits_have_values():
    assert float(noise_free_exponent(np.inf, 0.5)) == np.inf
    assert float(noisy_exponent(np.inf, 0.5)) == 1
    assert float(best_ridge_exponent(np.inf, 2.0)) == 0.5
    finite_rank = regression_regime(np.inf, 0.5, np.inf, noise=1.0)
    assert (float(finite_rank.noise_exponent), finite_rank.name()) == (1.0, "orange")
    without = regression_regime(2.0, 0.5, np.inf)
    assert (float(without.crossover), without.name(1e9)) == (np.inf, "green")
    tie = regression_regime(2.0, 0.5, 2 / 3, noise=jnp.array([0.1, 1.0, 2.0]))
    assert np.isfinite(tie.exponent()).all()
    assert not np.isnan(tie.crossover).any()


def test_arrays_tracers_and_single_precision():
    capacities = jnp.array([1.5, 2.0], jnp.float32)
    exponents = jax.jit(lambda capacity: noise_free_exponent(capacity, 0.5))(capacities)
    assert exponents.dtype == jnp.float32
    np.testing.assert_allclose(exponents, [1.5, 2.0])
    names = regression_regime(capacities, 0.5, 1.75, noise=0.1).name()
    assert names.tolist() == ["red", "orange"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [((1.0, 0.5, 1.0), "capacity"), ((2.0, 0.0, 1.0), "source"), ((2.0, np.nan, 1.0), "source"),
     ((2.0, 0.5, -0.1), "ridge_exponent")],
)  # fmt: skip
def test_refusals(arguments, word):
    with pytest.raises(OutsideDomain, match=f"`{word}` is"):
        regression_regime(*arguments)
    with pytest.raises(OutsideDomain, match="`noise` is -1"):
        regression_regime(2.0, 0.5, 1.0, noise=-1.0)
