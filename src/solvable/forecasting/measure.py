"""Training on the same data, recorded at the forecast's steps."""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from solvable.forecasting.settings import Settings
from solvable.instruments import top_singular_values
from solvable.networks import (
    AttentionHead,
    DiagonalLinear,
    LinearMap,
    Network,
    Neuron,
    Unit,
    UnitLayer,
    decoupled_start,
    initialise_for,
)
from solvable.numerics import activations
from solvable.tasks import Samples
from solvable.training import Trajectory, gradient_descent, make_objective, sgd
from solvable.training.trajectory import wait

_UNITS: dict[str, Unit] = {
    "linear": Neuron(activations.identity),
    "relu": Neuron(activations.relu),
    "quadratic": Neuron(activations.square),
    "attention": AttentionHead(mean_over_context=True),
}


def train(
    samples: Samples, settings: Settings, steps: np.ndarray, modes: int, test: Samples | None = None
) -> Trajectory:
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
        the largest |u_i v_i|, and of a deep linear one, how many singular values of its map.
    test
        Samples that are not trained on; the loss on them is recorded as ``"test_loss"``.

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
    watched = {"strength": _WATCHES.get(settings.model, _watch_strengths)(modes)}
    if test is not None:
        watched["test_loss"] = make_objective(start_network(samples, settings, seed_key(settings, 0)), test)

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
        return jax.tree.map(lambda values: values[None], run(seed_key(settings, 0), samples))
    keys = jnp.stack([seed_key(settings, number) for number in range(settings.seeds)])
    # The data are an argument: closed over, the compiler would form their moments itself, for minutes.
    return wait(jax.jit(jax.vmap(run, in_axes=(0, None)))(keys, samples))


def seed_key(settings: Settings, number: int) -> jax.Array:
    """Randomness of the network of this number, of ``settings.seeds``. Raises nothing. References: none."""
    return jax.random.split(jax.random.key(settings.seed), settings.seeds)[number]


def start_network(samples: Samples, settings: Settings, key: jax.Array) -> Network:
    """The network that ``train`` starts from.

    Parameters
    ----------
    samples, settings
        As for ``train``.
    key
        From ``seed_key``.

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
    if settings.model == "deep-linear":
        return _start_along_modes(samples, settings, key)
    unit, key_start = _UNITS[settings.model], jax.random.split(key)[0]
    return initialise_for(unit, samples, key_start, width=settings.width, init_scale=settings.init_scale)


def _start_along_modes(samples: Samples, settings: Settings, key: jax.Array) -> Network:
    """Layers with singular values ``init_scale`` along the singular vectors of the data's correlation."""
    weighted = samples.weights[:, None] * samples.targets
    left, _, right = jnp.linalg.svd(weighted.T @ samples.inputs, full_matrices=False)
    if settings.depth == 1:
        return LinearMap(jnp.zeros((left.shape[0], right.shape[1]), left.dtype))
    modes = min(left.shape[1], settings.width)
    widths = (settings.width,) * (settings.depth - 1)
    scales = jnp.full((settings.depth, modes), settings.init_scale, left.dtype)
    return decoupled_start(key, left=left[:, :modes], right=right.T[:, :modes], scales=scales, widths=widths)


@cache
def _watch_strengths(count: int) -> Callable[[UnitLayer], jax.Array]:
    """The same function for the same count: training compiles once for each function that it watches by."""
    return lambda network: top_singular_values(network.first, count)


@cache
def _watch_coordinates(count: int) -> Callable[[DiagonalLinear], jax.Array]:
    """The largest |u_i v_i|."""
    return lambda network: jax.lax.top_k(jnp.abs(network.first * network.second), count)[0]


@cache
def _watch_map(count: int) -> Callable[[Network], jax.Array]:
    return lambda network: top_singular_values(network.coefficients(), count)


_WATCHES = {"diagonal": _watch_coordinates, "deep-linear": _watch_map}
