"""Figure 2 C, D: how training depends on the structure and on the scale of the initial weights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.flows.zhang2026 import _power_law

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class LowRankStartVisitsSaddles(Claim):
    """From large weights of rank r the loss drops at once, then pauses at the saddles of rank r and higher.

    A start of rank r visits the levels of rank r, r + 1, ... in order; full rank leaves no plateau. The plateau at rank
    r lengthens by 1/s_{r+1} for every factor e by which the perturbation of the large weights is smaller: exactly so
    for the gradient flow, 2% more for gradient descent with this learning rate. Levels, slopes and numbers of plateaus
    (the end is not counted) are medians over draws of the weights, some of which pass another saddle on their way.
    """

    source = Source("zhang2026", "Fig. 2C and Eq. 12", "asymptotic")
    metric, tolerance = max_relative_error("level", "slope", "plateaus"), 0.03  # measured: 0.021 to 0.022

    exponent: float = 1.0  # kappa
    width: int = 30  # H
    large_scale: float = 0.4  # standard deviation of the weights of the r large directions
    init_scales: tuple[float, ...] = (1e-12, 1e-9)  # epsilon, of the perturbation; levels are read at the first
    learning_rate: float = 0.08
    steps: int = 2500
    num_seeds: int = 5
    full = dict(width=100, num_seeds=25)

    def predict(self) -> xr.Dataset:
        import numpy as np

        points = theory.flows.greedy_fixed_points(_power_law.linear_moments(self.exponent))
        count = _power_law.NUM_MODES
        levels = [points.loss[rank:count] for rank in range(count)]
        return self._label(levels, 1 / points.escape_rate[:count], count - np.arange(count + 1))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        times, losses, strengths = self._train(key)
        count = _power_law.NUM_MODES
        found = [[self._plateaus(times, curve) for curve in losses[rank, :, 0]] for rank in range(count + 1)]
        levels = [_median_last(found[rank], count - rank) for rank in range(count)]
        rises = _power_law.rise_times(times, strengths)
        folds = -np.log(self.init_scales)
        slopes = [
            np.median([np.polyfit(folds, delay, 1)[0] for delay in rises[rank, :, :, rank]]) for rank in range(count)
        ]
        curves = observables(
            coords={"time": ("time", times, _power_law.TIME)}, loss=(("start_rank", "time"), 2 * losses[:, 0, 0])
        )
        plateaus = np.median([[len(levels) for levels in row] for row in found], axis=1)
        return self._label(levels, slopes, plateaus).merge(curves)

    def _train(self, key: jax.Array):
        """Times, losses (rank, seed, scale, record) and singular values of the network's map."""
        import jax
        import jax.numpy as jnp
        import numpy as np

        moments = _power_law.linear_moments(self.exponent)
        watched = {"strength": lambda network: jnp.linalg.svdvals(network.coefficients())}

        def start(rank, seed, scale):
            return networks.low_rank_start(
                networks.Neuron(numerics.activations.identity),
                seed,
                width=self.width,
                input_shape=(_power_law.NUM_MODES,),
                output_dim=_power_law.NUM_MODES,
                rank=rank,
                large_scale=self.large_scale,
                init_scale=scale,
            )

        def run(network):
            return training.gradient_descent(
                network, moments, learning_rate=self.learning_rate, steps=self.steps, record=250, observables=watched
            )

        # Starts are drawn outside of jit: there, ranks share their compiled random numbers.
        seeds, scales = jax.random.split(key, self.num_seeds), jnp.asarray(self.init_scales)
        grids = [
            jax.vmap(jax.vmap(partial(start, rank), (None, 0)), (0, None))(seeds, scales)
            for rank in range(_power_law.NUM_MODES + 1)
        ]
        starts = jax.tree.map(lambda *leaves: jnp.stack(leaves), *grids)
        runs = jax.jit(jax.vmap(jax.vmap(jax.vmap(run))))(starts)
        return np.asarray(runs.times[0, 0, 0]), np.asarray(runs.loss), np.asarray(runs.observables["strength"])

    def _plateaus(self, times, loss) -> list[float]:
        """Levels of all plateaus but the end, where nothing is left to learn."""
        stages = instruments.find_stages(times, loss, min_drop=0.002)
        return [plateau.level for plateau in stages.plateaus[:-1]]

    def _label(self, levels, slopes, plateaus) -> xr.Dataset:
        import numpy as np

        count = _power_law.NUM_MODES
        names = [f"{start} to {rank}" for start in range(count) for rank in range(start, count)]
        return observables(
            coords={"plateau": ("plateau", names, {"long_name": "rank at the start, on the plateau"})},
            level=("plateau", 2 * np.concatenate(levels), {"long_name": "loss on the plateau"}),
            slope=("mode", slopes, {"long_name": "time per factor e of the perturbation"}),
            plateaus=("start_rank", plateaus),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for level in prediction["level"].values[: _power_law.NUM_MODES]:
            artists.append(ax.axhline(level, color="0.5", lw=1))
        for rank, curve in enumerate(measurement["loss"].values):
            artists += ax.plot(measurement["time"].values, curve, ".", ms=3, color=PALETTE[rank], label=f"rank {rank}")
        ax.set(xlabel=_power_law.TIME["long_name"], ylabel="loss, $E|y - f|^2$", yscale="log", ylim=(1e-3, None))
        ax.legend(fontsize="small", title="start (lines: levels, theory)", loc="upper right")
        return artists


class ScaleShortensLinearPlateaus(Claim):
    """Larger initial weights shorten the plateaus of a linear network, by 1/s_k for every factor e.

    A mode's stage is where its singular value in the first layer is at half of what it will be. The prediction is the
    narrow network's, at leading order in epsilon.
    """

    source = Source("zhang2026", "Fig. 2D (linear network)", "asymptotic")
    metric, tolerance = max_relative_error("rise_time", over="mean"), 0.02  # measured: 0.003 to 0.015

    init_scales: tuple[float, ...] = (1e-7, 1e-5, 1e-3)  # epsilon
    exponent: float = 1.0  # kappa
    width: int = 100  # H
    learning_rate: float = 0.1
    steps: int = 900
    num_seeds: int = 8
    full = dict(init_scales=(1e-8, 1e-6, 1e-4, 1e-3), width=400, steps=1100, num_seeds=32)

    def _sweep(self) -> _power_law.Sweep:
        return _power_law.Sweep((self.exponent,), (self.width,), self.init_scales, self.learning_rate, self.steps)

    def predict(self) -> xr.Dataset:
        forecast = _power_law.forecast_linear(self._sweep())
        return self._label((), forecast.loss, forecast.strengths)

    def measure(self, key: jax.Array) -> xr.Dataset:
        runs = _power_law.train_linear(self._sweep(), key, self.num_seeds)
        return self._label(("seed",), runs.loss, runs.observables["strength"])

    def _label(self, seed: tuple[str, ...], loss, strengths) -> xr.Dataset:
        times = self._sweep().times
        return observables(
            coords={"init_scale": list(self.init_scales), "time": ("time", times, _power_law.TIME)},
            rise_time=((*seed, "init_scale", "mode"), _power_law.rise_times(times, strengths)),
            loss=((*seed, "init_scale", "time"), 2 * loss, {"long_name": "loss, $E|y - f|^2$"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        return draw_default(ax, prediction, measurement, "loss")


class ScaleShortensAttentionPlateaus(Claim):
    """Larger initial weights shorten the plateaus of linear attention, in inverse proportion to their size.

    The first escape is that of the quickest of H independent heads; its median over draws of the weights is a quantile
    of one head's blow-up time.
    """

    source = Source("zhang2026", "Fig. 2D (linear self-attention)", "asymptotic")
    metric, tolerance = max_relative_error("escape_time"), 0.07  # measured: 0.014 to 0.041; 4 standard errors: 0.05

    init_scales: tuple[float, ...] = (0.02, 0.04)  # epsilon
    exponent: float = 1.0  # kappa
    width: int = 25  # H, number of heads
    learning_rate: float = 0.3
    steps: int = 240
    num_seeds: int = 192
    full = dict(init_scales=(0.005, 0.01, 0.02, 0.04), steps=900, num_seeds=256)

    def _sweep(self) -> _power_law.Sweep:
        return _power_law.Sweep((self.exponent,), (self.width,), self.init_scales, self.learning_rate, self.steps)

    def predict(self) -> xr.Dataset:
        return self._label(_power_law.forecast_escape(self._sweep()))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        runs = _power_law.train_attention(self._sweep(), key, self.num_seeds)
        return self._label(np.median(_power_law.first_drops(self._sweep().times, runs.loss), axis=0))

    def _label(self, escape_time) -> xr.Dataset:
        words = {"long_name": "size of the initial weights, $\\epsilon$", "scale": "log"}
        return observables(
            coords={"init_scale": ("init_scale", list(self.init_scales), words)},
            escape_time=(
                "init_scale",
                escape_time,
                {"long_name": "median length of the first plateau", "scale": "log"},
            ),
        )


def _median_last(found: list[list[float]], count: int):
    """Medians of the last ``count`` entries, over the rows that have as many."""
    import numpy as np

    return np.median([levels[-count:] for levels in found if len(levels) >= count], axis=0)
