"""Lambda-balanced starts have the imbalance they were asked for, wherever the shapes allow it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import training
from solvable.errors import OutsideDomain
from solvable.instruments import layer_imbalance
from solvable.networks import UnitLayer, imbalanced_start
from solvable.tasks import linear_teacher


def start(*sizes, key=0, **options):
    return imbalanced_start(
        jax.random.key(key), input_dim=sizes[0], widths=sizes[1:-1], output_dim=sizes[-1], **options
    )


@pytest.mark.parametrize(
    ("sizes", "imbalance"),
    [
        ((4, 4, 4), 0.0),
        ((4, 4, 4), 2.0),
        ((4, 4, 4), -2.0),
        ((5, 3, 4), 0.7),
        ((1, 1, 1), -3.0),
        ((5, 3, 3, 4), 1.5),
        ((5, 3, 3, 4), -1.5),
    ],
)
def test_every_neighbouring_pair_has_the_imbalance(sizes, imbalance):
    network = start(*sizes, imbalance=imbalance, init_scale=0.3)
    for layer in range(1, len(sizes) - 1):
        expected = imbalance * np.eye(sizes[layer])
        np.testing.assert_allclose(layer_imbalance(network, layer), expected, atol=1e-13)
    assert [w.shape for w in jax.tree.leaves(network)] == [
        (sizes[1], sizes[0]),
        *zip(sizes[2:], sizes[1:-1], strict=True),
    ]
    assert isinstance(network, UnitLayer) == (len(sizes) == 3)


def test_the_smallest_layer_has_the_scale_and_the_others_the_imbalance():
    small = start(5, 3, 4, imbalance=4.0, init_scale=1e-3)
    assert float(jnp.max(jnp.linalg.svdvals(small.first))) < 1e-2
    np.testing.assert_allclose(jnp.linalg.svdvals(small.second), 2.0, atol=1e-5)


def test_training_keeps_the_imbalance_up_to_the_learning_rate():
    task = linear_teacher(jax.random.normal(jax.random.key(3), (4, 5)))
    drifts = []
    for rate in (0.02, 0.002):
        run = training.gradient_descent(
            start(5, 3, 4, imbalance=-2.0, init_scale=0.3), task, learning_rate=rate, steps=round(2 / rate), record=2
        )
        drifts.append(float(jnp.max(jnp.abs(layer_imbalance(run.network) + 2 * jnp.eye(3)))))
    assert drifts[1] < 0.02
    assert 5 < drifts[0] / drifts[1] < 15


def test_a_traced_imbalance_is_accepted_where_it_fits():
    made = jax.jit(lambda imbalance: start(4, 3, 3, imbalance=imbalance))(0.5)
    np.testing.assert_allclose(layer_imbalance(made), 0.5 * np.eye(3), atol=1e-13)


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((5, 4, 3), {"imbalance": 1.0}, "`imbalance` is 1.0 for layers of 5, 4, 3 .* never narrow"),
        ((3, 4, 5), {"imbalance": -1.0}, "never widen"),
        ((4, 3, 2, 4), {"imbalance": 1.0}, "never narrow"),
        ((3, 3), {}, "`widths` is empty"),
        ((3, 0, 3), {}, "`widths` is 0"),
        ((3, 2, 3), {"init_scale": -1.0}, "`init_scale` is -1.0"),
    ],
)
def test_refusals(sizes, options, message):
    with pytest.raises(OutsideDomain, match=message):
        start(*sizes, **options)
