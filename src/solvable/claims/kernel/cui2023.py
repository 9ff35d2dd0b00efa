"""Cui, Loureiro, Krzakala, Zdeborova (2023), Error scaling laws for kernel classification, and their regression paper.

Their regression ridge lambda belongs to the mean over samples, ours, delta = n lambda, to the sum; excess errors are
without the labels' noise and without a half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import estimators, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_SAMPLES = {"long_name": "samples $n$", "scale": "log"}


class MaxMarginCurve(Claim):
    """The max-margin classifier's error falls as n^(-a s/(1 + a s)), s = min(r, 1/2).

    Its value at finite n comes from three equations. The measured exponent is the slope of a straight line through the
    logarithms of mean errors, which lie somewhat below theory where few modes carry the teacher.
    """

    source = Source("cui2023", "max-margin rate and finite-n equations", "asymptotic")
    metric, tolerance = (
        max_relative_error("error", "exponent", over="mean"),
        0.06,
    )  # measured: 0.03 to 0.05 over 5 seeds
    limit = ("capacity", (3.0, 1.5))

    capacity: float = 1.5  # a
    source_exponent: float = 0.25  # r
    num_samples: tuple[int, ...] = (25, 150)  # n
    num_modes: int = 600
    draws: int = 150
    full = dict(num_modes=1000, num_samples=(25, 60, 150, 300), draws=60)

    def _task(self) -> tasks.SignTeacher:
        return tasks.SignTeacher(
            tasks.source_capacity(self.num_modes, capacity=self.capacity, source=self.source_exponent)
        )

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        features = self._task().features
        risk = theory.kernel.max_margin_risk(
            features.eigenvalues, features.coefficients**2, jnp.asarray(self.num_samples, float)
        )
        exponent = theory.kernel.max_margin_exponent(self.capacity, self.source_exponent)
        return self._label((), risk.classification_error, exponent)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax
        import jax.numpy as jnp
        import numpy as np

        @eqx.filter_jit
        def draw(task, keys, num_samples):
            def fit(key):
                drawn = task.sample(key, num_samples)
                return task.overlaps(estimators.max_margin(drawn.inputs, drawn.targets[:, 0]).weights)

            return jax.lax.map(fit, keys).classification_error

        task, keys = self._task(), jax.random.split(key, self.draws)
        error = jnp.stack([draw(task, keys, size) for size in self.num_samples], axis=1)
        slope, _ = np.polyfit(np.log(self.num_samples), np.log(error.mean(axis=0)), 1)
        return self._label(("seed",), error, -slope)

    def _label(self, lead: tuple[str, ...], error, exponent) -> xr.Dataset:
        return observables(
            coords={"num_samples": ("num_samples", self.num_samples, _SAMPLES)},
            error=((*lead, "num_samples"), error, {"long_name": "classification error", "scale": "log"}),
            exponent=exponent,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        samples, mean = prediction["num_samples"], measurement["error"].mean("seed")
        error = measurement["error"].std("seed") / measurement.sizes["seed"] ** 0.5
        power = prediction["error"].values[0] * (samples / samples[0]) ** -float(prediction["exponent"])
        artists = ax.plot(samples, prediction["error"], color=PALETTE[0], label="max-margin equations")
        artists += ax.plot(samples, power, "--", color="0.5", label=f"$n^{{-{float(prediction['exponent']):.3f}}}$")
        label = f"measured, fitted exponent {float(measurement['exponent']):.3f}"
        bars = ax.errorbar(samples, mean, error, fmt="o", ms=4, mfc="none", color=PALETTE[1], label=label)
        ax.set(xscale="log", yscale="log", xlabel=_SAMPLES["long_name"], ylabel="classification error")
        ax.legend(fontsize="small")
        return [*artists, *bars.get_children()]


class FourCrossovers(Claim):
    """At a ridge n^-l, regression with and without noise has four regimes, each of its own power of n.

    Green and blue are without noise, red and orange with; green and red without a ridge. Finite sizes stand beside the
    curves from the spectrum; the powers are the figure's dashed lines.
    """

    source = Source("cui2023", "Cui et al. (2021), crossover of the noiseless to the noisy regime", "asymptotic")
    metric, tolerance = max_relative_error("excess", over="mean"), 0.07  # measured: 0.014 to 0.058 over 5 seeds
    limit = ("num_samples", ((5, 10), (50, 100)))

    capacity: float = 1.8  # a
    source_exponent: float = 0.6  # r
    ridge_exponents: tuple[float, ...] = (0.8, 1.2)  # l of blue and orange
    noise_std: float = 0.5  # of red and orange
    num_samples: tuple[int, ...] = (50, 100)  # n
    num_modes: int = 800
    draws: int = 250
    full = dict(num_samples=(75, 110, 160), num_modes=1500, draws=500)

    def _regimes(self) -> dict[str, tuple[float, float]]:
        """Noise variance and ridge exponent of each, infinite without a ridge."""
        noise, (blue, orange) = self.noise_std**2, self.ridge_exponents
        return {
            "green": (0.0, float("inf")),
            "red": (noise, float("inf")),
            "blue": (0.0, blue),
            "orange": (noise, orange),
        }

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        task = tasks.source_capacity(self.num_modes, capacity=self.capacity, source=self.source_exponent)
        noise, powers = (jnp.asarray(column)[:, None] for column in zip(*self._regimes().values(), strict=True))
        sizes = jnp.asarray(self.num_samples, float)[None, :]
        shape = (noise.shape[0], sizes.shape[1])
        risk = theory.kernel.kernel_risk(
            task.eigenvalues,
            task.coefficients**2,
            jnp.broadcast_to(sizes, shape),
            ridge=sizes ** (1 - powers),
            noise=jnp.broadcast_to(noise, shape),
        )
        regime = theory.kernel.regression_regime(self.capacity, self.source_exponent, powers[:, 0], noise=noise[:, 0])
        return self._label((), risk.excess, powers=regime.exponent())

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax
        import jax.numpy as jnp

        regimes = self._regimes().values()
        noises, powers = (jnp.asarray(column) for column in zip(*regimes, strict=True))

        @eqx.filter_jit
        def draw(task, keys, num_samples):
            def fit(key):
                key_inputs, key_noise = jax.random.split(key)
                drawn = task.sample(key_inputs, num_samples)
                noise = jnp.sqrt(noises)[None, :] * jax.random.normal(key_noise, (num_samples, 1))
                factored = estimators.factor_kernel(drawn.inputs @ drawn.inputs.T, drawn.targets + noise)
                ridges = num_samples ** (1 - powers)
                dual = jnp.stack([factored.dual_weights(ridges[row])[:, row] for row in range(len(regimes))])
                return task.excess_error(dual @ drawn.inputs)

            return jax.lax.map(fit, keys)

        task = tasks.source_capacity(self.num_modes, capacity=self.capacity, source=self.source_exponent)
        keys = jax.random.split(key, self.draws)
        return self._label(("seed",), jnp.stack([draw(task, keys, size) for size in self.num_samples], axis=2))

    def _label(self, lead: tuple[str, ...], excess, powers=None) -> xr.Dataset:
        given = {} if powers is None else {"power": ("regime", powers)}
        return observables(
            coords={
                "num_samples": ("num_samples", self.num_samples, _SAMPLES),
                "regime": ("regime", list(self._regimes())),
            },
            excess=((*lead, "regime", "num_samples"), excess, {"long_name": "excess error", "scale": "log"}),
            **given,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        artists: list[Artist] = []
        colours = dict(green="#009E73", red="#D55E00", blue="#0072B2", orange="#E69F00")
        samples = prediction["num_samples"]
        for regime, colour in colours.items():
            theory_, drawn = (side["excess"].sel(regime=regime) for side in (prediction, measurement))
            power = float(prediction["power"].sel(regime=regime))
            error = drawn.std("seed") / drawn.sizes["seed"] ** 0.5
            artists += ax.plot(samples, theory_, color=colour, label=f"{regime}: $n^{{-{power:.2f}}}$")
            law = theory_.values[-1] * (samples / samples[-1]) ** -power
            artists += ax.plot(samples, law, "--", lw=0.8, color=colour)
            bars = ax.errorbar(samples, drawn.mean("seed"), error, fmt="o", ms=4, mfc="none", color=colour)
            artists += bars.get_children()
        ax.set(xscale="log", yscale="log", xlabel=_SAMPLES["long_name"], ylabel="excess error")
        ax.set_ylim(bottom=float(prediction["excess"].min()) / 10)
        title = "regime and its power (dashed)"
        ax.legend(fontsize="small", title=title, title_fontsize="small", ncol=4, loc="lower center")
        return artists
