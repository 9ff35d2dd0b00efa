"""Exponents of kernels' learning curves: known powers, known windows, ends of the domain; ranks of tangent kernels."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.numerics import DeepReluTangentKernel, activations
from solvable.theory.kernel import kernel_exponent, noise_free_exponent, sphere_spectrum, tangent_kernel_rank


def test_power_laws_have_their_asymptotic_exponent_on_large_windows():
    modes, sizes = jnp.arange(1.0, 10001), jnp.asarray([100.0, 200.0, 400.0])
    decay, powers = 1.5, np.array([1.8, 2.6, 6.0])  # of eigenvalues and target: steep targets saturate at 2 b
    found = [kernel_exponent(modes**-decay, modes**-a, sizes) for a in powers.tolist()]
    expected = noise_free_exponent(jnp.asarray(decay), jnp.asarray((powers - 1) / (2 * decay)))
    np.testing.assert_allclose(expected, np.minimum(powers - 1, 2 * decay))
    np.testing.assert_allclose(found, expected, rtol=0.05)


def test_errors_that_end_have_an_infinite_exponent_and_those_that_diverge_none():
    # As long as the test above, whose program serves here too.
    four, sizes = jnp.asarray(np.arange(10000) < 4, float), jnp.asarray([2.0, 3.0, 8.0])
    assert float(kernel_exponent(four, four, sizes)) == np.inf  # eight samples know all of four modes
    assert (
        float(kernel_exponent(four, four, jnp.asarray([1.0, 2.0, 3.0]), noise=1.0)) < 0
    )  # towards the peak at four samples
    with pytest.raises(OutsideDomain, match="as many as modes"):
        kernel_exponent(four, four, jnp.asarray([2.0, 4.0, 8.0]), noise=1.0)
    with pytest.raises(OutsideDomain, match="two different sizes"):
        kernel_exponent(four, four, jnp.asarray([2.0, 2.0, 2.0]))


def test_the_relu_kernel_on_the_sphere_has_the_exponent_of_its_window():
    spectrum = sphere_spectrum(DeepReluTangentKernel(1, 1.0), 12, 30)
    power = jnp.zeros(30).at[:4].set(jnp.asarray([0, 0.2, 0.5, 0.3]))
    law = dict(ridge=1e-6 + spectrum.remainder, multiplicities=spectrum.multiplicities)
    found = kernel_exponent(spectrum.eigenvalues, power, jnp.asarray([256.0, 512.0, 1024.0, 2048.0]), **law)
    assert float(found) == pytest.approx(0.729, abs=2e-3)  # of a second implementation; 0.623 from 64 samples on


def test_rank_is_that_of_parameters_without_the_scalings_of_homogeneous_units():
    assert tangent_kernel_rank((12, 200, 1), output_bias=False) == 200 * 13
    assert tangent_kernel_rank((12, 200, 1), activation=activations.tanh) == 200 * 14 + 1
    assert tangent_kernel_rank((5, 3), bias=False) == 18
    with pytest.raises(OutsideDomain, match="polynomial"):
        tangent_kernel_rank((5, 4, 1), activation=activations.identity)
    with pytest.raises(OutsideDomain, match="input and output"):
        tangent_kernel_rank((5,))
