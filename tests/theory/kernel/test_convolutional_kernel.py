"""The kernel of infinitely many channels: a public library's numbers, limits, brute force, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import networks
from solvable.errors import OutsideDomain
from solvable.numerics import activations
from solvable.theory.kernel import convolutional_tangent_kernel, infinite_width_kernels
from solvable.theory.kernel.convolutional import patch_trace

ROW, COLUMN, CHANNEL = np.indices((4, 4, 2))
IMAGES = jnp.asarray(np.stack([np.cos(1 + ROW + 2 * COLUMN + 3 * CHANNEL), np.sin(ROW * COLUMN / 2 + CHANNEL)]))
# By neural-tangents 0.6.5 on JAX 0.4.30, stax.Conv(W_std=sqrt(2), "SAME", 3 x 3) and Relu, then GlobalAvgPool or
# Flatten and Dense(W_std=1), of the images above, two channels each; pooled and flattened (1, 1), (1, 2), (2, 2).
LIBRARY = {
    2: ([0.19723011754, 0.15362403590, 0.26991477754], [0.78298619808, 0.22930860378, 0.79565426475]),
    4: ([0.17255119979, 0.13909903670, 0.20267037688], [0.75504957572, 0.24417488691, 0.76832128999]),
}


def test_the_program_is_a_public_librarys():
    """Its first layer has 1/(channels q^2) where ours has none, and its flattened one divides by the pixels, 16."""
    rows = jnp.triu_indices(2)
    for convolutions, (pooled, flattened) in LIBRARY.items():
        ours = convolutional_tangent_kernel(IMAGES, convolutions=convolutions, first_variance=0.5)
        np.testing.assert_allclose(ours[rows], pooled, rtol=1e-6)
        if convolutions == 2:
            ours = convolutional_tangent_kernel(IMAGES, IMAGES, convolutions=convolutions, read_out="flatten")
            np.testing.assert_allclose(ours[rows] / 32, flattened, rtol=1e-6)


def test_patches_of_one_pixel_are_a_fully_connected_network():
    """One pixel, q = 1: layers of weights on channels; more channels first, to see that they add up."""
    pixels = IMAGES[:, :1, :1]
    dense = infinite_width_kernels(
        pixels.reshape(2, 2), depth=3, activation=activations.erf, weight_variance=1.5, first_variance=1.0
    ).ntk
    ours = convolutional_tangent_kernel(
        pixels, convolutions=2, filter_size=1, activation=activations.erf, weight_variance=1.5
    )
    np.testing.assert_allclose(ours, dense, rtol=1e-10)
    # Images that are not square, of which one is empty: no network tells it from nothing.
    flat = convolutional_tangent_kernel(IMAGES[:, :2], 0 * IMAGES[:1, :2], convolutions=2)
    np.testing.assert_array_equal(flat, 0)
    table = jax.random.normal(jax.random.key(0), (3, 2, 3, 2))
    padded = np.pad(table, 1)
    brute = sum(
        padded[1 + a : 4 + a, 1 + b : 3 + b, 1 + a : 4 + a, 1 + b : 3 + b] for a in (-1, 0, 1) for b in (-1, 0, 1)
    )
    np.testing.assert_allclose(patch_trace(table, 3), brute, atol=1e-14)


def test_the_network_is_that_of_the_definition():
    """Against loops over channels and pixels, for both ways to read it out."""
    image = IMAGES[0, :, :3]
    for read_out in ("pool", "flatten"):
        network = networks.initialise_convolution(
            jax.random.key(0), channels=(5, 4), image_shape=image.shape, read_out=read_out
        )
        hidden = np.moveaxis(np.asarray(image), -1, 0)
        for filters in network.filters:
            padded = np.pad(hidden, ((0, 0), (1, 1), (1, 1)))
            sums = np.zeros((len(filters), 4, 3))
            for row, column in np.ndindex(4, 3):
                window = padded[:, row : row + 3, column : column + 3]
                sums[:, row, column] = np.sum(np.asarray(filters) * window[None], axis=(1, 2, 3))
            hidden = np.sqrt(2 / (9 * len(filters))) * np.maximum(sums, 0)
        read = np.mean(hidden, axis=(1, 2)) if read_out == "pool" else hidden
        np.testing.assert_allclose(
            eqx.filter_jit(network)(image)[0], np.sum(np.asarray(network.read_out)[0] * read), rtol=1e-12
        )


@pytest.mark.parametrize(("read_out", "activation"), [("pool", activations.relu), ("flatten", activations.erf)])
def test_jacobians_of_many_channels_have_it_on_average(read_out, activation):
    """Gradients in every weight, multiplied out: 64 networks, whose scatter says how near their mean must be."""
    output = lambda network, image: network(image)[0]  # noqa: E731

    @eqx.filter_jit
    @eqx.filter_vmap
    def kernel(key):
        network = networks.initialise_convolution(
            key, channels=(100, 100), image_shape=IMAGES.shape[1:], read_out=read_out, activation=activation
        )
        gradients = jax.tree.leaves(eqx.filter_vmap(eqx.filter_grad(output), in_axes=(None, 0))(network, IMAGES))
        rows = jnp.concatenate([leaf.reshape(len(IMAGES), -1) for leaf in gradients], axis=1)
        return rows @ rows.T

    draws = kernel(jax.random.split(jax.random.key(1), 64))
    limit = convolutional_tangent_kernel(IMAGES, convolutions=2, read_out=read_out, activation=activation)
    error = jnp.std(draws, axis=0, ddof=1) / 8
    assert jnp.all(error < 0.05 * jnp.diag(limit).min())
    np.testing.assert_array_less(jnp.abs(jnp.mean(draws, axis=0) - limit), 4 * error)


def test_refusals():
    with pytest.raises(OutsideDomain, match="`filter_size` is 2"):
        convolutional_tangent_kernel(IMAGES, convolutions=1, filter_size=2)
    with pytest.raises(OutsideDomain, match="`convolutions` is 0"):
        convolutional_tangent_kernel(IMAGES, convolutions=0)
    with pytest.raises(OutsideDomain, match="must be odd"):
        networks.initialise_convolution(jax.random.key(0), channels=(1,), image_shape=(3, 3, 1), filter_size=2)
    with pytest.raises(OutsideDomain, match="`channels` is empty"):
        networks.initialise_convolution(jax.random.key(0), channels=(), image_shape=(3, 3, 1))
