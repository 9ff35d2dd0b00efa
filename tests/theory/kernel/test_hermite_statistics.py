"""Learning curves from raw statistics: target power on samples, and spectra that are cut off."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.numerics import GaussianKernel, hermite_products
from solvable.tasks import HermiteTargets
from solvable.theory.kernel import hermite_statistics, kernel_risk, mode_power, truncated_risk

TASK = HermiteTargets(jnp.asarray([0.5, 0.3, 0.2]), jnp.asarray([[0, -1], [1, 2]]))


def test_power_of_a_target_is_found_in_its_mode():
    samples = TASK.sample(jax.random.key(0), 2000)
    known = hermite_statistics(GaussianKernel(2.0), samples.inputs, samples.targets, num_modes=20, max_level=3)
    for product in ((0,), (1, 2)):
        assert known.modes.power_of(product) @ known.target.power == pytest.approx(1, abs=0.1)
    assert float(jnp.sum(known.target.power)) == pytest.approx(2, abs=0.1)
    assert float(known.trace) == pytest.approx(1), "of a Gaussian kernel"


def test_units_and_offset_of_inputs_do_not_matter():
    samples = TASK.sample(jax.random.key(1), 300)
    one = hermite_statistics(GaussianKernel(2.0), samples.inputs, samples.targets, num_modes=20, max_level=3)
    other = hermite_statistics(
        GaussianKernel(6.0), 3 * samples.inputs + 5.0, samples.targets, num_modes=20, max_level=3
    )
    sizes = jnp.asarray([5.0, 50.0])
    np.testing.assert_allclose(one.risk(sizes, ridge=0.1).test, other.risk(sizes, ridge=0.1).test, rtol=1e-6)


def test_noise_has_no_power_and_dependent_features_none_of_their_own():
    key_points, key_noise = jax.random.split(jax.random.key(2))
    points = jax.random.normal(key_points, (400, 40))
    features = hermite_products(points, jnp.arange(40)[:, None])
    noise = jax.random.normal(key_noise, (400, 1))
    found = mode_power(features, noise)
    # Without the subtraction a tenth of it would be taken for power of the target.
    assert float(jnp.sum(found.power)) < 0.08 * float(jnp.mean(noise**2))
    twice = mode_power(features.at[:, 7].set(features[:, 2] + features[:, 5]), features[:, :6] @ jnp.ones((6, 1)))
    assert twice.power[7] == 0
    assert bool(jnp.all(jnp.isfinite(twice.power)))
    assert float(twice.residual) == pytest.approx(0, abs=1e-6)
    with pytest.raises(OutsideDomain, match="take fewer modes"):
        mode_power(features[:40], noise[:40])


def test_a_spectrum_may_be_cut_off_below_its_effective_ridge():
    order = np.arange(1, 4001.0)
    values, power = jnp.asarray(order**-2), jnp.asarray(order**-3)
    sizes = jnp.asarray([10.0, 40.0])
    whole = kernel_risk(values, power, sizes, ridge=1e-3)
    totals = dict(trace=jnp.sum(values), label_power=jnp.sum(power))
    cut = truncated_risk(values[:600], power[:600], sizes, ridge=1e-3, **totals)
    np.testing.assert_allclose(cut.test, whole.test, rtol=2e-3)
    np.testing.assert_allclose(cut.train, whole.train, rtol=1e-2)
    assert np.all(np.asarray(truncated_risk(values[:600], power[:600], sizes, **totals).train) == 0)
    complete = truncated_risk(values, power, sizes, ridge=1e-3, trace=0.0, label_power=0.0)
    np.testing.assert_allclose(complete.train, whole.train)


def test_inputs_that_are_all_equal_are_refused():
    with pytest.raises(OutsideDomain, match="all equal"):
        hermite_statistics(GaussianKernel(1.0), jnp.ones((9, 2)), jnp.ones((9, 1)), num_modes=2)
    with pytest.raises(OutsideDomain, match="covariance_eigenvalues"):
        HermiteTargets(jnp.asarray([1.0, 0.0]), jnp.asarray([[0]]))
