"""Advani, Saxe, Sompolinsky (2020), High-dimensional dynamics of generalization error in neural networks.

Their loss is the half sum of squares, as is ours here: their t/tau is our time. Their N inputs are ``input_dim``, their
P samples ``sample_ratio`` times that; their tr is the norm of weights over N.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import estimators, tasks, theory
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class FlowErrors(Claim):
    """Test error of gradient flow falls, then rises: worst with as many samples as dimensions.

    Linear regression from nonzero weights; test errors are exact, of each draw.
    """

    source = Source("advani2020", "generalisation and training error in time", "asymptotic")
    metric, tolerance = (
        max_curve_gap("test_error", "train_error", over="mean"),
        0.07,
    )  # measured: 0.047 to 0.058 over 5 seeds
    limit = ("input_dim", (6, 40))

    input_dim: int = 40  # N
    sample_ratio: tuple[float, ...] = (0.5, 1.0, 2.0)  # alpha = P/N
    noise: float = 0.5  # variance of the labels' noise
    signal: float = 1.0  # variance of the teacher's entries
    start: float = 0.1  # variance of the initial weights' entries
    last_time: float = 20.0
    draws: int = 80
    full = dict(input_dim=200, last_time=50.0, draws=100)

    def _times(self) -> Any:
        import numpy as np

        return np.geomspace(0.1, self.last_time, 16)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        times, variances = jnp.asarray(self._times()), dict(noise=self.noise, signal=self.signal, start=self.start)
        curves = [theory.kernel.flow_errors(times, ratio, **variances) for ratio in self.sample_ratio]
        return self._label((), [curve.test for curve in curves], [curve.train for curve in curves])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        times = jnp.asarray(self._times())

        def train(key, ratio):
            key_task, key_data, key_start = jax.random.split(key, 3)
            task = _isotropic_task(self, key_task)
            samples = task.sample(key_data, max(round(ratio * self.input_dim), 1))
            start = self.start**0.5 * jax.random.normal(key_start, (self.input_dim,))
            left = samples.targets - samples.inputs @ start[:, None]
            weights = start[None, :] + estimators.factor_design(samples.inputs, left).flow_weights(times)[:, 0]
            residuals = weights @ samples.inputs.T - samples.targets.T
            return task.excess_error(weights) + self.noise, jnp.mean(residuals**2, axis=1)

        keys = jax.random.split(key, self.draws)
        errors = [jax.jit(jax.vmap(lambda key, r=ratio: train(key, r)))(keys) for ratio in self.sample_ratio]
        return self._label(("seed",), *(jnp.stack(each, axis=-2) for each in zip(*errors, strict=True)))

    def _label(self, lead: tuple[str, ...], test: Any, train: Any) -> xr.Dataset:
        time = ("time", self._times(), {"long_name": "time", "scale": "log"})
        return observables(
            coords={"sample_ratio": ("sample_ratio", self.sample_ratio), "time": time},
            test_error=((*lead, "sample_ratio", "time"), test, {"long_name": "test error, mean square"}),
            train_error=((*lead, "sample_ratio", "time"), train, {"long_name": "train error"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, ratio in zip(PALETTE, self.sample_ratio, strict=False):
            for name, style, marker in (("test_error", "-", "o"), ("train_error", "--", "s")):
                theirs, ours = (side[name].sel(sample_ratio=ratio) for side in (prediction, measurement))
                label = f"α = {ratio:g}" if style == "-" else None
                artists += ax.plot(theirs["time"], theirs, style, color=colour, label=label)
                bars = ax.errorbar(
                    ours["time"], ours.mean("seed"), ours.std("seed"), fmt=marker, ms=4, mfc="none", capsize=2,
                    color=colour,
                )  # fmt: skip
                artists += bars.get_children()
        ax.set(xscale="log", xlabel="time", ylabel="mean squared error: test —, train - -", ylim=(0, None))
        ax.legend(fontsize="small")
        return artists


class WorstOvertraining(Claim):
    """With as many samples as dimensions the test error grows as the root of training time.

    Until t of order N^2, where the smallest eigenvalue of a finite matrix has been learned.
    Breaks as `last_time` grows: the test error of finitely many dimensions stops growing.
    """

    source = Source("advani2020", "overtraining at equal samples and parameters", "asymptotic")
    metric, tolerance = max_relative_error("test_error", over="mean"), 0.06  # measured: 0.013 to 0.043 over 5 seeds

    input_dim: int = 40  # N, and samples
    noise: float = 1.0  # variance of the labels' noise
    signal: float = 1.0  # variance of the teacher's entries
    first_time: float = 30.0
    last_time: float = 100.0
    draws: int = 400
    full = dict(input_dim=100, last_time=300.0)

    def _times(self) -> Any:
        import numpy as np

        return np.geomspace(self.first_time, self.last_time, 6)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        return self._label((), theory.kernel.critical_overtraining(jnp.asarray(self._times()), self.noise))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        times = jnp.asarray(self._times())

        def train(key):
            key_task, key_data = jax.random.split(key)
            task = _isotropic_task(self, key_task)
            samples = task.sample(key_data, self.input_dim)
            weights = estimators.factor_design(samples.inputs, samples.targets).flow_weights(times)[:, 0]
            return task.excess_error(weights) + self.noise

        return self._label(("seed",), jax.jit(jax.vmap(train))(jax.random.split(key, self.draws)))

    def _label(self, lead: tuple[str, ...], errors: Any) -> xr.Dataset:
        time = ("time", self._times(), {"long_name": "time", "scale": "log"})
        words = {"long_name": "test error, mean square", "scale": "log"}
        return observables(coords={"time": time}, test_error=((*lead, "time"), errors, words))


class EarlyStopping(Claim):
    """Stopping in time is nearly as good as the best ridge, and never better.

    From zero weights, on the error averaged over draws.
    """

    source = Source("advani2020", "optimal stopping and optimal weight decay", "asymptotic")
    metric, tolerance = max_relative_error("stopped", "ridge"), 0.04  # measured: 0.003 to 0.025 over 5 seeds

    input_dim: int = 40  # N
    sample_ratio: tuple[float, ...] = (0.5, 1.0, 2.0)  # alpha = P/N
    noise: float = 0.5  # variance of the labels' noise
    signal: float = 1.0  # variance of the teacher's entries
    draws: int = 80
    full = dict(input_dim=200, draws=60, sample_ratio=(0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        variances = dict(noise=self.noise, signal=self.signal)
        stopped = [theory.kernel.best_stopping_time(ratio, **variances).test for ratio in self.sample_ratio]
        ridge = theory.kernel.kernel_risk(
            jnp.ones(1),
            jnp.full(1, self.signal),
            jnp.asarray(self.sample_ratio),
            ridge=self.noise / self.signal,
            noise=self.noise,
        ).test
        return self._label(stopped, ridge)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        grid = jnp.asarray(np.geomspace(0.05, 20, 60))

        def train(key, ratio):
            key_task, key_data = jax.random.split(key)
            task = _isotropic_task(self, key_task)
            samples = task.sample(key_data, max(round(ratio * self.input_dim), 1))
            design = estimators.factor_design(samples.inputs, samples.targets)
            weights = jnp.stack([design.flow_weights(grid), design.ridge_weights(1 / grid)])[:, :, 0]
            return task.excess_error(weights) + self.noise

        keys = jax.random.split(key, self.draws)
        errors = [jax.jit(jax.vmap(lambda key, r=ratio: train(key, r)))(keys) for ratio in self.sample_ratio]
        return self._label(*(jnp.stack([np.mean(each, axis=0).min(axis=-1) for each in errors]).T))

    def _label(self, stopped: Any, ridge: Any) -> xr.Dataset:
        ratio = ("sample_ratio", self.sample_ratio, {"long_name": "samples over dimensions $α$"})
        return observables(
            coords={"sample_ratio": ratio},
            stopped=("sample_ratio", stopped, {"long_name": "test error, stopped in time"}),
            ridge=("sample_ratio", ridge, {"long_name": "test error of the best ridge"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, name, marker in zip(PALETTE, ("stopped", "ridge"), ("o", "s"), strict=False):
            label = {"stopped": "stopped in time", "ridge": "best ridge"}[name]
            artists += ax.plot(prediction["sample_ratio"], prediction[name], color=colour, label=label)
            artists += ax.plot(measurement["sample_ratio"], measurement[name], marker, mfc="none", color=colour)
        ax.set(xlabel="samples over dimensions α", ylabel="lowest test error, mean square")
        ax.legend(fontsize="small")
        return artists


def _isotropic_task(claim: Any, key: jax.Array) -> tasks.GaussianFeatures:
    """Inputs of variance 1/N and a random teacher."""
    import jax
    import jax.numpy as jnp

    size = claim.input_dim
    coefficients = (claim.signal / size) ** 0.5 * jax.random.normal(key, (size,))
    return tasks.GaussianFeatures(jnp.full(size, 1 / size), coefficients, claim.noise**0.5)
