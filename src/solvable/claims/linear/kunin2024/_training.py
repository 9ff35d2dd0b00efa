"""What the claims share: a start at an angle to the target, and the training of one neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, numerics, tasks, training

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Array


def along(cosine: float, input_dim: int) -> np.ndarray:
    """A unit vector at this cosine to the target, which points along the first axis."""
    import numpy as np

    return np.eye(input_dim)[0] * cosine + np.eye(input_dim)[1] * (1 - cosine**2) ** 0.5


def train(first: Array, second: Array, target: float, *, learning_rate, record, units: float = 1.0, **watched):
    """A neuron trained on white inputs times ``units``, with observables by name."""
    import jax.numpy as jnp

    size = first.size
    task = tasks.linear_teacher(target / units * jnp.eye(size)[:1], units**2 * jnp.eye(size))
    return training.gradient_descent(
        networks.UnitLayer(first[None, :], second[None, None], networks.Neuron(numerics.activations.identity)),
        task,
        learning_rate=learning_rate,
        steps=int(record[-1]),
        record=record,
        observables=watched,
    )
