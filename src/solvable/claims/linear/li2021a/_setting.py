"""What the claims share: a symmetric completion problem, and the growth rates at zero weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from solvable import tasks

if TYPE_CHECKING:
    from jaxtyping import Array

    from solvable.tasks import MatrixCompletion


class Setting(Protocol):
    """Parameters of a claim's task."""

    @property
    def eigenvalues(self) -> tuple[float, ...]: ...
    @property
    def dim(self) -> int: ...
    @property
    def observed_share(self) -> float: ...
    @property
    def task_seed(self) -> int: ...


def make_task(claim: Setting) -> MatrixCompletion:
    import jax
    import jax.numpy as jnp

    return tasks.symmetric_completion(
        jax.random.key(claim.task_seed),
        eigenvalues=jnp.asarray(claim.eigenvalues),
        dim=claim.dim,
        observed_share=claim.observed_share,
    )


def growth_rates(task: MatrixCompletion) -> Array:
    """Eigenvalues mu of minus the gradient at zero weights, descending."""
    import jax.numpy as jnp

    return jnp.linalg.eigvalsh(-task.gradient(jnp.zeros_like(task.target)))[::-1]
