"""Units linear in their weights: what separates, where training rests, and how it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr


class DirectionExponent(Claim):
    """When weights along the top direction are large, the rest is of order epsilon^(1 - s2/s1)."""

    source = Source("zhang2026", "Theorem 4, Eq. 39", "scaling")
    metric, tolerance = max_relative_error("exponent"), 0.02  # measured: 0.001 to 0.004 over ten seeds

    singular_values: tuple[float, ...] = (1.0, 0.6, 0.3, 0.1)  # s_k of Sigma_yx
    input_dim: int = 6  # N_u
    width: int = 8  # H
    init_scales: tuple[float, ...] = (1e-12, 1e-10, 1e-8, 1e-6, 1e-4)  # epsilon
    large: float = 0.01  # norm along the top direction at which the rest is read
    full = dict(width=64)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        return observables(exponent=theory.flows.separation_exponent(jnp.asarray(self.singular_values)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        count = len(self.singular_values)
        weights = jnp.zeros((count, self.input_dim)).at[:, :count].set(jnp.diag(jnp.asarray(self.singular_values)))
        task = tasks.linear_teacher(weights)
        # The top direction is the first axis of inputs and of outputs, so that the rest is the other entries.
        split = {
            "top": lambda network: jnp.abs(network.first[:, 0] + network.second[0]) / jnp.sqrt(2.0),
            "total": lambda network: jnp.sqrt(jnp.sum(network.first**2, axis=1) + jnp.sum(network.second**2, axis=0)),
        }
        horizon = 1.3 * np.log(1 / min(self.init_scales)) / self.singular_values[0]
        steps = int(horizon / 0.01)

        def rest(scale):
            network = networks.initialise(
                networks.Neuron(numerics.activations.identity),
                key,
                width=self.width,
                input_shape=(self.input_dim,),
                output_dim=count,
                init_scale=scale,
            )
            run = training.gradient_descent(
                network, task, learning_rate=0.01, steps=steps, record=steps // 4, observables=split
            )
            reached = jnp.argmax(jnp.max(run.observables["top"], axis=1) > self.large)
            top, total = run.observables["top"][reached], run.observables["total"][reached]
            return jnp.sqrt(jnp.sum(total**2 - top**2) / jnp.sum(top**2))

        rests = jax.jit(jax.vmap(rest))(jnp.asarray(self.init_scales))
        slope = np.polyfit(np.log(self.init_scales), np.log(rests), 1)[0]
        return observables(exponent=slope)
