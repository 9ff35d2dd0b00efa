"""Wide networks: whether a minimum or a saddle is nearer to random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.linear.jacot2021 import _setting

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class PhaseDiagram(Claim):
    """With weights of variance w^-gamma a minimum is near for gamma < 1, a saddle for gamma > 1.

    Compared is the factor by which each distance changes as the width doubles. The minimum is the nearest one, found by
    Gauss-Newton steps; the saddle is that of zero outer layers, an upper bound. Means of the logarithm over draws.
    Breaks as `input_dim` grows: only next to it is the width large.
    """

    source = Source("jacot2021", "Theorem 1, phase diagram", "scaling")
    metric, tolerance = max_relative_error("minimum", "saddle"), 0.06  # measured: 0.009 to 0.053 over five seeds
    limit = ("smallest_width", (6, 25, 100))

    gammas: tuple[float, ...] = (0.85, 1.0, 2.5)  # gamma, of variances width^-gamma
    smallest_width: int = 100  # doubled twice
    depth: int = 3  # L
    input_dim: int = 3
    output_dim: int = 4
    strengths: tuple[float, ...] = (2.0, 1.0, 0.4)  # singular values of the map to learn
    draws: int = 6
    full = dict(smallest_width=200, draws=8, gammas=(0.8, 0.9, 1.0, 2.5))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        powers = theory.linear.distance_exponents(jnp.asarray(self.gammas), self.depth)
        return self._label(2**powers.minimum, 2**powers.saddle)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        widths = [self.smallest_width, 2 * self.smallest_width, 4 * self.smallest_width]
        side = max(widths[-1], self.input_dim, self.output_dim)
        normal = np.asarray(jax.random.normal(key, (self.draws, self.depth, side, side)))
        logs = np.log2([[self._distances(normal, width, gamma) for width in widths] for gamma in self.gammas])
        slopes = np.polyfit(np.log2(widths), logs.mean(axis=2).transpose(1, 0, 2).reshape(len(widths), -1), 1)[0]
        return self._label(*2 ** slopes.reshape(-1, 2).T)

    def _distances(self, normal: np.ndarray, width: int, gamma: float) -> list[list[float]]:
        """To the minimum and to the saddle, a pair a draw."""
        import jax.numpy as jnp
        import numpy as np

        left, right = (np.asarray(side) for side in _setting.make_modes(self))
        target = (left * np.asarray(self.strengths)) @ right.T
        sizes = (self.input_dim, *(width,) * (self.depth - 1), self.output_dim)
        found = []
        for draw in normal:
            scaled = draw * width ** (-gamma / 2)
            layers = [jnp.asarray(scaled[k, : sizes[k + 1], : sizes[k]]) for k in range(self.depth)]
            network = networks.linear_network(layers)
            found.append([instruments.distance_to_map(network, target), instruments.distance_to_dead_layers(network)])
        return found

    def _label(self, minimum, saddle) -> xr.Dataset:
        return observables(
            coords={"gamma": ("gamma", list(self.gammas), {"long_name": "$γ$, weights of variance $w^{-γ}$"})},
            minimum=("gamma", minimum, {"long_name": "factor of $d_m$ a doubling"}),
            saddle=("gamma", saddle, {"long_name": "factor of $d_s$ a doubling"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import jax.numpy as jnp
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        fine = jnp.linspace(1 - 1 / self.depth, max(*self.gammas, 1.3), 200)
        powers = theory.linear.distance_exponents(fine, self.depth)
        names = {"minimum": "nearest minimum, $d_m$", "saddle": "saddle, $d_s$"}
        for colour, (name, label) in zip(PALETTE, names.items(), strict=False):
            artists += ax.plot(fine, getattr(powers, name), color=colour, label=label)
            artists += ax.plot(self.gammas, np.log2(measurement[name]), "o", mfc="none", color=colour)
        ax.axvline(1.0, color="0.7", lw=0.8, zorder=0)
        ax.set(xlabel="$γ$, weights of variance $w^{-γ}$", ylabel="exponent of the width $w$")
        ax.legend(fontsize="small", title="distance to the")
        return artists
