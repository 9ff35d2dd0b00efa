"""Caponnetto, De Vito (2007), Optimal rates for the regularized least-squares algorithm.

Their b is our capacity a and their c is 2 r, twice our source; their lambda belongs to the mean over samples: it is
our ridge, of the sum, divided by n. Their rates are bounds over a class of targets; here the target is the power law.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from solvable import estimators, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class RidgeSchedules(Claim):
    """A ridge that falls with samples on schedule beats those that fall too slowly or too fast.

    Ridges over n are n^-l; the scheduled l lies between the others. The excess error is compared at each size and
    schedule, so that the slopes and plateaus of all three are.
    """

    source = Source("caponnetto2007", "Theorem 1, on a power law", "asymptotic")
    metric, tolerance = max_relative_error("excess", over="mean"), 0.085  # measured: 0.03 to 0.07 over 6 seeds
    limit = ("num_samples", (12, 80))

    num_samples: int = 80  # n, the largest
    shares: tuple[float, ...] = (0.25, 0.5, 1.0)  # of it
    ridge_exponents: tuple[float, ...] = (0.2, 0.5, 2.0)  # l, the scheduled a/(1 + 2 a r) in the middle
    capacity: float = 2.0  # a
    source_exponent: float = 0.75  # r
    noise_std: float = 0.5
    num_modes: int = 300
    draws: int = 300
    full = dict(num_samples=300, num_modes=1500, draws=200)

    def _task(self) -> tasks.GaussianFeatures:
        power_law = tasks.source_capacity(
            self.num_modes, capacity=self.capacity, source=self.source_exponent, noise_std=self.noise_std
        )
        # Bounded features, as the paper's, of which fewer draws are enough.
        return replace(power_law, features="sign")

    def _samples(self) -> np.ndarray:
        import numpy as np

        return np.maximum(np.round(np.array(self.shares) * self.num_samples), 2)

    def _ridges(self) -> np.ndarray:
        """Of each schedule, then size."""
        import numpy as np

        return np.stack([self._samples() ** (1 - power) for power in self.ridge_exponents])

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        task, ridges = self._task(), self._ridges()
        samples = np.broadcast_to(self._samples(), ridges.shape)
        risk = theory.kernel.kernel_risk(
            task.eigenvalues,
            task.coefficients**2,
            jnp.asarray(samples),
            ridge=jnp.asarray(ridges),
            noise=self.noise_std**2,
        )
        rate = theory.kernel.scheduled_rate(jnp.asarray(self._samples()), self.capacity, self.source_exponent)
        return self._label((), risk.excess).assign(rate=("num_samples", np.asarray(rate)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task = self._task()

        def fit(key, size, ridges):
            drawn = task.sample(key, self.num_samples)
            # Samples of weight 0 are none.
            kept = jnp.where(jnp.arange(self.num_samples) < size, 1.0, 0.0)[:, None]
            inputs, targets = kept * drawn.inputs, kept * drawn.targets
            factored = estimators.factor_kernel(inputs @ inputs.T, targets)
            return task.excess_error(jax.vmap(factored.dual_weights)(ridges)[..., 0] @ inputs)

        @jax.jit
        def fit_all(keys, sizes, ridges):
            return jax.lax.map(lambda key: jax.vmap(fit, (None, 0, 1), 1)(key, sizes, ridges), keys)

        sizes, ridges = jnp.asarray(self._samples(), int), jnp.asarray(self._ridges())
        return self._label(("seed",), fit_all(jax.random.split(key, self.draws), sizes, ridges))

    def _label(self, lead, excess) -> xr.Dataset:
        return observables(
            coords={
                "schedule": ["too slow", "scheduled", "too fast"],
                "num_samples": ("num_samples", self._samples(), {"long_name": "samples n", "scale": "log"}),
            },
            excess=((*lead, "schedule", "num_samples"), excess, {"long_name": "excess error", "scale": "log"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        sizes, draws = prediction["num_samples"], measurement.sizes["seed"]
        for colour, name in zip(PALETTE, prediction["schedule"].values, strict=False):
            sampled = measurement["excess"].sel(schedule=name)
            artists += ax.plot(sizes, prediction["excess"].sel(schedule=name), color=colour, label=name)
            bars = sampled.std("seed") / draws**0.5
            style = {"fmt": "o", "ms": 4, "mfc": "none", "capsize": 2, "color": colour}
            artists += ax.errorbar(sizes, sampled.mean("seed"), bars, **style).get_children()
        rate = prediction["rate"] / prediction["rate"][-1] * prediction["excess"].sel(schedule="scheduled")[-1]
        artists += ax.plot(sizes, rate, "--", color="0.4", lw=1, label="optimal rate")
        ax.set(xscale="log", yscale="log", xlabel="samples n", ylabel="excess error")
        ax.set_xticks(sizes, [f"{size:g}" for size in sizes.values])
        ax.minorticks_off()
        ax.legend(fontsize="small")
        return artists
