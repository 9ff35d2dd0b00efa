"""Tails of spectra on the sphere: exact ones, constants, and kernels that share them."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable import estimators, numerics
from solvable.errors import OutsideDomain
from solvable.theory import kernel as theory


def test_powers_of_the_distance_are_exact_and_the_tail_is_theirs():
    """The corner by quadrature; tails by the exact eigenvalues of degree 4000."""
    dome = np.asarray(theory.sphere_spectrum(lambda inner, *_: 2.0 - jnp.sqrt(1 - inner), 5, 24).eigenvalues)
    corner, opposite = (
        np.asarray(theory.power_kernel_eigenvalues(0.5, 5, 24, opposite=side)) for side in (False, True)
    )
    np.testing.assert_allclose(dome, 2 * (np.arange(24) == 0) - corner, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(opposite[:4], corner[:4] * np.array([1, -1, 1, -1]))
    kinks = theory.Kinks(jnp.array([-0.3, 0.2]), jnp.array([0.1, 0.2]), jnp.array([1.0, 1.0]))
    exact, tail = np.asarray(theory.kink_eigenvalues(kinks, 5, 4001)), np.asarray(theory.kink_tail(kinks, 5))
    # The whole correction of order 1/k is d(d - 2)/2k.
    corrected = [exact[:, k] * k**5.0 * (1 + 15 / (2 * k)) for k in (4000, 3999)]
    np.testing.assert_allclose(corrected, tail, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(tail[1, 1], 0, atol=1e-15)


def test_known_constants_whole_powers_and_smooth_kernels():
    constants = [theory.kink_tail(theory.exponential_kinks(1.0), dim)[0] for dim in (2, 3, 5, 10)]
    np.testing.assert_allclose(constants, [1 / np.pi, 0.5, 4.5, 46936.7], rtol=1e-6)
    # (1 - u)^2 ends at degree 2; on the circle 1 - 2 cos + cos^2.
    np.testing.assert_allclose(theory.power_kernel_eigenvalues(2.0, 2, 6), [1.5, -1, 0.25, 0, 0, 0], atol=1e-15)
    assert np.all(np.asarray(theory.kink_tail(theory.exponential_kinks(1.0, 2.0), 3)) == 0)
    assert np.all(np.isfinite(theory.kink_eigenvalues(theory.exponential_kinks(1.0, 0.5), 1000, 30)))


def test_tangent_kernels_of_any_depth_have_the_tail_of_their_kinks():
    """Ratios of spectrum and singular part, 1 up to 1/k^2; two layers without biases have no odd degrees beyond 1."""
    for depth, bias in ((1, 0.0), (3, 0.7)):
        found = theory.sphere_spectrum(numerics.DeepReluTangentKernel(depth, bias), 3, 121)
        singular = theory.kink_eigenvalues(theory.deep_relu_kinks(depth, bias), 3, 121)
        np.testing.assert_allclose(found.eigenvalues[110:], singular[110:], rtol=1e-3, atol=1e-15)
        np.testing.assert_allclose(np.dot(found.eigenvalues, found.multiplicities) + found.remainder, 1, rtol=1e-9)
        if not bias:
            assert np.all(np.asarray(found.eigenvalues[3::2]) == 0)
    near = theory.deep_relu_kinks(3, 1.0)
    width = theory.matching_laplace_width(3)
    np.testing.assert_allclose(near.near, theory.exponential_kinks(1 / width).near)
    assert float(near.far) == 0


def test_on_the_circle_points_and_theory_agree():
    kernel = numerics.DeepReluTangentKernel(2, 0.3)
    points = estimators.circle_kernel_eigenvalues(kernel, 4096, 12)
    np.testing.assert_allclose(points, theory.sphere_spectrum(kernel, 2, 12).eigenvalues, rtol=1e-4)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(OutsideDomain, match="`exponent` is -1"):
        theory.power_kernel_eigenvalues(-1.0, 3, 4)
    with pytest.raises(OutsideDomain, match="at most 2"):
        theory.exponential_kinks(1.0, 2.5)
    with pytest.raises(OutsideDomain, match="depth"):
        theory.matching_laplace_width(0)
    with pytest.raises(OutsideDomain, match="33: take more"):
        estimators.circle_kernel_eigenvalues(numerics.LaplaceKernel(), 64, 40)
