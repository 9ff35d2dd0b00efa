"""The interpolator against optimality, limits, other scales, broken data and the flow itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import linprog

from solvable.errors import OutsideDomain
from solvable.theory.linear import flow_interpolator, hyperbolic_interpolator, power_interpolator, strength_along

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(6, 12))
TARGETS = INPUTS @ np.array([1.0, -0.5] + [0.0] * 10)
X, Y = jnp.asarray(INPUTS), jnp.asarray(TARGETS)
SCALES = (1e3, 1.0, 0.1, 1e-2, 1e-4, 1e-8, 1e-16, 1e-40, 1e-200)


def outside(inputs):
    """A basis of what no sample sees."""
    return np.linalg.svd(inputs)[2][np.linalg.matrix_rank(inputs) :]


def least_l1(inputs, targets):
    dim = inputs.shape[1]
    return linprog(np.ones(2 * dim), A_eq=np.hstack([inputs, -inputs]), b_eq=targets).fun


@pytest.mark.parametrize("depth", [2, 4])
def test_fits_at_every_scale_and_approaches_the_least_l2_and_l1_norms(depth):
    found = np.array([power_interpolator(X, Y, scale, depth) for scale in SCALES])
    np.testing.assert_allclose(found @ INPUTS.T, np.broadcast_to(TARGETS, (9, 6)), atol=1e-11)
    np.testing.assert_allclose(found[0], np.linalg.pinv(INPUTS) @ TARGETS, atol=1e-10)
    l1 = np.abs(found).sum(1)
    assert np.all(np.diff(l1) < 1e-8)
    excess = l1 / least_l1(INPUTS, TARGETS) - 1
    # Logarithmically slow at depth 2, a power of alpha above.
    assert np.all(excess[[3, -1]] < ([0.2, 5e-3] if depth == 2 else [5e-3, 1e-5]))


def test_stationary_for_scales_and_shifts_of_their_own():
    scale, shift = RNG.uniform(0.1, 2.0, 12), RNG.normal(size=12)
    found = hyperbolic_interpolator(X, Y, jnp.asarray(scale), jnp.asarray(shift))
    dual = np.arcsinh(np.asarray(found) / (2 * scale)) - shift
    np.testing.assert_allclose(outside(INPUTS) @ dual, 0, atol=1e-10)
    np.testing.assert_allclose(INPUTS @ found, TARGETS, atol=1e-12)


@pytest.mark.parametrize("depth", [2, 4])
def test_is_where_the_flow_ends_for_scales_of_their_own(depth):
    """Gradient flow on the weights; at depth 4 the dual variable is rescaled by alpha^2."""
    init = RNG.uniform(0.3, 0.8, 12)

    def velocity(_, weights):
        first, second = weights.reshape(2, 12)
        slope = INPUTS.T @ (INPUTS @ (first**depth - second**depth) - TARGETS)
        return depth * np.concatenate([-(first ** (depth - 1)) * slope, second ** (depth - 1) * slope])

    end = solve_ivp(velocity, (0, 300), np.tile(init, 2), method="LSODA", rtol=1e-11, atol=1e-13).y[:, -1]
    beta = end[:12] ** depth - end[12:] ** depth
    np.testing.assert_allclose(power_interpolator(X, Y, jnp.asarray(init), depth), beta, atol=1e-7)


def test_samples_may_repeat_depend_outnumber_or_miss_a_coordinate():
    repeated = np.vstack([INPUTS[:4], INPUTS[0], INPUTS[0] + INPUTS[1]])
    repeated[:, 3] = 0
    goal = repeated @ np.linspace(-1, 1, 12)
    found = np.asarray(power_interpolator(jnp.asarray(repeated), jnp.asarray(goal), 1e-3, 2))
    np.testing.assert_allclose(repeated @ found, goal, atol=1e-10)
    np.testing.assert_allclose(found[3], 0, atol=1e-30)
    # More samples than dimensions: the only solution, and least squares where there is none.
    tall, noise = INPUTS.T, RNG.normal(size=12)
    for goal in (tall @ np.ones(6), noise):
        found = power_interpolator(jnp.asarray(tall), jnp.asarray(goal), 1e-2, 2)
        np.testing.assert_allclose(found, np.linalg.lstsq(tall, goal, rcond=None)[0], atol=1e-9)


def test_single_sample_no_target_and_one_layer():
    np.testing.assert_array_equal(hyperbolic_interpolator(X, 0 * Y, 1e-30), np.zeros(12))
    np.testing.assert_allclose(power_interpolator(X, Y, 1e-5, 1), np.linalg.pinv(INPUTS) @ TARGETS, atol=1e-12)
    one = np.zeros_like(INPUTS)
    one[0, :2] = 2.0, 1.0
    found = power_interpolator(jnp.asarray(one), jnp.asarray(-one[:, 0]), 1e-200, 2)  # alpha^2 itself underflows
    np.testing.assert_allclose(found[:2], [-1, 0], atol=1e-12)


def test_four_conventions_of_the_scale_name_one_predictor():
    """w_+^2 - w_-^2 from alpha; (w_+^2 - w_-^2)/2 and u v from a: A = a^2/2; a bare scale A."""
    alpha = 0.2
    ours = flow_interpolator(X, Y, alpha).predictor
    half = hyperbolic_interpolator(X, Y, (alpha * 2**0.5) ** 2 / 2)
    np.testing.assert_allclose(hyperbolic_interpolator(X, Y, alpha**2), ours, rtol=1e-12)
    np.testing.assert_allclose(half, ours, rtol=1e-12)
    wrong = hyperbolic_interpolator(X, Y, 2 * alpha**2)
    assert np.linalg.norm(wrong - ours) > 1e-3


def test_trajectories_are_mirror_maps_of_the_impulse():
    for depth, rate in ((2, 4.0), (3, 3 * 0.3), (4, 8 * 0.3**2)):
        impulse = RNG.normal(size=12) * 0.1
        beta = strength_along(jnp.asarray(impulse), 0.3, depth)
        z = rate * impulse
        power = depth / (depth - 2) if depth > 2 else None
        by_hand = 2 * np.sinh(z) if depth == 2 else (1 - z) ** -power - (1 + z) ** -power
        np.testing.assert_allclose(beta, 0.3**depth * by_hand, rtol=1e-10)
    np.testing.assert_allclose(strength_along(jnp.ones(12), 0.3, 1), 2 * np.ones(12))


def test_vmap_over_scales_gives_what_each_gives():
    scales = jnp.asarray([10.0, 1e-3, 1e-30])
    together = jax.vmap(hyperbolic_interpolator, (None, None, 0))(X, Y, scales)
    np.testing.assert_allclose(together, [hyperbolic_interpolator(X, Y, float(s)) for s in scales], atol=1e-12)


def test_single_precision_is_kept():
    single = hyperbolic_interpolator(X.astype(jnp.float32), Y.astype(jnp.float32), 1e-6)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, hyperbolic_interpolator(X, Y, 1e-6), atol=2e-4)


def test_refusals():
    with pytest.raises(OutsideDomain, match="`scale` is 0"):
        hyperbolic_interpolator(X, Y, 0.0)
    with pytest.raises(OutsideDomain, match="`depth` is 0"):
        power_interpolator(X, Y, 1.0, 0)
    with pytest.raises(OutsideDomain, match="`targets` holds"):
        hyperbolic_interpolator(X, Y * jnp.nan, 1.0)
