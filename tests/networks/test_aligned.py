"""Starts that fall apart into modes: the map, the balance, orthogonality, and the one-layer network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import networks, tasks, training
from solvable.errors import OutsideDomain

LEFT, RIGHT = (jnp.linalg.qr(jnp.asarray(np.random.default_rng(size).normal(size=(size, 2))))[0] for size in (4, 5))


def make(scales, widths):
    return networks.decoupled_start(
        jax.random.key(0), left=LEFT, right=RIGHT, scales=jnp.asarray(scales), widths=widths
    )


@pytest.mark.parametrize("widths", [(3,), (4, 2, 5)])
def test_the_map_has_the_product_of_scales_along_each_mode(widths):
    scales = np.random.default_rng(0).normal(size=(len(widths) + 1, 2))
    network = make(scales, widths)
    assert isinstance(network, networks.UnitLayer if len(widths) == 1 else networks.DeepNetwork)
    expected = np.asarray(LEFT * jnp.prod(jnp.asarray(scales), axis=0)[None, :]) @ np.asarray(RIGHT).T
    np.testing.assert_allclose(network.coefficients(), expected, atol=1e-12)
    inputs = jnp.arange(5.0)
    np.testing.assert_allclose(network(inputs), expected @ np.asarray(inputs), atol=1e-11)


def test_greedy_modes_are_equally_small_in_every_layer():
    network = networks.greedy_start(jax.random.key(1), left=LEFT, right=RIGHT, log_scale=3.0, widths=(5, 3, 4))
    for weights in network.weights:
        np.testing.assert_allclose(np.linalg.svd(weights, compute_uv=False)[:2], np.exp(-3), rtol=1e-12)
    np.testing.assert_allclose(LEFT.T @ network.coefficients() @ RIGHT, np.exp(-12) * np.eye(2), atol=1e-15)


@pytest.mark.parametrize(("widths", "rank"), [((4, 4, 4), 4), ((3,), 3)])
def test_products_of_orthogonal_weights_keep_all_singular_values(widths, rank):
    network = networks.orthogonal_start(jax.random.key(2), widths=widths, input_dim=4, output_dim=4, gain=1.1)
    values = np.linalg.svd(network.coefficients(), compute_uv=False)
    if rank == 4:
        np.testing.assert_allclose(values, 1.1**4, rtol=1e-12)
    layers = network.weights if isinstance(network, networks.DeepNetwork) else (network.first, network.second)
    for weights in layers:
        np.testing.assert_allclose(np.linalg.svd(weights, compute_uv=False), 1.1, rtol=1e-12)
    assert np.linalg.matrix_rank(network.coefficients()) == rank


def test_orthogonal_weights_are_uniform_over_rotations():
    start = lambda key: networks.orthogonal_start(key, widths=(2,), input_dim=2, output_dim=2).first  # noqa: E731
    firsts = jax.jit(jax.vmap(start))(jax.random.split(jax.random.key(0), 2000))
    angles = np.arctan2(firsts[:, 1, 0], firsts[:, 0, 0])
    np.testing.assert_allclose([np.cos(angles).mean(), np.sin(angles).mean(), np.cos(2 * angles).mean()], 0, atol=0.07)
    assert np.mean(np.linalg.det(firsts) > 0) == pytest.approx(0.5, abs=0.05)


def test_dtype_follows():
    network = networks.greedy_start(
        jax.random.key(1), left=LEFT.astype(jnp.float32), right=RIGHT.astype(jnp.float32), log_scale=1.0, widths=(3,)
    )
    assert network.first.dtype == network.second.dtype == jnp.float32


@pytest.mark.parametrize(
    ("scales", "widths", "message"),
    [(np.ones((2, 2)), (3, 3), "`scales` has 2 layers"), (np.ones((1, 2)), (), "at least one hidden layer"),
     (np.ones((2, 2)), (1,), "`widths` is 1")],
)  # fmt: skip
def test_shapes_that_hold_no_modes_are_refused(scales, widths, message):
    with pytest.raises(OutsideDomain, match=message):
        make(scales, widths)


def test_other_refusals():
    with pytest.raises(OutsideDomain, match="`left` are not orthonormal"):
        networks.greedy_start(jax.random.key(0), left=2 * LEFT, right=RIGHT, log_scale=1.0, widths=(3,))
    with pytest.raises(OutsideDomain, match="`widths` is empty"):
        networks.orthogonal_start(jax.random.key(0), widths=(), input_dim=2, output_dim=2)
    with pytest.raises(OutsideDomain, match="`gain` is 0"):
        networks.orthogonal_start(jax.random.key(0), widths=(2,), input_dim=2, output_dim=2, gain=0.0)


def test_a_linear_map_does_linear_regression():
    teacher = jnp.array([[1.0, -2.0, 0.5]])
    task = tasks.linear_teacher(teacher, jnp.diag(jnp.array([1.0, 2.0, 0.5])))
    run = training.gradient_descent(
        networks.LinearMap(jnp.zeros((1, 3))), task, learning_rate=0.4, steps=200, record=2, reduction="moments"
    )
    np.testing.assert_allclose(run.network.first, teacher, atol=1e-9)
    np.testing.assert_allclose(run.network(jnp.ones(3)), [-0.5], atol=1e-9)
    assert run.network.width == 1
    assert float(run.loss[-1]) < 1e-15
