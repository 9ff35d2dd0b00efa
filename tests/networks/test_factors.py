"""Balanced factors of a given map, of any shape, rank and depth."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest

from solvable import networks
from solvable.errors import OutsideDomain
from solvable.training.completion import layers_of


@pytest.mark.parametrize(("shape", "rank", "depth"), [((3, 5), 3, 2), ((5, 3), 1, 3), ((4, 4), 0, 4)])
def test_layers_are_balanced_and_multiply_to_the_map(shape, rank, depth):
    rng = np.random.default_rng(rank)
    weights = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    layers = [np.asarray(layer) for layer in layers_of(networks.balanced_factors(jnp.asarray(weights), depth=depth))]
    assert np.allclose(np.linalg.multi_dot(layers[::-1]), weights, atol=1e-13)
    for below, above in pairwise(layers):
        assert np.allclose(above.T @ above, below @ below.T, atol=1e-13)


def test_one_layer_is_the_map_and_a_semi_definite_one_has_tied_layers():
    root = np.random.default_rng(0).normal(size=(4, 4)) * np.array([1.0, 2.0, 2.0, 0.0])
    weights = jnp.asarray(root @ root.T)
    assert networks.balanced_factors(weights, depth=1).first is weights
    tied = networks.balanced_factors(weights, depth=2)
    assert np.allclose(tied.second, tied.first.T, atol=1e-7)


def test_no_layer_is_refused():
    with pytest.raises(OutsideDomain, match="`depth` is 0"):
        networks.balanced_factors(jnp.eye(3), depth=0)
