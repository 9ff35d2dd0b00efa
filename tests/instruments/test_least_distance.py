"""Distances of a linear network to what training may reach, against closed forms and SciPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from solvable import networks, numerics
from solvable.errors import OutsideDomain
from solvable.instruments import distance_to_dead_layers, distance_to_map, weight_norm

NEURON = networks.Neuron(numerics.activations.identity)


def network(*layers):
    layers = tuple(jnp.asarray(np.asarray(layer, float)) for layer in layers)
    if len(layers) == 2:
        return networks.UnitLayer(*layers, NEURON)
    return networks.DeepNetwork(layers, NEURON, (numerics.activations.identity,) * (len(layers) - 2))


def test_distance_of_a_product_of_numbers_is_that_to_the_hyperbola():
    point = network([[1.0]], [[0.5]])
    curve = np.linspace(0.5, 4, 2_000_001)
    closest = np.sqrt(np.min((curve - 1) ** 2 + (2 / curve - 0.5) ** 2))
    assert distance_to_map(point, np.array([[2.0]])) == pytest.approx(closest, rel=1e-4)


def test_no_constrained_search_finds_a_nearer_minimum():
    rng = np.random.default_rng(0)
    shapes, target = [(4, 2), (3, 4), (2, 3)], rng.normal(size=(2, 2))
    layers = [rng.normal(size=shape) * 0.6 for shape in shapes]
    start = np.concatenate([layer.ravel() for layer in layers])
    split = lambda flat: np.split(flat, np.cumsum([8, 12]))  # noqa: E731

    def gap(flat):
        first, second, third = (part.reshape(shape) for part, shape in zip(split(flat), shapes, strict=True))
        return (third @ second @ first - target).ravel()

    found = minimize(
        lambda flat: np.sum((flat - start) ** 2),
        start + 0.1 * rng.normal(size=start.size),
        jac=lambda flat: 2 * (flat - start),
        constraints={"type": "eq", "fun": gap},
        options={"ftol": 1e-12, "maxiter": 300},
    )
    assert distance_to_map(network(*layers), target) == pytest.approx(found.fun**0.5, rel=1e-3)


def test_weights_that_fit_are_at_distance_zero_and_a_saddle_is_refused():
    fitting = network(np.eye(2), 2 * np.eye(2))
    assert distance_to_map(fitting, 2 * np.eye(2)) == pytest.approx(0, abs=1e-9)
    assert distance_to_dead_layers(network(np.eye(2), 5 * np.eye(2), 2 * np.eye(2))) == pytest.approx(10**0.5)
    assert float(weight_norm(fitting)) == pytest.approx(10**0.5)
    with pytest.raises(OutsideDomain, match="it is a saddle"):
        distance_to_map(network(np.zeros((2, 2)), np.zeros((2, 2))), np.eye(2))
    with pytest.raises(OutsideDomain, match="`target` has shape"):
        distance_to_map(fitting, np.eye(3))
