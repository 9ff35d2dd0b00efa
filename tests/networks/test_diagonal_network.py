"""The diagonal linear network is a linear map with the product of its weights, and trains like one."""

import jax.numpy as jnp
import numpy as np
import pytest

from solvable import networks, tasks, training
from solvable.errors import OutsideDomain


def draw(seed=0, dim=4):
    rng = np.random.default_rng(seed)
    return networks.DiagonalLinear(jnp.array(rng.normal(size=dim)), jnp.array(rng.normal(size=dim)))


def test_output_is_coefficients_times_input():
    network, inputs = draw(), jnp.arange(4.0)
    np.testing.assert_allclose(network(inputs), network.coefficients() @ network.features((4,))(inputs), rtol=1e-12)
    assert isinstance(network, networks.Network)
    assert network.width == 4


def test_difference_of_squares_is_conserved_by_gradient_flow():
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(20, 4))
    start = draw()
    run = training.gradient_flow(
        start,
        tasks.make_samples(inputs, inputs @ rng.normal(size=4)),
        times=np.array([0.0, 1.0, 5.0]),
        observables={"balance": lambda network: network.first**2 - network.second**2},
    )
    expected = jnp.broadcast_to(start.first**2 - start.second**2, (3, 4))
    np.testing.assert_allclose(run.observables["balance"], expected, atol=1e-5)
    assert run.loss[-1] < run.loss[0]


@pytest.mark.parametrize("reduction", ["moments", "features", "samples"])
def test_every_form_of_the_data_has_the_same_loss(reduction):
    rng = np.random.default_rng(2)
    samples = tasks.make_samples(rng.normal(size=(9, 4)), rng.normal(size=9))
    run = training.gradient_descent(draw(), samples, learning_rate=0.01, steps=3, record=2, reduction=reduction)
    outputs = np.asarray(samples.inputs) @ np.asarray(draw().coefficients()[0])
    np.testing.assert_allclose(run.loss[0], np.mean((np.asarray(samples.targets)[:, 0] - outputs) ** 2) / 2, rtol=1e-10)


def test_refusals():
    with pytest.raises(OutsideDomain, match=r"`first` and `second` have shapes \(2,\) and \(3,\)"):
        networks.DiagonalLinear(jnp.ones(2), jnp.ones(3))
    with pytest.raises(OutsideDomain, match=r"this network reads \(4,\)"):
        draw().features((5,))
