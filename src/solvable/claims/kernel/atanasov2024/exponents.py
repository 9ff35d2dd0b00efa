"""The powers by which the error falls with features and with samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import estimators, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class ScarcerLimits(Claim):
    """Features limit the error by a smaller exponent than samples do, also where they are in proportion.

    Source above 1/2 is where both exponents differ. The limits of many samples and of many features are taken exactly;
    exponents are those of errors averaged over draws.
    """

    source = Source("atanasov2024", "scaling laws of linear random features", "scaling")
    metric, tolerance = max_relative_error("exponent"), 0.095  # measured: 0.05 to 0.09 over 5 seeds

    capacity: float = 1.5  # a
    source_exponent: float = 0.8  # r
    sizes: tuple[int, ...] = (16, 32, 64)  # of features, of samples, and of samples at twice as many features
    num_modes: int = 1000
    draws: int = 60
    full = dict(sizes=(25, 50, 100, 200), num_modes=3000)

    def predict(self) -> xr.Dataset:
        features = float(theory.kernel.feature_limited_exponent(self.capacity, self.source_exponent))
        samples = float(theory.kernel.noise_free_exponent(self.capacity, self.source_exponent))
        return self._label([features, samples, features])

    def measure(self, key: jax.Array) -> xr.Dataset:
        from functools import partial

        import jax
        import jax.numpy as jnp
        import numpy as np

        task = tasks.source_capacity(self.num_modes, capacity=self.capacity, source=self.source_exponent)
        most = max(self.sizes)

        def kept(key, size):
            drawn = task.sample(key, most)
            # Samples of weight 0 are none.
            weights = jnp.where(jnp.arange(most) < size, 1.0, 0.0)[:, None]
            return weights * drawn.inputs, weights * drawn.targets

        def by_features(key, size):
            return estimators.best_random_features(key, task.eigenvalues, task.coefficients, size, most_features=most)

        def by_samples(key, size):
            inputs, targets = kept(key, size)
            return estimators.factor_kernel(inputs @ inputs.T, targets).dual_weights(0.0)[:, 0] @ inputs

        def by_both(key, size):
            key_samples, key_features = jax.random.split(key)
            data = kept(key_samples, size)
            return estimators.fit_random_features(key_features, *data, 2 * size, most_features=2 * most).weights[0]

        # Compiled each on its own: eigendecompositions that could run side by side have been seen to lock up.
        @partial(jax.jit, static_argnums=0)
        def mean_errors(fit, keys, sizes):
            over_sizes = jax.vmap(lambda key, size: task.excess_error(fit(key, size)), (None, 0))
            return jnp.mean(jax.lax.map(lambda key: over_sizes(key, sizes), keys), axis=0)

        keys, sizes = jax.random.split(key, self.draws), jnp.asarray(self.sizes)
        errors = np.stack([mean_errors(fit, keys, sizes) for fit in (by_features, by_samples, by_both)])
        exponents = [-np.polyfit(np.log(self.sizes), np.log(error), 1)[0] for error in errors]
        return self._label(exponents).assign(error=(("limit_by", "size"), errors), size=list(self.sizes))

    def _label(self, exponent) -> xr.Dataset:
        return observables(
            coords={"limit_by": ["features", "samples", "both"]},
            exponent=("limit_by", exponent, {"long_name": "exponent of the error"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, name in zip(PALETTE, prediction["limit_by"].values, strict=False):
            errors = measurement["error"].sel(limit_by=name)
            power = float(prediction["exponent"].sel(limit_by=name))
            line = errors[-1] * (errors["size"] / errors["size"][-1]) ** -power
            label = {"features": "N features", "samples": "P samples", "both": "P samples, 2 P features"}[name]
            artists += ax.plot(errors["size"], line, color=colour, label=f"{label}: power {power:g}")
            artists += ax.plot(errors["size"], errors, "o", mfc="none", color=colour)
        ax.set(xscale="log", yscale="log", xlabel="N or P", ylabel="excess error")
        ax.set_xticks(self.sizes, [f"{size}" for size in self.sizes])
        ax.minorticks_off()
        ax.legend(fontsize="small")
        return artists
