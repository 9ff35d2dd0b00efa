"""The end-to-end flow against the flow of the layers themselves, and against the modes that it falls into."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvable.errors import OutsideDomain
from solvable.tasks import Moments
from solvable.theory import linear


def moments_of(seed, white=False):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(30, 4)) * np.array([2.0, 1.0, 0.7, 0.0])  # rank 3
    sigma_xx = np.eye(4) if white else inputs.T @ inputs / 30
    return Moments(jnp.asarray(9.0), jnp.asarray(rng.normal(size=(3, 4)) @ sigma_xx), jnp.asarray(sigma_xx))


def flow_of_layers(moments, layers, times):
    """Every layer by itself, with SciPy."""
    shapes = [layer.shape for layer in layers]
    splits = np.cumsum([layer.size for layer in layers])[:-1]
    unpack = lambda flat: [part.reshape(shape) for part, shape in zip(np.split(flat, splits), shapes, strict=True)]  # noqa: E731

    def product(parts):
        return parts[0] if len(parts) == 1 else np.linalg.multi_dot(parts[::-1])

    def velocity(_, flat):
        parts = unpack(flat)
        slope = np.asarray(moments.sigma_yz) - product(parts) @ np.asarray(moments.sigma_zz)
        below = [np.eye(shapes[0][1])] + [product(parts[: k + 1]) for k in range(len(parts) - 1)]
        above = [product(parts[k + 1 :]) for k in range(len(parts) - 1)] + [np.eye(shapes[-1][0])]
        return np.concatenate([(a.T @ slope @ b.T).ravel() for a, b in zip(above, below, strict=True)])

    start = np.concatenate([layer.ravel() for layer in layers])
    found = solve_ivp(velocity, (0, times[-1]), start, t_eval=times, method="DOP853", rtol=1e-10, atol=1e-12)
    return np.stack([product(unpack(flat)) for flat in found.y.T])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_product_of_balanced_layers_flows_as_the_layers_do(depth):
    moments, rng = moments_of(depth), np.random.default_rng(5)
    left, right = np.linalg.qr(rng.normal(size=(3, 3)))[0], np.linalg.qr(rng.normal(size=(4, 3)))[0]
    scale = np.array([0.5, 0.5, 0.2])  # two of them equal
    layers = [np.diag(scale)] * (depth - 1) + [left * scale]
    layers[0] = layers[0] @ right.T
    times = np.array([0.0, 0.3, 1.0, 3.0])
    start = jnp.asarray((left * scale**depth) @ right.T)
    assert linear.end_to_end_path(moments, start, jnp.asarray(times), depth) == pytest.approx(
        flow_of_layers(moments, layers, times), abs=1e-7
    )


def test_white_inputs_leave_every_mode_to_itself():
    moments = moments_of(0, white=True)
    left, sizes, right = jnp.linalg.svd(moments.sigma_yz, full_matrices=False)
    times = jnp.linspace(0, 4, 9)
    path = linear.end_to_end_path(moments, 1e-2 * left @ right, times, 4)
    strengths = linear.depth_mode(times[:, None], sizes[None], jnp.asarray(1e-2), 4)
    assert jax.vmap(jnp.linalg.svdvals)(path) == pytest.approx(np.asarray(strengths), abs=1e-6)


def test_times_and_depths_without_meaning_are_refused():
    moments = moments_of(0)
    with pytest.raises(OutsideDomain, match="`depth` is 0"):
        linear.end_to_end_velocity(moments.sigma_yz, moments.sigma_yz, 0)
    with pytest.raises(OutsideDomain, match=r"`depth` is 2\.5"):
        linear.end_to_end_velocity(moments.sigma_yz, moments.sigma_yz, 2.5)
    with pytest.raises(OutsideDomain, match="`times`"):
        linear.end_to_end_path(moments, moments.sigma_yz, jnp.asarray([1.0, 0.5]), 2)
