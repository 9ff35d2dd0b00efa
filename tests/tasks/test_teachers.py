"""A teacher's exact moments are the limit of averages over its samples."""

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.networks import PatchMonomials
from solvable.numerics import Monomials, activations
from solvable.tasks import TeacherNetwork, linear_teacher, power_law_spectrum, power_law_teacher

COVARIANCE = jnp.array([[1.0, 1.0], [1.0, 4.0]])
FIRST, SECOND = jnp.array([[1.0, 0.5], [-0.3, 1.0]]), jnp.array([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]])
FEATURES = {
    "inputs": Monomials(2, 1),
    "squares": Monomials(2, 2),
    "cubes": Monomials(2, 3),
    "patches": PatchMonomials(kernel_size=1, stride=1, degree=2),
}


def distance_in_standard_errors(exact, draws):
    """Largest |mean of draws - exact| over the standard errors of the mean; draws first."""
    draws = np.asarray(draws)
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    return np.max(np.abs(draws.mean(axis=0) - np.asarray(exact)) / np.maximum(error, 1e-12))


@pytest.mark.parametrize("features", FEATURES.values(), ids=FEATURES)
@pytest.mark.parametrize("activation", [activations.identity, activations.square, activations.cube], ids="123")
def test_population_moments_are_the_limit_of_sample_averages(activation, features):
    task = TeacherNetwork(FIRST, SECOND, activation, COVARIANCE)
    moments, samples = task.moments(features), task.sample(jax.random.key(0), 100_000)
    z, y = jax.vmap(features)(samples.inputs), samples.targets
    assert distance_in_standard_errors(moments.target_power, jnp.sum(y**2, axis=1)) < 4
    assert distance_in_standard_errors(moments.sigma_yz, y[:, :, None] * z[:, None, :]) < 4
    assert distance_in_standard_errors(moments.sigma_zz, z[:, :, None] * z[:, None, :]) < 4


@pytest.mark.parametrize("covariance", [COVARIANCE, jnp.array([[1.0, 2.0], [2.0, 4.0]])], ids=["full", "singular"])
def test_closed_form_and_cubature_agree_for_a_linear_teacher(covariance):
    """One patch as long as the input holds the inputs themselves, but is not recognised as them."""
    task = linear_teacher(SECOND @ FIRST, covariance)
    closed, cubature = task.moments(Monomials(2, 1)), task.moments(PatchMonomials(kernel_size=2, stride=1, degree=1))
    for name in ("target_power", "sigma_yz", "sigma_zz"):
        np.testing.assert_allclose(getattr(closed, name), getattr(cubature, name), atol=1e-12)


def test_closed_form_needs_no_cubature_in_high_dimension():
    moments = linear_teacher(jnp.eye(100)).moments(Monomials(100, 1))
    np.testing.assert_array_equal(moments.sigma_yz, np.eye(100))
    assert moments.target_power == 100


def test_targets_are_the_teachers_and_inputs_have_its_covariance():
    task = TeacherNetwork(FIRST, SECOND, activations.tanh, COVARIANCE)
    samples = task.sample(jax.random.key(1), 50_000)
    assert task.input_shape == (2,)
    np.testing.assert_allclose(samples.targets, np.tanh(samples.inputs @ FIRST.T) @ SECOND.T, atol=1e-12)
    assert distance_in_standard_errors(COVARIANCE, samples.inputs[:, :, None] * samples.inputs[:, None, :]) < 4
    assert distance_in_standard_errors(jnp.zeros(2), samples.inputs) < 4
    np.testing.assert_allclose(samples.weights.sum(), 1, rtol=1e-12)


def test_inputs_of_a_singular_covariance_stay_in_its_range():
    samples = linear_teacher(jnp.eye(2), jnp.array([[1.0, 2.0], [2.0, 4.0]])).sample(jax.random.key(0), 100)
    np.testing.assert_allclose(samples.inputs[:, 1], 2 * samples.inputs[:, 0], atol=1e-6)


def test_the_same_key_gives_the_same_bits():
    task = linear_teacher(jnp.eye(2))
    first, again, other = (task.sample(jax.random.key(seed), 5).inputs for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.all(first != other)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 3.0])
def test_power_law_spectrum(exponent):
    spectrum = power_law_spectrum(5, exponent)
    np.testing.assert_allclose(spectrum.sum(), 1, rtol=1e-14)
    np.testing.assert_allclose(spectrum[0] / spectrum, np.arange(1, 6) ** exponent, rtol=1e-13)


def test_power_law_spectrum_may_be_swept():
    exponents = jnp.array([0.0, 1.0, 2.0])
    swept = jax.vmap(lambda exponent: power_law_spectrum(3, exponent))(exponents)
    np.testing.assert_allclose(swept, [power_law_spectrum(3, float(exponent)) for exponent in exponents], rtol=1e-14)


def test_power_law_teacher_has_the_spectrum_as_its_correlation():
    moments = power_law_teacher(3, 1.0).moments(Monomials(3, 1))
    np.testing.assert_allclose(jnp.linalg.svd(moments.sigma_yz)[1], np.array([6, 3, 2]) / 11, rtol=1e-12)
    np.testing.assert_array_equal(moments.sigma_zz, np.eye(3))


@pytest.mark.parametrize("activation", [activations.identity, activations.square, activations.tanh], ids="12t")
def test_float32_stays_float32(activation):
    first, covariance = FIRST.astype(jnp.float32), COVARIANCE.astype(jnp.float32)
    task = TeacherNetwork(first, SECOND.astype(jnp.float32), activation, covariance)
    samples = task.sample(jax.random.key(0), 3)
    assert {samples.inputs.dtype, samples.targets.dtype, samples.weights.dtype} == {jnp.dtype(jnp.float32)}
    if activation.degree:
        moments = task.moments(Monomials(2, 2))
        assert {moments.target_power.dtype, moments.sigma_yz.dtype, moments.sigma_zz.dtype} == {jnp.dtype(jnp.float32)}


def test_a_singular_covariance_in_float32_is_accepted():
    """Rounding alone gives such a matrix a smallest eigenvalue of about -1e-8 of the largest."""
    for seed in range(5):
        factor = jax.random.normal(jax.random.key(seed), (4, 2), jnp.float32)
        linear_teacher(jnp.eye(4, dtype=jnp.float32), factor @ factor.T)


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (
            jnp.array([[1.0, 2.0], [2.0, 1.0]]),
            "smallest eigenvalue -1; it must be symmetric and positive semi-definite",
        ),
        (jnp.array([[1.0, 0.5], [0.0, 1.0]]), "must be symmetric"),
        (jnp.full((2, 2), jnp.nan), "must be symmetric"),
        (jnp.eye(3), r"have shapes \(2, 2\), \(2, 2\), \(3, 3\); they must be"),
    ],
)
def test_bad_covariances_are_refused(covariance, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users, who run without shape checks
    with pytest.raises(OutsideDomain, match=message):
        linear_teacher(jnp.eye(2), covariance)


def test_layers_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(OutsideDomain, match=r"`first`, `second`, `covariance` have shapes \(2, 2\), \(3, 5\)"):
        TeacherNetwork(FIRST, jnp.ones((3, 5)), activations.identity, COVARIANCE)


def test_what_has_no_exact_moments_says_so():
    with pytest.raises(OutsideDomain, match=r"activation tanh z has no exact moments here; use samples"):
        TeacherNetwork(FIRST, SECOND, activations.tanh, COVARIANCE).moments(Monomials(2, 1))
    with pytest.raises(OutsideDomain, match=r"exact averages of degree 4 in 20 dimensions need"):
        linear_teacher(jnp.eye(20)).moments(Monomials(20, 2))


def test_counts_and_exponents_without_meaning_are_refused():
    with pytest.raises(OutsideDomain, match="`num_samples` is 0"):
        linear_teacher(jnp.eye(2)).sample(jax.random.key(0), 0)
    with pytest.raises(OutsideDomain, match="`num_modes` is 0"):
        power_law_spectrum(0, 1.0)
    with pytest.raises(OutsideDomain, match="`exponent` is -1"):
        power_law_teacher(3, -1.0)
