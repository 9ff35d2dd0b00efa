"""The fixed point found next to a plateau: saddles whose place, level or type is known by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.instruments import classify_point, find_fixed_point
from solvable.networks import Neuron, initialise_for
from solvable.numerics import activations
from solvable.tasks import orthogonal_pair
from solvable.training import gradient_descent, make_objective

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])


class Shifted(eqx.Module):
    """A quadratic form with a saddle at ``centre`` and level 3."""

    matrix: jax.Array
    centre: jax.Array

    def __call__(self, x):
        away = x - self.centre
        return away @ (self.matrix @ away) / 2 + 3


class Fit(eqx.Module):
    """Half the squared distance of a product of two matrices from another."""

    targets: jax.Array

    def __call__(self, weights):
        first, second = weights
        return jnp.sum((self.targets - second @ first) ** 2) / 2


@DTYPES
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_the_saddle_of_a_form(dtype, scale):
    matrix = scale * np.diag([3.0, -1.0, 0.1, -0.02])
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    centre = jnp.array([1.0, -2.0, 0.5, 0.0], dtype)
    loss = Shifted(jnp.asarray(basis @ matrix @ basis.T, dtype), centre)
    found = find_fixed_point(loss, jnp.array([0.3, 0.4, -0.2, 1.0], dtype))
    assert found.converged
    assert found.params.dtype == dtype
    np.testing.assert_allclose(found.params, centre, atol=2e3 * float(jnp.finfo(dtype).eps) ** 0.75)
    assert found.loss == pytest.approx(3, abs=1e-4 * scale)


def test_zero_modes_are_left_alone():
    """Where nothing pulls, nothing moves: the point found is the nearest on a line of fixed points."""
    matrix = jnp.diag(jnp.array([2.0, -1.0, 0.0, 0.5]))
    found = find_fixed_point(Shifted(matrix, jnp.zeros(4)), jnp.array([0.3, 0.4, 7.0, 1.0]))
    np.testing.assert_allclose(found.params, [0, 0, 7, 0], atol=1e-10)
    assert found.distance == pytest.approx(np.sqrt(0.3**2 + 0.4**2 + 1))


@DTYPES
@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_every_level_of_a_linear_network_is_found_from_nearby(rank, dtype):
    """With r singular values learned the half loss is half the sum of the squares of the others."""
    width, values = 5, np.array([2.0, 1.0, 0.5])
    rng = np.random.default_rng(rank)
    left, right = (np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2))
    units = np.linalg.qr(rng.normal(size=(width, 3)))[0][:, :rank] * np.sqrt(values[:rank])
    exact = (units @ right[:, :rank].T, left[:, :rank] @ units.T)
    weights = tuple(jnp.asarray(w + 0.03 * rng.normal(size=w.shape), dtype) for w in exact)
    loss = Fit(jnp.asarray(left * values @ right.T, dtype))
    found = find_fixed_point(loss, weights)
    assert found.converged
    assert found.distance < 0.5
    level = np.sum(values[rank:] ** 2) / 2
    np.testing.assert_allclose(found.loss, level, atol=1e-10 if dtype == jnp.float64 else 1e-5)
    kind = classify_point(loss, found.params, tolerance=1e-4)
    # Each value not learned grows along every unit that is not in use.
    assert kind.index == sum(width - rank for _ in values[rank:])
    assert kind.kind == ("saddle" if rank < 3 else "degenerate minimum")


def test_plateau_of_a_relu_network_in_training():
    """On two orthogonal inputs one target is learned after the other: half losses 1/2, 1/4, 0."""
    samples = orthogonal_pair()
    start = initialise_for(Neuron(activations.relu), samples, jax.random.key(1), width=6, init_scale=1e-6)
    run = gradient_descent(start, samples, learning_rate=0.02, steps=2000, record=200)
    steepness = np.abs(np.gradient(np.log(np.asarray(run.loss))))
    level = np.abs(np.asarray(run.loss) - 0.25) < 0.01
    assert level.any()
    at = int(run.steps[np.flatnonzero(level)[np.argmin(steepness[level])]])
    plateau = gradient_descent(start, samples, learning_rate=0.02, steps=at).network
    loss = make_objective(start, samples)
    found = find_fixed_point(loss, plateau)
    assert found.converged
    assert found.loss == pytest.approx(0.25, abs=1e-12)
    assert found.distance < 0.2
    assert eqx.tree_equal(found.params.unit, plateau.unit)
    assert classify_point(loss, found.params).kind == "saddle"


def test_a_point_that_is_fixed_already_is_returned():
    found = find_fixed_point(Shifted(jnp.eye(4), jnp.ones(4)), jnp.ones(4))
    assert found.steps == 0
    assert found.converged
    np.testing.assert_array_equal(found.params, jnp.ones(4))


def test_where_there_is_no_fixed_point_it_says_so():
    """x + x^3/3 has its smallest slope, 1, at 0."""
    found = find_fixed_point(lambda x: x + x**3 / 3, jnp.array(0.7))
    assert not found.converged
    assert found.gradient_norm == pytest.approx(1, abs=1e-3)


def test_steps_run_out():
    form = Shifted(jnp.diag(jnp.array([3.0, -1.0, 0.1, -0.02])), jnp.zeros(4))
    found = find_fixed_point(form, jnp.ones(4), max_steps=1)
    assert (int(found.steps), bool(found.converged)) == (1, False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: find_fixed_point(jnp.sum, jnp.ones(2)), "the Hessian at `params` is 0 and the gradient is not"),
        (lambda: find_fixed_point(jnp.sum, jnp.ones(2), max_steps=0), "`max_steps` is 0"),
        (lambda: find_fixed_point(jnp.sum, jnp.ones(2), tolerance=0.0), "`tolerance` is 0.0"),
        (lambda: find_fixed_point(jnp.sum, jnp.full(2, jnp.inf)), "the loss at `params` is inf"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(OutsideDomain, match=message):
        call()
