"""Blow-up of quadratic units against the flow itself, integrated on the sphere, and against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from solvable.errors import OutsideDomain
from solvable.numerics import gaussian_cubature
from solvable.theory.flows import (
    amplification_at_blow_up,
    blow_up_time,
    blow_up_time_power,
    conserved_quantity,
    gaussian_correlation,
    growth_order,
)

MATRICES = {
    "both signs": np.diag([1.0, 0.4, -0.7]),
    "rotated": np.array([[0.3, 1.0, -0.2], [1.0, -0.5, 0.6], [-0.2, 0.6, 0.1]]),
    "positive": np.diag([4.0, 4.0, 1.0]),
    "negative": np.diag([-1.0, -0.3, -0.2]),
    "positive semi-definite": np.diag([1.0, 0.0, 0.2]),
    "negative semi-definite": np.diag([0.0, 0.0, -1.0]),
    "degenerate": np.diag([1.0, 1.0, -0.5]),
}


def speed(state, correlation):
    v, u = state[0], state[1:]
    return np.concatenate([[u @ correlation @ u], 2 * v * correlation @ u])


def follow(first, second, correlation):
    """The flow with (v, u) = r n, in time s with dt = ds / r: smooth up to the blow-up, where s is infinite.

    Returns the time to blow up (inf if r has not grown by e^35), and n there.
    """

    def field(_, state):
        n, log_r = state[:-2], state[-2]
        velocity = speed(n, correlation)
        return np.concatenate([velocity - (n @ velocity) * n, [n @ velocity, np.exp(-log_r)]])

    far = lambda _, state: state[-2] - 35.0  # noqa: E731
    far.terminal = True
    start = np.concatenate([[second], first])
    radius = np.linalg.norm(start)
    path = solve_ivp(
        field, (0, 150), [*start / radius, 0, 0], "DOP853", rtol=1e-12, atol=1e-14, events=far, first_step=1e-3
    )
    blew_up = path.t_events[0].size > 0
    return (path.y[-1, -1] / radius if blew_up else np.inf), path.y[:-2, -1]


def units(seed, count, scale, input_dim=3):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(count, input_dim)), scale * rng.normal(size=count)


@pytest.mark.parametrize("name", MATRICES)
def test_time_sign_and_direction_are_those_of_the_flow(name):
    correlation, (first, second) = MATRICES[name], units(3, 24, 1e-3)
    found = blow_up_time(jnp.asarray(first), jnp.asarray(second), jnp.asarray(correlation))
    crossed = 0
    for i in range(len(second)):
        time, end = follow(first[i], second[i], correlation)
        np.testing.assert_allclose(found.time[i], time, rtol=1e-9, err_msg=f"unit {i}")
        if np.isinf(time):
            assert found.sign[i] == 0
            assert not np.any(found.direction[i])
            continue
        assert found.sign[i] == np.sign(end[0])
        np.testing.assert_allclose(found.direction[i], end[1:] / np.linalg.norm(end[1:]), atol=1e-4)
        crossed += np.sign(end[0]) != np.sign(second[i])
    assert crossed > 0


@pytest.mark.parametrize("name", ["positive", "negative"])
def test_with_eigenvalues_of_one_sign_the_cone_of_dead_units_is_known(name):
    sign = 1 if name == "positive" else -1
    first, second = units(5, 400, 1.0)
    found = blow_up_time(jnp.asarray(first), jnp.asarray(second), jnp.asarray(MATRICES[name]))
    dead = sign * second <= -np.linalg.norm(first, axis=1) / 2**0.5
    assert 0 < dead.sum() < 400
    np.testing.assert_array_equal(np.isinf(found.time), dead)
    np.testing.assert_array_equal(found.sign, np.where(dead, 0, sign))


@settings(deadline=None, max_examples=30)
@given(st.floats(0.05, 5.0), st.floats(-9.0, 0.0), st.floats(0.01, 10.0))
def test_one_mode_has_a_closed_form(share, log_scale, eigenvalue):
    v, w = 10**log_scale * share, 10**log_scale
    found = blow_up_time(jnp.array([[w]]), jnp.array([v]), jnp.array([[eigenvalue]]))
    invariant = v**2 - w**2 / 2
    root = abs(invariant) ** 0.5
    assume(root > 1e-3 * v)
    # v' = s u^2 = 2 s (v^2 - invariant), which integrates to an arctangent of either kind.
    time = np.arctan2(root, v) / root if invariant < 0 else np.arctanh(root / v) / root
    assert found.time[0] == pytest.approx(time / (2 * eigenvalue), rel=1e-11)


def test_a_balanced_unit_along_an_eigenvector_blows_up_like_the_scalar_caricature():
    # |u|^2 = 2 v^2 keeps v^2 - |u|^2/2 = 0, so that v' = 2 s v^2.
    start = np.array([1e-9, 3e-4, 0.2])
    first = jnp.asarray(2**0.5 * start[:, None] * np.array([[0.0, 1.0]]))
    found = blow_up_time(first, jnp.asarray(start), jnp.diag(jnp.array([-2.0, 1.5])))
    np.testing.assert_allclose(found.time, blow_up_time_power(jnp.asarray(2 * 1.5 * start), 2), rtol=1e-12)
    np.testing.assert_allclose(found.direction, [[0, 1]] * 3, atol=1e-14)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(1e-9, 10.0), st.floats(1e-3, 1e3))
def test_time_scales_inversely_with_weights_and_with_correlation(seed, scale, strength):
    first, second = map(jnp.asarray, units(seed, 24, 1.0))
    correlation = jnp.asarray(MATRICES["rotated"])
    unit = blow_up_time(first, second, correlation)
    scaled = blow_up_time(scale * first, scale * second, strength * correlation)
    np.testing.assert_allclose(scaled.time * scale * strength, unit.time, rtol=1e-11)
    np.testing.assert_array_equal(scaled.sign, unit.sign)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_flipping_v_and_s_and_rotating_change_nothing_else(seed):
    first, second = map(jnp.asarray, units(seed, 24, 1.0))
    correlation = jnp.asarray(MATRICES["both signs"])
    rotation = jnp.asarray(np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0])
    found = blow_up_time(first, second, correlation)
    mirrored = blow_up_time(first, -second, -correlation)
    turned = blow_up_time(first @ rotation.T, second, rotation @ correlation @ rotation.T)
    np.testing.assert_allclose(mirrored.time, found.time, rtol=1e-11)
    np.testing.assert_array_equal(mirrored.sign, -found.sign)
    np.testing.assert_allclose(turned.time, found.time, rtol=1e-8)
    np.testing.assert_allclose(turned.direction, found.direction @ rotation.T, atol=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_v_at_zero_is_the_limit_of_small_v_from_both_sides(sign):
    first, correlation = jnp.array([[1.0, 0.3]]), jnp.diag(jnp.array([1.0, -2.0])) * sign
    at_zero = blow_up_time(first, jnp.zeros(1), correlation)
    assert at_zero.sign[0] == sign
    for small in (1e-9, -1e-9):
        near = blow_up_time(first, jnp.array([small]), correlation)
        np.testing.assert_allclose(near.time, at_zero.time, rtol=1e-8)
        assert near.sign[0] == sign


def test_units_at_rest_never_blow_up():
    first = jnp.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    found = blow_up_time(first, jnp.array([0.0, 1.0, 0.0]), jnp.diag(jnp.array([1.0, -1.0])))
    assert np.all(np.isinf(found.time))
    no_correlation = blow_up_time(first, jnp.array([1.0, 1.0, 0.0]), jnp.zeros((2, 2)))
    assert np.all(np.isinf(no_correlation.time))


def test_a_missing_component_leaves_growth_to_the_next_mode():
    first, second = jnp.array([[0.0, 0.5, 0.1], [0.0, 0.5, 0.1]]), jnp.array([0.7, -0.1])
    found = blow_up_time(first, second, jnp.diag(jnp.array([3.0, 1.0, 0.4])))
    without = blow_up_time(first[:, 1:], second, jnp.diag(jnp.array([1.0, 0.4])))
    np.testing.assert_allclose(found.time, without.time, rtol=1e-12)
    np.testing.assert_allclose(found.direction, [[0, 1, 0]] * 2, atol=1e-12)


def test_equal_largest_eigenvalues_grow_along_the_start_within_their_space():
    first = jnp.array([[0.3, -0.4, 0.8]])
    found = blow_up_time(first, jnp.array([0.5]), jnp.diag(jnp.array([1.0, 1.0, 0.2])))
    np.testing.assert_allclose(found.direction, [[0.6, -0.8, 0.0]], atol=1e-12)


def test_float32_stays_float32_and_close():
    first, second = units(7, 24, 1e-3)
    arrays = [jnp.asarray(a) for a in (first, second, MATRICES["rotated"])]
    exact, single = blow_up_time(*arrays), blow_up_time(*(a.astype(jnp.float32) for a in arrays))
    assert single.time.dtype == single.sign.dtype == single.direction.dtype == jnp.float32
    np.testing.assert_allclose(single.time, exact.time, rtol=1e-3)


def test_it_runs_inside_jit_and_vmap():
    first, second = map(jnp.asarray, units(8, 6, 1e-3))
    correlation = jnp.asarray(MATRICES["rotated"])
    seeds = jax.jit(jax.vmap(blow_up_time, in_axes=(0, 0, None)))(
        jnp.stack([first, first[::-1]]), jnp.stack([second, second[::-1]]), correlation
    )
    np.testing.assert_allclose(seeds.time[1], seeds.time[0, ::-1], rtol=1e-12)


def test_growth_order_puts_dead_units_last():
    first, second = map(jnp.asarray, units(5, 24, 1.0))
    found = blow_up_time(first, second, jnp.asarray(MATRICES["positive"]))
    ordered = found.time[growth_order(found)]
    assert np.all(np.diff(ordered[np.isfinite(ordered)]) > 0)
    assert np.isinf(ordered[-1])


def test_the_conserved_quantity_is_conserved_by_the_early_flow_and_by_training():
    first, second = units(9, 5, 0.3)
    early = [speed(np.append(v, u), MATRICES["rotated"]) for u, v in zip(first, second, strict=True)]
    rate = jax.jvp(
        conserved_quantity,
        (jnp.asarray(first), jnp.asarray(second)),
        (jnp.asarray([e[1:] for e in early]), jnp.asarray([e[0] for e in early])),
    )[1]
    np.testing.assert_allclose(rate, 0, atol=1e-15)

    inputs = jnp.asarray(np.random.default_rng(1).normal(size=(50, 3)))
    loss = lambda u, v: jnp.mean((jnp.sin(inputs[:, 0]) - (inputs @ u.T) ** 2 @ v) ** 2) / 2  # noqa: E731
    gradients = jax.grad(loss, argnums=(0, 1))(jnp.asarray(first), jnp.asarray(second))
    rate = jax.jvp(conserved_quantity, (jnp.asarray(first), jnp.asarray(second)), gradients)[1]
    np.testing.assert_allclose(rate, 0, atol=1e-14)


@pytest.mark.parametrize("power", [2, 3, 4, 5])
def test_amplification_is_where_the_scalar_flow_has_got_to(power):
    initial = jnp.array([0.1, 0.7, 0.9, -0.5, 0.0])
    times = blow_up_time_power(initial, power)
    assert np.argmin(times) == 2
    assert np.isinf(times[3]) == (power % 2 == 0)
    path = solve_ivp(
        lambda _, v: v**power, (0, float(times[2])), np.delete(initial, 2), "DOP853", rtol=1e-11, atol=1e-13
    )
    found = amplification_at_blow_up(initial, power)
    np.testing.assert_allclose(np.delete(found, 2), path.y[:, -1], rtol=1e-8)
    assert np.isinf(found[2])


@settings(deadline=None, max_examples=30)
@given(st.floats(0.01, 0.99), st.floats(-9.0, 0.0))
def test_the_rest_has_moved_less_the_higher_the_power_and_scales_with_the_start(ratio, log_scale):
    initial = 10**log_scale * jnp.array([1.0, ratio])
    grown = [float(amplification_at_blow_up(initial, power)[1] / initial[1]) for power in (2, 3, 4, 6)]
    assert np.all(np.diff(grown) <= 0)
    assert grown[0] == pytest.approx(1 / (1 - ratio), rel=1e-9)


def test_the_correlation_of_a_quadratic_teacher_is_the_gaussian_average():
    teacher = MATRICES["rotated"]
    inputs, weights = gaussian_cubature(np.eye(3), 4)
    average = np.einsum("p,pi,ij,pj,pk,pl->kl", weights, inputs, teacher, inputs, inputs, inputs)
    np.testing.assert_allclose(gaussian_correlation(jnp.asarray(teacher)), average, atol=1e-13)


def test_refusals_name_what_is_wrong():
    first, second, correlation = jnp.ones((2, 3)), jnp.ones(2), jnp.eye(3)
    with pytest.raises(OutsideDomain, match=r"`correlation` differs from its transpose by 1\b.*symmetric"):
        blow_up_time(first, second, correlation.at[0, 1].set(1.0))
    with pytest.raises(OutsideDomain, match="`second` has an entry that is not finite"):
        blow_up_time(first, second.at[0].set(jnp.nan), correlation)
    with pytest.raises(OutsideDomain, match="`power` is 1"):
        blow_up_time_power(second, 1)
    with pytest.raises(OutsideDomain, match="no unit of `initial` blows up"):
        amplification_at_blow_up(-second, 2)
