"""Gradient flow on linear regression in high dimension, and the eigenvalues of large sample covariances."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.numerics import marchenko_pastur_rule
from solvable.theory.kernel import (
    best_stopping_time,
    critical_overtraining,
    flow_errors,
    kernel_risk,
    mode_stopping_time,
    relaxation_rate,
    trained_error,
)

RATIOS = (0.02, 0.5, 0.999, 1.0, 1.0001, 2.0, 50.0)


@pytest.mark.parametrize("ratio", RATIOS)
def test_rule_has_the_moments_of_the_law(ratio):
    rule = marchenko_pastur_rule(ratio)
    moments = [float(jnp.sum(rule.weights * rule.nodes**power)) for power in range(4)]
    expected = [min(1, ratio), ratio, ratio + ratio**2, ratio + 3 * ratio**2 + ratio**3]
    np.testing.assert_allclose(moments, expected, rtol=1e-12)
    assert np.all(np.diff(rule.nodes) >= 0)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(RATIOS), st.floats(0.01, 10), st.floats(0, 10), st.floats(0, 2))
def test_ends_of_training(ratio, noise, signal, start):
    variances = dict(noise=noise, signal=signal, start=start)
    errors = flow_errors(jnp.asarray([0.0, jnp.inf]), ratio, **variances)
    # Without training both errors are that of the initial weights.
    np.testing.assert_allclose([errors.test[0], errors.train[0]], signal + start + noise, rtol=1e-10)
    np.testing.assert_allclose(errors.test[1], trained_error(ratio, **variances), rtol=1e-9)
    np.testing.assert_allclose(errors.train[1], max(1 - 1 / ratio, 0) * noise, atol=1e-12)
    stop = best_stopping_time(ratio, **variances)
    grid = flow_errors(float(stop.time) * jnp.asarray([0.8, 1.0, 1.25]), ratio, **variances).test
    assert float(stop.test) <= float(jnp.min(grid)) * (1 + 1e-12)
    ridge = noise / max(signal, 1e-12 * noise)  # signals may be so small that the best one is no finite number
    best = kernel_risk(jnp.ones(1), jnp.full(1, signal), jnp.asarray(ratio), ridge=ridge, noise=noise)
    if start == 0:
        assert float(best.test) <= float(stop.test) * (1 + 1e-9), "no stopping beats the best ridge"


def test_limits_without_noise_or_signal():
    assert float(best_stopping_time(1.0, noise=0.0).time) == np.inf
    assert float(best_stopping_time(2.0, noise=0.0).test) == pytest.approx(0, abs=1e-12)
    idle = best_stopping_time(1.0, noise=1.0, signal=0.0)
    assert (float(idle.time), float(idle.test)) == (0, pytest.approx(1))
    assert float(trained_error(1.0, noise=0.0)) == 0
    assert float(trained_error(1.0, noise=0.1)) == np.inf
    np.testing.assert_allclose(mode_stopping_time(jnp.asarray([0.0, 1e-12, 2.0]), noise=0.5), [2, 2, np.log(5) / 2])


def test_overtraining_grows_as_the_root_of_time_and_elsewhere_ends_exponentially():
    times = jnp.asarray([1e2, 1e6, 1e20])
    exact, late = flow_errors(times, 1.0, noise=1.0).test, critical_overtraining(times, 1.0)
    gaps = np.abs(np.asarray(exact / late - 1))
    assert gaps[0] == pytest.approx(0.007, abs=0.001)
    assert np.all(gaps[1:] < 1e-6)
    for ratio in (0.5, 2.0):
        # Only noise, whose slowest part goes as e^{-lambda_- t}: from t^-3/2 the exponent is corrected.
        times = jnp.asarray([16.0, 17.6]) / relaxation_rate(ratio)
        left = flow_errors(times, ratio, noise=1.0, signal=0.0).test
        gap = np.abs(np.asarray(left - trained_error(ratio, noise=1.0, signal=0.0)))
        assert np.log(gap[0] / gap[1]) - 1.5 * np.log(1.1) == pytest.approx(1.6, rel=0.03)


def test_float32_follows_and_mistakes_are_refused():
    assert flow_errors(jnp.ones(2, jnp.float32), 1.0, noise=1.0).train.dtype == jnp.float32
    with pytest.raises(OutsideDomain, match="sample_ratio"):
        flow_errors(jnp.ones(2), 0.0, noise=1.0)
    with pytest.raises(OutsideDomain, match="times"):
        flow_errors(-jnp.ones(2), 1.0, noise=1.0)
    with pytest.raises(OutsideDomain, match="noise"):
        trained_error(1.0, noise=-1.0)
