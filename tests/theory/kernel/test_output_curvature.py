"""Curvature of outputs: closed forms against Hessians written out, means against draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.numerics.activations import relu, tanh
from solvable.theory.kernel import (
    curvature_exponents,
    hessian_norm,
    kernel_change_bound,
    mapped_hessian_floor,
    mapped_kernel,
    mean_hessian_norm,
)


def test_hessian_norm_is_that_of_the_hessian_written_out():
    rng = np.random.default_rng(0)
    first, second, inputs = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=(4, 3))
    values = np.tanh(inputs @ first.T)
    slopes, bends = 1 - values**2, -2 * values * (1 - values**2)
    norms, gradients = [], []
    for x, slope, bend, value in zip(inputs, slopes, bends, values, strict=True):
        matrix = np.zeros((20, 20))
        for unit in range(5):
            own = slice(3 * unit, 3 * unit + 3)
            matrix[own, own] = second[unit] * bend[unit] * np.outer(x, x)
            matrix[own, 15 + unit] = matrix[15 + unit, own] = slope[unit] * x
        norms.append(np.linalg.norm(matrix, 2))
        gradients.append(np.concatenate([np.outer(second * slope, x).ravel(), value]))
    found = hessian_norm(jnp.asarray(first), jnp.asarray(second), jnp.asarray(inputs), tanh, prefactor=0.7)
    np.testing.assert_allclose(found, 0.7 * np.array(norms), rtol=1e-12)
    # Behind a tanh the output adds a term of rank one.
    outputs, gradient = values @ second, np.array(gradients)
    floor = mapped_hessian_floor(jnp.asarray(norms), jnp.linalg.norm(gradient, axis=1), jnp.asarray(outputs), tanh)
    curve, size = -2 * np.tanh(outputs) / np.cosh(outputs) ** 2, np.sum(gradient**2, axis=1)
    upper = np.abs(curve) * size + np.array(norms) / np.cosh(outputs) ** 2
    assert np.all((np.asarray(floor) >= 0) & (np.asarray(floor) <= upper))
    kernel, slopes = gradient @ gradient.T, 1 / np.cosh(outputs) ** 2
    mapped = slopes[:, None] * gradient
    np.testing.assert_allclose(mapped_kernel(jnp.asarray(kernel), jnp.asarray(slopes)), mapped @ mapped.T, rtol=1e-12)


def test_mean_over_weights_at_every_width():
    widths = np.array([16.0, 64.0, 256.0, 1024.0, 4096.0])
    radius = 1.74**0.5 / 3**0.5  # of (1, -0.5, 0.7) / sqrt(3)
    found = np.asarray(mean_hessian_norm(jnp.asarray(widths), tanh, radius=radius))
    # Computed independently: means over 200 draws, standard errors 1%.
    np.testing.assert_allclose(found, [0.2613, 0.1540, 0.0882, 0.0484, 0.0263], rtol=0.03)
    rng = np.random.default_rng(1)
    drives, seconds = radius * rng.normal(size=(20000, 16)), rng.normal(size=(20000, 16))
    bend = np.abs(seconds * 2 * np.tanh(drives) / np.cosh(drives) ** 2) * radius**2
    units = (bend + np.hypot(bend, 2 * radius / np.cosh(drives) ** 2)) / 2
    assert found[0] == pytest.approx(np.mean(np.max(units, axis=1)) / 4, rel=4e-3)
    # Without a second derivative it is the length of the input times the chance of any unit that is on.
    narrow = mean_hessian_norm(jnp.asarray([1.0, 2.0, 4.0, 8.0, 1e7]), relu, radius=radius)
    expected = radius * (1 - 0.5 ** np.array([1.0, 2, 4, 8, 1e7])) / np.sqrt([1, 2, 4, 8, 1e7])
    np.testing.assert_allclose(narrow, expected, rtol=1e-2)  # at a kink the quadrature has its first error


def test_bounds_exponents_and_mistakes():
    assert kernel_change_bound(0.1, 2.0, 3.0, 1.0) == pytest.approx(0.84)
    assert curvature_exponents() == (-0.5, -1.0)
    assert curvature_exponents(linear_output=False) == curvature_exponents(narrowest=3) == (0.0, 0.0)
    with pytest.raises(OutsideDomain, match="`narrowest` is 0"):
        curvature_exponents(narrowest=0)
    with pytest.raises(OutsideDomain, match="`radius` is -1"):
        kernel_change_bound(1.0, -1.0, 1.0)
    with pytest.raises(OutsideDomain, match="they must be \\(width, input_dim\\)"):
        hessian_norm(jnp.ones((2, 3)), jnp.ones(3), jnp.ones((1, 3)), tanh)
    assert jax.eval_shape(lambda: mean_hessian_norm(4, tanh)).shape == ()
