"""The narrow network forecasts the wide one: exactly where it is balanced, to 1/sqrt(width) from random weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvable.errors import OutsideDomain
from solvable.networks import Neuron, initialise
from solvable.numerics import activations
from solvable.tasks import Moments
from solvable.theory.flows import diagonalise, largest_stable_rate, narrow_network_forecast
from solvable.training import gradient_descent


def draw_moments(output_dim=2, features=3, seed=0):
    """A noisy linear teacher, features of variance 0.5 and more in every direction."""
    rng = np.random.default_rng(seed)
    root, teacher = rng.normal(size=(features, features)), rng.normal(size=(output_dim, features))
    sigma_zz = root @ root.T / features + 0.5 * np.eye(features)
    sigma_yz = teacher @ sigma_zz
    return Moments(jnp.array(np.sum(sigma_yz * teacher) + 0.3), jnp.array(sigma_yz), jnp.array(sigma_zz))


def descend(moments, first, second, learning_rate, steps):
    """Plain numpy descent of f = V U z; loss, first-layer singular values and weights at every step."""
    sigma_yz, sigma_zz, power = (np.asarray(a) for a in (moments.sigma_yz, moments.sigma_zz, moments.target_power))
    path = []
    for _ in range(steps + 1):
        linear, residual = second @ first, sigma_yz - second @ first @ sigma_zz
        loss = (power - np.sum(linear * (sigma_yz + residual))) / 2
        path.append((loss, np.linalg.svd(first, compute_uv=False), first, second))
        first, second = first + learning_rate * second.T @ residual, second + learning_rate * residual @ first.T
    return path


def balanced_start(moments, width, init_scale):
    outputs, _, inputs = np.linalg.svd(np.asarray(moments.sigma_yz), full_matrices=False)
    amplitude = init_scale * np.sqrt(width / 2)
    return amplitude * inputs, amplitude * outputs


@pytest.mark.parametrize(("output_dim", "features"), [(2, 3), (3, 2), (1, 4)])
def test_forecast_is_plain_descent_of_the_balanced_narrow_network(output_dim, features):
    moments = draw_moments(output_dim, features)
    at = np.array([0, 1, 50, 300, 1000])
    forecast = narrow_network_forecast(
        diagonalise(moments), width=50, init_scale=1e-3, learning_rate=0.02, record_steps=jnp.array(at)
    )
    path = descend(moments, *balanced_start(moments, 50, 1e-3), 0.02, 1000)
    np.testing.assert_array_equal(forecast.steps, at)
    np.testing.assert_allclose(forecast.loss, [path[k][0] for k in at], rtol=1e-9)
    np.testing.assert_allclose(forecast.strengths, [path[k][1] for k in at], rtol=1e-6, atol=1e-9)


def test_a_wide_balanced_network_is_the_narrow_one_in_disguise():
    """Rotated among 40 units with orthonormal columns: the same loss at every step, Theorem 3 (iv)."""
    moments, at = draw_moments(), np.arange(0, 601, 60)
    first, second = balanced_start(moments, 40, 1e-2)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 2)))[0]
    path = descend(moments, rotation @ first, second @ rotation.T, 0.02, 600)
    forecast = narrow_network_forecast(
        diagonalise(moments), width=40, init_scale=1e-2, learning_rate=0.02, record_steps=jnp.array(at)
    )
    np.testing.assert_allclose(forecast.loss, [path[k][0] for k in at], rtol=1e-9)
    np.testing.assert_allclose(forecast.strengths, [path[k][1][:2] for k in at], rtol=1e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_the_basis_of_the_features_means_nothing(seed):
    moments = draw_moments()
    basis = jnp.array(np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0])
    turned = Moments(moments.target_power, moments.sigma_yz @ basis, basis.T @ moments.sigma_zz @ basis)
    plain, rotated = (
        narrow_network_forecast(
            diagonalise(m), width=50, init_scale=1e-3, learning_rate=0.02, record_steps=jnp.arange(0, 1001, 100)
        )
        for m in (moments, turned)
    )
    np.testing.assert_allclose(rotated.loss, plain.loss, rtol=1e-8)
    np.testing.assert_allclose(rotated.strengths, plain.strengths, rtol=1e-6)
    np.testing.assert_allclose(rotated.sharpness, plain.sharpness, rtol=1e-6)


def test_wide_random_networks_approach_the_forecast_as_one_over_the_root_of_the_width():
    """At fixed H eps^2, so that the forecast is the same: root mean square over 32 seeds, worst time."""
    moments, at = draw_moments(), np.arange(0, 601, 20)
    widths, strength = np.array([16, 256]), 1e-6
    forecast = narrow_network_forecast(
        diagonalise(moments), width=1, init_scale=strength, learning_rate=0.02, record_steps=jnp.array(at)
    )

    def train(key, width):
        scale = strength / np.sqrt(width)
        network = initialise(
            Neuron(activations.identity), key, width=int(width), input_shape=(3,), output_dim=2, init_scale=scale
        )
        return gradient_descent(network, moments, learning_rate=0.02, steps=600, record=at).loss

    keys, errors = jax.random.split(jax.random.key(0), 32), []
    for width in widths:
        losses = jax.vmap(lambda key, width=width: train(key, width))(keys)
        errors.append(np.max(np.sqrt(np.mean((losses - forecast.loss[None]) ** 2, axis=0))) / forecast.loss[0])
    slope = np.polyfit(np.log(widths), np.log(errors), 1)[0]
    assert abs(slope + 0.5) < 0.15, (slope, errors)
    assert errors[-1] < 0.06


def hessian_at(moments, first, second):
    """Of the half loss in all weights, flat, by automatic differentiation."""
    shape = first.shape

    def loss(weights):
        u, v = weights[: first.size].reshape(shape), weights[first.size :].reshape(second.shape)
        a = v @ u
        return (jnp.sum(a * (a @ moments.sigma_zz)) - 2 * jnp.sum(a * moments.sigma_yz) + moments.target_power) / 2

    return np.asarray(jax.jit(jax.hessian(loss))(jnp.concatenate([first.ravel(), second.ravel()])))


@pytest.mark.parametrize(
    ("records", "accuracy"), [(np.array([4000]), 1e-4), (np.arange(0, 4001, 200), 1e-7)], ids=["one", "many"]
)
def test_sharpness_is_the_top_of_the_hessian_at_a_fitted_map(records, accuracy):
    """Each record goes on from the vector of the one before: one record alone is a lower bound, a little off."""
    moments = draw_moments()
    *_, first, second = descend(moments, *balanced_start(moments, 50, 1e-3), 0.02, 4000)[-1]
    assert np.max(np.abs(moments.sigma_yz - second @ first @ np.asarray(moments.sigma_zz))) < 1e-9
    forecast = narrow_network_forecast(
        diagonalise(moments), width=50, init_scale=1e-3, learning_rate=0.02, record_steps=jnp.array(records)
    )
    top = np.linalg.eigvalsh(hessian_at(moments, jnp.array(first), jnp.array(second)))[-1]
    np.testing.assert_allclose(forecast.sharpness[-1], top, rtol=accuracy)
    assert forecast.sharpness[-1] < top * (1 + 1e-9)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 2)))[0]
    wide = hessian_at(moments, jnp.array(rotation @ first), jnp.array(second @ rotation.T))
    np.testing.assert_allclose(np.linalg.eigvalsh(wide)[-1], top, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_descent_is_stable_below_the_largest_stable_rate_and_not_above(seed):
    """At 0.9 of it training goes down to the fit and stays; at 1.1 of it, it is thrown off the fit by rounding."""
    moments = draw_moments(seed=seed)
    start = balanced_start(moments, 50, 1e-3)
    limit = float(largest_stable_rate(diagonalise(moments), width=50, init_scale=1e-3, flow_time=200.0))
    below = descend(moments, *start, 0.9 * limit, 4000)
    fit = min(loss for loss, *_ in below)
    np.testing.assert_allclose([loss for loss, *_ in below[-100:]], fit, rtol=1e-9)
    *_, first, second = below[-1]
    above = descend(moments, first + 1e-6, second + 1e-6, 1.1 * limit, 200)
    assert max(loss for loss, *_ in above) > 1.001 * fit


def test_settings_may_be_swept_and_divergence_shows_as_not_a_number():
    moments, rates = diagonalise(draw_moments()), jnp.array([0.02, 5.0])
    losses = jax.vmap(
        lambda rate: (
            narrow_network_forecast(
                moments, width=50, init_scale=1e-3, learning_rate=rate, record_steps=jnp.array([0, 100])
            ).loss
        )
    )(rates)
    np.testing.assert_array_equal(jnp.isfinite(losses[:, -1]), [True, False])


def test_float32_stays_float32():
    moments = jax.tree.map(lambda a: a.astype(jnp.float32), draw_moments())
    forecast = narrow_network_forecast(
        diagonalise(moments), width=5, init_scale=1e-2, learning_rate=0.02, record_steps=jnp.array([0, 300])
    )
    assert {forecast.loss.dtype, forecast.strengths.dtype, forecast.sharpness.dtype} == {jnp.dtype(jnp.float32)}
    rate = largest_stable_rate(diagonalise(moments), width=5, init_scale=1e-2, flow_time=20.0)
    assert rate.dtype == jnp.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "`width` is 0"),
        ({"init_scale": 0.0}, "`init_scale` is 0.0"),
        ({"learning_rate": -0.1}, "`learning_rate` is -0.1"),
    ],
)
def test_requests_without_meaning_are_refused(changes, message):
    ask = {"width": 5, "init_scale": 0.1, "learning_rate": 0.1, "record_steps": jnp.array([0, 1])} | changes
    with pytest.raises(OutsideDomain, match=message):
        narrow_network_forecast(diagonalise(draw_moments()), **ask)
    with pytest.raises(OutsideDomain, match=r"`flow_time` is 0.0"):
        largest_stable_rate(diagonalise(draw_moments()), width=5, init_scale=0.1, flow_time=0.0)
