"""Laziness measured by products, against the derivatives written out."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.instruments import measure_laziness
from solvable.networks import Neuron, UnitLayer, centre
from solvable.numerics.activations import tanh
from solvable.tasks import make_samples


def test_laziness_is_what_the_derivatives_say():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(6, 2)), rng.normal(size=6)
    inputs, targets = rng.normal(size=(2, 2)), rng.normal(size=(2, 1))
    samples = make_samples(inputs, targets)
    layer = UnitLayer(jnp.asarray(first), jnp.asarray(second[None]), Neuron(tanh))
    values = np.tanh(inputs @ first.T)
    slopes, bends = 1 - values**2, -2 * values * (1 - values**2)
    jacobian = np.concatenate([((slopes * second)[:, :, None] * inputs[:, None]).reshape(2, 12), values], axis=1)
    hessians = np.zeros((2, 18, 18))
    for sample, x in enumerate(inputs):
        for unit in range(6):
            own = slice(2 * unit, 2 * unit + 2)
            hessians[sample, own, own] = second[unit] * bends[sample, unit] * np.outer(x, x)
            hessians[sample, own, 12 + unit] = hessians[sample, 12 + unit, own] = slopes[sample, unit] * x
    slope = np.linalg.norm(jacobian, 2)
    angles = np.linspace(0, np.pi, 2001)
    along = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    curvature = np.max(np.abs(np.linalg.eigvalsh(np.einsum("an,nij->aij", along, hessians))))
    residual = np.linalg.norm(targets)
    for scale in (1.0, 40.0):
        found = measure_laziness(centre(layer, scale), samples)
        np.testing.assert_allclose(found.curvature, scale * curvature, rtol=1e-4)
        np.testing.assert_allclose(found.slope, scale * slope, rtol=1e-6)
        np.testing.assert_allclose(found.laziness, residual * curvature / slope**2 / scale, rtol=1e-4)
    with pytest.raises(OutsideDomain, match="`rounds` is 0"):
        measure_laziness(layer, samples, rounds=0)
