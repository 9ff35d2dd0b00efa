"""What kind of point it is: forms of known type, degenerate ones, and networks solved by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import solvable.instruments.curvature as room
from solvable.errors import OutsideDomain
from solvable.instruments import classify_point
from solvable.networks import Neuron, UnitLayer
from solvable.numerics import activations
from solvable.tasks import make_samples
from solvable.training import make_objective

# Loss of a point in the plane, the point, and what it is there; in brackets index and nullity.
PLANE = {
    "bowl": (lambda x: x[0] ** 2 + 3 * x[1] ** 2, (0, 0), "minimum", 0, 0),
    "hill": (lambda x: -(x[0] ** 2) - 3 * x[1] ** 2, (0, 0), "maximum", 2, 0),
    "pass": (lambda x: x[0] ** 2 - 3 * x[1] ** 2, (0, 0), "saddle", 1, 0),
    "flat pass": (lambda x: -(x[1] ** 2) + 0 * x[0], (0, 0), "saddle", 1, 1),
    "slope": (lambda x: x[0] ** 2 + x[1], (0, 0), "not a fixed point", 0, 1),
    "valley": (lambda x: x[0] ** 2 + 0 * x[1], (0, 5), "degenerate minimum", 0, 1),
    "ring": (lambda x: (x[0] ** 2 + x[1] ** 2 - 1) ** 2, (0.6, 0.8), "degenerate minimum", 0, 1),
    "flat bowl": (lambda x: x[0] ** 2 + x[1] ** 4, (0, 0), "degenerate minimum", 0, 1),
    "cubic": (lambda x: x[0] ** 2 + x[1] ** 3, (0, 0), "degenerate saddle", 0, 1),
    "monkey": (lambda x: x[0] ** 3 - 3 * x[0] * x[1] ** 2, (0, 0), "degenerate saddle", 0, 2),
    "quartic": (lambda x: x[0] ** 2 - x[1] ** 4, (0, 0), "degenerate saddle", 0, 1),
    # It rises along every straight line through the origin, and falls along x_1 = 1.5 x_0^2 between the parabolas.
    "bent": (lambda x: (x[1] - x[0] ** 2) * (x[1] - 2 * x[0] ** 2), (0, 0), "degenerate saddle", 0, 1),
    "constant": (lambda x: 0 * x[0] + 2, (1, 1), "degenerate minimum", 0, 2),
}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("name", PLANE)
def test_points_of_the_plane(name, dtype):
    loss, point, kind, index, nullity = PLANE[name]
    found = classify_point(loss, jnp.array(point, dtype))
    assert (found.kind, found.index, found.nullity) == (kind, index, nullity), found


def test_units_of_loss_and_origin_do_not_matter():
    for factor in (1e-8, 1e8):
        loss = lambda x, factor=factor: factor * (x[0] ** 2 - 1e-3 * x[1] ** 2) + 5  # noqa: E731
        assert classify_point(loss, jnp.zeros(2)).kind == "saddle"
        assert classify_point(lambda x, loss=loss: loss(x - 1), jnp.ones(2)).kind == "saddle"


def test_beyond_the_dense_size_zero_modes_are_left_open(monkeypatch):
    monkeypatch.setattr(room, "_DENSE", 10)
    weights = jnp.concatenate([jnp.zeros(30), jnp.linspace(1, 2, 90)])
    found = classify_point(Weighted(weights), jnp.zeros(120))
    assert (found.kind, found.index, found.nullity) == ("degenerate", 0, None)
    found = classify_point(Weighted(weights.at[:2].set(-1)), jnp.zeros(120))
    assert (found.kind, found.index, found.nullity) == ("saddle", 2, None)


class Weighted(eqx.Module):
    """sum_i w_i x_i^2."""

    weights: jax.Array

    def __call__(self, x):
        return x @ (self.weights * x)


def relu_loss(first, second, inputs, targets):
    network = UnitLayer(jnp.array(first), jnp.array(second), Neuron(activations.relu))
    return make_objective(network, make_samples(jnp.array(inputs), jnp.array(targets))), network


def test_a_narrow_relu_minimum_embedded_stays_a_degenerate_minimum():
    """Its residual sits on a point where the unit is off, so that no copy or scaling of the unit sees it."""
    inputs, targets = [[1.0, 0.2], [-1.0, 0.3]], [[1.0], [0.7]]
    first = np.array([[1.0, 0.0]]) / np.sqrt(1.04) + np.array([[0.0, 0.2]]) / np.sqrt(1.04)
    second = np.array([[1.0]]) / (first @ np.array([1.0, 0.2]))
    assert first @ np.array(inputs[1]) < 0
    loss, wide = relu_loss(np.concatenate([first, first]), np.concatenate([second / 2] * 2, axis=1), inputs, targets)
    found = classify_point(loss, wide)
    assert (found.kind, found.index) == ("degenerate minimum", 0)
    np.testing.assert_allclose([found.loss, found.lowest], [0.7**2 / 4, 0], atol=1e-12)


def test_a_narrow_linear_minimum_embedded_is_a_saddle():
    """zhang2026, Theorem 1: copies of the one unit that learned the larger singular value of diag(2, 1)."""
    root = jnp.sqrt(2.0)
    weights = (jnp.array([[1.0, 0.0], [1.0, 0.0]]) * root / jnp.sqrt(2.0), jnp.array([[1.0, 1.0], [0.0, 0.0]]))
    loss = lambda w: jnp.sum((jnp.diag(jnp.array([2.0, 1.0])) - w[1] @ w[0]) ** 2) / 2  # noqa: E731
    found = classify_point(loss, weights)
    assert (found.kind, found.index) == ("saddle", 1)
    # One direction among units is free; along it the second mode grows at its singular value.
    np.testing.assert_allclose([found.loss, found.lowest], [0.5, -1], atol=1e-12)


def test_a_fitted_linear_network_is_a_degenerate_minimum():
    """Its zero modes turn units among each other: as many as U -> G U, V -> V G^-1 has parameters."""
    width, key = 4, jax.random.key(0)
    first, second = jax.random.normal(key, (width, 3)), jax.random.normal(jax.random.key(1), (3, width))
    loss = lambda w: jnp.sum((second @ first - w[1] @ w[0]) ** 2) / 2  # noqa: E731
    found = classify_point(loss, (first, second))
    assert (found.kind, found.index, found.nullity) == ("degenerate minimum", 0, 24 - 9)


def test_a_larger_tolerance_takes_a_point_nearby():
    loss = lambda x: x[0] ** 2 - x[1] ** 2  # noqa: E731
    nearby = jnp.array([1e-4, 1e-4])
    assert classify_point(loss, nearby).kind == "not a fixed point"
    assert classify_point(loss, nearby, tolerance=1e-3).kind == "saddle"


def test_a_point_after_divergence_is_refused():
    with pytest.raises(OutsideDomain, match="the loss at `params` is inf"):
        classify_point(lambda x: jnp.sum(x**2), jnp.full(2, 1e200))
