"""What the claims on separation between units share: tasks, levels, the start, and the size of a unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, numerics, tasks, theory
from solvable.claims.flows.zhang2026 import _panels

if TYPE_CHECKING:
    import jax
    import xarray as xr

    from solvable.networks import UnitLayer
    from solvable.tasks import InContextRegression, TeacherNetwork


def planar_regression(context_length: int) -> InContextRegression:
    """In-context regression on white inputs in the plane, of Figures 1F and 5E."""
    import jax.numpy as jnp

    return tasks.InContextRegression(jnp.eye(2), context_length)


def attention_levels(task: InContextRegression, **effective_width: Any) -> xr.Dataset:
    """``_panels.stage_levels`` of linear attention with one head, and with two."""
    import jax.numpy as jnp

    eigenvalues = jnp.linalg.eigvalsh(task.covariance)
    losses = theory.flows.linear_attention_levels(eigenvalues, task.context_length).loss
    return _panels.stage_levels(*losses, **effective_width)


def axis_teacher(coefficients: tuple[float, ...], power: int) -> TeacherNetwork:
    """The task y = sum_k coefficients_k x_k^power on white inputs; for power 2 they are the teacher's eigenvalues."""
    import jax.numpy as jnp

    axes = jnp.eye(len(coefficients))
    return tasks.TeacherNetwork(axes, jnp.asarray(coefficients)[None, :], numerics.activations.power(power), axes)


def draw_weights(key: jax.Array, width: int, input_dim: int, init_scale: float) -> tuple[jax.Array, jax.Array]:
    """Independent N(0, init_scale^2) weights u_i and v_i that theory and training start from alike."""
    import jax

    weights = init_scale * jax.random.normal(key, (width, input_dim + 1), float)
    return weights[:, 1:], weights[:, 0]


def layer_of(first: jax.Array, second: jax.Array, power: int) -> UnitLayer:
    """The network sum_i v_i (u_i.x)^power."""
    return networks.UnitLayer(first, second[None, :], networks.Neuron(numerics.activations.power(power)))


def unit_sizes(network: UnitLayer) -> jax.Array:
    """Norm of all the weights of each unit."""
    import jax.numpy as jnp

    return jnp.sqrt(jnp.sum(network.first**2, axis=1) + jnp.sum(network.second**2, axis=0))
