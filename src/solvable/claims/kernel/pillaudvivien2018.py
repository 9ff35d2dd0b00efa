"""Pillaud-Vivien, Rudi, Bach (2018), Statistical optimality of SGD on hard learning problems through multiple passes.

Their step gamma belongs to the half squared error of one sample, as ours; their alpha is our capacity a. Their bound
R^2 on squared norms is the mean of them here, since features are Gaussian.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from solvable import estimators, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class StoppingOnSamples(Claim):
    """Gradient flow on samples learns each mode as the population would, until it overfits; then is the time to stop.

    The theory's correction is of the order of the modes learned so far over the samples: small at the times compared,
    and without bound beyond the best stop, which is at 1600 here.

    Breaks as `overtime` grows: the flow then fits noise by the spectrum of the samples.
    """

    source = Source("pillaudvivien2018", "Theorem 1, population filters", "asymptotic")
    metric, tolerance = (
        max_relative_error("excess", "averaged", over="mean"),
        0.07,
    )  # measured: 0.022 to 0.046 over 6 seeds
    limit = ("num_samples", (16, 100))

    num_samples: int = 100  # n
    times: tuple[float, ...] = (0.14, 0.42, 1.4, 4.2, 14.0)  # learning rate times steps
    overtime: float = 1.0  # factor on all times
    capacity: float = 4.0  # a
    source_exponent: float = 0.25  # r
    noise_std: float = 0.5
    num_modes: int = 150
    draws: int = 200
    full = dict(num_samples=400, num_modes=600)

    def _task(self) -> tasks.GaussianFeatures:
        return tasks.source_capacity(
            self.num_modes, capacity=self.capacity, source=self.source_exponent, noise_std=self.noise_std
        )

    def _times(self) -> jax.Array:
        import jax.numpy as jnp

        return self.overtime * jnp.asarray(self.times)

    def predict(self) -> xr.Dataset:
        task = self._task()
        setting = (task.eigenvalues, task.coefficients**2, float(self.num_samples))
        noise = self.noise_std**2
        return self._label(
            (),
            theory.kernel.population_flow_risk(*setting, self._times(), noise=noise),
            theory.kernel.population_flow_risk(*setting, self._times(), noise=noise, averaged=True),
        )

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax

        task = self._task()

        @jax.jit
        def fit(keys, times):
            def flow(key):
                drawn = task.sample(key, self.num_samples)
                design = estimators.factor_design(drawn.inputs, drawn.targets)
                ends = design.flow_weights(times), design.averaged_flow_weights(times)
                return [task.excess_error(weights[:, 0]) for weights in ends]

            return jax.lax.map(flow, keys)

        # The flow on the sum over samples is n times as fast as on their mean.
        return self._label(("seed",), *fit(jax.random.split(key, self.draws), self._times() / self.num_samples))

    def _label(self, lead, excess, averaged) -> xr.Dataset:
        time = ("time", self._times(), {"long_name": "time, learning rate × steps", "scale": "log"})
        return observables(
            coords={"time": time},
            excess=((*lead, "time"), excess, {"long_name": "excess error", "scale": "log"}),
            averaged=((*lead, "time"), averaged, {"long_name": "excess error of averaged weights", "scale": "log"}),
        )


class PassesOverData(Claim):
    """Further passes lower the error as a longer population flow does, on hard and on easy problems.

    The gain is the excess error after one pass over that after each later number of them, of averaged weights at a
    constant learning rate, and that of flow at the population's spectrum in theory. SGD adds noise of the order of its
    learning rate to both errors, which nearly cancels.
    """

    source = Source("pillaudvivien2018", "Theorem 1, easy and hard problems", "asymptotic")
    metric, tolerance = max_relative_error("gain"), 0.07  # measured: 0.01 to 0.05 over 6 seeds

    sources: tuple[float, ...] = (0.15, 0.4)  # r of a hard and an easy problem
    capacity: float = 3.0  # a
    num_samples: int = 200  # n
    passes: tuple[int, ...] = (2, 4)  # beside the first
    step: float = 0.25  # learning rate, in units of 1/(mean squared norm of an input)
    noise_std: float = 0.5
    num_modes: int = 100
    draws: int = 128
    full = dict(num_samples=400, passes=(2, 4, 8), num_modes=200)

    def _task(self, source: float) -> tasks.GaussianFeatures:
        power_law = tasks.source_capacity(
            self.num_modes, capacity=self.capacity, source=source, noise_std=self.noise_std
        )
        # Bounded features, as the paper's, of which fewer draws are enough.
        return replace(power_law, features="sign")

    def _rate(self) -> float:
        return self.step / float(self._task(1.0).eigenvalues.sum())

    def _record(self) -> tuple[int, ...]:
        return tuple(self.num_samples * count for count in (1, *self.passes))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        times = self._rate() * jnp.asarray(self._record(), float)
        curves = []
        for source in self.sources:
            task = self._task(source)
            setting = (task.eigenvalues, task.coefficients**2, float(self.num_samples), times)
            noise = self.noise_std**2
            curves.append(theory.kernel.population_flow_risk(*setting, noise=noise, averaged=True))
        return self._label(jnp.stack(curves))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        rate = self._rate()

        def descend(key, task):
            key_samples, key_order = jax.random.split(key)
            drawn = task.sample(key_samples, self.num_samples)
            run = estimators.averaged_sgd(
                key_order, drawn.inputs, drawn.targets, learning_rate=rate, record=self._record()
            )
            return task.excess_error(run.averages[:, 0])

        problems = [self._task(source) for source in self.sources]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)
        over_draws = jax.vmap(descend, (0, None))
        curves = jax.jit(jax.vmap(over_draws, (None, 0)))(jax.random.split(key, self.draws), stacked)
        return self._label(jnp.mean(curves, axis=1))

    def _label(self, excess) -> xr.Dataset:
        return observables(
            coords={
                "problem": ("problem", list(self.sources), {"long_name": "source r"}),
                "passes": ("passes", list(self.passes), {"long_name": "passes over the data"}),
                "record": [1, *self.passes],
            },
            gain=(("problem", "passes"), excess[:, :1] / excess[:, 1:], {"long_name": "gain over one pass"}),
            excess=(("problem", "record"), excess),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, source in zip(PALETTE, self.sources, strict=False):
            easy = source >= theory.kernel.single_pass_source(self.capacity)
            for side, style in ((prediction, "-"), (measurement, "o")):
                gain = side["gain"].sel(problem=source)
                label = f"{'easy' if easy else 'hard'}, r = {source:g}" if style == "-" else None
                places, heights = [1, *gain["passes"].values], [1, *gain.values]
                artists += ax.plot(places, heights, style, mfc="none", color=colour, label=label)
        ax.set(xscale="log", xlabel="passes over the data", ylabel="error after one pass / error now")
        ax.set_xticks([1, *self.passes], [f"{count}" for count in (1, *self.passes)])
        ax.minorticks_off()
        ax.legend(fontsize="small")
        return artists
