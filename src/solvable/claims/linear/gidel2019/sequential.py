"""From vanishing weights a two-layer network learns one mode after the other; a one-layer network all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.linear.gidel2019 import _setting

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class SequentialLearning(Claim):
    """In units of delta, two layers of weights exp(-delta) learn mode i at 1/sigma_i, up to sigma_i / lambda_i.

    The time of a mode is that of half its strength; beside it, markers show one layer, which learns all at once.
    Breaks as `angle` grows: inputs no longer vary along the modes, which then mix.
    """

    source = Source("gidel2019", "Theorem 1, vanishing initialisation", "asymptotic")
    metric, tolerance = max_relative_error("time", "height"), 0.02  # measured: 0.012
    limit = ("log_scale", (4.0, 8.0, 16.0))

    covariances: tuple[float, ...] = (1.5, 1.0, 0.6, 0.4)  # sigma_i
    variances: tuple[float, ...] = (2.0, 1.5, 0.5, 0.5, 1.2, 0.7)  # lambda_i, the modes' first
    output_dim: int = 5
    width: int = 6
    log_scale: float = 16.0  # delta; beyond 17 the rounding of large weights outweighs small ones
    learning_rate: float = 1e-3  # eta
    horizon: float = 3.0  # training time in units of delta
    angle: float = 0.0  # of the axes along which inputs vary against the modes, in radians
    full = dict(learning_rate=1e-4, width=40)

    def _record(self, horizon: float) -> np.ndarray:
        import numpy as np

        return np.unique(np.linspace(0, horizon / self.learning_rate, 1001).round().astype(int))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        covariances = jnp.asarray(self.covariances)
        variances = jnp.asarray(self.variances[: covariances.size])
        scaled = np.linspace(0, self.horizon, 601)
        steps = theory.linear.sequential_limit(jnp.asarray(scaled)[:, None], covariances[None, :], variances[None, :])
        end = theory.linear.sequential_limit(jnp.full_like(covariances, self.horizon), covariances, variances)
        return self._label(1 / np.asarray(covariances), end, scaled, steps)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        record = self._record(self.horizon * self.log_scale)
        strength = np.asarray(_setting.train(self, record, key))
        scaled = record * self.learning_rate / self.log_scale
        half = instruments.half_learning_times(scaled, strength)
        shallow = np.asarray(_setting.train(self, record, key, layers=1))
        return self._label(half, strength[-1], scaled, strength, shallow=(("at", "mode"), shallow))

    def _label(self, time, height, at, strength, **more) -> xr.Dataset:
        return observables(
            coords={
                "mode": ("mode", self.covariances, {"long_name": "covariance σ"}),
                "at": ("at", at, {"long_name": "time in units of δ"}),
            },
            time=("mode", time, {"long_name": "time of half learning, in units of δ"}),
            height=("mode", height, {"long_name": "strength in the end"}),
            strength=(("at", "mode"), strength, {"long_name": "mode strength"}),
            **more,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from matplotlib.lines import Line2D

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, mode in zip(PALETTE, self.covariances, strict=False):
            theory_, found = prediction.sel(mode=mode), measurement.sel(mode=mode)
            artists += ax.plot(prediction["at"], theory_["strength"], color=colour, label=f"σ = {mode:g}")
            artists += ax.plot(found["at"][::20], found["strength"][::20], "o", ms=4, mfc="none", color=colour)
            artists += ax.plot(found["at"][::20], found["shallow"][::20], "x", ms=3, alpha=0.4, color=colour)
        handles, _ = ax.get_legend_handles_labels()
        for label, marker, line in (("theory, δ → ∞", "", "-"), ("two layers", "o", ""), ("one layer", "x", "")):
            handles.append(Line2D([], [], color="0.3", marker=marker, ls=line, mfc="none", label=label))
        ax.legend(handles=handles, fontsize="small", ncols=2, loc="upper left")
        ax.set(xlabel="time in units of $δ$", ylabel="mode strength $w(δt)$", xlim=(0, self.horizon))
        ax.set_ylim(0, 1.45 * float(prediction["height"].max()))
        return artists
