"""The tangent kernel from factors of gradients against the whole Jacobian, on every kind of weight."""

import contextlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvable.errors import OutsideDomain, ValidityWarning
from solvable.instruments import (
    alignment_at_drop,
    kernel_alignment,
    kernel_distance,
    kernel_eigenvalues,
    kernel_velocity,
    sketch_kernel,
    sketched_distance,
    tangent_kernel,
    tangent_kernel_product,
)
from solvable.instruments.tangent.gram import Rows
from solvable.instruments.tangent.kernel import Sizes, assemble, empty_kernel
from solvable.instruments.tangent.spectrum import report_kernel
from solvable.networks import Neuron, UnitLayer
from solvable.numerics import activations


class Everything(eqx.Module):
    """One of each way in which weights meet activations: 6 x 7 inputs of one channel, three outputs."""

    table: jax.Array
    kernel: jax.Array
    deep: jax.Array
    bias: jax.Array
    gain: jax.Array
    scale: jax.Array
    tied: jax.Array
    softened: jax.Array
    first: jax.Array
    frozen: jax.Array
    last: eqx.nn.Linear

    def __call__(self, image):
        maps = jax.lax.conv_general_dilated(image[None, None], self.kernel, (1, 2), "SAME")
        maps = jax.nn.relu(maps[0] + self.bias[:, None, None])
        deep = jnp.concatenate([maps, 2 * maps])[None]
        maps = maps + jax.lax.conv_general_dilated(deep, self.deep / 3, (1, 1), "SAME")[0]
        tokens = maps.reshape(maps.shape[0], -1).T + self.table[1:25, :2]
        tokens = tokens @ jax.jit(lambda w: w.T)(self.first) * self.gain[None, :]
        tokens = tokens + jnp.tanh(tokens @ self.tied) @ self.tied.T
        hidden = tokens.mean(0) * jax.nn.softplus(self.softened) * self.scale
        return self.last(jnp.sin(hidden - 0.5) * jax.lax.stop_gradient(self.frozen))


@pytest.fixture(scope="module")
def everything():
    normal = iter(jax.random.split(jax.random.key(0), 20))
    draw = lambda *shape: jax.random.normal(next(normal), shape)  # noqa: E731
    model = Everything(
        draw(30, 3), draw(2, 1, 3, 3), draw(2, 4, 3, 3), draw(2), draw(5), draw(), draw(5, 4), draw(5), draw(5, 2),
        draw(5), eqx.nn.Linear(5, 3, key=next(normal)),
    )  # fmt: skip
    return model, draw(7, 6, 7)


@pytest.fixture(scope="module")
def by_jacobian(everything):
    return jax.jit(_by_jacobian)(*everything)


def _by_jacobian(model, inputs):
    jacobian = jax.vmap(jax.jacrev(lambda model, x: model(x)), (None, 0))(model, inputs)
    flat = jnp.concatenate([leaf.reshape(*leaf.shape[:2], -1) for leaf in jax.tree.leaves(jacobian)], axis=2)
    return jnp.einsum("map,nbp->mnab", flat, flat)


def test_it_is_that_of_the_jacobian_however_it_is_cut(everything, by_jacobian):
    model, inputs = everything
    scale = float(jnp.abs(by_jacobian).max())
    for settings in ({}, {"batch_size": 3}, {"max_bytes": 100}):
        kernel = tangent_kernel(model, inputs, **settings)
        np.testing.assert_allclose(kernel, by_jacobian, atol=1e-13 * scale)
    traced = tangent_kernel(model, inputs, outputs="trace", batch_size=3)
    np.testing.assert_allclose(traced, jnp.trace(by_jacobian, axis1=2, axis2=3), atol=1e-13 * scale)
    rectangle = tangent_kernel(model, inputs[:2], inputs[2:], outputs=-1)
    np.testing.assert_allclose(rectangle, by_jacobian[:2, 2:, 2, 2], atol=1e-13 * scale)
    mixed = tangent_kernel(model, inputs, outputs=np.array([1.0, -2.0, 0.5]))
    weights = jnp.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(mixed, jnp.einsum("mnab,a,b->mn", by_jacobian, weights, weights), atol=1e-13 * scale)
    whole = kernel_eigenvalues(by_jacobian)
    assert whole.size == 21
    assert whole[-1] > -1e-12 * whole[0]


def test_products_and_sketches_need_no_kernel(everything, by_jacobian):
    model, inputs = everything
    vectors = np.random.default_rng(0).normal(size=(2, 5, 3))
    expected = np.einsum("mnab,knb->kma", by_jacobian[:2, 2:], vectors)
    product = tangent_kernel_product(model, inputs[:2], vectors, inputs[2:])
    np.testing.assert_allclose(product, expected, rtol=1e-10)
    moved = jax.tree.map(lambda leaf: leaf + 0.1 * jnp.sin(leaf), model)
    true = float(kernel_distance(by_jacobian, jax.jit(_by_jacobian)(moved, inputs)))
    sketches = [sketch_kernel(each, inputs, num_probes=64) for each in (model, moved)]
    estimate, error = sketched_distance(*sketches)
    assert abs(estimate - true) < 4 * error < true
    assert sketched_distance(sketches[0], sketches[0])[0] == pytest.approx(0, abs=1e-15)
    with pytest.raises(OutsideDomain, match="same `num_probes` and `seed`"):
        sketched_distance(sketches[0], sketch_kernel(model, inputs, num_probes=64, seed=1))
    with pytest.raises(OutsideDomain, match=r"`vectors` has shape \(5, 2\)"):
        tangent_kernel_product(model, inputs[:2], vectors[0, :, :2], inputs[2:])


def test_many_samples_are_tiled_and_mirrored():
    """41 samples in overlapping tiles; a plain function of a dictionary; few positions and many columns."""
    rng = np.random.default_rng(1)
    params = {"w": jnp.asarray(rng.normal(size=(30, 40))), "b": jnp.asarray(rng.normal(size=2)), "n": jnp.array([3])}

    def function(params, x):
        return jnp.tanh(x @ params["w"]).sum(0)[:2] * jnp.where(params["n"] == 3, 3.0, 0.0) + params["b"]

    inputs = jnp.asarray(rng.normal(size=(41, 2, 30)))
    kernel = tangent_kernel(function, inputs, params=params, batch_size=16)
    jacobian = jax.jit(
        jax.vmap(jax.jacrev(lambda w, b, x: function({"w": w, "b": b, "n": params["n"]}, x), (0, 1)), (None, None, 0))
    )
    flat = jnp.concatenate([leaf.reshape(41, 2, -1) for leaf in jacobian(params["w"], params["b"], inputs)], axis=2)
    np.testing.assert_allclose(kernel, jnp.einsum("map,nbp->mnab", flat, flat), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(kernel, kernel.transpose(1, 0, 3, 2), rtol=1e-11, atol=1e-11)


@given(st.integers(1, 11), st.integers(1, 11), st.integers(1, 5), st.integers(1, 200), st.booleans())
def test_a_kernel_is_filled_whatever_may_be_kept(count, others, batch, kept, square):
    rng, calls = np.random.default_rng(count), []
    first, second = rng.normal(size=(count, 4, 3)), rng.normal(size=(others, 4, 3))
    second = first if square else second

    def collect(samples):
        return lambda a, b: calls.append((a, b)) or [Rows(samples[a:b])]

    tile = lambda mine, other: np.einsum("map,nbp->mnab", mine[0].rows, other[0].rows)  # noqa: E731
    kernel = empty_kernel(count, len(second), 4, np.empty)
    sizes = Sizes(batch, 100, 100, kept)
    assemble(kernel, collect(first), None if square else collect(second), tile, sizes)
    np.testing.assert_allclose(kernel, np.einsum("map,nbp->mnab", first, second), atol=1e-12)
    if square and kept >= 12 * (count + batch):
        assert len(calls) == -(-count // min(batch, count))


@given(st.integers(1, 40), st.sampled_from([np.float32, np.float64]), st.booleans())
def test_looking_for_negative_eigenvalues_leaves_a_kernel_as_it_is(size, dtype, positive):
    rows = np.random.default_rng(size).normal(size=(size, 2, 3 * size)).astype(dtype)
    kernel = empty_kernel(size, size, 2, lambda shape: np.empty(shape, dtype))
    kernel[...] = np.einsum("map,nbp->mnab", rows, rows)
    kernel[...] = (kernel + kernel.transpose(1, 0, 3, 2)) / 2
    kernel[0, 0] -= 0 if positive else 2 * np.trace(kernel[0, 0]) * np.eye(2, dtype=dtype)
    before = kernel.copy()
    with contextlib.nullcontext() if positive else pytest.warns(ValidityWarning, match="has an eigenvalue of -"):
        report_kernel(kernel, square=True)
    np.testing.assert_array_equal(kernel, before)


def test_kernel_is_the_change_of_outputs_by_a_gradient_step():
    rng = np.random.default_rng(0)
    first, second, inputs = (jnp.asarray(rng.normal(size=shape)) for shape in ((4, 3), (2, 4), (5, 3)))
    network = UnitLayer(first, second, Neuron(activations.tanh))
    kernel = jax.jit(tangent_kernel)(network, inputs)
    assert kernel.shape == (5, 5, 2, 2)
    slope = jax.jit(jax.grad(lambda network: network(inputs[1])[0]))(network)
    step = UnitLayer(first + 1e-6 * slope.first, second + 1e-6 * slope.second, network.unit)
    change = (jax.vmap(step)(inputs) - jax.vmap(network)(inputs)) / 1e-6
    np.testing.assert_allclose(kernel[:, 1, :, 0], change, rtol=1e-4, atol=1e-5)


def test_what_no_kernel_can_be_is_said():
    layer = lambda params, x: params @ x  # noqa: E731
    good = jnp.ones((2, 3))
    for inputs, others, params, settings, message in (
        (good.at[0, 1].set(jnp.nan), None, good, {}, "are not finite"),
        (good, None, {"n": 3}, {}, "`params` has no floating-point array"),
        (good, jnp.ones((2, 4)), good, {}, r"`others` holds samples of shape \(4,\)"),
        (jnp.ones((0, 3)), None, good, {}, r"`inputs` has shape \(0, 3\)"),
        (good, None, good, {"outputs": 2}, "`outputs` is 2, but the model has 2"),
        (good, None, good, {"outputs": "all"}, "'full', 'trace'"),
        (good, None, good, {"batch_size": 0}, "`batch_size` is 0"),
        (jnp.ones((2, 3, 2)), None, good, {}, r"shape \(2, 2\)"),
    ):
        function = layer if not isinstance(params, dict) else lambda params, x: x
        with pytest.raises(OutsideDomain, match=message):
            tangent_kernel(function, inputs, others, params=params, **settings)
    with pytest.raises(OutsideDomain, match="`model` is a function; it must be an Equinox module"):
        tangent_kernel(layer, good)
    with pytest.warns(ValidityWarning, match="an eigenvalue of -1"):
        kernel_eigenvalues(np.diag([2.0, -1.0]))
    with pytest.raises(OutsideDomain, match="not symmetric"):
        kernel_eigenvalues(np.array([[1.0, 0.5], [0.0, 1.0]]))


def test_alignment_is_one_for_the_targets_own_kernel_and_blind_to_scale():
    targets = jnp.array([1.0, -2.0, 0.5])
    own = targets[:, None] * targets[None, :]
    assert kernel_alignment(own, targets) == pytest.approx(1)
    assert kernel_alignment(3 * jnp.eye(3), targets) == pytest.approx(3**-0.5)
    assert kernel_alignment(jnp.eye(3), targets[:, None]) == pytest.approx(3**-0.5)
    assert kernel_alignment(jnp.zeros((3, 3)), targets) == 0
    two = jnp.stack([targets, targets**2], axis=1)
    assert kernel_alignment(two[:, None, :, None] * two[None, :, None, :], two) == pytest.approx(1)
    with pytest.raises(OutsideDomain, match=r"`targets` has shape \(2,\)"):
        kernel_alignment(own, targets[:2])


def test_distance():
    kernel = jnp.diag(jnp.array([1.0, 0.0]))
    assert kernel_distance(kernel, 7 * kernel) == 0
    assert kernel_distance(kernel, jnp.eye(2) - kernel) == pytest.approx(1)
    assert kernel_distance(kernel, 0 * kernel) == 1
    small = kernel_distance(jnp.ones((3, 3), jnp.float32), jnp.ones((3, 3), jnp.float32).at[0, 0].add(1e-4))
    assert small == pytest.approx(0.5e-8 / 9 * (1 - 1 / 9), rel=1e-2)
    assert kernel_distance(kernel + 5, 1 - kernel, centred=True) == pytest.approx(2)
    assert kernel_velocity(kernel, jnp.eye(2) - kernel, 4.0) == pytest.approx(0.25)
    with pytest.raises(OutsideDomain, match="`elapsed` is 0"):
        kernel_velocity(kernel, kernel, 0)
    with pytest.raises(OutsideDomain, match="kernels have shapes"):
        kernel_distance(kernel, jnp.eye(3))


def test_alignment_when_the_loss_has_dropped():
    loss, alignment = np.array([2.0, 2.0, 1.0, 0.0]), np.array([0.1, 0.5, 0.7, 0.7])
    assert alignment_at_drop(loss, alignment, 0.25) == pytest.approx(0.6)
    assert np.isnan(alignment_at_drop(loss[:2], alignment[:2], 0.5))
    with pytest.raises(OutsideDomain, match="`share` is 1"):
        alignment_at_drop(loss, alignment, 1.0)
