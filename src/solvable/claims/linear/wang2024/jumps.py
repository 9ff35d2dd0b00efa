"""SGD with ridge may lower the rank of a deep linear network, and never raises it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class OneWayJumps(Claim):
    """SGD with ridge jumps from minima of higher rank to those of lower rank, and never back.

    A 2 by 2 matrix, one observed entry a step; starts are the minima of rank 2 and 1 themselves, with a little noise on
    all weights, for modes of exactly 0 could not come back anyway. Compared are 1 + the number of times that any run
    gains rank, and the mean strengths at rank 2 at the smallest learning rate.
    Breaks as `perturbation` grows: starts then lie beyond the barrier of the lost mode.
    """

    source = Source("wang2024", "one-way jumps", "law")
    metric, tolerance = max_relative_error("gains", "strength"), 0.05  # measured: 0.004 to 0.023 over five seeds
    limit = ("smallest_rate", (0.08, 0.04, 0.01))

    targets: tuple[float, ...] = (1.0, 0.45)  # singular values y of the matrix
    angles: tuple[float, ...] = (0.6, -0.4)  # of its left and right singular vectors, so that no entry is 0
    ridge: float = 0.075  # lambda, below the thresholds 0.236 and 0.081
    depth: int = 3  # L
    width: int = 4
    perturbation: float = 1e-3  # standard deviation of the noise on every weight of a start
    smallest_rate: float = 0.01
    largest_rate: float = 0.1
    runs: int = 10
    steps: int = 1600
    rank_level: float = 1e-3  # a singular value above this counts
    full = dict(runs=100, steps=6000)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        minima = theory.linear.ridge_mode(jnp.asarray(self.targets), self.ridge, self.depth).minimum
        return self._label(np.ones((2, 2)), minima)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        left, right = (jnp.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in self.angles)
        matrix = (left * jnp.asarray(self.targets)[None, :]) @ right.T
        task = tasks.MatrixCompletion(matrix, jnp.ones((2, 2), bool))
        base, noise, descent = jax.random.split(key, 3)

        @jax.jit
        def settle(kept):
            """The minimum of these modes, by gradient descent from their targets."""
            scales = jnp.tile((kept * jnp.asarray(self.targets)) ** (1 / self.depth), (self.depth, 1))
            start = networks.decoupled_start(
                base, left=left, right=right, scales=scales, widths=(self.width,) * (self.depth - 1)
            )
            loss = training.CompletionLoss(task, self.ridge)
            return training.gradient_descent(start, loss, learning_rate=0.1, steps=2000, record=2).network

        @jax.jit
        def follow(starts, rates, keys):
            def run(start, rate, key):
                return training.completion_sgd(
                    start,
                    task,
                    key=key,
                    learning_rate=rate,
                    steps=self.steps,
                    ridge=self.ridge,
                    record=101,
                    observables={"sizes": lambda network: instruments.top_singular_values(network.coefficients(), 2)},
                ).observables["sizes"]

            return jax.vmap(jax.vmap(jax.vmap(run, (0, None, 0)), (None, 0, None)), (0, None, None))(
                starts, rates, keys
            )

        # One draw of noise for all layers, which is cut to shape, compiles once.
        draws = self.perturbation * jax.random.normal(noise, (self.runs, self.depth, self.width, self.width), float)
        minima = jax.vmap(settle)(jnp.array([[1.0, 1.0], [1.0, 0.0]]))
        layers = [
            layer[:, None] + draws[None, :, place, : layer.shape[1], : layer.shape[2]]
            for place, layer in enumerate(jax.tree.leaves(minima))
        ]
        starts = jax.tree.unflatten(jax.tree.structure(minima), layers)
        rates = jnp.array([self.smallest_rate, self.largest_rate])
        sizes = np.asarray(follow(starts, rates, jax.random.split(descent, self.runs)))
        # The noise on the weights decays within the first tenth.
        ranks = (sizes[:, :, :, 10:] > self.rank_level).sum(axis=-1)
        gains = (np.diff(ranks, axis=3) > 0).sum(axis=(2, 3))
        kept = sizes[0, 0][ranks[0, 0].min(axis=1) == 2][:, 10:]
        strength = kept.mean(axis=(0, 1)) if kept.size else np.full(2, np.nan)
        shown = {"second": (("rate", "run", "record"), sizes[0, :, :8, :, 1])}
        return self._label(1 + gains, strength).assign(shown).assign_coords(record=np.linspace(0, self.steps, 101))

    def _label(self, gains, strength) -> xr.Dataset:
        return observables(
            coords={"rank": [2, 1], "rate": [self.smallest_rate, self.largest_rate], "mode": [1, 2]},
            gains=(("rank", "rate"), gains, {"long_name": "1 + gains of rank"}),
            strength=("mode", strength, {"long_name": "strength at rank 2"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, rate in zip(PALETTE[1:], (self.smallest_rate, self.largest_rate), strict=False):
            for place, run in enumerate(measurement["second"].sel(rate=rate)):
                label = f"$η = {rate:g}$, one run each" if place == 0 else None
                artists += ax.plot(measurement["record"], run, color=colour, lw=1, alpha=0.8, label=label)
        minimum = float(prediction["strength"][1])
        artists.append(ax.axhline(minimum, color=PALETTE[0], ls="--", label="theory, minimum of rank 2"))
        ax.set(xlabel="step of SGD", ylabel="second singular value", yscale="log", ylim=(1e-8, 1))
        ax.legend(fontsize="small", loc="lower left")
        return artists
