"""Students of convex losses: against the core of kernel regression, against each other, and in their limits."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory import kernel

ORDER = np.arange(1.0, 41.0)
EIGENVALUES, POWER = jnp.asarray(ORDER**-1.5), jnp.asarray(ORDER**-2.0)
SAMPLES, RIDGES = (jnp.asarray(grid) for grid in np.meshgrid([1.0, 10.0, 100.0, 1e4], [1e-6, 0.1, 1e3]))


class Hinge(eqx.Module):
    """A user's own loss, with corners."""

    def __call__(self, argument):
        return jnp.maximum(1 - argument, 0)

    def proximal(self, point, step):
        return jnp.where(point < 1 - step, point + step, jnp.maximum(point, 1))

    def kinks(self, step):
        return (1 - step, 1.0)


def test_square_loss_of_margins_is_ridge_regression_on_signs():
    rho = POWER.sum() * 1.2
    students = kernel.classification_risk(
        EIGENVALUES, POWER, SAMPLES, kernel.SquareLoss(1.0), ridge=RIDGES, teacher_power=rho
    )
    ridges = kernel.ridge_classifier_risk(EIGENVALUES, POWER, SAMPLES, ridge=RIDGES, teacher_power=rho)
    for name in ("effective_ridge", "gain", "spread", "overlap_cross", "overlap_student", "across", "square_error"):
        np.testing.assert_allclose(getattr(students, name), getattr(ridges, name), rtol=1e-8, err_msg=name)
    np.testing.assert_allclose(students.train_loss, ridges.train_loss, rtol=1e-5)
    np.testing.assert_allclose(students.active_share, ridges.active_share, rtol=1e-8)


def test_square_loss_of_residuals_is_kernel_regression():
    student = kernel.regression_risk(EIGENVALUES, POWER, SAMPLES, kernel.SquareLoss(0.0), ridge=RIDGES, noise=0.1)
    risk = kernel.kernel_risk(EIGENVALUES, POWER, SAMPLES, ridge=RIDGES, noise=0.1)
    np.testing.assert_allclose(student.square_error, risk.test, rtol=1e-8)
    np.testing.assert_allclose(2 * student.train_loss, risk.train, rtol=1e-4)
    np.testing.assert_allclose(student.effective_ridge, risk.effective_ridge, rtol=1e-8)


def test_hinge_of_separable_samples_becomes_the_hard_margin():
    samples = jnp.asarray([3.0, 30.0, 300.0])
    soft = kernel.classification_risk(EIGENVALUES, POWER, samples, Hinge(), ridge=1e-4)
    hard = kernel.max_margin_risk(EIGENVALUES, POWER, samples)
    for name in ("classification_error", "overlap_cross", "overlap_student", "active_share", "effective_ridge"):
        np.testing.assert_allclose(getattr(soft, name), getattr(hard, name), rtol=1e-6, err_msg=name)


def test_logistic_regression_from_no_ridge_to_a_large_one():
    # 1e4 samples over 40 modes, and 1 sample: far beyond and far below.
    risk = kernel.classification_risk(EIGENVALUES, POWER, SAMPLES, kernel.LOGISTIC, ridge=RIDGES)
    error = np.asarray(risk.classification_error)
    assert np.isfinite(error).all()
    assert (np.diff(error, axis=1) < 0).all(), "more samples, fewer errors"
    hard = kernel.max_margin_risk(EIGENVALUES, POWER, SAMPLES[0]).classification_error
    np.testing.assert_allclose(error[0, :3], hard[:3], rtol=0.05)
    # Where little is learned only the slope of the loss at 0 matters, which is half that of the square loss.
    square = kernel.ridge_classifier_risk(EIGENVALUES, POWER, SAMPLES[-1, :2], ridge=1e7)
    np.testing.assert_allclose(error[-1, :2], square.classification_error, rtol=1e-2)


def test_max_margin_falls_with_its_exponent():
    order = np.arange(1.0, 1e6 + 1)
    binned = kernel.bin_spectrum(jnp.asarray(order**-1.5), jnp.asarray(order**-1.75))
    samples = jnp.geomspace(100.0, 3e4, 6)
    risk = kernel.max_margin_risk(
        binned.eigenvalues, binned.target_power, samples, multiplicities=binned.multiplicities
    )
    error = np.asarray(risk.classification_error)
    np.testing.assert_allclose(error, [0.11962, 0.08735, 0.06385, 0.04670, 0.03418, 0.02502], atol=6e-6)
    slopes = -np.diff(np.log(error)) / np.diff(np.log(samples))
    np.testing.assert_allclose(slopes, kernel.max_margin_exponent(1.5, 0.25), atol=0.005)
    assert (np.diff(np.abs(slopes - 0.2727272)) < 0).all()


def test_best_ridge_falls_with_its_exponent_and_none_does_not():
    order = np.arange(1.0, 1e6 + 1)
    binned = kernel.bin_spectrum(jnp.asarray(order**-1.5), jnp.asarray(order**-1.75))
    task = binned.eigenvalues, binned.target_power, jnp.geomspace(1e2, 1e5, 7)
    ridge = kernel.best_classifier_ridge(*task, multiplicities=binned.multiplicities)
    risks = [
        kernel.ridge_classifier_risk(*task, ridge=delta, multiplicities=binned.multiplicities)
        for delta in (ridge, 1.1 * ridge, 0.9 * ridge, 0.0)
    ]
    best, above, below, none = (np.asarray(risk.classification_error) for risk in risks)
    assert ((best <= above) & (best <= below)).all()
    slopes = -np.diff(np.log(best)) / np.diff(np.log(task[2]))
    np.testing.assert_allclose(slopes[2:], kernel.ridge_classifier_exponent(1.5, 0.25), atol=0.015)
    assert ((none > 0.15) & (none < 0.19)).all()


def test_exponents_meet_where_they_must():
    capacity, source = (jnp.asarray(grid) for grid in np.meshgrid([1.1, 2.0, 10.0], [0.1, 0.5, 0.8, 3.0]))
    margin, ridge = kernel.max_margin_exponent(capacity, source), kernel.ridge_classifier_exponent(capacity, source)
    assert (margin >= ridge).all()
    np.testing.assert_allclose(ridge, kernel.noisy_exponent(capacity, source) / 2)
    np.testing.assert_allclose(kernel.max_margin_exponent(np.inf, 1.0), 1.0)


def test_interpolation_threshold_is_a_limit():
    risk = kernel.ridge_classifier_risk(EIGENVALUES, POWER, jnp.asarray([40.0, 80.0]))
    assert np.isinf(risk.square_error[0])
    np.testing.assert_allclose(risk.classification_error[0], 0.5)
    assert risk.classification_error[1] < 0.3


def test_separable_samples():
    assert kernel.separable_samples(30.0, 0.0) == pytest.approx(60)
    assert np.isinf(kernel.separable_samples(30.0, 1.0))
    counts = [float(kernel.separable_samples(1.0, share)) for share in (0.0, 0.3, 0.6, 0.9, 0.999)]
    assert np.all(np.diff(counts) > 0)
    with pytest.raises(OutsideDomain, match="num_modes"):
        kernel.separable_samples(0.0, 0.5)
    with pytest.raises(OutsideDomain, match="seen_share"):
        kernel.separable_samples(3.0, 1.5)


def test_covariance_spectrum_keeps_what_features_do_not_see_apart():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((50, 4)) @ rng.standard_normal((4, 6))  # of rank 4
    target = features @ rng.standard_normal(6) + 0.3 * rng.standard_normal(50)
    spectrum = kernel.covariance_spectrum(
        jnp.asarray(features.T @ features / 50), jnp.asarray(target @ features / 50), jnp.asarray(target @ target / 50)
    )
    fitted = features @ np.linalg.lstsq(features, target, rcond=None)[0]
    np.testing.assert_allclose(spectrum.beyond, np.mean((target - fitted) ** 2), rtol=1e-8)
    np.testing.assert_allclose(spectrum.target_power.sum(), np.mean(fitted**2))
    assert (spectrum.eigenvalues[4:] == 0).all()


def test_bins_hold_what_the_spectrum_holds():
    order = np.random.default_rng(1).permutation(np.arange(1.0, 20_001.0))
    whole = jnp.asarray(order**-1.5), jnp.asarray(order**-1.75)
    binned = kernel.bin_spectrum(*whole)
    assert binned.multiplicities.sum() == 20_000
    np.testing.assert_allclose(binned.target_power.sum(), whole[1].sum())
    np.testing.assert_allclose(jnp.sum(binned.eigenvalues * binned.multiplicities), whole[0].sum())
    few = kernel.kernel_risk(
        binned.eigenvalues, binned.target_power, 1e3, noise=0.1, multiplicities=binned.multiplicities
    )
    np.testing.assert_allclose(few.test, kernel.kernel_risk(*whole, 1e3, noise=0.1).test, rtol=1e-5)
    short = kernel.bin_spectrum(whole[0][:5], whole[1][:5])
    np.testing.assert_allclose(short.eigenvalues, np.sort(whole[0][:5])[::-1])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (dict(ridge=0.0), "`ridge`"),
        (dict(teacher_power=0.5), "`teacher_power`"),
        (dict(num_samples=-1.0), "`num_samples`"),
        (dict(target_power=-POWER), "`target_power`"),
    ],
)
def test_refusals(change, match):
    request = dict(eigenvalues=EIGENVALUES, target_power=POWER, num_samples=3.0, loss=kernel.LOGISTIC, ridge=1.0)
    with pytest.raises(OutsideDomain, match=match):
        kernel.classification_risk(**{**request, **change})


def test_no_margin_beyond_what_can_be_separated():
    with pytest.raises(OutsideDomain, match="must be below 180"):
        kernel.max_margin_risk(EIGENVALUES, POWER, jnp.asarray([10.0, 400.0]), teacher_power=POWER.sum() * 1.2)
