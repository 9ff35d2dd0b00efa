"""Gissin, Shalev-Shwartz, Daniely (2020), The implicit bias of depth: how incremental learning drives generalization.

Their loss has the prefactor 1/(2 N^2) for N weight layers, ours 1/2: their times of a mode are N times ours. Thresholds
do not depend on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class IncrementalThreshold(Claim):
    """The start below which modes come one by one is exponentially small at depth 2, a power beyond.

    The start is searched at which the faster mode is done exactly when the slower one begins.
    Breaks as `learning_rate` grows: steps lag behind the flow, and the threshold amplifies the lag.
    """

    source = Source("gissin2019", "incremental learning, thresholds by depth", "exact")
    metric, tolerance = max_relative_error("threshold"), 0.02  # measured: 0.0043
    limit = ("learning_rate", (8e-3, 4e-3, 2e-3))

    depths: tuple[int, ...] = (2, 3, 4)  # N
    ratios: tuple[float, ...] = (1.5, 2.0, 3.0)  # r = sigma*_i / sigma*_j, of which sigma*_j is 1
    start_share: float = 0.1  # s, where the slower mode begins
    end_share: float = 0.9  # f, where the faster one is done
    smallest: float = 1e-6  # sigma_0 that are tried, up to where the slower mode begins
    learning_rate: float = 2e-3  # eta
    horizon: float = 9.0  # training time
    full = dict(depths=(2, 3, 4, 6), learning_rate=5e-4, horizon=12.0)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        fine = np.linspace(0.1, max(self.ratios) - 1, 40) + 1
        ratios = jnp.asarray(np.append(self.ratios, fine))
        rows = []
        for depth in self.depths:
            shares = {"start_share": self.start_share, "end_share": self.end_share}
            rows.append(np.exp(theory.linear.incremental_threshold(ratios, jnp.ones_like(ratios), depth, **shares)))
        tried, threshold = len(self.ratios), np.stack(rows)
        curve = {"curve": (("depth", "fine"), threshold[:, tried:])}
        return self._label(threshold[:, :tried]).assign(curve).assign_coords(fine=fine)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        logs = np.arange(np.log(self.smallest), np.log(self.start_share), 0.25)
        return self._label([[np.exp(found) for found in self._search(depth, logs)] for depth in self.depths])

    def _search(self, depth: int, logs: np.ndarray) -> list[float]:
        """Logarithm of the start at which both times agree, for every ratio; starts that end too soon do not count."""
        import numpy as np

        times, runs = self._train(depth, logs)
        found = []
        for ratio, strengths in zip(self.ratios, runs, strict=True):
            done, begun = (
                np.array([numerics.first_crossing(times, curve, share) for curve in strengths[:, :, mode]])
                for mode, share in enumerate((self.end_share * ratio, self.start_share))
            )
            known = np.isfinite(done - begun)
            found.append(numerics.first_crossing(logs[known], (begun - done)[known], 0.0))
        return found

    def _train(self, depth: int, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Times, and strengths of the two modes for every ratio and start."""
        import jax
        import jax.numpy as jnp
        import numpy as np

        steps, spacing = int(self.horizon / self.learning_rate), max(1, int(0.02 / self.learning_rate))
        record = np.arange(0, steps, spacing)

        @jax.jit
        def train(ratios, logs):
            def run(ratio, log):
                targets = jnp.stack([ratio, jnp.ones_like(ratio)])
                return training.gradient_descent(
                    networks.balanced_factors(jnp.exp(log) * jnp.eye(2), depth=depth),
                    tasks.Moments(jnp.sum(targets**2), jnp.diag(targets), jnp.eye(2)),
                    learning_rate=self.learning_rate,
                    steps=steps,
                    record=record,
                    observables={"strength": lambda network: jnp.diagonal(network.coefficients())},
                ).observables["strength"]

            return jax.vmap(lambda ratio: jax.vmap(lambda log: run(ratio, log))(logs))(ratios)

        return self.learning_rate * record, np.asarray(train(jnp.asarray(self.ratios), jnp.asarray(logs)))

    def _label(self, threshold) -> xr.Dataset:
        ratio = ("ratio", list(self.ratios), {"long_name": "ratio of the targets"})
        return observables(
            coords={"depth": list(self.depths), "ratio": ratio},
            threshold=(("depth", "ratio"), threshold, {"long_name": "largest start", "scale": "log"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, depth in zip(PALETTE, self.depths, strict=False):
            artists += ax.plot(
                prediction["fine"] - 1, prediction["curve"].sel(depth=depth), color=colour, label=f"depth {depth}"
            )
            found = measurement["threshold"].sel(depth=depth)
            artists += ax.plot(measurement["ratio"] - 1, found, "o", mfc="none", color=colour)
        ax.set(xscale="log", yscale="log", ylim=(1e-12, 0.1))
        ax.set(xlabel="gap of the targets $σ_i^*/σ_j^* - 1$", ylabel="largest start $σ_0$ with modes one by one")
        ax.legend(fontsize="small", title="line: theory, circles: training", title_fontsize="small")
        return artists
