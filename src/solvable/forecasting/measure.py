"""Training on the same data, recorded at the forecast's steps."""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from solvable.forecasting.settings import Settings
from solvable.instruments import top_singular_values
from solvable.networks import Neuron, UnitLayer, initialise_for
from solvable.numerics import activations
from solvable.tasks import Samples
from solvable.training import Trajectory, gradient_descent, sgd
from solvable.training.trajectory import wait


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
        How many singular values of the first layer to record, as ``"strength"``.

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
    unit = Neuron(activations.identity if settings.model == "linear" else activations.relu)
    watched = {"strength": _watch_strengths(modes)}

    def run(key, samples):
        key_start, key_order = jax.random.split(key)
        network = initialise_for(unit, samples, key_start, width=settings.width, init_scale=settings.init_scale)
        rule = {
            "learning_rate": jnp.asarray(settings.learning_rate),
            "steps": int(steps[-1]),
            "record": steps,
            "observables": watched,
        }
        if settings.batch_size:
            return sgd(network, samples, key=key_order, batch_size=settings.batch_size, **rule)
        return gradient_descent(network, samples, **rule)

    keys = jax.random.split(jax.random.key(settings.seed), settings.seeds)
    if settings.seeds == 1:
        # Outside vmap, so that divergence is reported with its step.
        return jax.tree.map(lambda values: values[None], run(keys[0], samples))
    # The data are an argument: closed over, the compiler would form their moments itself, for minutes.
    return wait(jax.jit(jax.vmap(run, in_axes=(0, None)))(keys, samples))


@cache
def _watch_strengths(count: int) -> Callable[[UnitLayer], jax.Array]:
    """The same function for the same count: training compiles once for each function that it watches by."""
    return lambda network: top_singular_values(network.first, count)
