"""Large weights of low rank with a small perturbation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import instruments, networks, numerics
from solvable.errors import OutsideDomain

SIZES = {"width": 20, "input_shape": (5,), "output_dim": 3}
LINEAR = networks.Neuron(numerics.activations.identity)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_stacked_weights_have_the_rank_up_to_the_perturbation(rank):
    network = networks.low_rank_start(LINEAR, jax.random.key(0), rank=rank, init_scale=1e-9, **SIZES)
    stacked = jnp.concatenate([network.first, network.second.T], axis=1)
    values = np.linalg.svd(stacked, compute_uv=False)
    assert np.all(values[:rank] > 0.1)
    assert np.all(values[rank:] < 1e-7)


def test_without_perturbation_the_map_has_the_rank():
    network = networks.low_rank_start(LINEAR, jax.random.key(1), rank=2, init_scale=0.0, **SIZES)
    assert int(instruments.effective_rank(network.coefficients(), threshold=1e-9)) == 2


def test_a_higher_rank_adds_a_large_unit():
    maps = [
        networks.low_rank_start(LINEAR, jax.random.key(1), rank=rank, init_scale=0.0, **SIZES).coefficients()
        for rank in (1, 2)
    ]
    assert int(instruments.effective_rank(maps[1] - maps[0], threshold=1e-9)) == 1


def test_rank_zero_is_an_isotropic_start():
    network = networks.low_rank_start(LINEAR, jax.random.key(0), rank=0, init_scale=1e-3, **SIZES)
    assert float(jnp.std(network.first)) == pytest.approx(1e-3, rel=0.3)


def test_scales_are_factors():
    def weights(large, small):
        return networks.low_rank_start(
            LINEAR, jax.random.key(3), rank=1, large_scale=large, init_scale=small, **SIZES
        ).first

    np.testing.assert_allclose(weights(2.0, 0.5), 2 * weights(1.0, 0.25), rtol=1e-12)
    swept = jax.vmap(weights, (0, None))(jnp.array([2.0, 1.0]), 0.5)
    np.testing.assert_allclose(swept[0], weights(2.0, 0.5), rtol=1e-12)


@pytest.mark.parametrize(("rank", "message"), [(-1, "`rank` is -1"), (21, "at most the `width` of 20")])
def test_refuses_a_rank_without_meaning(rank, message):
    with pytest.raises(OutsideDomain, match=message):
        networks.low_rank_start(LINEAR, jax.random.key(0), rank=rank, **SIZES)


def test_refuses_a_negative_scale():
    with pytest.raises(OutsideDomain, match="`large_scale` is -1"):
        networks.low_rank_start(LINEAR, jax.random.key(0), rank=1, large_scale=-1.0, **SIZES)
