"""What the claims of this paper share: balanced ReLU networks from several initial scales, and how they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, numerics, tasks, training

if TYPE_CHECKING:
    import jax
    import numpy as np

    from solvable.tasks import Samples
    from solvable.training import Trajectory

SIGNS = ["positive", "negative"]


def make_points(claim: Any) -> Samples:
    """The orthogonal points of a claim with fields ``norms`` and ``targets``."""
    import jax.numpy as jnp

    return tasks.orthogonal_points(jnp.asarray(claim.norms), jnp.asarray(claim.targets))


def train(
    claim: Any, samples: Samples, key: jax.Array, init_scales: tuple[float, ...], record: int | np.ndarray = 2
) -> Trajectory:
    """One balanced network from every scale, of the same weights up to the factor; scales lead, then records.

    Width, learning rate and the time until which it trains are the claim's. Weights and outputs are recorded.
    """
    import jax
    import jax.numpy as jnp

    observables = {
        "first": lambda network: network.first,
        "second": lambda network: network.second[0],
        "outputs": lambda network: jax.vmap(network)(samples.inputs)[:, 0],
    }

    def run(scale):
        network = networks.balanced_start(
            networks.Neuron(numerics.activations.relu),
            key,
            width=claim.width,
            input_shape=samples.inputs.shape[1:],
            init_scale=scale,
        )
        return training.gradient_descent(
            network,
            samples,
            learning_rate=claim.learning_rate,
            steps=round(claim.end_time / claim.learning_rate),
            record=record,
            observables=observables,
        )

    return jax.jit(jax.vmap(run))(jnp.asarray(init_scales))


def measure_half_times(samples: Samples, run: Trajectory) -> np.ndarray:
    """When the loss of the positive and of the negative points has halved, shape (scale, sign)."""
    import numpy as np

    targets, times = np.asarray(samples.targets)[:, 0], np.asarray(run.times[0])
    squares = (targets - np.asarray(run.observables["outputs"])) ** 2
    losses = np.stack([squares[..., targets > 0].sum(axis=-1), squares[..., targets < 0].sum(axis=-1)], axis=1)
    return np.array([[numerics.first_crossing(times, curve, curve[0] / 2) for curve in pair] for pair in losses])


def measure_neurons(run: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """Variation norm sum |a| |w|, shape (scale, record), and |a| w summed over a > 0 and a < 0 (..., sign, axis)."""
    import numpy as np

    first, second = np.asarray(run.observables["first"]), np.asarray(run.observables["second"])[..., None]
    norm = np.sum(np.abs(second) * np.linalg.norm(first, axis=-1, keepdims=True), axis=(-2, -1))
    neurons = [np.sum(np.maximum(sign * second, 0) * first, axis=-2) for sign in (1, -1)]
    return norm, np.stack(neurons, axis=-2)
