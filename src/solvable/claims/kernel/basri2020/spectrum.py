"""Eigenvalues and eigenfunctions under a density."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import numerics, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.kernel.basri2020._points import equal_arcs, sampled_kernel
from solvable.errors import OutsideDomain

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class FrequenciesFollowTheDensity(Claim):
    """Eigenfunctions of high frequency oscillate as the root of the density, their eigenvalues fall as 1/q².

    Eigenvalues come in pairs, cosine and sine, whose geometric means are compared. Fourier modes, exact at every
    frequency, are compared too.
    """

    source = Source("basri2020", "Theorem 1: eigenfunctions on the circle", "asymptotic")
    metric, tolerance = max_relative_error("pair", "eigenvalue"), 0.012  # measured: 0.0094, without randomness
    limit = ("order", (5, 20))

    order: int = 20  # q, the least of three
    masses: tuple[float, ...] = (1.0, 2.0, 4.0)  # of arcs of one length, up to a factor
    num_waves: int = 150  # M of the Fourier modes
    num_points: int = 600
    full = dict(order=25, num_points=2400, num_waves=300)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        density = equal_arcs(self.masses)
        arcs = jnp.asarray(density.edges), jnp.asarray(density.masses)
        modes = theory.kernel.density_modes(theory.kernel.relu_layer_spectrum(self.num_waves + 1), *arcs)
        waves = theory.kernel.local_waves(jnp.arange(self.order, self.order + 3), *arcs)
        return self._label(waves.eigenvalues, modes.eigenvalues[: 2 * self.order])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        del key  # points in the middle of equal cells
        gram, _ = sampled_kernel(equal_arcs(self.masses).spread(self.num_points))
        found = np.asarray(jnp.linalg.eigvalsh(gram))[::-1]
        first = 2 * np.arange(self.order, self.order + 3) - 1
        return self._label(np.sqrt(found[first] * found[first + 1]), found[: 2 * self.order])

    def _label(self, pair: Any, eigenvalue: Any) -> xr.Dataset:
        import numpy as np

        words = {"long_name": "eigenvalue", "scale": "log"}
        return observables(
            coords={
                "order": ("order", self.order + np.arange(3), {"long_name": "order $q$"}),
                "rank": ("rank", np.arange(2 * self.order), {"long_name": "rank"}),
            },
            pair=("order", pair, words),
            eigenvalue=("rank", eigenvalue, words),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import jax.numpy as jnp
        import numpy as np

        from solvable.report.figures import PALETTE

        density = equal_arcs(self.masses)
        orders = np.geomspace(0.8, 1.5 * self.order, 50)
        arcs = jnp.asarray(density.edges), jnp.asarray(density.masses)
        waves = theory.kernel.local_waves(jnp.asarray(orders), *arcs)
        ranks = prediction["rank"].values
        artists: list[Artist] = []
        artists += ax.plot((ranks[1:] + 0.5) / 2, prediction["eigenvalue"][1:], color=PALETTE[0], label="Fourier modes")
        artists += ax.plot(orders, waves.eigenvalues, "--", color=PALETTE[1], label="$Z^2/πq^2$")
        artists += ax.plot(
            (ranks[1:] + 0.5) / 2, measurement["eigenvalue"][1:], "o", ms=4, mfc="none", color="k", label="measured"
        )
        ax.set(xscale="log", yscale="log", xlabel="order $q$, half the rank", ylabel="eigenvalue")
        ax.legend(fontsize="small", loc="lower left")
        inset = ax.inset_axes((0.5, 0.5, 0.48, 0.4))
        modes = theory.kernel.density_modes(theory.kernel.relu_layer_spectrum(self.num_waves + 1), *arcs)
        angles = jnp.linspace(0, 2 * jnp.pi, 600)
        artists += inset.plot(angles, modes.evaluate(angles)[min(17, 2 * self.num_waves)], lw=1, color=PALETTE[0])
        for edge in density.edges[1:-1]:
            inset.axvline(edge, color="0.6", lw=0.8)
        inset.set_title(
            f"17th eigenfunction; densities {' : '.join(f'{m:g}' for m in self.masses)}", fontsize="x-small"
        )
        inset.set(xticks=[], yticks=[])
        return artists


class ExactSplittingUnderADensity(Claim):
    """Under a density that repeats six times, eigenfunctions solve a wave equation exactly, frequency by frequency.

    Those that change sign from each period to the next: pairs of eigenvalues split, one by each density.
    """

    source = Source("basri2020", "Proposition: differential equation of the eigenfunctions", "exact")
    metric, tolerance = max_relative_error("eigenvalue"), 0.004  # measured: 0.0030, without randomness
    limit = ("num_points", (120, 600))

    ratio: float = 3.0  # of both densities
    share: float = 0.4  # of each period that is dense
    num_points: int = 600  # about as many, of the whole circle
    num_eigenvalues: int = 6
    full = dict(num_points=3000)

    def validate(self) -> None:
        if not (self.ratio > 0 and 0 < self.share < 1):
            raise OutsideDomain(f"`share` is {self.share} and `ratio` {self.ratio}; both are above 0, `share` below 1.")

    def _period(self) -> tuple[np.ndarray, np.ndarray]:
        """Lengths and masses of the two arcs."""
        import numpy as np

        lengths = np.pi / 3 * np.array([1 - self.share, self.share])
        masses = lengths * np.array([1, self.ratio])
        return lengths, masses / masses.sum() / 6

    def predict(self) -> xr.Dataset:
        lengths, masses = self._period()
        return self._label(theory.kernel.antiperiodic_eigenvalues(lengths, masses / lengths, self.num_eigenvalues))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        del key  # points in the middle of equal cells
        lengths, masses = self._period()
        edges = np.append(0, np.cumsum(np.tile(lengths, 6)))
        edges[-1] = 2 * np.pi
        points = tasks.CircleDensity(edges, np.tile(masses, 6)).spread(self.num_points)
        first = points.weights.size // 6

        @jax.jit
        def solve(inputs, root):
            # Functions that change sign five times are functions on the first period.
            gram = numerics.gram_matrix(numerics.ReluLayerKernel(), inputs[:first], inputs)
            folded = jnp.tensordot(gram.reshape(first, 6, first), jnp.asarray([1.0, -1.0] * 3), (1, 0))
            return jnp.linalg.eigvalsh(root[:, None] * folded * root[None, :])[::-1]

        found = solve(points.inputs, jnp.sqrt(jnp.asarray(points.weights[:first])))
        return self._label(found[: self.num_eigenvalues])

    def _label(self, eigenvalue: Any) -> xr.Dataset:
        import numpy as np

        rank = ("rank", 1 + np.arange(self.num_eigenvalues), {"long_name": "rank among those that change sign"})
        return observables(
            coords={"rank": rank}, eigenvalue=("rank", eigenvalue, {"long_name": "eigenvalue", "scale": "log"})
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import jax.numpy as jnp
        import numpy as np

        from solvable.report.figures import PALETTE

        orders = 3 * (2 * np.arange((self.num_eigenvalues + 1) // 2) + 1)
        lengths, masses = self._period()
        edges = jnp.asarray(np.append(0, np.cumsum(np.tile(lengths, 6))))
        waves = theory.kernel.local_waves(jnp.asarray(orders), edges, jnp.asarray(np.tile(masses, 6)))
        artists: list[Artist] = []
        artists += ax.plot(
            prediction["rank"], prediction["eigenvalue"], "_", ms=26, mew=2, color=PALETTE[0], label="exact"
        )
        pairs = np.repeat(np.asarray(waves.eigenvalues), 2)[: self.num_eigenvalues]
        artists += ax.plot(prediction["rank"], pairs, ":", drawstyle="steps-mid", color=PALETTE[1], label="$Z^2/πq^2$")
        artists += ax.plot(measurement["rank"], measurement["eigenvalue"], "o", mfc="none", color="k", label="measured")
        ax.set(yscale="log", xlabel=prediction["rank"].attrs["long_name"], ylabel="eigenvalue")
        ax.legend(fontsize="small")
        return artists
