"""Training on a loss of one's own: a function of the network in place of data."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from solvable import networks, tasks, training
from solvable.errors import OutsideDomain
from solvable.numerics import Monomials

SKILLS = tasks.SparseSkills(jnp.array([0.5, 0.3, 0.2]), -2.0)
START = networks.DiagonalLinear(jnp.array([0.1, 0.2, 0.3]), jnp.array([0.1, -0.2, 0.3]))


class Distance(eqx.Module):
    """Squared distance of a network's coefficients from some."""

    aim: Float[Array, "1 features"]

    def __call__(self, network):
        return jnp.sum((network.coefficients() - self.aim) ** 2)


def test_uncorrelated_features_give_the_loss_of_the_moments():
    loss = training.UncorrelatedLoss(jnp.full((1, 3), -2.0), SKILLS.frequencies)
    moments = SKILLS.moments(Monomials(3, 1))
    by_moments = training.make_objective(START, moments)
    assert float(loss(START)) == pytest.approx(float(by_moments(START)))
    own, usual = (
        training.gradient_descent(START, data, learning_rate=0.1, steps=50, record=6) for data in (loss, moments)
    )
    assert own.reduction == "own"
    assert np.allclose(own.loss, usual.loss)
    assert own.to_dataset().attrs["loss"] == "as given"
    assert float(training.UncorrelatedLoss(loss.best, loss.variances, 0.7)(START)) == pytest.approx(
        float(loss(START)) + 0.7
    )


def test_a_loss_of_arrays_is_swept_by_vmap():
    aims = jnp.array([[[1.0, -2.0, 3.0]], [[0.5, -1.0, 1.0]]])
    train = lambda aim: training.gradient_descent(START, Distance(aim), learning_rate=0.02, steps=2000)  # noqa: E731
    run = jax.vmap(train)(aims)
    assert run.loss.shape[0] == 2
    assert np.allclose(run.network.first * run.network.second, aims[:, 0], atol=0.02)


def test_the_flow_takes_a_loss_too():
    loss = lambda network: jnp.sum(network.first**2) / 2  # noqa: E731
    run = training.gradient_flow(START, loss, times=np.array([0.0, 1.0]))
    assert np.allclose(run.network.first, START.first * np.exp(-1.0))
    assert np.array_equal(run.network.second, START.second)


def test_a_loss_of_ones_own_has_no_reduction_and_no_minibatches():
    with pytest.raises(OutsideDomain, match="loss of your own"):
        training.gradient_descent(START, Distance(jnp.ones((1, 3))), learning_rate=0.1, steps=1, reduction="moments")
