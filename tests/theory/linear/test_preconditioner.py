"""The preconditioner of depth: against the velocity itself, sums of layers, and differences of the field."""

from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory import linear

VELOCITY = jax.jit(linear.end_to_end_velocity, static_argnums=2)


def matrices(shape, rank, seed=0):
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(size, rank)))[0] for size in shape)
    sizes = np.array([1.3, 1.3, 0.4])[:rank]  # two of them equal
    return (left * sizes) @ right.T, rng.normal(size=shape)


@pytest.mark.parametrize(("shape", "rank"), [((3, 5), 3), ((5, 3), 2), ((3, 5), 0)])
@pytest.mark.parametrize("depth", [2, 3])
def test_velocity_is_that_of_the_layers_and_of_the_preconditioner(shape, rank, depth):
    weights, descent = matrices(shape, rank)
    found = np.asarray(VELOCITY(jnp.asarray(weights), jnp.asarray(descent), depth))
    left, sizes, right = np.linalg.svd(weights)
    scales = linear.preconditioner_eigenvalues(jnp.asarray(sizes), shape, depth)
    assert found == pytest.approx(left @ (np.asarray(scales) * (left.T @ descent @ right.T)) @ right, abs=1e-9)
    # Layers made by hand: W_1 = s^(1/D) V^T, ..., W_D = U s^(1/D).
    root, count = sizes ** (1 / depth), sizes.size
    layers = [root[:, None] * right[:count], *[np.diag(root)] * (depth - 2), left[:, :count] * root]
    # Those of rank below the smaller side carry singular values of 1e-17, hence roots of 1e-6.
    change = 0
    for place in range(depth):
        above = reduce(np.matmul, layers[place + 1 :][::-1], np.eye(shape[0]))
        below = reduce(lambda product, layer: layer @ product, layers[:place], np.eye(shape[1]))
        change = change + above @ above.T @ descent @ below.T @ below
    assert found == pytest.approx(change, abs=1e-9)


def test_zero_to_the_power_zero_is_one():
    scales = np.asarray(linear.preconditioner_eigenvalues(jnp.array([2.0, 0.0]), (2, 3), 4))
    assert scales[0] == pytest.approx([4 * 2**1.5, 2**1.5, 2**1.5])
    assert scales[1] == pytest.approx([2**1.5, 0, 0])
    assert np.all(np.asarray(linear.preconditioner_eigenvalues(jnp.zeros(2), (2, 3), 1)) == 1)


def test_one_output_follows_the_rule_of_matrices():
    weights, descent = jnp.array([0.3, -1.0, 0.5]), jnp.array([1.0, 2.0, 0.1])
    for depth in (1, 2, 3):
        general = VELOCITY(weights[None], descent[None], depth)[0]
        assert np.allclose(linear.single_output_velocity(weights, descent, depth), general, atol=1e-13)
    assert np.allclose(linear.single_output_velocity(0 * weights, descent, 3), 0)
    assert np.allclose(linear.single_output_velocity(0 * weights, descent, 1), descent)


def test_curl_is_that_of_the_field_and_its_flux_the_circulation():
    descent, depth = jnp.array([1.0, -0.5, 2.0]), 3.5
    field = jax.jit(jax.jacfwd(lambda w: linear.single_output_velocity(w, descent, depth)))
    for weights in (jnp.array([0.3, -1.0, 0.5]), jnp.array([2.0, 0.1, 0.0])):
        slope = field(weights)  # [j, i] = d_i w_j
        assert np.allclose(linear.single_output_curl(weights, descent, depth), slope.T - slope, atol=1e-12)
    assert np.all(np.asarray(linear.single_output_curl(weights, descent, 2)) == 0)
    center, along = jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0])
    flux = jax.jit(lambda depth: linear.circulation(center, 0.5, along, depth))
    around = [float(flux(depth)) for depth in (1.0, 2.0, 3.0, 4.0)]
    # Values of the line integral for gradient G = (1, 0).
    assert around == pytest.approx([0, 0, 0.508766, 1.150103], abs=1e-6)


def test_the_discrete_rule_is_first_order_in_its_rate():
    aim, start = jnp.array([1.0, -0.4]), jnp.array([0.1, 0.05])

    @partial(jax.jit, static_argnums=1)
    def run(rate, steps):
        return linear.single_output_descent(lambda w: w - aim, start, 3, learning_rate=rate, steps=steps)[-1]

    ends = [np.asarray(run(4 / steps, steps)) for steps in (200, 400, 800)]
    assert np.linalg.norm(ends[0] - ends[1]) / np.linalg.norm(ends[1] - ends[2]) == pytest.approx(2, rel=0.1)


def test_requests_without_meaning_are_refused():
    with pytest.raises(OutsideDomain, match="`rows` is 1"):
        linear.preconditioner_eigenvalues(jnp.ones(2), (1, 3), 2)
    with pytest.raises(OutsideDomain, match="`depth` is 0"):
        linear.preconditioner_eigenvalues(jnp.ones(2), (2, 3), 0)
    with pytest.raises(OutsideDomain, match="`depth` is 0"):
        linear.single_output_velocity(jnp.ones(2), jnp.ones(2), 0)
    with pytest.raises(OutsideDomain, match="`radius`"):
        linear.circulation(jnp.ones(2), 0.0, jnp.ones(2), 3)
