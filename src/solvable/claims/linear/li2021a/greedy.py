"""Two layers: the greedy solutions of rising rank, which training passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.linear.li2021a import _setting

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class GreedyRanks(Claim):
    """From vanishing weights a symmetric factorisation passes the greedy solutions of rank 1, 2, ... in order.

    Levels of the loss on the plateaus, and the largest eigenvalues there.
    Breaks as `init_scale` grows: the next direction has grown before the flow has come to rest.
    """

    source = Source("li2021a", "Algorithm GLRL and its theorem", "asymptotic")
    metric, tolerance = max_relative_error("level", "eigenvalue"), 0.02  # measured: 0.008
    limit = ("init_scale", (1e-6, 1e-10, 1e-16))

    eigenvalues: tuple[float, ...] = (10.0, 5.0, 2.5)  # of M
    dim: int = 10  # d
    observed_share: float = 0.75
    task_seed: int = 3
    init_scale: float = 1e-16  # alpha, of W(0) = alpha I
    learning_rate: float = 4e-3
    horizon: float = 20.0  # training time

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task = _setting.make_task(self)
        path = theory.linear.greedy_low_rank(task.gradient, self.dim)
        level = jax.vmap(lambda weights: jnp.sum(task.gradient(weights) ** 2) / 2)(path.weights[:-1])
        return self._label(level, jax.vmap(jnp.linalg.eigvalsh)(path.weights[:-1])[:, -1])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax.numpy as jnp
        import numpy as np

        task = _setting.make_task(self)

        @eqx.filter_jit
        def train(scale):
            return training.gradient_descent(
                networks.balanced_factors(scale * jnp.eye(self.dim), depth=2),
                training.CompletionLoss(task),
                learning_rate=self.learning_rate,
                steps=int(self.horizon / self.learning_rate),
                record=2000,
                observables={"top": lambda network: instruments.top_singular_values(network.coefficients(), 1)[0]},
            )

        run = train(jnp.asarray(self.init_scale))
        plateaus = instruments.find_stages(run.times, run.loss).plateaus[: len(self.eigenvalues)]
        times = np.asarray(run.times)
        at = [np.searchsorted(times, plateau.time) for plateau in plateaus]
        curve = observables(time=("record", times), loss=("record", np.asarray(run.loss)))
        top = np.asarray(run.observables["top"])[at]
        return self._label([plateau.level for plateau in plateaus], top).merge(curve)

    def _label(self, level, eigenvalue) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={"rank": ("rank", np.arange(len(level)), {"long_name": "rank"})},
            level=("rank", level, {"long_name": "loss of the plateau"}),
            # Zero weights have none, which is known beforehand.
            eigenvalue=("rank", 1 + np.asarray(eigenvalue), {"long_name": "1 + largest eigenvalue of W"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = list(
            ax.plot(measurement["time"], measurement["loss"], color=PALETTE[1], label="training")
        )
        for rank, level in enumerate(prediction["level"].values):
            label = "greedy solutions, by rank" if rank == 0 else None
            artists.append(ax.axhline(level, color=PALETTE[0], ls="--", lw=1, label=label))
            ax.annotate(f"{rank}", (self.horizon, level), xytext=(-8, 3), textcoords="offset points")
        ax.set(xlabel="time, learning rate × steps", ylabel="loss over observed entries", yscale="log")
        ax.set_ylim(prediction["level"].values[-1] / 30, prediction["level"].values[0] * 2)
        ax.legend(fontsize="small")
        return artists
