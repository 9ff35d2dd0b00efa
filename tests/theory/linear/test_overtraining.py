"""Overtraining levels against truncated decompositions and the exact flow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory.linear import mean_overtraining_levels, overtraining_levels, surplus_error, two_layer_path

LEVELS = jax.jit(overtraining_levels, static_argnums=2)


def draw(seed=0, noise=0.005, rank=2):
    rng = np.random.default_rng(seed)
    left, right = np.linalg.qr(rng.normal(size=(8, rank)))[0], np.linalg.qr(rng.normal(size=(10, rank)))[0]
    return left * np.array([2.0, 1.0])[:rank] @ right.T, noise * rng.normal(size=(8, 10))


def truncated(data, width):
    left, values, right = np.linalg.svd(data, full_matrices=False)
    return left[:, :width] * values[:width] @ right[:width]


@pytest.mark.parametrize(("width", "tolerance"), [(2, 0.02), (5, 0.004), (8, 1e-10)])
def test_end_is_the_error_of_the_truncated_decomposition(width, tolerance):
    for seed in range(5):
        teacher, noise = draw(seed)
        _, end = LEVELS(jnp.asarray(teacher), jnp.asarray(noise), width)
        np.testing.assert_allclose(end, np.sum((truncated(teacher + noise, width) - teacher) ** 2), rtol=tolerance)


def test_the_error_of_the_expansion_falls_with_the_noise():
    errors = []
    for size in (0.02, 0.002):
        teacher, noise = draw(1, size)
        _, end = LEVELS(jnp.asarray(teacher), jnp.asarray(noise), 3)
        errors.append(abs(float(end) / np.sum((truncated(teacher + noise, 3) - teacher) ** 2) - 1))
    assert errors[1] < errors[0] / 5


def test_rise_of_the_exact_flow_is_that_of_surplus_modes():
    teacher, noise = draw(2)
    frames = [np.linalg.qr(np.random.default_rng(9 + size).normal(size=(size, 5)))[0] for size in (8, 10)]
    first, second = (jnp.asarray(1e-3 * frame) for frame in (frames[1].T, frames[0]))
    times = jnp.linspace(0.0, 3000.0, 31)
    map_ = jax.jit(two_layer_path)(jnp.asarray(teacher + noise), first, second, times).map
    excess = np.sum((np.asarray(map_) - teacher) ** 2, axis=(1, 2))
    least, end = LEVELS(jnp.asarray(teacher), jnp.asarray(noise), 5)
    np.testing.assert_allclose(excess[1:].min(), least, rtol=0.12)
    np.testing.assert_allclose(excess[-1], end, rtol=0.02)
    left, values, right = np.linalg.svd(teacher + noise)
    common = (first @ right.T[:, :8] + second.T @ left) / 2
    start = np.diagonal(np.linalg.qr(common)[1])[2:5] ** 2
    rise = surplus_error(times, jnp.asarray(values[2:5]), jnp.asarray(start))
    np.testing.assert_allclose(excess[2:] - excess[1], rise[2:], atol=0.1 * float(end - least))


def test_no_teacher_is_all_noise_and_a_full_one_leaves_none():
    _, noise = draw()
    least, end = LEVELS(jnp.zeros((8, 10)), jnp.asarray(noise), 3)
    assert float(least) < 1e-18
    np.testing.assert_allclose(end, np.sum(np.linalg.svd(noise)[1][:3] ** 2))
    assert mean_overtraining_levels(rank=3, width=5, output_dim=3, input_dim=4, noise_power=1.0) == (12.0, 12.0)


def test_means_over_the_noise():
    unit = dict(output_dim=8, input_dim=10, noise_power=1.0)
    np.testing.assert_allclose(mean_overtraining_levels(rank=2, width=2, **unit), (32, 32), rtol=1e-9)
    np.testing.assert_allclose(mean_overtraining_levels(rank=2, width=8, **unit), (32, 80), rtol=1e-9)
    rng = np.random.default_rng(3)
    top = np.mean(np.sum(np.linalg.svd(rng.normal(size=(4000, 6, 8)), compute_uv=False)[:, :3] ** 2, axis=1))
    np.testing.assert_allclose(mean_overtraining_levels(rank=2, width=5, **unit)[1], 32 + top, rtol=0.012)


def test_refusals():
    teacher, noise = (jnp.asarray(each) for each in draw())
    with pytest.raises(OutsideDomain, match="`width` is 1; it must be at least the rank 2"):
        overtraining_levels(teacher, noise, 1)
    with pytest.raises(OutsideDomain, match="`noise` has shape"):
        overtraining_levels(teacher, noise[:3], 2)
    with pytest.raises(OutsideDomain, match="`width` is 1"):
        mean_overtraining_levels(rank=2, width=1, output_dim=4, input_dim=4, noise_power=1.0)
