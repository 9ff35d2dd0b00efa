"""Training one example at a time: the frozen kernel against the linearised transformer, and each step's order."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.estimators import factor_kernel, fit_asymmetric_kernel
from solvable.instruments import gradient_kernels, influence_kernel, predict_influence
from solvable.networks import Neuron, UnitLayer, initialise_transformer, linearise
from solvable.numerics.activations import tanh
from solvable.theory.kernel import log_probability_change, outputs_one_by_one, squeezing_rate
from solvable.training import LabelLoss, gradient_descent, train_one_by_one


def read(outputs):
    return outputs[0]


def test_a_linearised_network_moves_as_its_kernel_says():
    """By gradients and by signs; and the network itself within the order of the step."""
    rng = np.random.default_rng(0)
    layer = UnitLayer(jnp.asarray(rng.normal(size=(8, 3))), jnp.asarray(rng.normal(size=(2, 8))), Neuron(tanh))
    inputs, tests = jnp.asarray(rng.normal(size=(4, 3))), jnp.asarray(rng.normal(size=(5, 3)))
    labels, order = jnp.array([1.0, -1.0, -1.0, 1.0]), jnp.asarray(rng.integers(0, 4, 12))
    every = jnp.concatenate([tests, inputs])
    kernels = gradient_kernels(layer, read, every, inputs)
    outputs = jnp.asarray([layer(x)[0] for x in every])
    for rule, kernel, rate in (("sgd", kernels.sgd, 0.05), ("sign", kernels.asymmetric, 0.01)):
        start = kernel[:5], kernel[5:], outputs[:5], outputs[5:], labels
        path = outputs_one_by_one(*start, order=order, learning_rate=rate, rule=rule)
        found = train_one_by_one(
            linearise(layer), read, inputs, labels, tests, order=order, learning_rate=rate, rule=rule
        )
        np.testing.assert_allclose(path, found, rtol=1e-10)
    np.testing.assert_allclose(kernels.sgd[5:], kernels.sgd[5:].T, rtol=1e-12)
    assert not np.allclose(kernels.asymmetric[5:], kernels.asymmetric[5:].T)
    with pytest.raises(OutsideDomain, match="`learning_rate` is 0"):
        outputs_one_by_one(*start, order=order, learning_rate=0.0)


def test_a_step_on_a_sequence_moves_every_position_of_another():
    """Contributions of positions add; first order in the rate; products and blocks agree."""
    model = initialise_transformer(
        jax.random.key(0), words=4, positions=3, width=8, hidden=8, outputs=3, causal=True, read_at=None
    )
    observed, trained, labels = jnp.array([0, 2, 1]), jnp.array([3, 1, 1]), jnp.eye(3)[jnp.array([2, 0, 1])]

    @eqx.filter_jit
    def change(model, rates):
        residuals = jax.nn.softmax(model(trained)) - labels
        probabilities = jax.nn.softmax(model(observed))
        kernel = influence_kernel(model, observed, trained)
        predicted = log_probability_change(probabilities, kernel, residuals, 1.0)
        loss = lambda model: -jnp.sum(labels * jax.nn.log_softmax(model(trained)))  # noqa: E731
        gradient = eqx.filter_grad(loss)(model)

        def step(rate):
            after = eqx.apply_updates(model, jax.tree.map(lambda g: -rate * g, gradient))
            return jax.nn.log_softmax(after(observed)) - jax.nn.log_softmax(model(observed))

        return predicted, predict_influence(model, observed, trained, residuals), jax.vmap(step)(rates)

    rates = np.array([1e-2, 1e-3, 1e-4])
    predicted, products, steps = change(model, jnp.asarray(rates))
    np.testing.assert_allclose(products, predicted, rtol=1e-10)
    errors = np.linalg.norm(steps / rates[:, None, None] - predicted[None], axis=(1, 2)) / np.linalg.norm(predicted)
    np.testing.assert_allclose(errors[:-1] / errors[1:], 10, rtol=0.05)
    assert errors[-1] < 1e-3


def test_repeated_squeezing_of_a_network_follows_the_rule_of_small_steps():
    rng = np.random.default_rng(3)
    layer = UnitLayer(jnp.asarray(rng.normal(size=(64, 6))), jnp.asarray(rng.normal(size=(8, 64)) / 8), Neuron(tanh))
    point = jnp.asarray(rng.normal(size=6))
    target = jnp.eye(8)[jnp.argmin(layer(point))]
    run = gradient_descent(
        layer,
        LabelLoss(point, target, -1.0),
        learning_rate=0.01,
        steps=50,
        record=51,
        observables={"scores": lambda network: jax.nn.log_softmax(network(point))},
    )
    scores = run.observables["scores"]
    rates = squeezing_rate(jnp.exp(scores[:-1]), jnp.broadcast_to(target, (50, 8)))
    right = np.sign(rates) == np.sign(np.diff(scores, axis=0))
    assert np.mean(right) > 0.9
    assert np.exp(scores[-1]).max() > 0.99


def test_the_asymmetric_solver_is_ridge_regression_of_a_symmetric_kernel():
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(12, 5)), np.sign(rng.normal(size=12))
    kernel, strength = jnp.asarray(features[:9] @ features[:9].T), 0.7
    fit = fit_asymmetric_kernel(kernel, jnp.asarray(labels[:9]), strength)
    np.testing.assert_allclose(fit.first, fit.second, rtol=1e-9)
    weights = factor_kernel(kernel, jnp.asarray(labels[:9, None])).dual_weights(1 / strength)[:, 0]
    across = jnp.asarray(features[:9] @ features[9:].T)
    np.testing.assert_allclose(fit(across, across.T, 0.3), weights @ across, rtol=1e-9)
    skewed = kernel + jnp.asarray(rng.normal(size=(9, 9)))
    fit = fit_asymmetric_kernel(skewed, jnp.asarray(labels[:9]), strength)
    residual = labels[:9] * fit.first / strength + labels[:9] * (skewed @ fit.second)
    np.testing.assert_allclose(residual, 1, rtol=1e-9)
    with pytest.raises(OutsideDomain, match="`strength` is 0"):
        fit_asymmetric_kernel(kernel, jnp.asarray(labels[:9]), 0.0)
