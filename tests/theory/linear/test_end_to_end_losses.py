"""The end-to-end flow on any loss of the map, with weight decay: against the layers and in closed form."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from solvable.errors import OutsideDomain
from solvable.tasks import MatrixCompletion
from solvable.theory import linear


def test_completion_with_decay_flows_as_its_layers_do():
    rng = np.random.default_rng(0)
    target, seen = rng.normal(size=(3, 2)), rng.random((3, 2)) < 0.7
    task = MatrixCompletion(jnp.asarray(target), jnp.asarray(seen))
    left, right = np.linalg.qr(rng.normal(size=(3, 2)))[0], np.linalg.qr(rng.normal(size=(2, 2)))[0]
    root, decay, shapes = np.array([0.7, 0.4]), 0.1, [(2, 2), (2, 2), (3, 2)]

    def unpack(flat):
        return [part.reshape(shape) for part, shape in zip(np.split(flat, [4, 8]), shapes, strict=True)]

    def velocity(_, flat):
        one, two, three = unpack(flat)
        slope = np.where(seen, target - three @ two @ one, 0)
        changes = [(three @ two).T @ slope, three.T @ slope @ one.T, slope @ (two @ one).T]
        return np.concatenate([(change - decay * part).ravel() for change, part in zip(changes, (one, two, three))])  # noqa: B905

    layers = [root[:, None] * right.T, np.diag(root), left * root]
    times = np.array([0.0, 1.0, 5.0])
    start = np.concatenate([layer.ravel() for layer in layers])
    flow = solve_ivp(velocity, (0, 5), start, t_eval=times, method="DOP853", rtol=1e-10, atol=1e-12)
    exact = [three @ two @ one for one, two, three in map(unpack, flow.y.T)]
    begin = jnp.asarray((left * root**3) @ right.T)
    path = linear.end_to_end_path(task.gradient, begin, jnp.asarray(times), 3, decay=decay)
    assert np.asarray(path) == pytest.approx(np.stack(exact), abs=1e-7)


def test_a_negative_decay_is_refused():
    with pytest.raises(OutsideDomain, match="`decay`"):
        linear.end_to_end_path(lambda weights: weights, jnp.eye(2), jnp.array([1.0]), 2, decay=-0.1)
