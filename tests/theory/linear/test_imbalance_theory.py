"""Where imbalanced layers end, and the lazy limit, against the exact path."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.theory.linear import converged_layers, imbalanced_mode, lazy_map, two_layer_path

follow = jax.jit(two_layer_path)
learn_lazily = jax.jit(lazy_map)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def start(first_squares, sizes, imbalance):
    """Lambda-balanced weights from their definition, with random frames."""
    inside, behind = (np.linalg.qr(normal(size, size, size))[0] for size in (sizes[0], sizes[2] + 10))
    behind = np.linalg.qr(behind[: sizes[2], : sizes[2]])[0]
    first_squares = np.asarray(first_squares)
    values = np.sqrt(first_squares), np.sqrt(first_squares + imbalance)
    count = len(first_squares)
    return jnp.asarray(values[0][:, None] * inside[:, :count].T), jnp.asarray(behind[:, :count] * values[1])


@settings(deadline=None, max_examples=50)
@given(st.floats(-50.0, 50.0), st.floats(0.0, 10.0))
def test_layers_have_the_imbalance_and_the_product(imbalance, target):
    first, second = converged_layers(jnp.asarray(target), jnp.asarray(imbalance))
    np.testing.assert_allclose(first * second, target, atol=1e-9)
    np.testing.assert_allclose(second**2 - first**2, imbalance, atol=1e-12 * 3000)


def test_layers_end_where_a_single_mode_ends():
    first, second = imbalanced_mode(jnp.array(30.0), jnp.array(0.2), jnp.array(1.3), jnp.array(0.8))
    ends = converged_layers(jnp.array(0.8), jnp.array(1.3**2 - 0.2**2))
    np.testing.assert_allclose(ends, (first, second), rtol=1e-9)


@pytest.mark.parametrize("imbalance", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("rank", [1, 4])
def test_layers_end_where_the_exact_path_ends(imbalance, rank):
    """Units beyond the rank of the task keep what the imbalance gives them."""
    task = normal(0, 4, rank) @ normal(1, rank, 5)
    squares = np.array([0.1, 0.02, 0.3]) + max(0.0, -imbalance)
    times = jnp.array([0.0, 3000.0])
    path = follow(task, *start(squares, (5, 3, 4), imbalance), times, imbalance=imbalance)
    first, second = converged_layers(jnp.linalg.svdvals(task)[:3], jnp.asarray(imbalance))
    slow = 3e-2 if imbalance == 0 and rank == 1 else 1e-6  # a mode with nothing to learn falls like 1/t
    np.testing.assert_allclose(jnp.linalg.eigvalsh(path.first_gram[-1])[::-1][:3], np.sort(first**2)[::-1], atol=slow)
    np.testing.assert_allclose(jnp.linalg.eigvalsh(path.second_gram[-1])[::-1][:3], np.sort(second**2)[::-1], atol=slow)


@pytest.mark.parametrize(("sizes", "sign"), [((5, 4, 4), 1), ((4, 4, 5), -1)])
def test_a_large_square_layer_learns_along_one_exponential(sizes, sign):
    """Up to the square of |S - M| over the imbalance."""
    task, errors = normal(3, sizes[2], sizes[0]), []
    for size in (30.0, 300.0, 3000.0):
        squares = np.array([2.0, 1.0, 0.5, 0.1]) / size + max(0.0, -sign * size)
        first, second = start(squares, sizes, sign * size)
        times = jnp.linspace(0.0, 5.0, 11) / size
        exact = follow(task, first, second, times, imbalance=sign * size).map
        begin = second @ first
        decayed = task[None] + (begin - task)[None] * jnp.exp(-size * times)[:, None, None]
        frozen = learn_lazily(task, first, second, times)
        errors.append([float(np.max(np.abs(exact - guess))) for guess in (decayed, frozen)])
    np.testing.assert_allclose(np.divide(errors[1:], errors[:-1]), 0.01, atol=0.002)


def test_lazy_map_is_the_flow_of_its_frozen_kernel():
    task, first, second = normal(0, 2, 3), normal(1, 4, 3), normal(2, 2, 4)
    times = jnp.linspace(0.0, 0.1, 1001)
    path = learn_lazily(task, first, second, times)
    np.testing.assert_allclose(path[0], second @ first, atol=1e-12)
    velocity = np.gradient(path, times[1], axis=0)[500]
    gap = task - path[500]
    np.testing.assert_allclose(velocity, second @ second.T @ gap + gap @ first.T @ first, rtol=1e-4, atol=1e-4)
    assert np.all(np.isfinite(learn_lazily(task, 0 * first, 0 * second, 1e12 * times)))


def test_no_imbalance_and_nothing_to_learn_leave_nothing():
    np.testing.assert_array_equal(converged_layers(jnp.zeros(2), jnp.zeros(2)), np.zeros((2, 2)))
    assert converged_layers(jnp.ones(2, jnp.float32), jnp.float32(1.0))[0].dtype == jnp.float32
