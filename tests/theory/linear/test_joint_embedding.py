"""Joint embedding: modes against their own equation, the end against the flow, kernels against explicit features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvable import networks, tasks, theory, training
from solvable.errors import OutsideDomain

linear = theory.linear
SPECTRUM = jnp.array([1.0, 0.5, 0.2, 0.0, -0.1])


@pytest.mark.parametrize("gamma", [2.0, 0.3, 1e-9, 0.0, -0.4])
def test_modes_solve_their_equation(gamma):
    times = np.array([0.0, 0.5, 2.0, 10.0])
    for start in (0.1, -1.3, 3.0):
        rate = lambda t, s: 4 * gamma * s * (1 - gamma * s**2)  # noqa: E731
        expected = solve_ivp(rate, (0, 10.0), [start], t_eval=times, rtol=1e-10, atol=1e-12).y[0]
        found = linear.embedding_mode(jnp.asarray(times), jnp.array(gamma), jnp.array(start))
        assert np.allclose(found, expected, rtol=1e-7, atol=1e-10)


def test_modes_reach_their_end_without_overflow():
    late = linear.embedding_mode(jnp.array(1e6), SPECTRUM, jnp.full(5, 1e-3))
    assert np.allclose(late, [1, 2**0.5, 5**0.5, 1e-3, 0])
    assert linear.embedding_mode(jnp.float32(1.0), jnp.float32(1.0), jnp.float32(0.1)).dtype == jnp.float32
    assert float(linear.embedding_mode(jnp.array(5.0), jnp.array(1.0), jnp.array(0.0))) == 0


def test_step_times_are_half_way_for_small_weights():
    start = jnp.full(5, 1e-3)
    times = linear.embedding_step_time(SPECTRUM, start)
    learned = SPECTRUM * linear.embedding_mode(times, SPECTRUM, start) ** 2
    assert np.allclose(learned[:3], 0.5, atol=1e-6)
    assert np.all(np.isinf(times[3:]))
    assert np.isinf(linear.embedding_step_time(SPECTRUM[:1], jnp.zeros(1)))
    assert np.allclose(linear.embedding_step_time(jnp.array([1.0, 0.7]), start[:2]), [1.73, 2.53], atol=0.005)


def test_pairs_have_the_correlation_asked_for():
    pairs = tasks.pairs_of_correlation(SPECTRUM, key=jax.random.key(0))
    assert np.allclose(np.linalg.eigvalsh(pairs.correlation)[::-1], SPECTRUM, atol=1e-12)
    straight = tasks.pairs_of_correlation(SPECTRUM)
    assert np.allclose(straight.correlation, np.diag(SPECTRUM))


def _flow(gamma, weights, learning_rate, steps):
    loss = training.LinearCrossCorrelationLoss(gamma)
    return training.gradient_descent(
        networks.LinearMap(weights), loss, learning_rate=learning_rate, steps=steps, record=2
    ).network.first


def test_the_end_keeps_a_rest_of_the_start():
    """Its Gram matrix is right up to the square of the rest, which shrinks as sigma^(1 - gamma_3/gamma_2)."""
    gamma = tasks.pairs_of_correlation(jnp.array([1.0, 0.6, 0.35, 0.0, -0.2]), key=jax.random.key(1)).correlation
    direction = jax.random.normal(jax.random.key(2), (2, 5))
    train = jax.jit(jax.vmap(lambda scale: _flow(gamma, scale * direction, 0.004, 6000)))
    scales = jnp.array([1e-3, 1e-5])
    gaps, rests = [], []
    for scale, end in zip(scales, train(scales), strict=True):
        found = linear.converged_embedding(gamma, scale * direction)
        leading = linear.converged_embedding(gamma, 1e-200 * direction)
        gram = lambda w: w.T @ w  # noqa: E731
        size = jnp.linalg.norm(gram(leading))
        gaps.append(float(jnp.linalg.norm(gram(end) - gram(found)) / size))
        rests.append(float(jnp.linalg.norm(gram(end) - gram(leading)) / size))
        assert np.allclose(end @ gamma @ end.T, np.eye(2), atol=1e-6)
    rate = np.log(rests[0] / rests[1]) / np.log(100)
    assert rate == pytest.approx(1 - 0.35 / 0.6, abs=0.03)
    assert gaps[1] < 3 * rests[1] ** 2 + 0.01 * rests[1]
    assert gaps[0] < 0.3 * rests[0]


def test_modes_that_cannot_be_learned_are_left_out_of_the_end():
    gamma, weights = jnp.diag(jnp.array([1.0, -0.5, -0.7])), jnp.full((2, 3), 1e-6).at[1, 1].set(-1e-6)
    end = linear.converged_embedding(gamma, weights)
    assert np.allclose(np.linalg.eigvalsh(end @ gamma @ end.T), [0, 1], atol=1e-5)
    with pytest.raises(OutsideDomain, match="at most as many rows"):
        linear.converged_embedding(gamma, jnp.ones((4, 3)))


def test_a_kernel_has_the_modes_of_its_features():
    pairs = tasks.noisy_views(jax.random.key(3), 15, jnp.ones(8), 0.5)
    values = np.linalg.eigvalsh(linear.kernel_cross_correlation(pairs.views @ pairs.views.T))[::-1]
    expected = np.linalg.eigvalsh(pairs.correlation)[::-1]
    assert np.allclose(np.sort(values[np.argsort(-np.abs(values))[:8]])[::-1], expected)


def test_kernel_embeddings_are_white_and_those_of_the_linear_model():
    """An RBF kernel, of full rank; and the linear one, singular, where the end of W is known."""
    pairs = tasks.noisy_views(jax.random.key(4), 10, jnp.ones(3), 0.3)
    views = pairs.views
    distance = jnp.sum((views[:, None] - views[None, :]) ** 2, axis=2)
    embedded = linear.kernel_embedding(jnp.exp(-distance / 4), jnp.exp(-distance / 4), 4)
    assert np.allclose(tasks.ViewPairs(embedded[:10], embedded[10:]).correlation, np.eye(4), atol=1e-9)
    kernel = views @ views.T
    by_kernel = linear.kernel_embedding(kernel, kernel, 2)
    weights = linear.converged_embedding(pairs.correlation, 1e-300 * jax.random.normal(jax.random.key(5), (2, 3)))
    by_weights = views @ weights.T
    assert np.allclose(by_kernel @ by_kernel.T, by_weights @ by_weights.T, atol=1e-8)
    with pytest.raises(OutsideDomain, match="come in pairs"):
        linear.kernel_cross_correlation(jnp.eye(3))
    with pytest.raises(OutsideDomain, match="`embedding_dim` is 21"):
        linear.kernel_embedding(kernel, kernel, 21)


def test_both_forms_of_the_loss_agree():
    pairs = tasks.noisy_views(jax.random.key(6), 6, jnp.ones(4), 0.5)
    network = networks.LinearMap(jax.random.normal(jax.random.key(7), (2, 4)))
    by_views, by_moments = training.CrossCorrelationLoss(pairs), training.LinearCrossCorrelationLoss(pairs.correlation)
    assert float(by_views(network)) == pytest.approx(float(by_moments(network)))
    embedded = training.embedding_correlation(network, pairs.correlation)
    assert float(by_moments(network)) == pytest.approx(float(np.sum((np.asarray(embedded) - np.eye(2)) ** 2)))
    with pytest.raises(OutsideDomain, match="every view has a partner"):
        tasks.ViewPairs(jnp.ones((2, 3)), jnp.ones((3, 3)))
