"""Level coefficients, and the spectrum of a kernel from the covariance of its inputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.estimators import product_kernel_eigenvalues, sample_kernel_eigenvalues
from solvable.numerics import GaussianKernel, LaplaceKernel, LinearKernel, ReluTangentKernel
from solvable.theory.kernel import (
    gaussian_kernel_levels,
    gaussian_kernel_log_error,
    hermite_modes,
    level_coefficients,
    monomial_eigenvalues,
)

WEIGHT, BIAS = 1.3, 0.4


def relu(inner, square, _):
    power = BIAS + WEIGHT * square
    cosine = (BIAS + WEIGHT * inner) / power
    sine = jnp.sqrt(1 - cosine**2)
    angle = jnp.pi / 2 + 1j * jnp.log(1j * cosine + sine)  # arccos of a complex number
    return WEIGHT * power / (2 * jnp.pi) * (sine + 2 * cosine * (jnp.pi - angle))


OWN = {
    "linear": (LinearKernel(), lambda inner, *_: inner),
    "gaussian": (GaussianKernel(1.3), lambda inner, square, _: jnp.exp((inner - square) / 1.3**2)),
    "laplace": (LaplaceKernel(0.8), lambda inner, square, _: jnp.exp(-jnp.sqrt(2 * (square - inner)) / 0.8)),
    "relu": (ReluTangentKernel(WEIGHT, BIAS), relu),
}


@pytest.mark.parametrize("name", OWN)
def test_closed_forms_are_the_derivatives(name):
    closed, own = OWN[name]
    for square in (0.5, 2.0):
        expected = np.asarray(level_coefficients(own, square, 6))
        np.testing.assert_allclose(level_coefficients(closed, square, 6), expected, rtol=1e-8, atol=1e-12)


def test_levels_sum_to_the_kernel_of_equal_inputs():
    levels = np.asarray(level_coefficients(GaussianKernel(1.0), 1.5, 30))
    terms = levels * 1.5 ** np.arange(31) / np.cumprod([1.0, *range(1, 31)])
    assert terms.sum() == pytest.approx(1)
    assert np.all(np.asarray(level_coefficients(ReluTangentKernel(1.0, 0.0), 2.0, 7)[3::2]) == 0)
    assert level_coefficients(LaplaceKernel(1.0), jnp.float32(1.0), 4).dtype == jnp.float32


def test_kernels_that_are_not_positive_definite_are_refused():
    with pytest.raises(OutsideDomain, match="not positive definite"):
        level_coefficients(lambda inner, *_: jnp.cos(inner), 1.0, 4)
    with pytest.raises(OutsideDomain, match="square"):
        level_coefficients(GaussianKernel(1.0), 0.0, 4)


def test_modes_of_unsorted_variances_name_the_directions_given():
    gammas, levels = jnp.asarray([0.1, 0.0, 0.6, 0.3]), jnp.asarray([1.0, 1.0, 0.5])
    modes = hermite_modes(gammas, levels, 100)
    assert modes.directions[:3].tolist() == [[-1, -1], [2, -1], [3, -1]]
    assert modes.eigenvalues.size == 1 + 3 + 6, "directions without variance have no modes"
    assert np.all(np.diff(modes.eigenvalues) <= 0)
    np.testing.assert_allclose(monomial_eigenvalues(gammas, levels, modes.directions), modes.eigenvalues)
    assert float(modes.power_of((0, 2)) @ modes.eigenvalues) == pytest.approx(0.5 * 0.06)
    assert modes.levels[jnp.argmax(modes.power_of((3, 3, -1)))] == 2
    assert not modes.power_of((0, 0, 0)).any()
    assert not modes.power_of((1,)).any()
    assert modes.power_of(())[0] == 1


def test_what_has_no_modes_is_refused():
    with pytest.raises(OutsideDomain, match="covariance_eigenvalues"):
        hermite_modes(jnp.zeros(3), jnp.ones(2), 5)
    with pytest.raises(OutsideDomain, match="coefficients"):
        hermite_modes(jnp.ones(3), jnp.asarray([1.0, -1.0]), 5)
    with pytest.raises(OutsideDomain, match="levels up"):
        monomial_eigenvalues(jnp.ones(3), jnp.ones(2), jnp.zeros((1, 2), int))


def test_exact_spectrum_is_that_of_quadrature_and_the_ansatz_its_wide_kernel_limit():
    gammas, products = jnp.asarray([0.5, 0.3, 0.2, 0.0]), np.array([[-1, -1], [0, -1], [2, -1], [0, 0], [0, 1]])
    for width in (0.7, 3.0):
        quadrature = product_kernel_eigenvalues(GaussianKernel(width), gammas, products)
        exact = monomial_eigenvalues(*gaussian_kernel_levels(gammas, width, 2), jnp.asarray(products))
        np.testing.assert_allclose(exact, quadrature, rtol=1e-9)
    gaps = []
    for width in (5.0, 10.0):
        exact = monomial_eigenvalues(*gaussian_kernel_levels(gammas, width, 2), jnp.asarray(products))
        ansatz = monomial_eigenvalues(gammas, level_coefficients(GaussianKernel(width), 1.0, 2), jnp.asarray(products))
        first_order = gaussian_kernel_log_error(gammas, width, jnp.asarray(products))
        gaps.append(np.asarray(jnp.log(ansatz / exact) - first_order))
    # What the first order in 1/s^2 leaves is of the next; that of level 0, already of the second, of the third.
    assert np.all(np.abs(gaps[0][1:] / gaps[1][1:]) > 12)
    assert abs(gaps[0][0] / gaps[1][0]) > 50


def test_kernel_matrix_has_the_exact_eigenvalues_of_gaussian_data():
    gammas = jnp.asarray([0.6, 0.3, 0.1])
    inputs = jax.random.normal(jax.random.key(0), (1500, 3)) * jnp.sqrt(gammas)[None, :]
    sampled = sample_kernel_eigenvalues(GaussianKernel(1.0), inputs, 4)
    exact = hermite_modes(*gaussian_kernel_levels(gammas, 1.0, 6), 4).eigenvalues
    np.testing.assert_allclose(sampled, exact, rtol=0.08)
