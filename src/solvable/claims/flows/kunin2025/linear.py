"""Fully connected linear networks: singular triplets of what is left of the correlation take turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error
from solvable.claims.flows.kunin2025 import _staircase

if TYPE_CHECKING:
    import jax
    import xarray as xr

    from solvable.tasks import TeacherNetwork


def _predict(task: TeacherNetwork) -> xr.Dataset:
    features = numerics.Monomials(task.input_shape[0], 1)
    return _staircase.predict_stages(theory.flows.linear_stages(task.moments(features)))


def _measure(claim: Any, task: TeacherNetwork, key: jax.Array) -> xr.Dataset:
    """One network from every scale, of the same random weights up to the factor."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    units = np.log(1 / np.asarray(claim.init_scales))
    record = np.linspace(0, claim.horizon * units.max() / claim.learning_rate, 3000).astype(int)

    def train(scale):
        network = networks.initialise(
            networks.Neuron(numerics.activations.identity),
            key,
            width=claim.width,
            input_shape=task.input_shape,
            output_dim=task.second.shape[0],
            init_scale=scale,
        )
        return training.gradient_descent(
            network, task, learning_rate=claim.learning_rate, steps=int(record[-1]), record=record
        )

    run = jax.jit(jax.vmap(train))(jnp.asarray(claim.init_scales))
    return _staircase.read_stages(run.times, run.loss, units)


class LinearStages(Claim):
    """On white inputs, mode k of a linear network is learned at log(1/alpha)/s_k and lowers the loss by s_k^2/2.

    Times are what each further log(1/alpha) adds, free of the constant that the rise itself takes.
    """

    source = Source("kunin2025", "fully connected linear networks", "asymptotic")
    metric, tolerance = max_relative_error("time", "level"), 0.003  # measured: up to 0.0014 over five seeds

    singular_values: tuple[float, ...] = (3.0, 2.0, 1.0)  # s_k of Sigma_yx
    input_dim: int = 6
    width: int = 30  # H
    init_scales: tuple[float, ...] = (1e-6, 1e-10)  # epsilon
    learning_rate: float = 1e-3
    horizon: float = 1.4  # training time in units of log(1/epsilon)

    def _task(self) -> TeacherNetwork:
        import jax.numpy as jnp

        rank = len(self.singular_values)
        weights = jnp.zeros((rank, self.input_dim)).at[:, :rank].set(jnp.diag(jnp.asarray(self.singular_values)))
        return tasks.linear_teacher(weights)

    def predict(self) -> xr.Dataset:
        return _predict(self._task())

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure(self, self._task(), key)

    draw = staticmethod(_staircase.draw_staircase)


class TurningTriplets(Claim):
    """On correlated inputs singular triplets turn from saddle to saddle, and what units have grown carries over.

    The paper has the triplets of the residual correlation; how the new ones inherit from the old is derived here. The
    task is random. Times are what each further log(1/alpha) adds.
    """

    source = Source("kunin2025", "fully connected linear networks, carry-over of utility", "asymptotic")
    metric, tolerance = max_relative_error("time", "level"), 0.006  # measured: 0.0030 to 0.0031 over five seeds

    input_dim: int = 5
    output_dim: int = 3
    task_seed: int = 5
    width: int = 12  # H
    init_scales: tuple[float, ...] = (
        1e-9,
        1e-13,
    )  # epsilon; rounding hides the second mode beside the first below 1e-15
    learning_rate: float = 1e-3
    horizon: float = 3.5  # training time in units of log(1/epsilon)

    def _task(self) -> TeacherNetwork:
        import jax.numpy as jnp
        import numpy as np

        rng = np.random.default_rng(self.task_seed)
        mixing = rng.normal(size=(self.input_dim, self.input_dim))
        covariance = mixing @ mixing.T / self.input_dim
        weights = rng.normal(size=(self.output_dim, self.input_dim))
        return tasks.linear_teacher(jnp.asarray(weights), jnp.asarray(covariance))

    def predict(self) -> xr.Dataset:
        return _predict(self._task())

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure(self, self._task(), key)

    draw = staticmethod(_staircase.draw_staircase)
