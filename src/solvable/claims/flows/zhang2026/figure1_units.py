"""Figure 1 F, G: layers quadratic in the weights of their units gain one unit a stage.

Both panels train on the population: their tasks are isotropic, and a sample of 8192 moves the levels by 2 or 3% and
singles out a direction, so that one unit pauses at different levels in different directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory
from solvable.claims import Claim, Source, max_curve_gap
from solvable.claims.flows.zhang2026 import _panels

if TYPE_CHECKING:
    import jax
    import xarray as xr

    from solvable.tasks import InContextRegression, TeacherNetwork


def _count_units(first: jax.Array, second: jax.Array) -> jax.Array:
    return instruments.active_units(first, second, threshold=_panels.LARGE)


class LinearAttentionStages(Claim):
    """Linear attention learns to regress in context one head, one direction of the inputs, at a time.

    At the paper's epsilon = 0.005 the intermediate level is passed, not reached, on some seeds with a second head well
    under way; epsilon is a hundred times smaller here.
    """

    source = Source("zhang2026", "Fig. 1F and Eq. 69", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.01  # measured: up to 0.0042 over twelve seeds

    context_length: int = 32  # N
    width: int = 10  # H
    init_scale: float = 5e-5  # epsilon
    learning_rate: float = 0.04  # twice the paper's
    horizon: float = 2.0  # gradient steps times epsilon, since units take a time of order 1/epsilon

    def _task(self) -> InContextRegression:
        import jax.numpy as jnp

        return tasks.InContextRegression(jnp.eye(2), self.context_length)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        eigenvalues = jnp.linalg.eigvalsh(self._task().covariance)
        return _panels.stage_levels(*theory.flows.linear_attention_levels(eigenvalues, self.context_length).loss)

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _panels.measure_stages(
            self,
            networks.AttentionHead(),
            self._task(),
            key,
            steps=round(self.horizon / self.init_scale),
            record=4000,
            effective_width=_count_units,
        )

    draw = staticmethod(_panels.draw_stages)


class QuadraticNetworkStages(Claim):
    """A quadratic network uses one unit at a time, and rests at the loss of the best single one.

    At the paper's epsilon = 0.005 one seed in six passes the plateau, or ends with two units in place of the second; it
    is ten times smaller here.
    """

    source = Source("zhang2026", "Fig. 1G and Eq. 71", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.01  # measured: below 1e-4 over twelve seeds

    width: int = 10  # H
    init_scale: float = 5e-4  # epsilon
    learning_rate: float = 0.08  # twice the paper's
    horizon: float = 15.0  # gradient steps times epsilon, since units take a time of order 1/epsilon

    def _task(self) -> TeacherNetwork:
        import jax.numpy as jnp

        return tasks.TeacherNetwork(jnp.eye(2), jnp.ones((1, 2)), numerics.activations.square, jnp.eye(2))

    def predict(self) -> xr.Dataset:
        task = self._task()
        # The teacher as y = x.A x, whose fixed points come as subsets: none, one of the two, both.
        eigenvalues = (task.second[0] * (task.first**2).sum(axis=1)).sort()
        loss = theory.flows.quadratic_network_levels(eigenvalues).loss
        return _panels.stage_levels(loss[0], loss[2], loss[3])

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _panels.measure_stages(
            self,
            networks.Neuron(numerics.activations.square),
            self._task(),
            key,
            steps=round(self.horizon / self.init_scale),
            record=4000,
            effective_width=_count_units,
        )

    draw = staticmethod(_panels.draw_stages)
