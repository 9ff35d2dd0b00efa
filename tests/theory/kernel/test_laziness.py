"""Laziness: the smallest lazy model in closed form against a direct integration, and the scalings of the criterion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory.kernel import departure_exponents, first_departure, laziness, product_path, two_layer_laziness

STARTS = [(1.0, 0.4, 1.5), (0.8, -0.5, -2.0), (0.6, -0.6, 1.5), (0.0, 0.7, -1.0), (0.5, 0.5, 0.0), (0.0, 0.0, 1.0)]


def integrate(first, second, target, scale, times, substeps=400):
    """Runge-Kutta of order 4 on u and v themselves, for all starts and scales at once."""
    weights = np.stack(np.broadcast_arrays(first, second, target, scale)[:2])

    def velocity(w):
        gap = target - scale * (w[0] * w[1] - first * second)
        return np.stack([w[1], w[0]]) * gap / scale

    found, step = [weights], np.diff(times)[0] / substeps
    for _ in range((times.size - 1) * substeps):
        k1 = velocity(weights)
        k2 = velocity(weights + step / 2 * k1)
        k3 = velocity(weights + step / 2 * k2)
        weights = weights + step / 6 * (k1 + 2 * k2 + 2 * k3 + velocity(weights + step * k3))
        found.append(weights)
    return np.stack(found[::substeps], axis=-1)


def test_the_product_model_at_every_scale():
    first, second, target = (np.array(values)[:, None] for values in zip(*STARTS, strict=True))
    scales, times = np.array([0.5, 1.0, 4.0, 64.0, 256.0])[None], np.linspace(0, 6, 25)
    u, v = integrate(first, second, target, scales, times)
    arguments = [jnp.asarray(each)[..., None] for each in (first, second, target, scales)]
    path = product_path(jnp.append(times, 1e4)[None, None], *arguments)
    end = jax.tree.map(lambda values: np.asarray(values[..., -1]), path)
    path = jax.tree.map(lambda values: np.asarray(values[..., :-1]), path)
    np.testing.assert_allclose(path.outputs, scales[..., None] * (u * v - (first * second)[..., None]), atol=1e-8)
    np.testing.assert_allclose(path.kernel, u**2 + v**2, atol=1e-9)
    np.testing.assert_allclose(path.movement, np.hypot(u - first[..., None], v - second[..., None]), atol=1e-9)
    # A start of equal sizes and wrong sign ends in the saddle u = v = 0, and the origin never moves.
    np.testing.assert_allclose(end.outputs[2, 1], 0.36, rtol=1e-12)  # alpha = 1: z_0 = -0.36
    np.testing.assert_allclose(end.outputs[:2], np.repeat(target[:2], 5, axis=1), rtol=1e-9)
    assert np.all(end.outputs[5] == 0)
    # Numbers that were computed independently of this library.
    np.testing.assert_allclose(end.kernel[:2, 1] / path.kernel[:2, 1, 0], [3.355, 5.411], rtol=1e-3)
    departure = first_departure(jnp.asarray(times)[None, None], *arguments)
    gap = scales[..., None] * (path.outputs - path.lazy_outputs)
    expected = scales[..., None] * np.asarray(departure)
    errors = np.max(np.abs(gap - expected), axis=-1)[:2]
    assert np.all(errors[:, -1] < 0.01)
    assert np.all(errors[:, -1] < 0.3 * errors[:, -2])
    assert np.max(np.abs(expected[0])) == pytest.approx(0.1619 * 4 * 0.4 * 2.25 / 1.16**2, rel=1e-2)


def test_the_criterion_and_its_scalings():
    kappa = laziness(2.0, 3.0, 0.5, output_scale=jnp.array([1.0, 10.0]), init_scale=jnp.array([1.0, 2.0]), degree=2.0)
    np.testing.assert_allclose(kappa, [24.0, 24.0 / 40], rtol=1e-12)
    assert laziness(0.0, 3.0, 0.0) == 0
    assert laziness(1.0, 0.0, 0.0) == 0
    assert laziness(1.0, 1.0, 0.0) == np.inf
    widths = jnp.array([1e2, 1e4, 1e6])
    np.testing.assert_allclose(two_layer_laziness(widths, widths**-0.5), 2 * widths**-0.5, rtol=1e-12)
    assert np.all(np.asarray(two_layer_laziness(widths, 1 / widths)) > 1)
    assert departure_exponents() == (-1, -2, -1)
    assert departure_exponents(doubled=True).outputs == -2
    with pytest.raises(OutsideDomain, match="`curvature` is -1"):
        laziness(1.0, -1.0, 1.0)
    with pytest.raises(OutsideDomain, match="`prefactor` is 0"):
        two_layer_laziness(10, 0)
