"""Training on the same data, recorded at the forecast's steps."""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from solvable.forecasting.settings import Settings
from solvable.instruments import top_singular_values
from solvable.networks import AttentionHead, DiagonalLinear, Network, Neuron, Unit, UnitLayer, initialise_for
from solvable.numerics import activations
from solvable.tasks import Samples
from solvable.training import Trajectory, gradient_descent, sgd
from solvable.training.trajectory import wait

_UNITS: dict[str, Unit] = {
    "linear": Neuron(activations.identity),
    "relu": Neuron(activations.relu),
    "quadratic": Neuron(activations.square),
    "attention": AttentionHead(mean_over_context=True),
}


def train(samples: Samples, settings: Settings, steps: np.ndarray, modes: int) -> Trajectory:
    """Train ``settings.seeds`` networks by one compiled call.

    Parameters
    ----------
    samples
        The data.
    settings
        The network and its training.
    steps
        Steps to record at.
    modes
        How many singular values of the first layer to record, as ``"strength"``; of a diagonal network, how many of
        the largest |u_i v_i|.

    Returns
    -------
    Trajectory
        With a leading axis of seeds.

    Raises
    ------
    OutsideDomain
        A batch larger than the data.
    Diverged
        Training left the finite numbers.

    References
    ----------
    zhang2026, App. I and Fig. 3.
    """
    watched = {"strength": (_watch_coordinates if settings.model == "diagonal" else _watch_strengths)(modes)}

    def run(key, samples):
        network, (_, key_order) = start_network(samples, settings, key), jax.random.split(key)
        rule = {
            "learning_rate": jnp.asarray(settings.learning_rate),
            "steps": int(steps[-1]),
            "record": steps,
            "observables": watched,
        }
        if settings.batch_size:
            return sgd(network, samples, key=key_order, batch_size=settings.batch_size, **rule)
        return gradient_descent(network, samples, **rule)

    if settings.seeds == 1:
        # Outside vmap, so that divergence is reported with its step.
        return jax.tree.map(lambda values: values[None], run(settings.seed_key(0), samples))
    keys = jnp.stack([settings.seed_key(number) for number in range(settings.seeds)])
    # The data are an argument: closed over, the compiler would form their moments itself, for minutes.
    return wait(jax.jit(jax.vmap(run, in_axes=(0, None)))(keys, samples))


def start_network(samples: Samples, settings: Settings, key: jax.Array) -> Network:
    """The network that ``train`` starts from.

    Parameters
    ----------
    samples, settings
        As for ``train``.
    key
        One of ``settings.seed_key``.

    Raises
    ------
    OutsideDomain
        Data that do not fit the model.

    References
    ----------
    zhang2026, App. I.
    """
    if settings.model == "diagonal":
        rest = jnp.zeros(samples.inputs.shape[1], samples.inputs.dtype)
        return DiagonalLinear(rest + jnp.asarray(np.sqrt(2) * settings.init_scale, rest.dtype), rest)
    unit, key_start = _UNITS[settings.model], jax.random.split(key)[0]
    return initialise_for(unit, samples, key_start, width=settings.width, init_scale=settings.init_scale)


@cache
def _watch_strengths(count: int) -> Callable[[UnitLayer], jax.Array]:
    """The same function for the same count: training compiles once for each function that it watches by."""
    return lambda network: top_singular_values(network.first, count)


@cache
def _watch_coordinates(count: int) -> Callable[[DiagonalLinear], jax.Array]:
    """The largest |u_i v_i|."""
    return lambda network: jax.lax.top_k(jnp.abs(network.first * network.second), count)[0]
