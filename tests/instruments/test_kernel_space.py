"""Motions of a kernel whose law is known: straight on, diffusing, in a cone, at rest; pictures, sketches, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.instruments import (
    adjacent_distances,
    distance_growth,
    embed_distances,
    find_phases,
    kernel_distance,
    kernel_distances,
)

STEPS = np.array([0, 5, 10, 20, 40, 80, 120, 160, 200, 240, 280, 320, 360, 400])


def distances_along(paths):
    """Of the kernels I + x for the symmetric matrices x of a path, with few entries each so that S is small."""
    return np.asarray(kernel_distances(jnp.asarray(paths)))


def test_distances_are_one_minus_the_cosine_and_keep_their_digits():
    kernels = np.random.default_rng(0).normal(size=(5, 6, 6, 2, 2))
    kernels[3], kernels[4] = 0, kernels[0] + 1e-4 * kernels[1]

    @jax.jit
    def both(kernels):
        one_by_one = jax.vmap(jax.vmap(kernel_distance, (None, 0)), (0, None))(kernels, kernels)
        return kernel_distances(kernels), one_by_one, kernel_distances(kernels.astype(jnp.float32))

    found, expected, rounded = both(jnp.asarray(kernels))
    others = np.array([0, 1, 2, 4])
    np.testing.assert_allclose(found[others][:, others], expected[others][:, others], atol=1e-14)
    np.testing.assert_allclose(found[3], [1, 1, 1, 0, 1])
    assert rounded.dtype == jnp.float32
    assert float(rounded[0, 4]) == pytest.approx(float(found[0, 4]), rel=0.02)  # 1e-8, below the rounding of 1 - S


def test_growth_tells_straight_motion_diffusion_and_confinement_apart():
    rng = np.random.default_rng(0)
    steps, dims = np.arange(0, 401, 10), 4000
    kicks = rng.normal(size=(len(steps), dims)) / 200
    start = np.ones(dims)
    straight = start + np.arange(len(steps))[:, None] * kicks[:1] / 40
    diffusing = start + np.cumsum(kicks, axis=0) / 10
    confined = start + kicks
    growth = [np.median(distance_growth(steps, distances_along(path))[:20]) for path in (straight, diffusing, confined)]
    np.testing.assert_allclose(growth, [2, 1, 0], atol=0.1)
    # Over exactly so many steps, from each record that has such another.
    starts, values = adjacent_distances(steps, distances_along(straight), 40)
    assert starts.tolist() == steps[:-4].tolist()
    np.testing.assert_allclose(values, values[0], rtol=0.01)


def test_phases_are_named_by_what_the_kernel_does():
    rng = np.random.default_rng(1)
    first, noise = rng.normal(size=(2, 2000))
    leave = (1 - np.exp(-STEPS / 20))[:, None] * first
    wander = 0.15 * rng.normal(size=(len(STEPS), 2000))
    paths = {
        "lazy": 1 + 0.01 * leave,
        "rich": 1 + leave,
        "cone": 1 + leave + np.where(STEPS > 0, 1, 0)[:, None] * wander,
        "no second phase": 1 + np.cumsum(np.sqrt(np.diff(STEPS, prepend=0))[:, None] * wander, axis=0),
    }
    found = {kind: find_phases(STEPS, distances_along(path)) for kind, path in paths.items()}
    assert {kind: phases.kind for kind, phases in found.items()} == {kind: kind for kind in paths}
    assert found["lazy"].end_of_first == 0
    assert 20 <= found["cone"].end_of_first <= 80
    assert found["cone"].cone_distance < 0.25 * found["cone"].start_distance
    assert np.isinf(found["no second phase"].end_of_first)
    # Every record later by one and the same turn of all kernels: nothing but distances matters.
    turned = paths["cone"] * np.sign(noise)
    assert find_phases(STEPS, distances_along(turned)).end_of_first == found["cone"].end_of_first


def test_the_picture_keeps_the_angles_of_kernels_on_a_great_circle():
    angles = np.array([0.0, 0.1, 0.4, 0.5, 1.2])
    circle = distances_along(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    picture = embed_distances(circle)
    np.testing.assert_allclose(picture[:, 0], angles, atol=1e-6)
    np.testing.assert_allclose(picture[:, 1], 0, atol=1e-6)


def test_products_with_one_set_of_random_signs_estimate_all_distances():
    rng = np.random.default_rng(2)
    factors = rng.normal(size=(60, 8)) + rng.normal(size=(3, 60, 8)) * np.array([0, 0.2, 0.4])[:, None, None]
    kernels = factors @ factors.transpose(0, 2, 1)
    exact = distances_along(kernels)
    draws = np.stack([distances_along(kernels @ rng.choice([-1.0, 1.0], size=(60, 64))) for _ in range(20)])
    off = ~np.eye(3, dtype=bool)
    errors = draws[:, off].std(axis=0) / 20**0.5
    assert np.all(np.abs(draws.mean(axis=0) - exact)[off] < 4 * errors + 0.02 * exact[off])
    assert np.all(draws[:, ~off] == 0)


def test_refusals():
    distances = distances_along(np.random.default_rng(0).normal(size=(6, 5)))
    with pytest.raises(OutsideDomain, match="`distances` has shape"):
        find_phases(STEPS, distances)
    with pytest.raises(OutsideDomain, match="`gap` is 7; no two"):
        adjacent_distances(STEPS[:6], distances, 7)
    with pytest.raises(OutsideDomain, match="at least 5 records"):
        find_phases(STEPS[:4], distances[:4, :4])
    with pytest.raises(OutsideDomain, match="`dims` is 9"):
        embed_distances(distances, dims=9)
    with pytest.raises(OutsideDomain, match="not finite"):
        distance_growth(STEPS[:6], np.full((6, 6), np.nan))
