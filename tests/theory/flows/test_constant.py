"""The first stage of units of order 0: laws of least squares, and the flow that it is the end of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from solvable import tasks
from solvable.errors import OutsideDomain
from solvable.theory.flows import settle_on_constant


def make_data(outputs=1):
    inputs, noise = jax.random.normal(jax.random.key(0), (2, 200, 3))
    return tasks.make_samples(inputs, inputs[:, :outputs] + noise[:, :outputs] + 1)


def test_a_constant_learns_the_mean():
    samples = make_data()
    stage = settle_on_constant(samples, lambda _: jnp.full(1, 0.5), width=10)
    assert 10 * 0.5 * stage.outgoing[0] == pytest.approx(float(samples.targets.mean()))
    assert 2 * stage.loss == pytest.approx(float(samples.targets.var()))
    assert stage.slowest_rate == pytest.approx(10 / 4)
    assert stage.residual.targets.mean() == pytest.approx(0, abs=1e-12)


def test_it_is_where_the_flow_of_equal_units_ends_at_the_rate_said():
    samples, width = make_data(), 4
    stage = settle_on_constant(samples, lambda inputs: inputs, width=width)
    second = np.asarray(samples.inputs.T @ samples.inputs) / 200
    correlation = np.asarray(samples.inputs.T @ samples.targets[:, 0]) / 200
    outgoing, distances = np.zeros(3), []
    for _ in range(6000):
        outgoing = outgoing + 0.001 * (correlation - width * second @ outgoing)
        distances.append(np.linalg.norm(outgoing - stage.outgoing))
    rate = -np.log(distances[-1] / distances[-2001]) / 2
    assert rate == pytest.approx(float(stage.slowest_rate), rel=0.02)
    assert distances[-1] < 1e-6


def test_mistakes_are_named():
    with pytest.raises(OutsideDomain, match="`samples` has 2 targets"):
        settle_on_constant(make_data(2), lambda inputs: inputs, width=4)
    with pytest.raises(OutsideDomain, match="`width`"):
        settle_on_constant(make_data(), lambda inputs: inputs, width=0)
