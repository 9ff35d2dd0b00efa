"""Pesme, Flammarion (2023), Saddle-to-saddle dynamics in diagonal linear networks.

Their F is our loss. Their u v from u = alpha sqrt2, v = 0 is w_+^2 - w_-^2 from alpha / sqrt2 in half of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.tasks import Moments, Samples


def _samples(claim: Any) -> Samples:
    """Gaussian inputs, fewer than dimensions, with a sparse teacher."""
    import numpy as np

    inputs = np.random.default_rng(claim.design_seed).normal(size=(claim.num_samples, claim.input_dim))
    return tasks.make_samples(inputs, inputs[:, : len(claim.teacher)] @ np.array(claim.teacher))


def _moments(claim: Any) -> Moments:
    return tasks.sample_moments(_samples(claim), lambda inputs: inputs)


class SaddleTimes(Claim):
    """From vanishing weights the network visits saddles of least squares with signs, at times in units of log(1/α).

    Jumps are half-way times of the drops, freed of their correction c / log(1/α) by two scales; levels are those of the
    smaller. In the default design a coordinate leaves the support again.
    Breaks as `learning_rate` grows: steps of gradient descent are late by a share of their size.
    """

    source = Source("pesme2023", "Algorithm 1 and Theorem 2", "asymptotic")
    metric, tolerance = max_relative_error("time", "level"), 0.003  # measured: 0.0016
    limit = ("learning_rate", (0.004, 0.002, 0.001))

    teacher: tuple[float, ...] = (1.0, -2.0, 0.6)  # beta*, zero beyond
    num_samples: int = 5  # n
    input_dim: int = 7  # d
    design_seed: int = 9
    log_scales: tuple[float, ...] = (60.0, 120.0)  # log(1/alpha)
    horizon: float = 3.5  # training time in units of log(1/alpha)
    learning_rate: float = 0.001  # eta, for u v
    full = dict(log_scales=(100.0, 200.0), learning_rate=0.0005)

    def predict(self) -> xr.Dataset:
        path = theory.flows.diagonal_stages(_moments(self))
        return self._label(path.times[1:], path.loss[:-1], end=path.loss[-1])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        samples, units = _samples(self), np.array(self.log_scales)
        record = np.linspace(0, self.horizon * units.max() / self.learning_rate, 4000).astype(int)

        @jax.jit
        @jax.vmap
        def train(log_scale):
            start = networks.power_difference_start(jnp.full(self.input_dim, jnp.exp(-log_scale) / 2**0.5))
            rule: dict[str, Any] = dict(learning_rate=self.learning_rate / 2, steps=int(record[-1]), record=record)
            return training.gradient_descent(start, samples, **rule).loss

        loss, times = np.asarray(train(jnp.asarray(units))), self.learning_rate * record
        stages = [instruments.find_stages(times, curve) for curve in loss]
        jumps = [
            np.array([drop.time for drop in found.drops]) / unit for found, unit in zip(stages, units, strict=True)
        ]
        same = len({len(times) for times in jumps}) == 1
        found = numerics.two_scale_limit(np.stack(jumps), (units[0], units[1])) if same else jumps[-1] * np.nan
        levels = [plateau.level for plateau in stages[-1].plateaus[: len(found)]]
        curves = {"at": (("scale", "record"), times / units[:, None]), "loss": (("scale", "record"), loss)}
        return self._label(found, levels, unit=("scale", units), **curves)

    def _label(self, times, levels, **more) -> xr.Dataset:
        stages = ("stage", range(1, len(times) + 1), {"long_name": "stage"})
        return observables(
            coords={"stage": stages, "saddle": ("saddle", range(len(levels)), {"long_name": "saddle"})},
            time=("stage", times, {"long_name": "time of the jump, in log(1/α)"}),
            level=("saddle", levels, {"long_name": "loss at the saddle"}),
            **more,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, place in zip(PALETTE[1:], range(measurement.sizes["scale"]), strict=False):
            curve = measurement.isel(scale=place, record=slice(None, None, 25))
            label = f"measured, log(1/α) = {curve['unit'].item():g}"
            artists += ax.plot(curve["at"], curve["loss"], ".", ms=4, color=colour, label=label)
        steps = [0, *prediction["time"].values, self.horizon]
        levels = [*prediction["level"].values, prediction["end"].item()]
        artists.append(ax.stairs(levels, steps, baseline=None, color=PALETTE[0], lw=1.5, label="theory, α → 0"))
        ax.set(xlabel="time, in units of log(1/α)", ylabel="loss", xlim=(0, self.horizon), xscale="linear")
        ax.set_yscale("symlog", linthresh=0.1 * levels[1])
        ax.set_ylim(-0.05 * levels[1], 2 * levels[0])
        ax.legend(fontsize="small")
        return artists


class PathFromFiniteScale(Claim):
    """Half as many variables follow the network exactly at any scale: the integrated gradient of each coordinate.

    The network u v itself is trained, both its weights.
    Breaks as `learning_rate` grows: the path is that of gradient flow.
    """

    source = Source("pesme2023", "mirror flow", "exact")
    metric, tolerance = max_curve_gap("loss", "strength"), 0.002  # measured: 0.0016
    limit = ("learning_rate", (0.002, 0.001, 0.0002))

    teacher: tuple[float, ...] = (1.0, -2.0, 0.6)  # beta*, zero beyond
    num_samples: int = 5  # n
    input_dim: int = 7  # d
    design_seed: int = 4
    init_scale: float = 1e-3  # alpha
    horizon: float = 6.0  # training time in units of log(1/alpha)
    learning_rate: float = 0.0002  # eta
    full = dict(learning_rate=5e-5)

    def _times(self) -> Any:
        """Records in units of log(1/alpha), each of them a step."""
        import numpy as np

        unit = np.log(1 / self.init_scale)
        steps = np.linspace(0, self.horizon * unit / self.learning_rate, 121).round().astype(int)
        return steps, steps * self.learning_rate / unit

    def predict(self) -> xr.Dataset:
        import numpy as np

        path = theory.linear.diagonal_path(_moments(self), float(np.log(1 / self.init_scale)), self._times()[1])
        return self._label(path.loss, path.strength)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp

        record = self._times()[0]
        start = jnp.full(self.input_dim, self.init_scale * 2**0.5)
        run = training.gradient_descent(
            networks.DiagonalLinear(start, jnp.zeros_like(start)),
            _samples(self),
            learning_rate=self.learning_rate,
            steps=int(record[-1]),
            record=record,
            observables={"strength": lambda network: network.coefficients()[0]},
        )
        return self._label(run.loss, run.observables["strength"])

    def _label(self, loss, strength) -> xr.Dataset:
        import numpy as np

        # Both curves of every coordinate are measured in units of the largest entry of the teacher, put first.
        size = max(abs(entry) for entry in self.teacher)
        strength = np.concatenate([np.full((1, self.input_dim), size), np.asarray(strength)])
        return observables(
            coords={"time": ("time", self._times()[1], {"long_name": "time, in units of log(1/α)"})},
            loss=("time", loss, {"long_name": "loss"}),
            strength=(("coordinate", "place"), strength.T, {"long_name": "strength $u_i v_i$"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, coordinate in zip(PALETTE * 2, range(self.input_dim), strict=False):
            line, marks = (side["strength"][coordinate, 1:] for side in (prediction, measurement))
            artists += ax.plot(prediction["time"], line, color=colour, label=f"$β_{coordinate}$")
            artists += ax.plot(prediction["time"][::4], marks[::4], "o", ms=4, mfc="none", color=colour)
        ax.set(xlabel="time, in units of log(1/α)", ylabel="strength $u_i v_i$ (theory lines, measured markers)")
        ax.legend(fontsize="small", ncols=2)
        return artists
