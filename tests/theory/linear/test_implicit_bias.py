"""Gains, effective scales and potentials against runs of the network itself, and against each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.integrate import quad

from solvable.errors import OutsideDomain, ValidityWarning
from solvable.networks import DiagonalLinear, power_difference_start
from solvable.tasks import make_samples
from solvable.theory.linear import (
    descent_gain,
    diagonal_sharpness,
    flow_interpolator,
    homogeneous_gain,
    hyperbolic_potential,
    loss_integral,
    power_potential,
    recorded_interpolator,
    regime_index,
    residual_integral,
    sgd_interpolator,
    small_start_exponent,
    sufficient_kernel_scale,
    sufficient_rich_scale,
)
from solvable.training import gradient_descent, make_objective, sgd

SIGNS = np.random.default_rng(3).choice([-1.0, 1.0], (4, 7))
GAUSSIAN = np.random.default_rng(3).normal(size=(4, 7))
TEACHER = np.array([1.0, -0.7] + [0.0] * 5)
ALPHA = 0.3
DRIFT = {"drift": lambda before, after: 1 - after.first / before.first}
RESIDUALS = {name: residual_integral(jnp.asarray(x), jnp.asarray(x @ TEACHER), ALPHA) for name, x in
             (("signs", SIGNS), ("gaussian", GAUSSIAN))}  # fmt: skip


def steps_of(run):
    logs = [jnp.log(jnp.abs(weights) / ALPHA) for weights in (run.network.first, run.network.second)]
    return {"log_first": logs[0], "log_second": logs[1], "drift": run.observables["drift"][-1]}


@pytest.fixture(scope="module")
def runs():
    """Gradient descent at large steps, whose weights change sign on the way, and SGD of single samples."""
    data, start = make_samples(GAUSSIAN, GAUSSIAN @ TEACHER), power_difference_start(jnp.full(7, ALPHA))
    whole = gradient_descent(start, data, learning_rate=0.15, steps=8000, record=2, totals=DRIFT)
    key = jax.random.key(0)
    single = sgd(
        start, data, key=key, batch_size=1, learning_rate=0.01, steps=60_000, record=2, replacement=True, totals=DRIFT
    )
    return {"whole": whole, "single": single}


@pytest.mark.parametrize("kind", ["whole", "single"])
def test_recorded_steps_name_the_end_of_any_run(runs, kind):
    run, inputs = runs[kind], jnp.asarray(GAUSSIAN)
    assert run.loss[-1] < 1e-18
    found = recorded_interpolator(inputs, inputs @ TEACHER, ALPHA, **steps_of(run))
    end = run.network.coefficients()[0]
    np.testing.assert_allclose(found.predictor, end, atol=1e-8)
    product = jnp.abs(run.network.first * run.network.second)
    np.testing.assert_allclose(found.effective_scale**2, product, rtol=1e-10)
    np.testing.assert_allclose(found.gain, 2 * np.log(ALPHA) - np.log(product), atol=1e-10)
    plain = flow_interpolator(inputs, inputs @ TEACHER, ALPHA).predictor
    assert np.linalg.norm(plain - end) > 1e-4


def test_loss_integral_is_the_trace_of_the_residuals_for_any_inputs():
    for name, inputs in (("signs", SIGNS), ("gaussian", GAUSSIAN)):
        end = flow_interpolator(jnp.asarray(inputs), jnp.asarray(inputs @ TEACHER), ALPHA).predictor
        np.testing.assert_allclose(jnp.trace(RESIDUALS[name]) / 8, loss_integral(end, ALPHA), rtol=1e-8)


def test_homogeneous_gain_is_exact_for_signs_and_only_rough_for_gaussian_inputs():
    for name, inputs in (("signs", SIGNS), ("gaussian", GAUSSIAN)):
        x = jnp.asarray(inputs)
        exact = descent_gain(x, RESIDUALS[name], 0.01, batch_size=1)
        rough = homogeneous_gain(x, jnp.trace(RESIDUALS[name]) / 8, 0.01)
        off = np.max(np.abs(rough / exact - 1))
        assert off < 1e-9 if name == "signs" else off > 0.05


def test_batches_interpolate_between_one_sample_and_all():
    x, residuals = jnp.asarray(GAUSSIAN), RESIDUALS["gaussian"]
    gain = lambda **batch: np.asarray(descent_gain(x, residuals, 0.01, **batch))  # noqa: E731
    np.testing.assert_allclose(gain(batch_size=4, replacement=False), gain())
    np.testing.assert_allclose(gain(batch_size=1, replacement=False), gain(batch_size=1))
    np.testing.assert_allclose(gain(batch_size=2), (gain(batch_size=1) + gain()) / 2)
    assert np.all(gain(batch_size=1) >= gain(batch_size=2) - 1e-15)
    with pytest.raises(OutsideDomain, match="`batch_size` is 5"):
        gain(batch_size=5)


def test_small_steps_end_where_the_gain_law_says(runs):
    x = jnp.asarray(GAUSSIAN)
    law = sgd_interpolator(x, x @ TEACHER, ALPHA, 0.01, batch_size=1)
    measured = recorded_interpolator(x, x @ TEACHER, ALPHA, **steps_of(runs["single"])).gain
    np.testing.assert_allclose(jnp.mean(measured), jnp.mean(law.gain), rtol=0.25)
    flow = flow_interpolator(x, x @ TEACHER, ALPHA).predictor
    end = runs["single"].network.coefficients()[0]
    assert np.linalg.norm(end - law.predictor) < 0.5 * np.linalg.norm(end - flow)


def test_two_weights_in_product_are_the_difference_of_squares_step_by_step():
    """The four conventions: u v from a sqrt2 at eta is alpha = a / sqrt2 at eta / 2; twice that rate is not."""
    data = make_samples(GAUSSIAN, GAUSSIAN @ TEACHER)
    start = DiagonalLinear(jnp.full(7, ALPHA * 2**0.5), jnp.zeros(7))
    product = gradient_descent(start, data, learning_rate=0.1, steps=300, record=2).network.coefficients()
    for rate, same in ((0.05, True), (0.1, False)):
        weights = power_difference_start(jnp.full(7, ALPHA / 2**0.5))
        squares = gradient_descent(weights, data, learning_rate=rate, steps=300, record=2).network.coefficients()
        assert bool(jnp.allclose(squares, product, atol=1e-11)) == same


def test_sharpness_is_the_largest_curvature_at_the_end(runs):
    network = runs["whole"].network
    loss = make_objective(network, make_samples(GAUSSIAN, GAUSSIAN @ TEACHER))
    vector, rebuild = ravel_pytree(network)
    hessian = jax.jit(jax.hessian(lambda weights: loss(rebuild(weights))))(vector)
    scale = jnp.sqrt(jnp.abs(network.first * network.second))
    found = diagonal_sharpness(jnp.asarray(GAUSSIAN), network.coefficients()[0], scale)
    np.testing.assert_allclose(found, np.linalg.eigvalsh(hessian)[-1], rtol=1e-6)


@pytest.mark.parametrize("depth", [2, 5])
def test_potential_is_the_integral_of_the_dual_variable(depth):
    alpha, beta = 0.7, 1.3
    power = 1.0 if depth == 2 else depth / (depth - 2)

    def at(dual):
        return 2 * np.sinh(dual) if depth == 2 else (1 - dual) ** -power - (1 + dual) ** -power

    def dual(strength):
        low, high = 0.0, 5.0 if depth == 2 else 1 - 1e-15
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if at(middle) < strength / alpha**depth else (low, middle)
        return low

    by_hand = alpha ** (2 - depth) * quad(dual, 0, beta, epsabs=1e-11)[0]
    np.testing.assert_allclose(power_potential(jnp.array([beta]), alpha, depth), by_hand, rtol=1e-9)
    # Large scale: |beta|^2 without loss of digits; small scale: the l1 norm.
    wide = power_potential(jnp.array([beta]), 1e4, depth) * 1e4 ** (2 * depth - 2)
    np.testing.assert_allclose(wide, beta**2 / (4 * power), rtol=1e-7)


def test_potentials_of_the_other_papers_and_of_one_layer():
    beta, alpha = np.array([0.7, -2.0, 0.0]), 0.3
    phi = lambda b: np.sum(b * np.arcsinh(b / (2 * alpha**2)) - np.sqrt(b**2 + 4 * alpha**4)) / 4  # noqa: E731
    psi = np.sum(beta * np.arcsinh(beta / alpha**2) - np.sqrt(beta**2 + alpha**4) + alpha**2) / 2
    np.testing.assert_allclose(hyperbolic_potential(jnp.asarray(beta), alpha**2) / 4, phi(beta) - phi(0 * beta))
    np.testing.assert_allclose(hyperbolic_potential(jnp.asarray(beta), alpha**2 / 2) / 2, psi)
    np.testing.assert_allclose(power_potential(jnp.asarray(beta), alpha, 1), beta @ beta / 2)
    assert np.isfinite(power_potential(jnp.asarray(beta), 1e-200, 2))


def test_regime_index_and_quoted_scales():
    for depth in (2, 5):
        index = regime_index(jnp.array([1e3, 1e-4 if depth == 5 else 1e-300]), 100, depth)
        np.testing.assert_allclose(index, [1, 0.1], rtol=1e-2)
    assert sufficient_rich_scale(1.5, 20, 0.5) < 1e-11
    x, y = jnp.asarray(GAUSSIAN), jnp.asarray(GAUSSIAN @ TEACHER)
    least = np.linalg.pinv(GAUSSIAN) @ np.asarray(y)
    wide = flow_interpolator(x, y, sufficient_kernel_scale(float(np.linalg.norm(least)), 0.1)).predictor
    assert wide @ wide <= 1.1 * least @ least
    np.testing.assert_allclose(small_start_exponent(jnp.asarray(SIGNS), 1.7, 0.01), 1.017)


def test_targets_that_nothing_fits_have_no_gain():
    inputs = jnp.asarray(GAUSSIAN[:, :2])
    with pytest.raises(OutsideDomain, match="cannot be fitted"):
        residual_integral(inputs, jnp.asarray([1.0, -1.0, 1.0, 2.0]), 0.1)
    np.testing.assert_array_equal(residual_integral(inputs, jnp.zeros(4), 0.1), np.zeros((4, 4)))


def test_steps_that_overshoot_at_the_predictor_are_warned_of():
    x = jnp.asarray(GAUSSIAN)
    with pytest.warns(ValidityWarning, match=r"`learning_rate` is 1, and steps overshoot at this predictor from"):
        sgd_interpolator(x, x @ TEACHER, ALPHA, 1.0, batch_size=1)
