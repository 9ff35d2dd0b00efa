"""Hessian products, extreme curvatures and index against dense Hessians and forms of known inertia."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import solvable.instruments.curvature as room
from solvable.errors import OutsideDomain, ValidityWarning
from solvable.instruments import extreme_curvatures, hessian_index, hessian_product
from solvable.networks import Neuron, UnitLayer, initialise_for
from solvable.numerics import activations
from solvable.tasks import make_samples
from solvable.training import make_objective


class Form(eqx.Module):
    """x^T A x / 2: its Hessian is the symmetric A. As a module it compiles once for all A of a size."""

    matrix: jax.Array

    def __call__(self, x):
        return x @ (self.matrix @ x) / 2


def draw_setting(dtype, activation=activations.tanh, width=4):
    keys = jax.random.split(jax.random.key(0), 3)
    inputs = jax.random.normal(keys[0], (12, 3), dtype)
    samples = make_samples(inputs, jax.random.normal(keys[1], (12, 2), dtype))
    network = initialise_for(Neuron(activation), samples, keys[2], width=width, init_scale=0.7)
    return make_objective(network, samples), network


def dense_hessian(loss, network):
    def of_weights(weights):
        u, v = weights[: network.first.size], weights[network.first.size :]
        return loss(UnitLayer(u.reshape(network.first.shape), v.reshape(network.second.shape), network.unit))

    return jax.jit(jax.hessian(of_weights))(jnp.concatenate([network.first.ravel(), network.second.ravel()]))


@pytest.mark.parametrize(
    ("activation", "dtype"),
    [(activations.tanh, jnp.float64), (activations.tanh, jnp.float32), (activations.identity, jnp.float64)],
    ids=["samples", "samples, float32", "moments"],
)
def test_product_and_both_ends_are_those_of_the_dense_hessian(activation, dtype):
    loss, network = draw_setting(dtype, activation)
    hessian, precision = np.asarray(dense_hessian(loss, network)), float(jnp.finfo(dtype).eps)
    direction = jax.tree.map(lambda w: jnp.cos(jnp.arange(w.size, dtype=dtype)).reshape(w.shape), network)
    flat = np.concatenate([direction.first.ravel(), direction.second.ravel()])
    image = hessian_product(loss, network)(direction)
    atol = 50 * precision * np.linalg.norm(hessian)
    np.testing.assert_allclose(np.concatenate([image.first.ravel(), image.second.ravel()]), hessian @ flat, atol=atol)
    found, exact = extreme_curvatures(loss, network, lowest=2, highest=2), np.linalg.eigvalsh(hessian)
    assert found.lowest.dtype == dtype
    np.testing.assert_allclose(found.lowest, exact[:2], atol=atol)
    np.testing.assert_allclose(found.highest, exact[::-1][:2], atol=atol)
    assert hessian_index(loss, network) == np.sum(exact < -1e-3 * exact[-1])


def test_the_loss_curves_along_a_direction_as_its_eigenvalue_says():
    """Directions are networks with a leading axis, to be added to the network."""
    loss, network = draw_setting(jnp.float64)
    found, step = extreme_curvatures(loss, network, lowest=2, highest=2), 1e-3
    for values, directions in ((found.lowest, found.lowest_directions), (found.highest, found.highest_directions)):
        for row in range(2):
            move = jax.tree.map(lambda d, row=row: step * d[row], directions)
            ahead = loss(eqx.apply_updates(network, move))
            behind = loss(eqx.apply_updates(network, jax.tree.map(jnp.negative, move)))
            second = (ahead + behind - 2 * loss(network)) / step**2
            np.testing.assert_allclose(second, values[row], atol=1e-5 * found.highest[0])


@given(
    signs=st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=8, max_size=8),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([1e-9, 1.0, 1e9]),
)
@settings(max_examples=30, deadline=None)
def test_index_is_sylvesters_whatever_the_coordinates(signs, seed, scale):
    """Inertia does not change under congruence S^T D S."""
    rng = np.random.default_rng(seed)
    change = np.linalg.qr(rng.normal(size=(8, 8)))[0] * rng.uniform(0.3, 3, 8)[None, :]
    matrix = scale * change.T @ np.diag(np.array(signs) * rng.uniform(0.2, 2, 8)) @ change
    form = Form(jnp.asarray((matrix + matrix.T) / 2))
    assert hessian_index(form, jnp.asarray(rng.normal(size=8))) == signs.count(-1.0)


@pytest.mark.parametrize("negative", [0, 1, 6])
def test_index_of_many_parameters_is_counted_with_multiplicity(monkeypatch, negative):
    """By Lanczos, with the negative eigenvalues equal, up to more of them than asked for at first."""
    monkeypatch.setattr(room, "_DENSE", 10)
    size = 120
    eigenvalues = np.concatenate([np.full(negative, -0.5), np.zeros(30), np.linspace(0.1, 1, size - 30 - negative)])
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))[0]
    assert hessian_index(Form(jnp.asarray(basis * eigenvalues @ basis.T)), jnp.ones(size)) == negative


def test_index_at_the_zero_saddle_of_a_wide_linear_network():
    """Each singular value s of the target map has -s there once a unit: index = width x rank."""
    targets = jnp.diag(jnp.array([2.0, 1.0, 0.5]))
    loss = lambda weights: jnp.sum((targets - weights[1] @ weights[0]) ** 2) / 2  # noqa: E731
    weights = (jnp.zeros((6, 3)), jnp.zeros((3, 6)))
    assert hessian_index(loss, weights) == 18
    found = extreme_curvatures(loss, weights, lowest=8, highest=1)
    np.testing.assert_allclose(found.lowest, [-2] * 6 + [-1] * 2, atol=1e-12)


def test_an_eigenvalue_is_negative_below_the_share_asked_for():
    form = Form(jnp.diag(jnp.array([-1e-7, -1e-4, 1.0])))
    assert [hessian_index(form, jnp.zeros(3), tolerance=share) for share in (1e-9, 1e-6, 1e-2)] == [2, 1, 0]


def test_what_lanczos_cannot_resolve_is_said(monkeypatch):
    monkeypatch.setattr(room, "_DENSE", 10)
    form = Form(jnp.diag(jnp.linspace(0, 1, 120) ** 6))
    with pytest.warns(ValidityWarning, match="have not converged to `tolerance` 1e-15"):
        hessian_index(form, jnp.ones(120), tolerance=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hessian_product(jnp.sum, jnp.arange(3)), "`params` holds no floating-point arrays"),
        (
            lambda: hessian_index(lambda p: p[0], (jnp.ones((), jnp.float32), jnp.ones(()))),
            "holds float32 and float64 arrays",
        ),
        (lambda: hessian_index(Form(jnp.eye(3)), jnp.ones(3, complex)), "complex128"),
        (lambda: hessian_index(Form(jnp.eye(3)), jnp.ones(3), tolerance=-0.1), "`tolerance` is -0.1"),
        (lambda: hessian_index(Form(jnp.eye(3)), jnp.ones(3), tolerance=2.0), "`tolerance` is 2.0; it is a share"),
        (lambda: hessian_index(Form(jnp.eye(3)), jnp.full(3, jnp.nan)), "the loss at `params` is nan"),
        (lambda: extreme_curvatures(Form(jnp.eye(3)), jnp.ones(3), lowest=4), "`lowest` is 4"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(OutsideDomain, match=message):
        call()
