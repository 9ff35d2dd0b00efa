"""The matrix Riccati flow and the two-layer path against SciPy's integration of the weights themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvable.errors import OutsideDomain
from solvable.theory.linear import imbalanced_mode, riccati_flow, two_layer_path

FLOW, PATH = jax.jit(riccati_flow), jax.jit(two_layer_path)
TIMES = np.linspace(0.0, 6.0, 7)


def balanced(imbalance, scale=0.3, sizes=(5, 3, 4), seed=0):
    """W_1 and W_2 with W_2^T W_2 - W_1 W_1^T = imbalance I, in random directions."""
    rng = np.random.default_rng(seed)
    frames = [np.linalg.qr(rng.normal(size=(size, sizes[1])))[0] for size in (sizes[0], sizes[2], sizes[1])]
    squares = (scale * rng.normal(size=sizes[1])) ** 2 + max(0.0, -imbalance)
    first = frames[2] * np.sqrt(squares) @ frames[0].T
    return first, frames[1] * np.sqrt(squares + imbalance) @ frames[2].T


def integrate(task, first, second, times):
    """W_2 W_1, W_1^T W_1 and W_2 W_2^T at the times, from the gradient flow of the weights."""
    split, shapes = first.size, (first.shape, second.shape)

    def velocity(_, flat):
        w, v = flat[:split].reshape(shapes[0]), flat[split:].reshape(shapes[1])
        gap = task - v @ w
        return np.concatenate([(v.T @ gap).ravel(), (gap @ w.T).ravel()])

    start = np.concatenate([first.ravel(), second.ravel()])
    found = solve_ivp(velocity, (0, times[-1]), start, "DOP853", times, rtol=1e-11, atol=1e-13).y.T
    layers = [(flat[:split].reshape(shapes[0]), flat[split:].reshape(shapes[1])) for flat in found]
    return [np.stack(each) for each in zip(*((v @ w, w.T @ w, v @ v.T) for w, v in layers), strict=True)]


def gaussian(*shape, seed=4):
    return np.random.default_rng(seed).normal(size=shape)


def low_rank(rank):
    return gaussian(4, rank) @ gaussian(rank, 5, seed=5)


@pytest.mark.parametrize("imbalance", [0.0, 2.0, -2.0, 10.0])
@pytest.mark.parametrize("rank", [4, 1])
def test_path_is_the_flow_of_the_weights(imbalance, rank):
    task, (first, second) = low_rank(rank), balanced(imbalance)
    path = PATH(jnp.asarray(task), jnp.asarray(first), jnp.asarray(second), jnp.asarray(TIMES), imbalance=imbalance)
    expected = integrate(task, first, second, TIMES)
    for found, known in zip((path.map, path.first_gram, path.second_gram), expected, strict=True):
        np.testing.assert_allclose(found, known, atol=1e-7)


def test_path_of_one_unit_is_an_imbalanced_mode():
    weights = jnp.array([[0.3]]), jnp.array([[-1.2]])
    path = PATH(jnp.array([[0.7]]), *weights, jnp.asarray(TIMES), imbalance=1.2**2 - 0.3**2)
    first, second = imbalanced_mode(jnp.asarray(TIMES), jnp.array(0.3), jnp.array(-1.2), jnp.array(0.7))
    np.testing.assert_allclose(path.map[:, 0, 0], first * second, atol=1e-12)


@pytest.mark.parametrize("width", [2, 6])
def test_flow_is_a_semigroup_and_symmetric_factorisation_is_a_case(width):
    """tarmoun2021, prediction 4: U' = (Y - U U^T) U, so that F = Y and Q = sqrt 2 U, whatever the signs of Y."""
    target, start = gaussian(4, 4), 0.2 * gaussian(4, width, seed=6)
    target = (target + target.T) / 2
    factor = FLOW(jnp.asarray(target), jnp.sqrt(2.0) * jnp.asarray(start), jnp.asarray(TIMES))

    def velocity(_, flat):
        u = flat.reshape(4, width)
        return ((target - u @ u.T) @ u).ravel()

    found = solve_ivp(velocity, (0, 6), start.ravel(), "DOP853", TIMES, rtol=1e-11, atol=1e-13).y.T.reshape(
        -1, 4, width
    )
    products = np.asarray(factor @ factor.mT) / 2
    np.testing.assert_allclose(products, found @ np.swapaxes(found, 1, 2), atol=1e-8)
    again = FLOW(jnp.asarray(target), factor[2], jnp.asarray(TIMES))
    np.testing.assert_allclose(again[3] @ again[3].T, factor[5] @ factor[5].T, atol=1e-10)


def test_directions_of_rate_zero_fall_like_one_over_t():
    factor = FLOW(jnp.zeros((3, 3)), jnp.eye(3), jnp.array([0.0, 10.0, 1e6]))
    np.testing.assert_allclose((factor @ factor.mT)[:, 0, 0], [1.0, 1 / 11, 1 / (1e6 + 1)], rtol=1e-9)


@pytest.mark.parametrize("horizon", [1e2, 1e4])
def test_weak_modes_survive_long_times(horizon):
    """The closed form in one shot loses them to the strongest one once 2 f t passes 35."""
    first, second = balanced(0.0, 1e-3)
    task = np.zeros((4, 5))
    task[range(4), range(4)] = [3.0, 1.0, 0.3, 0.1]
    path = PATH(jnp.asarray(task), jnp.asarray(first), jnp.asarray(second), jnp.array([0.0, horizon]))
    learned = task.copy()
    learned[3, 3] = 0  # three units
    np.testing.assert_allclose(path.map[-1], learned, atol=1e-5 if horizon < 1e3 else 1e-9)


def test_a_determinant_of_the_wrong_sign_ends_on_a_saddle():
    task, start = np.diag([3.0, 2.0, 1.0]), balanced(0.0, sizes=(3, 3, 3), seed=3)
    ends = []
    for sign in (1, -1):
        flip = np.diag([1.0, 1.0, sign * np.sign(np.linalg.det(start[1] @ start[0]))])
        path = PATH(jnp.asarray(task), jnp.asarray(start[0]), jnp.asarray(flip @ start[1]), jnp.array([0.0, 15.0]))
        ends.append(np.linalg.svd(path.map[-1])[1])
    np.testing.assert_allclose(ends[0], [3, 2, 1], atol=1e-3)
    assert ends[1][2] < 1e-2


def test_float32_and_refusal():
    weights = [jnp.asarray(each, jnp.float32) for each in (low_rank(4), *balanced(0.0))]
    path = PATH(*weights, jnp.asarray(TIMES, jnp.float32))
    exact = PATH(*(each.astype(jnp.float64) for each in weights), jnp.asarray(TIMES))
    assert path.map.dtype == jnp.float32
    np.testing.assert_allclose(path.map, exact.map, atol=2e-4)
    for times in ([1.0, 0.5], [-1.0, 0.0]):
        with pytest.raises(OutsideDomain, match=r"`times` is .* ascend"):
            riccati_flow(jnp.eye(2), jnp.eye(2), jnp.array(times))
