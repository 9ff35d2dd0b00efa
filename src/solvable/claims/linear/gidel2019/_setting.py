"""What the claims share: a teacher on inputs that vary unequally along its modes, and networks of one or two layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from solvable import instruments, networks, tasks, training

if TYPE_CHECKING:
    import jax
    import numpy as np
    from jaxtyping import Array

    from solvable.tasks import ModeTeacher


class Setting(Protocol):
    """Parameters of a claim."""

    @property
    def covariances(self) -> tuple[float, ...]: ...
    @property
    def variances(self) -> tuple[float, ...]: ...
    @property
    def output_dim(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def log_scale(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def angle(self) -> float: ...


def make_teacher(claim: Setting) -> ModeTeacher:
    """The task, whose input axes are turned by the claim's angle against its modes."""
    import jax.numpy as jnp

    return tasks.mode_teacher(
        covariances=jnp.asarray(claim.covariances),
        variances=jnp.asarray(claim.variances),
        output_dim=claim.output_dim,
        angle=claim.angle,
    )


def train(claim: Setting, record: np.ndarray, key: jax.Array, *, layers: int = 2) -> Array:
    """Strength of each mode at the recorded steps of descent, from the greedy start or, in one layer, from 0."""
    import equinox as eqx
    import jax.numpy as jnp

    task, left, right = make_teacher(claim)

    @eqx.filter_jit
    def run(key):
        if layers == 1:
            start = networks.LinearMap(jnp.zeros((left.shape[0], right.shape[0])))
        else:
            start = networks.greedy_start(key, left=left, right=right, log_scale=claim.log_scale, widths=(claim.width,))
        return training.gradient_descent(
            start,
            task,
            learning_rate=claim.learning_rate,
            steps=int(record[-1]),
            record=record,
            observables={"strength": lambda network: instruments.mode_strengths(network, left, right)},
        ).observables["strength"]

    return run(key)
