"""Networks of images: layers against XLA's own, sizes as printed in the papers, normalisation by batches and frozen."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable.errors import OutsideDomain
from solvable.networks import Convolution, freeze_statistics, lenet, resnet, vgg
from solvable.networks.convolutional import max_pool

KEY = jax.random.key(0)


def count_weights(make):
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter_eval_shape(make)) if hasattr(leaf, "size"))


def test_convolution_and_pooling_are_those_of_xla():
    @jax.jit
    def both(image, kernels, bias):
        ours = Convolution(kernels, bias, stride=2, padding=1)(image)
        theirs = jax.lax.conv_general_dilated(image[None], kernels, (2, 2), [(1, 1), (1, 1)])[0] + bias[:, None, None]
        pooled = jax.lax.reduce_window(image, -jnp.inf, jax.lax.max, (1, 3, 3), (1, 3, 3), "VALID")
        return ours - theirs, max_pool(image, 3) - pooled

    rng = np.random.default_rng(0)
    gaps = both(*(jnp.asarray(rng.normal(size=shape)) for shape in ((2, 8, 11), (4, 2, 3, 3), (4,))))
    assert [gap.shape for gap in gaps] == [(4, 4, 6), (2, 2, 3)]
    assert max(float(jnp.max(jnp.abs(gap))) for gap in gaps) < 1e-12


def test_sizes_are_those_of_the_papers():
    assert count_weights(lambda: lenet(KEY)) == 44_426  # zhou2025's sheet
    # He et al. (2016), Table 6: 0.27 M; 19 convolutions and one dense layer make twenty.
    assert count_weights(lambda: resnet(KEY)) == 269_722
    assert count_weights(lambda: vgg(KEY)) == 14_724_042
    see = lambda make: eqx.filter_eval_shape(lambda x: jax.vmap(make(), axis_name="batch")(x), jnp.ones((1, 3, 32, 32)))  # noqa: E731
    assert see(lambda: resnet(KEY)).shape == see(lambda: vgg(KEY)).shape == (1, 10)
    with pytest.raises(OutsideDomain, match="`image_side` is 8; 2 convolutions of side 5"):
        lenet(KEY, image_side=8)
    with pytest.raises(OutsideDomain, match="`widths` is 4; it must be a whole number of at least 8"):
        resnet(KEY, widths=(8, 4))
    with pytest.raises(OutsideDomain, match="no pixel left"):
        eqx.filter_eval_shape(jax.vmap(vgg(KEY, widths=((1,), (1,))), axis_name="batch"), jnp.ones((1, 3, 2, 2)))


def test_frozen_normalisation_is_that_of_the_images_it_was_frozen_on():
    network = resnet(KEY, widths=(2,), blocks_per_stage=1, image_channels=1, num_classes=3)
    images = jax.random.normal(jax.random.key(1), (6, 1, 6, 6))

    @eqx.filter_jit
    def outputs(network):
        frozen = freeze_statistics(network, images)
        slope = eqx.filter_grad(lambda frozen: jnp.sum(frozen(images[0])))(frozen)
        return jax.vmap(network, axis_name="batch")(images), jax.vmap(frozen)(images), slope

    by_batch, kept, slope = outputs(network)
    np.testing.assert_allclose(kept, by_batch, rtol=1e-9, atol=1e-12)
    assert float(jnp.std(kept)) > 0.1
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(slope.stem.norm.statistics))
    assert np.any(slope.stem.norm.scale)
    with pytest.raises(OutsideDomain, match="freeze_statistics"):
        network(images[0])
    with pytest.raises(OutsideDomain, match="without batch normalisations"):
        freeze_statistics(network.read_out, images)
