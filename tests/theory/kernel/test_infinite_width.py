"""Kernels of infinite width: a public library's numbers, limits, the standard parametrisation, the finite width."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from solvable import instruments, networks, tasks
from solvable.errors import OutsideDomain
from solvable.numerics import ReluTangentKernel, activations, gram_matrix
from solvable.theory.kernel import (
    WidthExponents,
    infinite_width_kernels,
    is_positive_definite,
    tangent_kernel_variance,
)

INPUTS = jnp.array([[1.0, 0.2, 0.3], [-0.5, 1.0, 0.1], [0.3, -1.2, 0.7]])
SETTING = {"depth": 3, "weight_variance": 1.69, "bias_variance": 0.04}
# First rows of kernels by neural-tangents 0.6.5 on JAX 0.4.30: stax.Dense(W_std=1.3, b_std=0.2) three times, widths 50
# and 20 where the parametrisation is its "standard".
LIBRARY = {
    "relu": (
        [0.556885514166667, 0.2988323434859842, 0.4322258030914441],
        [1.556856542500001, 0.3710919439775317, 0.6854286650486592],
    ),
    "erf": (
        [0.7096949284572611, -0.012773009111789788, 0.19758292922924825],
        [2.316885301075067, -0.1541026298343044, 0.481961086839115],
    ),
    "leaky": (
        [0.597657292122667, 0.2141944759219337, 0.3837104864126393],
        [1.677819876368001, 0.23368385965068106, 0.6797155549217562],
    ),
}
STANDARD = [23.77533241666667, 6.8805535203730805, 11.861725082238475]


def test_the_recursion_is_a_public_librarys():
    for name, (nngp, ntk) in LIBRARY.items():
        activation = activations.leaky_relu(0.2) if name == "leaky" else getattr(activations, name)
        kernels = infinite_width_kernels(INPUTS, activation=activation, **SETTING)
        np.testing.assert_allclose(kernels.nngp[0], nngp, rtol=1e-13)
        np.testing.assert_allclose(kernels.ntk[0], ntk, rtol=1e-13)
        np.testing.assert_array_equal(np.diag(kernels.ntk), kernels.diagonal.ntk)
    setting = SETTING | {"parametrisation": "standard", "widths": (50, 20), "activation": activations.relu}
    np.testing.assert_allclose(infinite_width_kernels(INPUTS, **setting).ntk[0], STANDARD, rtol=1e-8)


def test_limits_and_special_cases():
    relu = activations.relu
    circle = infinite_width_kernels(tasks.circle_points(20), depth=4, activation=relu, bias_variance=0.01)
    eigenvalues = np.linalg.eigvalsh(circle.ntk)
    np.testing.assert_allclose([circle.diagonal.ntk[0], *eigenvalues[[0, -1]]], [0.2825, 0.0197229, 2.4754780], 3e-6)
    assert is_positive_definite(relu, 4, bias_variance=0.01)
    assert not is_positive_definite(activations.cube, 4, bias_variance=0.01)
    assert not is_positive_definite(relu, 1, bias_variance=0.01)
    linear = infinite_width_kernels(INPUTS, depth=1, activation=relu)
    np.testing.assert_allclose(linear.ntk, INPUTS @ INPUTS.T / 3)
    # Another library of kernels: one hidden layer of weights 2/width, no biases, c_0 = 1.
    shallow = infinite_width_kernels(INPUTS, depth=2, activation=relu, weight_variance=2.0, first_variance=1.0)
    np.testing.assert_allclose(shallow.ntk, 2 * gram_matrix(ReluTangentKernel(), INPUTS), rtol=1e-7)
    # c = 2 keeps every variance, and each of L layers adds it to the tangent kernel once.
    deep = infinite_width_kernels(
        INPUTS, -2 * INPUTS, depth=6, activation=relu, weight_variance=2.0, first_variance=1.0
    )
    np.testing.assert_allclose(deep.diagonal.nngp, jnp.sum(INPUTS**2, 1))
    np.testing.assert_allclose(deep.other_diagonal.ntk, 6 * 4 * jnp.sum(INPUTS**2, 1))
    nothing = infinite_width_kernels(0 * INPUTS, INPUTS, depth=3, activation=relu)
    np.testing.assert_array_equal(nothing.ntk, 0)
    low = infinite_width_kernels(INPUTS.astype(jnp.float32), activation=activations.erf, **SETTING)
    assert low.ntk.dtype == jnp.float32
    np.testing.assert_allclose(low.ntk[0], LIBRARY["erf"][1], rtol=1e-5)


def test_gradients_through_the_diagonal_and_points_on_a_ray_are_finite():
    total = lambda x: jnp.sum(infinite_width_kernels(x, depth=3, activation=activations.relu).ntk)  # noqa: E731
    rays = jnp.concatenate([INPUTS[:1], 2 * INPUTS[:1], 0 * INPUTS[:1]])
    gradient = jax.grad(total)(rays)
    assert np.isfinite(gradient).all()
    # Kernels of ReLU units without biases are homogeneous of degree 2.
    np.testing.assert_allclose(jnp.sum(gradient * rays), 2 * total(rays), rtol=1e-7)


def test_three_routes_to_the_kernel_of_wide_networks_and_its_exact_variance():
    """Closed form, mean over networks, and the Jacobian of one of them; biases and both parametrisations."""
    width, draws, inputs = 16, 3000, INPUTS[:2]
    setting = {"activation": activations.tanh, "weight_variance": 1.5, "bias_variance": 0.3}

    def draw(key):
        return networks.initialise_fully_connected(key, widths=(width,), input_dim=3, **setting)

    @jax.jit
    def sample(keys):
        kernel = lambda key: instruments.tangent_kernel(draw(key), inputs)[:, :, 0, 0]  # noqa: E731
        kernels = jax.lax.map(kernel, keys, batch_size=500)
        return jnp.mean(kernels, 0), jnp.var(kernels, 0), kernels[0]

    keys = jax.random.split(jax.random.key(0), draws)
    mean, variance, first = sample(keys)
    exact = tangent_kernel_variance(inputs, width=width, **setting)
    limit = infinite_width_kernels(inputs, depth=2, **setting).ntk
    np.testing.assert_array_less(jnp.abs(mean - limit) / jnp.sqrt(exact / draws), 4.5)
    np.testing.assert_allclose(variance, exact, rtol=0.15)

    network = draw(keys[0])
    weights, static = network.weights, (network.weight_factors, network.bias_factor)
    flat, unravel = ravel_pytree((weights, network.biases))

    def output(flat, x):
        (first, last), (low, high) = unravel(flat)
        hidden = jnp.tanh(static[0][0] * (first @ x) + static[1] * low)
        return (static[0][1] * (last @ hidden) + static[1] * high)[0]

    jacobian = jax.jit(jax.vmap(jax.grad(output), (None, 0)))(flat, inputs)
    np.testing.assert_allclose(jacobian @ jacobian.T, first, rtol=1e-12)

    standard = networks.initialise_fully_connected(
        keys[0], widths=(width,), input_dim=3, parametrisation="standard", **setting
    )
    np.testing.assert_allclose(standard(inputs[0]), network(inputs[0]), rtol=1e-13)


def test_variance_of_leaky_relu_is_that_of_its_definition():
    """E of products by sampling one unit, second method."""
    inputs, activation = INPUTS[:2], activations.leaky_relu(0.3)
    exact = tangent_kernel_variance(inputs, width=1, activation=activation, first_variance=1.0)
    key_weights, key_out = jax.random.split(jax.random.key(0))

    @jax.jit
    def sample(first, out):
        drive = first @ inputs.T
        slopes = jnp.where(drive > 0, 1, 0.3) * out
        values = activation(drive)
        products = values[:, :, None] * values[:, None, :]
        return jnp.var(products + slopes[:, :, None] * slopes[:, None, :] * (inputs @ inputs.T)[None], axis=0)

    drawn = sample(jax.random.normal(key_weights, (400_000, 3)), jax.random.normal(key_out, (400_000, 1)))
    np.testing.assert_allclose(drawn, exact, rtol=0.05)
    assert WidthExponents().discrepancy < WidthExponents().discrepancy_bound


def test_refusals():
    relu = activations.relu
    for match, setting in {
        "`depth` is 0": {"depth": 0},
        "leave it out": {"depth": 2, "widths": (5,)},
        "must hold 2 widths": {"depth": 3, "parametrisation": "standard"},
        "`bias_variance` is -1": {"depth": 2, "bias_variance": -1.0},
        "`weight_variance` is 0": {"depth": 2, "weight_variance": 0.0},
    }.items():
        with pytest.raises(OutsideDomain, match=match):
            infinite_width_kernels(INPUTS, activation=relu, **setting)
    with pytest.raises(OutsideDomain, match="sphere_spectrum"):
        is_positive_definite(relu, 2, bias_variance=0.0)
    with pytest.raises(OutsideDomain, match="`widths` is 0"):
        networks.initialise_fully_connected(jax.random.key(0), widths=(0,), input_dim=2)
