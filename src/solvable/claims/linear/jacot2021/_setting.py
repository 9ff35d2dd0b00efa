"""What the claims share: a teacher, small weights of a given direction, and the flow away from the origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from solvable import instruments, numerics, tasks, training

if TYPE_CHECKING:
    from solvable.tasks import Moments


class Setting(Protocol):
    """Parameters of a claim."""

    @property
    def strengths(self) -> tuple[float, ...]: ...
    @property
    def input_dim(self) -> int: ...
    @property
    def output_dim(self) -> int: ...


class UnequalSetting(Setting, Protocol):
    """And how unequal inputs are."""

    @property
    def anisotropy(self) -> float: ...


def make_modes(claim: Setting):
    """Left and right singular vectors of E[y x^T], as columns."""
    import jax.numpy as jnp

    strengths = jnp.asarray(claim.strengths)
    _, left, right = tasks.mode_teacher(
        covariances=strengths, variances=jnp.ones(claim.input_dim), output_dim=claim.output_dim
    )
    return left, right


def make_moments(claim: UnequalSetting) -> Moments:
    """Of the teacher on inputs that vary along each axis by 1/(1 + anisotropy) to 1 + anisotropy."""
    import jax.numpy as jnp

    left, right = make_modes(claim)
    shared = (left * jnp.asarray(claim.strengths)[None, :]) @ right.T
    variances = (1 + claim.anisotropy) ** jnp.linspace(-1, 1, claim.input_dim)
    return tasks.Moments(jnp.sum(shared**2 / variances[None, :]), shared, jnp.diag(variances))


def leave(start, moments: Moments, *, learning_rate: float, steps: int, record: int = 1001):
    """Times, norms of the weights and maps along descent from a start."""
    run = training.gradient_descent(
        start,
        moments,
        learning_rate=learning_rate,
        steps=steps,
        record=record,
        observables={"norm": instruments.weight_norm, "map": lambda network: network.coefficients()},
    )
    return run.times, run.observables["norm"], run.observables["map"]


def crossing_time(times, norms, distance: float) -> float:
    """When the recorded norm passes a distance, between records on the straight line of the logarithm."""
    import numpy as np

    return numerics.first_crossing(np.asarray(times), np.log(norms), float(np.log(distance)))
