"""With ridge, a mode of a deep linear network lives or dies by the strength that it starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class RidgeBarrier(Claim):
    """With ridge on three layers or more, a mode has a minimum besides 0, and a barrier between the two.

    One mode; the barrier is where starts of balanced layers begin to survive, between neighbouring ones of a grid.
    Breaks as `imbalance` grows: layers lose strength on their way to balance.
    """

    source = Source("wang2024", "minima of every rank; single modes derived", "exact")
    metric, tolerance = (
        max_relative_error("minimum", "barrier"),
        0.03,
    )  # measured: 0.019, what the grid of starts resolves
    limit = ("starts", (10, 40, 200))

    target: float = 1.0  # y
    depth: int = 3  # L
    ridges: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2)  # lambda; the threshold of this target is 0.236
    imbalance: float = 0.0  # ln of the first layer over the last one, halved
    least: float = 1e-4  # the smallest start
    starts: int = 200  # from the smallest one to the target, evenly in the logarithm
    learning_rate: float = 0.05
    steps: int = 4000
    full = dict(starts=1000, learning_rate=0.02, steps=20_000)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        fine = np.linspace(0.005, max(self.ridges) * 1.3, 300)
        mode = theory.linear.ridge_mode(self.target, jnp.concatenate([jnp.asarray(self.ridges), fine]), self.depth)
        tried = len(self.ridges)
        curves = {
            "upper": ("fine", np.asarray(mode.minimum[tried:])),
            "lower": ("fine", np.asarray(mode.barrier[tried:])),
        }
        return self._label(mode.minimum[:tried], mode.barrier[:tried]).assign(curves).assign_coords(fine=fine)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        one = jnp.ones((1, 1))
        task = tasks.MatrixCompletion(self.target * one, one > 0)
        tilts = np.exp(self.imbalance * np.linspace(1, -1, self.depth))

        @jax.jit
        @jax.vmap
        def end(ridge, strength):
            scales = (strength ** (1 / self.depth) * jnp.asarray(tilts))[:, None]
            start = networks.decoupled_start(key, left=one, right=one, scales=scales, widths=(1,) * (self.depth - 1))
            run = training.gradient_descent(
                start,
                training.CompletionLoss(task, ridge),
                learning_rate=self.learning_rate,
                steps=self.steps,
                record=2,
            )
            return run.network.coefficients()[0, 0]

        starts = np.geomspace(self.least, self.target, self.starts)
        ridges, strengths = np.meshgrid(self.ridges, starts, indexing="ij")
        ends = np.asarray(end(jnp.asarray(ridges.ravel()), jnp.asarray(strengths.ravel()))).reshape(ridges.shape)
        first = np.argmax(ends > self.target / 100, axis=1)
        return self._label(ends[:, -1], np.sqrt(starts[first] * starts[first - 1]))

    def _label(self, minimum, barrier) -> xr.Dataset:
        return observables(
            coords={"ridge": ("ridge", list(self.ridges), {"long_name": "ridge λ"})},
            minimum=("ridge", minimum),
            barrier=("ridge", barrier),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        alive = np.isfinite(prediction["lower"].values)
        fine = prediction["fine"].values[alive]
        pairs = (("upper", "minimum", "minimum", "-"), ("lower", "barrier", "barrier, where survival begins", "--"))
        for colour, (curve, name, label, style) in zip(PALETTE, pairs, strict=False):
            artists += ax.plot(fine, prediction[curve].values[alive], style, color=colour, label=label)
            artists += ax.plot(self.ridges, measurement[name], "o", mfc="none", color=colour)
        ax.set(xlabel="ridge $λ$", ylabel="strength $σ$ of the mode", yscale="log")
        ax.legend(fontsize="small")
        return artists
