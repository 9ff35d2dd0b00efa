"""Linear attention: heads of degree 3 in their weights take a time inversely proportional to where they start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error
from solvable.claims.flows.kunin2025 import _staircase

if TYPE_CHECKING:
    import jax
    import xarray as xr


class AttentionStages(Claim):
    """Linear attention learns one mode of the inputs after the other, each at 1/(3 alpha U) with U its utility.

    One balanced head a mode, v = |k| = |q| = alpha/sqrt3, which starts aligned. Times are those of half a drop.
    """

    source = Source("kunin2025", "linear attention", "asymptotic")
    metric, tolerance = max_relative_error("time", "level"), 0.008  # measured: 0.005
    limit = ("init_scale", (0.05, 0.02, 0.01))

    eigenvalues: tuple[float, ...] = (1.0, 0.6, 0.35)  # lambda_d of the inputs' covariance
    context_length: int = 31  # N
    init_scale: float = 0.01  # alpha
    learning_rate: float = 0.2
    horizon: float = 17.0  # training time in units of 1/alpha

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        path = theory.flows.attention_stages(jnp.asarray(self.eigenvalues), self.context_length)
        return _staircase.predict_stages(path)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        task = tasks.InContextRegression(jnp.diag(jnp.asarray(self.eigenvalues)), self.context_length)
        dim, weight = task.input_dim, self.init_scale / np.sqrt(3)
        axes, label = jnp.eye(dim + 1), dim
        network = networks.UnitLayer(
            weight * jnp.concatenate([axes[:dim], axes[:dim]], axis=1),
            jnp.zeros((dim + 1, dim)).at[label].set(weight),
            networks.AttentionHead(mean_over_context=True),
        )
        steps = round(self.horizon / self.init_scale / self.learning_rate)
        run = training.gradient_descent(network, task, learning_rate=self.learning_rate, steps=steps, record=2000)
        return _staircase.read_stages(run.times[None, :], run.loss[None, :], [1 / self.init_scale], "1/α")

    draw = staticmethod(_staircase.draw_staircase)
