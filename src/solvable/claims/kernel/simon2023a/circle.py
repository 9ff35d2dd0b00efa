"""Kernels on the circle: how much of each wave is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import estimators, numerics, tasks, theory
from solvable.claims import Claim, Source, max_curve_gap, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_KERNELS = ("ReLU tangent", "Laplace", "Gaussian")


class OneSigmoidForAllKernels(Claim):
    """How much is learned of a mode depends on λ/κ alone: one sigmoid for all kernels and frequencies.

    Points are drawn without replacement from equally spaced ones on the circle. Gaps are in units of the learnability
    of the constant, nearly 1.
    """

    source = Source("simon2023a", "learnability on the unit circle", "asymptotic")
    metric, tolerance = max_curve_gap("learnability", over="mean"), 0.03  # measured: 0.012 to 0.0184 over 7 seeds

    num_points: int = 256  # M
    num_frequencies: int = 12  # shown, from 0 on
    num_samples: int = 20  # n
    ridge: float = 0.5  # delta
    draws: int = 200
    full = dict(num_points=1024, num_samples=60, num_frequencies=40)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        def learn(row):
            spectrum = theory.kernel.circle_spectrum(row)
            risk = theory.kernel.kernel_risk(
                spectrum.eigenvalues,
                jnp.zeros_like(spectrum.eigenvalues),
                self.num_samples,
                ridge=self.ridge,
                multiplicities=spectrum.multiplicities,
            )
            few = slice(self.num_frequencies)
            return risk.learnability[few], spectrum.eigenvalues[few] / risk.effective_ridge

        return self._label((), *jax.jit(jax.vmap(learn))(self._grams()[:, 0]))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        grams, waves = self._grams(), tasks.circle_waves(self.num_points)
        alike = tasks.wave_frequencies(self.num_points)[:, None] == np.arange(self.num_frequencies)
        mean = jnp.asarray(alike / alike.sum(axis=0))

        @jax.jit
        def learn(keys, grams, waves):
            values = jnp.einsum("mw,kmn,nw->kw", waves, grams, waves) / self.num_points**2

            def of_kernel(chosen, gram, values):
                chosen_gram = gram[chosen][:, chosen]
                return estimators.kernel_learnability(chosen_gram, values, waves[chosen], self.ridge) @ mean

            def once(key):
                chosen = jax.lax.top_k(jax.random.uniform(key, (self.num_points,)), self.num_samples)[1]
                return jax.vmap(of_kernel, (None, 0, 0))(chosen, grams, values)

            return jax.vmap(once)(keys)

        return self._label(("seed",), learn(jax.random.split(key, self.draws), grams, waves))

    def _grams(self):
        import jax
        import jax.numpy as jnp

        points = tasks.circle_points(self.num_points)

        @jax.jit
        def make(points):
            kernels = (
                numerics.ReluTangentKernel(1.0, 1.0), numerics.LaplaceKernel(1.0), numerics.GaussianKernel(0.25),
            )  # fmt: skip
            return jnp.stack([numerics.gram_matrix(kernel, points) for kernel in kernels])

        return make(points)

    def _label(self, lead: tuple[str, ...], learnability, strength=None) -> xr.Dataset:
        import numpy as np

        dims = ("kernel", "frequency")
        more = {} if strength is None else {"strength": (dims, strength, {"long_name": "eigenvalue $λ/κ$"})}
        return observables(
            coords={"kernel": list(_KERNELS), "frequency": np.arange(self.num_frequencies)},
            learnability=((*lead, *dims), learnability, {"long_name": "learnability $L$"}),
            **more,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        # Eigenvalues of high frequencies may be nothing to rounding.
        least = max(float(prediction["strength"].min()), 1e-4)
        strength = np.geomspace(least, float(prediction["strength"].max()), 200)
        artists: list[Artist] = []
        artists += ax.plot(strength, strength / (1 + strength), color="k", label="$λ/(λ + κ)$")
        mean, spread = measurement["learnability"].mean("seed"), measurement["learnability"].std("seed")
        for colour, marker, name in zip(PALETTE, "os^", _KERNELS, strict=False):
            artists += ax.errorbar(
                prediction["strength"].sel(kernel=name), mean.sel(kernel=name), spread.sel(kernel=name), fmt=marker,
                ms=5, mfc="none", capsize=2, color=colour, label=f"{name}, measured",
            ).get_children()  # fmt: skip
        ax.set(xscale="log", xlabel=prediction["strength"].attrs["long_name"], ylabel="learnability $L$")
        ax.set_xlim(left=least / 2)
        ax.legend(fontsize="small")
        return artists
