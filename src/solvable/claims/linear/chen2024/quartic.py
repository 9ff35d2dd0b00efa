"""One weight in a quartic double well, under noise that vanishes where the weight does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class QuarticLaw(Claim):
    """Under multiplicative noise the square of a weight in a quartic well follows a Gamma law.

    SGD with Gaussian noise of variance zeta^2 / learning_rate, late in many runs; errors of moments are statistical by
    a per cent.
    Breaks as `learning_rate` grows: the law is that of small steps.
    """

    source = Source("chen2024", "stationary law of the quartic example", "asymptotic")
    metric, tolerance = max_relative_error("second", "fourth"), 0.05  # measured: 0.006 to 0.04 over five seeds
    limit = ("learning_rate", (0.1, 0.05, 0.0125))

    drift: float = 1.0  # mu; the loss is (theta^2 - mu)^2 / 4
    noises: tuple[float, ...] = (0.25, 0.5, 1.0)  # zeta^2, below 2 mu, where all collapses
    learning_rate: float = 0.0125  # eta
    horizon: float = 100.0  # training time; its first quarter is left out
    chains: int = 600
    full = dict(learning_rate=0.003, chains=4000)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        fine = np.linspace(0.02, 2.2, 200)

        @jax.jit
        def solve(noises):
            law = theory.linear.quartic_law(self.drift, jnp.sqrt(noises))
            density = jax.vmap(lambda distance: law.log_density(distance))(jnp.asarray(fine))
            return law.mean_square, law.mean_fourth, jnp.exp(density)

        *moments, density = solve(jnp.asarray(self.noises))
        curves = {"density": (("fine", "noise"), np.asarray(density))}
        return self._label(*moments).assign(curves).assign_coords(fine=fine)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        noises = jnp.asarray(self.noises)
        steps = 40 * round(self.horizon / self.learning_rate / 40)
        step = training.QuarticSGD(self.drift, jnp.sqrt(noises / self.learning_rate)[:, None], self.learning_rate)
        logs = training.follow_chains(step, jnp.zeros((noises.size, self.chains)), key, steps=steps, record=41)
        late = np.exp(np.asarray(logs)[11:])
        edges = np.linspace(0, 2.2, 31)
        heights = [
            np.histogram(late[:, level], edges)[0] / late[:, level].size / edges[1] for level in range(len(noises))
        ]
        found = self._label((late**2).mean((0, 2)), (late**4).mean((0, 2)))
        return found.assign(histogram=(("noise", "bin"), np.stack(heights))).assign_coords(
            bin=(edges[1:] + edges[:-1]) / 2
        )

    def _label(self, second, fourth) -> xr.Dataset:
        return observables(
            coords={"noise": ("noise", list(self.noises), {"long_name": "noise $ζ^2$"})},
            second=("noise", second, {"long_name": "E θ²"}),
            fourth=("noise", fourth, {"long_name": "E θ⁴"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, noise in zip(PALETTE, self.noises, strict=False):
            curve, bars = prediction["density"].sel(noise=noise), measurement["histogram"].sel(noise=noise)
            artists += ax.plot(prediction["fine"], curve, color=colour, label=f"$ζ^2 = {noise:g}$")
            artists += ax.plot(measurement["bin"], bars, "o", mfc="none", ms=4, color=colour)
        ax.set(xlabel="size of the weight $|θ|$", ylabel="density", ylim=(0, 1.15 * measurement["histogram"].max()))
        ax.legend(fontsize="small", title="noise (collapse at 2μ)")
        return artists


class GrowthExponent(Claim):
    """At finite steps a weight collapses within a window of noises, where it shrinks in the mean of its logarithm.

    Measured on the map theta -> theta (1 + a + b xi) of steps near 0, many chains of it. Compared is the factor a step,
    and the two ends of the window by interpolation. From a = 0.278 on there is no window.
    Breaks as `start` grows: the cubic force then acts as well.
    """

    source = Source("chen2024", "collapse condition of discrete steps; the window derived", "exact")
    metric, tolerance = max_relative_error("factor", "edge"), 0.012  # measured: 0.0025 to 0.0085 over eight seeds

    drifts: tuple[float, ...] = (0.05, 0.2)  # a = learning_rate mu
    noises: tuple[float, ...] = (0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6)  # b = learning_rate sigma
    start: float = 1e-100  # |theta| at the start
    steps: int = 150
    chains: int = 5000
    learning_rate: float = 0.1  # eta
    full = dict(steps=300, chains=20_000)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        drifts, fine = jnp.asarray(self.drifts), np.linspace(0.02, max(self.noises), 150)
        exponents = theory.linear.growth_exponent(
            drifts[:, None], jnp.concatenate([jnp.asarray(self.noises), fine])[None, :]
        )
        window, tried = theory.linear.collapse_window(drifts), len(self.noises)
        found = self._label(np.exp(exponents[:, :tried]), np.stack([window.low, window.high], 1))
        return found.assign(curve=(("drift", "fine"), np.asarray(exponents[:, tried:]))).assign_coords(fine=fine)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        drifts, noises = jnp.asarray(self.drifts)[:, None, None], jnp.asarray(self.noises)[None, :, None]
        step = training.QuarticSGD(drifts / self.learning_rate, noises / self.learning_rate, self.learning_rate)
        begin = jnp.full((len(self.drifts), len(self.noises), self.chains), np.log(self.start))
        logs = np.asarray(training.follow_chains(step, begin, key, steps=self.steps))
        exponents = (logs[-1] - logs[0]).mean(axis=2) / self.steps
        return self._label(np.exp(exponents), np.stack([self._edges(row) for row in exponents]))

    def _edges(self, exponents) -> tuple[float, float]:
        """Where the exponent changes sign, on a cubic spline through those measured."""
        import numpy as np
        from scipy.interpolate import CubicSpline

        if not np.all(np.isfinite(exponents)):
            return np.nan, np.nan
        roots = np.sqrt(CubicSpline(np.square(self.noises), exponents).roots(extrapolate=False))
        return (float(roots[0]), float(roots[-1])) if roots.size else (np.nan, np.nan)

    def _label(self, factor, edge) -> xr.Dataset:
        return observables(
            coords={"drift": list(self.drifts), "noise": list(self.noises), "end": ["low", "high"]},
            factor=(("drift", "noise"), factor, {"long_name": "factor a step"}),
            edge=(("drift", "end"), edge, {"long_name": "ends of the window"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, drift in zip(PALETTE, self.drifts, strict=False):
            curve, found = prediction["curve"].sel(drift=drift), np.log(measurement["factor"].sel(drift=drift))
            artists += ax.plot(prediction["fine"], curve, color=colour, label=f"$η μ = {drift:g}$")
            artists += ax.plot(self.noises, found, "o", mfc="none", color=colour)
            artists += ax.plot(prediction["edge"].sel(drift=drift), [0, 0], "|", ms=14, mew=2, color=colour)
        ax.axhline(0, color="0.6", lw=0.8, zorder=0)
        ax.set(xlabel="noise $η σ$", ylabel=r"growth of $\ln|θ|$ a step")
        ax.legend(fontsize="small")
        return artists
