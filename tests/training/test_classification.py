"""Classifiers: the loss against its definition, a step against plain NumPy, learning, refusals, small networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from solvable.errors import Diverged, OutsideDomain
from solvable.networks import LinearMap, he_network, small_convolution
from solvable.training import cross_entropy, train_classifier


def test_cross_entropy_is_minus_the_log_of_the_right_class():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(7, 3)), rng.integers(0, 3, 7)
    expected = -log_softmax(scores, axis=1)[np.arange(7), labels].mean()
    assert float(cross_entropy(jnp.asarray(scores), jnp.asarray(labels))) == pytest.approx(expected)
    single, signs = jnp.asarray(scores[:, :1]), labels % 2
    pair = np.concatenate([np.zeros((7, 1)), scores[:, :1]], axis=1)
    both = -log_softmax(pair, axis=1)[np.arange(7), signs].mean()
    assert float(cross_entropy(single, jnp.asarray(signs))) == pytest.approx(both)


def test_one_step_on_one_sample_and_a_separable_task():
    inputs, labels = jnp.array([[2.0, 0.0]]), np.array([1])
    train = lambda labels, **settings: train_classifier(  # noqa: E731
        LinearMap(jnp.zeros((1, 2))), inputs, labels, inputs, key=jax.random.key(0), batch_size=4, learning_rate=0.5,
        **settings,
    )  # fmt: skip
    # The gradient of softplus(-f) at f = 0 is -x / 2.
    np.testing.assert_allclose(train(labels, steps=1, record=np.array([0, 1]))[:, 0, 0], [0, 0.5 * 0.5 * 4])
    points = jax.random.normal(jax.random.key(1), (200, 2))
    truth = np.asarray(points[:, 0] > 0).astype(int)
    scores = train_classifier(
        LinearMap(jnp.zeros((2, 2))), points, truth, points, key=jax.random.key(2), batch_size=16, learning_rate=0.5,
        steps=300, record=3,
    )  # fmt: skip
    assert scores.shape == (3, 200, 2)
    assert float(jnp.mean(scores[-1].argmax(axis=1) == truth)) > 0.97
    with pytest.raises(OutsideDomain, match="scores of shape"):
        train(np.array([2]), steps=1)
    with pytest.raises(Diverged, match="diverged by step 1"):
        train_classifier(
            LinearMap(jnp.full((1, 2), jnp.inf)), inputs, labels, inputs, key=jax.random.key(0), batch_size=4,
            learning_rate=0.5, steps=1, record=np.array([1]),
        )  # fmt: skip


def test_networks_keep_the_size_of_signals():
    inputs = jax.random.normal(jax.random.key(0), (200, 64))
    for make in (
        lambda key: he_network(key, widths=(300, 300), input_dim=64),
        lambda key: small_convolution(key, image_side=8, channels=(8, 32)),
    ):
        outputs = jax.jit(lambda key, inputs, make=make: jax.vmap(make(key))(inputs))(jax.random.key(1), inputs)
        assert outputs.shape == (200, 1)
        assert 0.3 < float(jnp.mean(outputs**2)) < 2.5
    with pytest.raises(OutsideDomain, match="`widths` is empty"):
        he_network(jax.random.key(0), widths=(), input_dim=3)
