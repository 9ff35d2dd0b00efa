"""From small weights the loss rests where the best map of each rank has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.linear.jacot2021 import _setting

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class RankPlateaus(Claim):
    """A small deep linear network rests at the losses of the best maps of rank 0, 1, 2, ..., one after the other.

    Random starts; the last level, 0 here, is not compared.
    Breaks as `init_scale` grows: the network passes by the saddles.
    """

    source = Source("jacot2021", "first path; the later ones conjectured", "asymptotic")
    metric, tolerance = max_relative_error("level"), 0.015  # measured: 0.001 to 0.008 over five seeds
    limit = ("init_scale", (0.08, 0.04, 0.01))

    strengths: tuple[float, ...] = (2.0, 1.0, 0.4)  # s_k of E[y x^T]
    input_dim: int = 3
    output_dim: int = 4
    anisotropy: float = 0.0  # of the inputs
    depth: int = 3  # L
    width: int = 8
    init_scale: float = 0.01  # standard deviation of every weight
    seeds: int = 3
    learning_rate: float = 0.1
    steps: int = 10_000
    full = dict(init_scale=0.005, seeds=8, steps=30_000)

    def predict(self) -> xr.Dataset:
        levels = theory.flows.greedy_fixed_points(_setting.make_moments(self)).loss[:-1]
        return self._label("rank", levels)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        moments = _setting.make_moments(self)

        @jax.jit
        def train(layers):
            start = networks.linear_network(layers)
            return training.gradient_descent(
                start, moments, learning_rate=self.learning_rate, steps=self.steps, record=501
            ).observables["loss"]

        # One draw for all layers, which is cut to shape, compiles once.
        sizes = (self.input_dim, *(self.width,) * (self.depth - 1), self.output_dim)
        draws = self.init_scale * jax.random.normal(key, (self.seeds, self.depth, max(sizes), max(sizes)), float)
        layers = tuple(draws[:, k, : sizes[k + 1], : sizes[k]] for k in range(self.depth))
        losses = np.asarray(jax.vmap(train)(layers))
        times = self.learning_rate * np.linspace(0, self.steps, losses.shape[1]).round()
        rests = [instruments.find_stages(times, loss).plateaus for loss in losses]
        count = len(self.strengths)
        levels = np.array([[rest.level for rest in found][:count] + [np.nan] * (count - len(found)) for found in rests])
        curve = {"curve": (("seed", "time"), losses)}
        return self._label(("seed", "rank"), levels).assign(curve).assign_coords(time=times)

    def _label(self, dims, levels) -> xr.Dataset:
        rank = ("rank", range(len(self.strengths)), {"long_name": "rank of the map"})
        return observables(coords={"rank": rank}, level=(dims, levels, {"long_name": "loss at rest"}))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for level in prediction["level"].values:
            artists.append(ax.axhline(level, color=PALETTE[0], ls="--", lw=1))
        artists[0].set_label("theory, best map of each rank")
        for seed, curve in enumerate(measurement["curve"]):
            label = "measured, one seed each" if seed == 0 else None
            artists += ax.plot(measurement["time"], curve, color="0.4", lw=1, alpha=0.8, label=label)
        ax.set(xlabel="time", ylabel="loss", ylim=(0, None), xscale="log", xlim=(1, None))
        ax.legend(fontsize="small")
        return artists
