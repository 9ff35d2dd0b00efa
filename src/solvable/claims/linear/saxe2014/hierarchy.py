"""Learning a semantic hierarchy: broad distinctions come first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class HierarchyByLevels(Claim):
    """A hierarchy is learned level by level: what tells broad branches apart before what tells items apart.

    Every node of the tree has one property of its own. Strengths and times of a level are means over its modes.
    Breaks as `learning_rate` grows: steps lag behind the flow.
    """

    source = Source("saxe2014", "hierarchically structured data", "exact")
    metric, tolerance = max_relative_error("time"), 0.0015  # measured: 0.00098
    limit = ("learning_rate", (0.02, 0.01, 0.002))

    branching: tuple[int, ...] = (2, 2, 2)  # of the tree's nodes, from the root down
    start_strength: float = 1e-3  # u_0 of all modes
    width: int = 12
    learning_rate: float = 2e-3  # eta
    full = dict(branching=(2, 2, 2, 2), width=32)

    def _record(self) -> np.ndarray:
        """Steps until the weakest level is learned, which takes about ln(s/u_0)/2s to its half."""
        import numpy as np

        weakest = tasks.hierarchy_modes(self.branching).singular_values.min()
        horizon = 1.5 * np.log(weakest / self.start_strength) / (2 * weakest)
        return np.linspace(0, horizon / self.learning_rate, 201).round().astype(int)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        modes = tasks.hierarchy_modes(self.branching)
        values = jnp.asarray(modes.singular_values[np.unique(modes.levels, return_index=True)[1]])
        start, times = jnp.asarray(self.start_strength), jnp.asarray(self.learning_rate * self._record())
        half = theory.linear.depth_time(jnp.broadcast_to(start, values.shape), values / 2, values, 2.0)
        return self._label(half, theory.linear.logistic_mode(times[None, :], values[:, None], start))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax.numpy as jnp
        import numpy as np

        samples, levels = tasks.hierarchy(self.branching), tasks.hierarchy_modes(self.branching).levels
        moments = tasks.sample_moments(samples, numerics.Monomials(samples.inputs.shape[1], 1))
        left, values, right = np.linalg.svd(moments.sigma_yz, full_matrices=False)
        left, right = jnp.asarray(left), jnp.asarray(right.T)

        @eqx.filter_jit
        def train(key):
            start = networks.greedy_start(
                key, left=left, right=right, log_scale=-0.5 * np.log(self.start_strength), widths=(self.width,)
            )
            return training.gradient_descent(
                start,
                moments,
                learning_rate=self.learning_rate,
                steps=int(self._record()[-1]),
                record=self._record(),
                observables={"strength": lambda network: instruments.mode_strengths(network, left, right)},
            ).observables["strength"]

        strength = np.asarray(train(key))
        half = instruments.half_learning_times(self.learning_rate * self._record(), strength, values)
        over = [levels == level for level in np.unique(levels)]
        return self._label(
            [half[chosen].mean() for chosen in over], np.stack([strength[:, chosen].mean(axis=1) for chosen in over])
        )

    def _label(self, half, strength) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={
                "level": ("level", np.arange(len(self.branching) + 1), {"long_name": "level of the tree"}),
                "at": ("at", self.learning_rate * self._record(), {"long_name": "time, learning rate × steps"}),
            },
            time=("level", half, {"long_name": "time of half learning"}),
            strength=(("level", "at"), strength, {"long_name": "mode strength"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        artists = draw_default(ax, prediction, measurement, "strength")
        ax.set_ylabel("mode strength $u(t)$, by level")
        return artists
