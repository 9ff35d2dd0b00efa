"""Early stopping: the minimum along time, exponents in time and error, limits, regimes of passes, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable import theory
from solvable.errors import OutsideDomain

MODES = np.arange(1, 3001.0)
SAMPLES = jnp.array([1e3, 1e4])


@pytest.mark.parametrize(("capacity", "source"), [(4.0, 0.25), (1.5, 0.5)])
@pytest.mark.parametrize("averaged", [False, True])
def test_best_stop_is_a_minimum_with_the_published_powers(capacity, source, averaged):
    setting = jnp.asarray(MODES**-capacity), jnp.asarray(MODES ** -(1 + 2 * capacity * source)), SAMPLES
    stop = theory.kernel.best_early_stop(*setting, noise=0.3, averaged=averaged)
    times = stop.time[None, :] * jnp.array([0.5, 0.999, 1.0, 1.001, 2.0])[:, None]
    along = theory.kernel.population_flow_risk(*setting[:2], SAMPLES[None, :], times, noise=0.3, averaged=averaged)
    assert np.all(np.argmin(along, axis=0) == 2)
    np.testing.assert_allclose(along[2], stop.excess, rtol=1e-12)
    powers = theory.kernel.multipass_exponents(capacity, source)
    np.testing.assert_allclose(np.log10(stop.time[1] / stop.time[0]), powers.steps, atol=0.02)
    np.testing.assert_allclose(-np.log10(stop.excess[1] / stop.excess[0]), powers.rate, atol=0.02)
    # It is as good as the best ridge, about.
    ridges = jnp.asarray(np.geomspace(0.1, 10, 9) / stop.time[0]) * SAMPLES[0]
    ridge = theory.kernel.kernel_risk(*setting[:2], jnp.full(9, 1e3), ridge=ridges, noise=0.3)
    assert 0.8 < stop.excess[0] / np.min(ridge.excess) < 1.06


def test_limits_of_the_best_stop():
    values = jnp.asarray(MODES[:50] ** -2)
    nothing, stop = 0 * values, theory.kernel.best_early_stop
    free = stop(values, values, 10.0)
    assert np.isinf(free.time)
    assert free.excess == 0
    harmful = stop(values, nothing, 10.0, noise=0.1)
    assert harmful.time == 0
    assert harmful.excess == 0
    unseen = stop(nothing, values, 10.0, noise=0.1)
    np.testing.assert_allclose([unseen.time, unseen.excess], [0, values.sum()])


def test_flow_from_start_to_end():
    values, power = jnp.array([1.0, 0.5, 0.0]), jnp.array([1.0, 2.0, 0.1])
    risk = theory.kernel.population_flow_risk(values, power, 10.0, jnp.array([0.0, 1e9]), noise=0.5)
    np.testing.assert_allclose(risk, [3.1, 0.1 + 2 * 0.05])
    averaged = theory.kernel.population_flow_risk(values, power, 10.0, jnp.array([0.0, 2.0]), noise=0.5, averaged=True)
    left = np.array([(1 - np.exp(-2)) / 2, 1 - np.exp(-1), 1])
    expected = np.sum(left**2 * np.asarray(power)) + 0.05 * np.sum((1 - left) ** 2)
    np.testing.assert_allclose(averaged, [3.1, expected])


def test_regimes_of_passes():
    hard = theory.kernel.multipass_exponents(4.0, 0.25)
    assert hard.regime == "hard"
    np.testing.assert_allclose([hard.steps, hard.passes, hard.rate, hard.single_pass], [4 / 3, 1 / 3, 2 / 3, 0.5])
    easy = theory.kernel.multipass_exponents(1.5, 0.5)
    assert easy.regime == "easy"
    np.testing.assert_allclose([easy.steps, easy.passes, easy.rate, easy.single_pass], [0.6, -0.4, 0.6, 1 / 3])
    hardest = theory.kernel.multipass_exponents(4.0, 0.25, feature_bound=0.9)
    assert hardest.regime == "hardest"
    np.testing.assert_allclose([hardest.steps, hardest.rate], [1 / 0.9, 0.5 / 0.9])
    # The regimes meet: in source at the boundary, and in the bound where both sets of powers agree.
    border = theory.kernel.single_pass_source(4.0)
    np.testing.assert_allclose(theory.kernel.multipass_exponents(4.0, border).steps, 1)
    meeting = theory.kernel.multipass_exponents(4.0, 0.25, feature_bound=0.75 + 1e-9)
    np.testing.assert_allclose([meeting.steps, meeting.rate], [hard.steps, hard.rate], rtol=1e-8)
    np.testing.assert_allclose(theory.kernel.best_steps(1e3, 4.0, 0.25), 1e4)
    np.testing.assert_allclose(
        theory.kernel.best_steps(1e3, 4.0, 0.25, feature_bound=0.9), (1e3 * np.log(1e3)) ** (1 / 0.9)
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda kernel: kernel.multipass_exponents(1.0, 0.5), "`capacity` is 1.0"),
        (lambda kernel: kernel.multipass_exponents(2.0, 0.5, feature_bound=0.4), "`feature_bound` is 0.4"),
        (lambda kernel: kernel.multipass_exponents(2.0, 0.0), "`source` is 0.0"),
        (lambda kernel: kernel.single_pass_source(0.5), "`capacity` is 0.5"),
        (lambda kernel: kernel.best_steps(1.0, 2.0, 0.5), "`num_samples` is 1.0"),
        (lambda kernel: kernel.best_early_stop(SAMPLES, -SAMPLES, 10.0), "`target_power`"),
        (lambda kernel: kernel.population_flow_risk(SAMPLES, SAMPLES, 10.0, -1.0), "`time` is -1.0"),
    ],
)
def test_what_has_no_meaning_is_refused(call, message):
    with pytest.raises(OutsideDomain, match=message):
        call(theory.kernel)
