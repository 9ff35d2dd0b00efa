"""The small-start path and the kernel machine's gap against the exact flow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.theory.linear import depth_time, kernel_machine_gap, small_start_path, two_layer_path

FOLLOW, PATH = jax.jit(small_start_path), jax.jit(two_layer_path)
TIMES = jnp.linspace(0.0, 8.0, 33)


def weights(scale, seed=0, width=20, inputs=10):
    rng = np.random.default_rng(seed)
    return jnp.asarray(scale * rng.normal(size=(width, inputs))), jnp.asarray(scale * rng.normal(size=(1, width)))


def task(strength, inputs=10):
    beta = np.linspace(1, -1, inputs)
    return jnp.asarray(strength * beta / np.linalg.norm(beta))


@pytest.mark.parametrize("strength", [2.0, -2.0])
def test_map_and_first_layer_are_those_of_the_flow_within_the_square_of_the_scale(strength):
    """The exact path with imbalance 0 is itself right to the same order."""
    errors = []
    for scale in (1e-2, 1e-3):
        first, second = weights(scale)
        path = FOLLOW(task(strength), first, second, TIMES)
        exact = PATH(task(strength)[None, :], first, second, TIMES)
        along = exact.map[:, 0] @ task(strength) / 2
        grams = jnp.einsum("twi,twj->tij", path.first, path.first)
        errors.append(
            [float(jnp.max(jnp.abs(path.strength - along))), float(jnp.max(jnp.abs(grams - exact.first_gram)))]
        )
    assert np.all(np.array(errors[0]) < [0.005, 0.2])
    assert np.all(np.divide(errors[1], errors[0]) < [0.02, 0.15])


def test_strength_is_that_of_the_map_and_falls_in_the_engines_time():
    first, second = weights(1e-3)
    path = FOLLOW(task(2.0), first, second, TIMES)
    start = path.strength[0]
    half = depth_time(start, jnp.array(2 * (1 - 0.5**0.5)), jnp.array(2.0), 2)
    at_half = FOLLOW(task(2.0), first, second, jnp.full(33, half))
    np.testing.assert_allclose((2 - at_half.strength[0]) ** 2, 2.0, rtol=1e-9)
    np.testing.assert_allclose(path.strength[-1], 2.0, rtol=1e-6)


def test_nothing_to_learn_leaves_the_map_where_it_is():
    first, second = weights(1e-3)
    path = FOLLOW(jnp.zeros(10), first, second, TIMES)
    np.testing.assert_allclose(path.first[-1], first, atol=1e-5)
    assert np.all(np.isfinite(path.second))
    still = FOLLOW(task(2.0), 0 * first, 0 * second, TIMES)
    np.testing.assert_array_equal(still.strength, np.zeros(33))


def test_gap_of_the_kernel_machine_is_what_the_flow_leaves_outside_the_data():
    """The flow on a projector: white on the span of the data, still outside of it."""
    rng = np.random.default_rng(1)
    train = jnp.asarray(np.linalg.qr(rng.normal(size=(10, 4)))[0].T * 2)
    labels, tests = jnp.asarray(rng.choice([-1.0, 1.0], 4)), jnp.asarray(rng.normal(size=(6, 10)))
    first, second = weights(1e-4)
    gap = kernel_machine_gap(first, second, train, labels, tests)
    basis = np.linalg.qr(train.T)[0]
    inner = PATH((labels @ train / 4 @ basis)[None, :], first @ basis, second, 5 * TIMES)
    # At the end a = sqrt(s) z/|z|; weights outside the span have not moved.
    common = np.asarray(first @ (train.T @ labels) / np.linalg.norm(train.T @ labels) + second[0])
    outside = tests - tests @ basis @ basis.T
    size = np.sqrt(np.trace(inner.second_gram[-1]))
    seen = outside @ (first.T @ common) * size / np.linalg.norm(common)
    # The limit kernel c I + c' b b^T shares nothing between the data's span and the rest; the network's own, half.
    np.testing.assert_allclose(gap, seen, rtol=1e-2, atol=1e-9)
    halved = kernel_machine_gap(first, second, train, labels, tests, own_kernel=True)
    np.testing.assert_allclose(halved, gap / 2)
    np.testing.assert_allclose(kernel_machine_gap(first, second, train, labels, train), 0, atol=1e-16)
    with pytest.raises(OutsideDomain, match="`train_inputs` holds 11 samples"):
        kernel_machine_gap(first, second, jnp.ones((11, 10)), jnp.ones(11), tests)
