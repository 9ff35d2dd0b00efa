"""Least squares on subsets of features: printed formulas, limits, edges, and a direct average."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory import kernel as theory


def test_exact_averages_at_every_size():
    """Against the mean of 3000 draws of seven samples and fifteen features, of which four or twelve are used."""
    rng, draws = np.random.default_rng(0), 3000
    for place, count in enumerate((4, 12)):
        inputs, beta = rng.normal(size=(draws, 7, 15)), np.sqrt(np.arange(15.0)) / 5
        targets = inputs @ beta + 0.3 * rng.normal(size=(draws, 7))
        weights = np.einsum("spn,sn->sp", np.linalg.pinv(inputs[:, :, :count]), targets)
        found = theory.subset_risk(
            7.0, jnp.array([4.0, 12.0]), chosen_power=jnp.array([np.sum(beta[:4] ** 2), np.sum(beta[:12] ** 2)]),
            missed_power=jnp.array([np.sum(beta[4:] ** 2), np.sum(beta[12:] ** 2)]), noise=0.09,
        )  # fmt: skip
        test = np.sum((weights - beta[:count]) ** 2, axis=1) + np.sum(beta[count:] ** 2) + 0.09
        train = np.mean((np.einsum("snp,sp->sn", inputs[:, :, :count], weights) - targets) ** 2)
        np.testing.assert_allclose(found.test[place], test.mean(), rtol=5 * test.std() / test.mean() / draws**0.5)
        np.testing.assert_allclose(found.weight_norm[place], np.sum(weights**2, axis=1).mean(), rtol=0.1)
        np.testing.assert_allclose(found.train[place], train, rtol=0.05, atol=1e-12)


def test_the_threshold_is_infinite_and_the_ends_are_known():
    edge = jnp.array([38.0, 39.0, 40.0, 41.0, 42.0, 0.0, 1e9])
    risk = theory.subset_risk(40.0, edge, chosen_power=0.4, missed_power=0.6, noise=0.05)
    np.testing.assert_array_equal(np.isinf(risk.test), np.isinf(risk.weight_norm))
    np.testing.assert_array_equal(np.isinf(risk.test[:5]), [False, True, True, True, False])
    np.testing.assert_allclose(risk.test[5:], [0.65, 0.4 + 0.65], rtol=1e-6)
    np.testing.assert_allclose(risk.train[:4], [0.65 * 2 / 40, 0.65 / 40, 0, 0])
    clean = theory.subset_risk(40.0, edge, chosen_power=1.0)
    np.testing.assert_allclose(clean.test, np.maximum(1 - 40 / np.maximum(edge, 1), 0), atol=1e-12)
    # In proportion: the closed form of many features.
    ratios = jnp.array([0.5, 2.0, 5.0])
    many = theory.subset_risk(1e6, 1e6 * ratios, chosen_power=0.4, missed_power=0.6, noise=0.05)
    limit = theory.isotropic_risk(ratios, signal=0.4, unseen=0.6, noise=0.05)
    np.testing.assert_allclose(many.test, np.asarray(limit.excess) + 0.05, rtol=1e-5)


def test_the_second_descent_wins_above_its_ratio():
    """By comparison of all sizes below the threshold with all features, on both sides of the ratio."""
    beta, counts = jnp.full(60, 60**-0.5), jnp.arange(61.0)
    ratio = float(theory.second_descent_ratio(20.0, 60.0))
    power = theory.chosen_power(beta, counts)
    best = theory.chosen_power(beta * jnp.arange(60.0), counts, choice="largest")
    for factor, wins in ((1.02, True), (0.98, False)):
        law = dict(chosen_power=power.chosen, missed_power=power.missed, noise=1 / (ratio * factor))
        test = np.asarray(theory.subset_risk(20.0, counts, **law).test)
        assert (test[60] < test[:19].min()) == wins
        assert np.argmin(test[:19]) == 0
    assert np.all(np.diff(best.chosen) >= 0)
    np.testing.assert_allclose(best.chosen + best.missed, np.sum((np.arange(60) ** 2) / 60), rtol=1e-12)
    np.testing.assert_array_equal(theory.second_descent_ratio(20.0, jnp.array([10.0, 21.0])), np.inf)
    assert theory.interpolation_threshold(4000, 10) == 40_000
    with pytest.raises(OutsideDomain, match="all there are"):
        theory.chosen_power(beta, 61.0)
    with pytest.raises(OutsideDomain, match="`noise`"):
        theory.subset_risk(20.0, 5.0, chosen_power=1.0, noise=-1.0)
