"""Random Fourier features: their inner products are a Gaussian kernel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import numerics, tasks
from solvable.errors import OutsideDomain


def test_many_features_are_the_gaussian_kernel():
    inputs = jnp.asarray([[1.0, 0.5], [-0.3, 0.8], [2.0, 2.0]])
    features = np.asarray(tasks.random_fourier_features(jax.random.key(0), inputs, 40_000, width=1.5))
    kernel = numerics.gram_matrix(numerics.GaussianKernel(1.5), inputs)
    np.testing.assert_allclose(features @ features.T, kernel, atol=0.03)
    with pytest.raises(OutsideDomain, match="`width`"):
        tasks.random_fourier_features(jax.random.key(0), inputs, 4, width=0.0)
