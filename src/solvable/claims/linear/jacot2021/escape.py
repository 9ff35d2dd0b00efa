"""The way out of the origin: how long it takes from any direction, and that it is of rank one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from solvable import networks, theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.linear.jacot2021 import _setting

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class OptimalEscape(Claim):
    """Along the optimal direction the distance d from the origin grows as d' = s* d^(L - 1).

    Compared are the times at which it passes several distances; inputs are white.
    Breaks as `end_distance` grows: the map is then no longer small next to the task.
    """

    source = Source("jacot2021", "optimal escape paths and their speed", "asymptotic")
    metric, tolerance = max_relative_error("time"), 0.006  # measured: 0.0045 for any seed
    limit = ("end_distance", (0.8, 0.5, 0.2))

    strengths: tuple[float, ...] = (2.0, 1.0, 0.4)  # s_k of E[y x^T]
    input_dim: int = 3
    output_dim: int = 4
    anisotropy: float = 0.0  # of the inputs
    depths: tuple[int, ...] = (2, 3)  # L
    width: int = 6
    start_distance: float = 0.05  # d_0
    end_distance: float = 0.2  # the largest distance compared
    learning_rate: float = 2e-3
    horizon: float = 18.0  # training time
    full = dict(width=50, learning_rate=5e-4)

    def _distances(self) -> np.ndarray:
        import numpy as np

        return np.geomspace(self.start_distance, self.end_distance, 6)[1:]

    def predict(self) -> xr.Dataset:
        import numpy as np

        distances = self._distances()
        speeds = [theory.linear.optimal_speed(self.strengths[0], depth) for depth in self.depths]
        times = [
            theory.linear.straight_time(self.start_distance, distances, speed, depth)
            for depth, speed in zip(self.depths, speeds, strict=True)
        ]
        return self._label(np.stack(times))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        return self._label(np.stack([self._train(depth, key) for depth in self.depths]))

    def _train(self, depth: int, key: jax.Array) -> np.ndarray:
        import jax
        import jax.numpy as jnp
        import numpy as np

        (left, right), moments = _setting.make_modes(self), _setting.make_moments(self)
        scales = jnp.full((depth, 1), self.start_distance / depth**0.5)

        @jax.jit
        def run(key):
            start = networks.decoupled_start(
                key, left=left[:, :1], right=right[:, :1], scales=scales, widths=(self.width,) * (depth - 1)
            )
            steps = int(self.horizon / self.learning_rate)
            return _setting.leave(start, moments, learning_rate=self.learning_rate, steps=steps, record=2001)[:2]

        times, norms = run(key)
        return np.array([_setting.crossing_time(times, norms, distance) for distance in self._distances()])

    def _label(self, times) -> xr.Dataset:
        distance = ("distance", self._distances(), {"long_name": "distance from the origin", "scale": "log"})
        return observables(
            coords={"depth": list(self.depths), "distance": distance},
            time=(("depth", "distance"), times, {"long_name": "time", "scale": "log"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, depth in zip(PALETTE, self.depths, strict=False):
            speed = theory.linear.optimal_speed(self.strengths[0], depth)
            end = float(prediction["time"].sel(depth=depth).max())
            times = np.linspace(0, end, 200)
            path = theory.linear.straight_distance(times, self.start_distance, speed, depth)
            artists += ax.plot(times / end, path, color=colour, label=f"$L = {depth}$, ends at $t = {end:.1f}$")
            found = measurement["time"].sel(depth=depth) / end
            artists += ax.plot(found, measurement["distance"], "o", mfc="none", color=colour)
        ax.set(xlabel="time, in units of its end", ylabel="distance from the origin", yscale="log")
        ax.legend(fontsize="small")
        return artists


class RandomEscape(Claim):
    """Small random weights leave the origin after c/((L - 2) s* d^(L - 2)), each direction with its own c.

    At depth 2 that is ln(1/d)/s plus a constant. Theory's c is that of the homogeneous flow. The map that leaves is of
    rank one: the ratio of its two largest singular values vanishes as the power of the scale that is compared.
    Breaks as `init_distance` grows: the loss is then not homogeneous on the way.
    """

    source = Source("jacot2021", "escape from the origin at random initialisation", "asymptotic")
    metric, tolerance = (
        max_relative_error("time", "exponent"),
        0.04,
    )  # measured: 0.030, all of it from the exponent; times 0.0025
    limit = ("init_distance", (0.2, 0.1, 0.05))

    strengths: tuple[float, ...] = (2.0, 1.0, 0.4)  # s_k of E[y x^T]
    input_dim: int = 3
    output_dim: int = 4
    anisotropy: float = 0.0  # of the inputs
    depth: int = 3  # L
    width: int = 6
    init_distance: float = 0.05  # d_0, norm of all weights at the start
    shrink: float = 0.5  # of the start, for the second of the two runs whose ratio gives the exponent
    end_distance: float = 0.3  # at which weights have left
    starts: int = 6  # random directions
    start_seed: int = 0
    learning_rate: float = 0.01
    horizon: float = 8.0  # training time in units of the natural one, 1 / (s_1 d_0^(L - 2))
    full = dict(depth=4, init_distance=0.1, starts=16, horizon=20.0)

    def _scales(self) -> np.ndarray:
        import numpy as np

        return self.init_distance * np.array([1.0, self.shrink])

    def _directions(self):
        """Gaussian weights of norm 1, layers from the input up."""
        import jax.numpy as jnp
        import numpy as np

        sizes = (self.input_dim, *(self.width,) * (self.depth - 1), self.output_dim)
        rng = np.random.default_rng(self.start_seed)
        layers = [rng.normal(size=(self.starts, above, below)) for below, above in pairwise(sizes)]
        norm = np.sqrt(sum(np.sum(layer**2, axis=(1, 2)) for layer in layers))
        return tuple(jnp.asarray(layer / norm[:, None, None]) for layer in layers)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        shared, scales = _setting.make_moments(self).sigma_yz, self._scales()
        escape = jax.jit(jax.vmap(lambda weights: theory.linear.random_escape(shared, weights)))(self._directions())
        start = escape.distance[:, None] * scales[None, :]
        times = theory.linear.straight_time(start, self.end_distance, escape.speed[:, None], self.depth)
        exponent = theory.linear.rank_exponent(jnp.asarray(self.strengths), self.depth)
        return self._label(times, exponent)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        moments, scales = _setting.make_moments(self), self._scales()
        natural = np.log(1 / scales) if self.depth == 2 else scales ** (2.0 - self.depth)
        rates = jnp.asarray(self.learning_rate * natural / natural[0])
        steps = int(self.horizon * natural[0] / self.strengths[0] / self.learning_rate)

        def run(direction, scale, rate):
            start = networks.linear_network([scale * layer for layer in direction])
            return _setting.leave(start, moments, learning_rate=rate, steps=steps, record=1001)

        both = jax.vmap(jax.vmap(run, (None, 0, 0)), (0, None, None))
        records = [np.asarray(part) for part in jax.jit(both)(self._directions(), jnp.asarray(scales), rates)]
        times, ratios = np.vectorize(self._read, signature="(t),(t),(t,o,i)->(),()")(*records)
        slope = np.diff(np.log(ratios), axis=1)[:, 0] / np.log(self.shrink)
        return self._label(times, slope.mean())

    def _read(self, times: np.ndarray, norms: np.ndarray, maps: np.ndarray) -> tuple[float, float]:
        """When the weights have left, and how far from rank one their map then is."""
        import numpy as np

        time = _setting.crossing_time(times, norms, self.end_distance)
        if not time > 0:
            return np.nan, np.nan
        after = int(np.searchsorted(times, time))
        sizes = np.linalg.svd(maps[after - 1 : after + 1], compute_uv=False)
        share = (time - times[after - 1]) / (times[after] - times[after - 1])
        logs = np.log(sizes[:, 1] / sizes[:, 0])
        return time, float(np.exp(logs[0] + share * (logs[1] - logs[0])))

    def _label(self, times, exponent) -> xr.Dataset:
        distance = ("start", self._scales(), {"long_name": "$d_0$"})
        return observables(
            coords={"start": distance},
            time=(("direction", "start"), times, {"long_name": "time to escape"}),
            exponent=exponent,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, scale in zip(PALETTE, self._scales(), strict=False):
            theory_, found = (side["time"].sel(start=scale) for side in (prediction, measurement))
            artists += ax.plot(theory_, found, "o", mfc="none", color=colour, label=f"measured, $d_0 = {scale:g}$")
        ends = [float(prediction["time"].min()) * 0.8, float(prediction["time"].max()) * 1.25]
        artists += ax.plot(ends, ends, color="0.4", label="theory")
        powers = [float(side["exponent"]) for side in (prediction, measurement)]
        ax.text(0.97, 0.05, f"$σ_2/σ_1 ∼ d_0^k$: theory $k = {powers[0]:.2f}$, measured {powers[1]:.2f}",
                transform=ax.transAxes, ha="right")  # fmt: skip
        ax.set(xlabel="predicted time to escape", ylabel="measured time", xscale="log", yscale="log")
        ax.legend(fontsize="small")
        return artists
