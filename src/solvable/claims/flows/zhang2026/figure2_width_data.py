"""Figure 2 A, B: more units or a flatter spectrum, where directions separate in time and where units do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.flows.zhang2026 import _power_law

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class LinearPlateausIgnoreWidth(Claim):
    """Adding units to a linear network has little effect on its loss curve.

    Stage k moves by ln(sqrt(H)) / s_k only. A mode's stage is where its singular value in the first layer is at half
    of what it will be. The prediction is the narrow network's, at leading order in epsilon.
    """

    source = Source("zhang2026", "Fig. 2A (linear network)", "asymptotic")
    metric, tolerance = max_relative_error("rise_time", over="mean"), 0.02  # measured: 0.003 to 0.010

    widths: tuple[int, ...] = (25, 100, 200)  # H
    exponent: float = 1.0  # kappa
    init_scale: float = 1e-6  # epsilon
    learning_rate: float = 0.1
    steps: int = 800
    num_seeds: int = 8
    full = dict(widths=(10, 30, 100, 300, 1000), num_seeds=32)

    def _sweep(self) -> _power_law.Sweep:
        return _power_law.Sweep((self.exponent,), self.widths, (self.init_scale,), self.learning_rate, self.steps)

    def predict(self) -> xr.Dataset:
        forecast = _power_law.forecast_linear(self._sweep())
        return self._label((), forecast.loss, forecast.strengths)

    def measure(self, key: jax.Array) -> xr.Dataset:
        runs = _power_law.train_linear(self._sweep(), key, self.num_seeds)
        return self._label(("seed",), runs.loss, runs.observables["strength"])

    def _label(self, seed: tuple[str, ...], loss, strengths) -> xr.Dataset:
        times = self._sweep().times
        return observables(
            coords={"width": list(self.widths), "time": ("time", times, _power_law.TIME)},
            rise_time=((*seed, "width", "mode"), _power_law.rise_times(times, strengths)),
            loss=((*seed, "width", "time"), 2 * loss, {"long_name": "loss, $E|y - f|^2$"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        return draw_default(ax, prediction, measurement, "loss")


class HeadsShortenPlateaus(Claim):
    """Adding heads to linear attention shortens its plateaus.

    The first escape is that of the quickest of H independent heads; its median over draws of the weights is a quantile
    of one head's blow-up time. What the claim says of all plateaus is compared for the first.
    """

    source = Source("zhang2026", "Fig. 2A (linear self-attention)", "asymptotic")
    metric, tolerance = max_relative_error("escape_time"), 0.07  # measured: 0.006 to 0.055; 4 standard errors: 0.05

    widths: tuple[int, ...] = (8, 32)  # H, number of heads
    exponent: float = 1.0  # kappa
    init_scale: float = 0.02  # epsilon
    learning_rate: float = 0.3
    steps: int = 270
    num_seeds: int = 256
    full = dict(widths=(4, 8, 16, 32, 64), init_scale=0.01, steps=700)

    def _sweep(self) -> _power_law.Sweep:
        return _power_law.Sweep((self.exponent,), self.widths, (self.init_scale,), self.learning_rate, self.steps)

    def predict(self) -> xr.Dataset:
        return self._label(_power_law.forecast_escape(self._sweep()))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        runs = _power_law.train_attention(self._sweep(), key, self.num_seeds)
        return self._label(np.median(_power_law.first_drops(self._sweep().times, runs.loss), axis=0))

    def _label(self, escape_time) -> xr.Dataset:
        return observables(
            coords={"width": ("width", self.widths, {"long_name": "number of heads $H$", "scale": "log"})},
            escape_time=("width", escape_time, {"long_name": "median length of the first plateau"}),
        )


class EqualSingularValuesLeaveOneDrop(Claim):
    """Linear networks learn modes of equal singular value at once; the steeper the spectrum, the longer the plateaus.

    The number of drops is that of distinct singular values (Theorem 4 with multiplicity).
    """

    source = Source("zhang2026", "Fig. 2B (linear network)", "asymptotic")
    metric, tolerance = max_relative_error("rise_time", "drops", over="mean"), 0.03  # measured: 0.010 to 0.014

    exponents: tuple[float, ...] = (0.0, 1.0, 2.0)  # kappa
    width: int = 100  # H, the paper's
    init_scale: float = 1e-6  # epsilon
    learning_rate: float = 0.1
    steps: int = 1600
    num_seeds: int = 8
    full = dict(exponents=(0.0, 0.75, 1.0, 1.5, 2.0), num_seeds=48)

    def _sweep(self) -> _power_law.Sweep:
        return _power_law.Sweep(self.exponents, (self.width,), (self.init_scale,), self.learning_rate, self.steps)

    def predict(self) -> xr.Dataset:
        import numpy as np

        forecast = _power_law.forecast_linear(self._sweep())
        rates = [theory.flows.escape_modes(_power_law.linear_moments(at).sigma_yz).rates for at in self.exponents]
        drops = [np.unique(np.round(rate, 9)).size for rate in rates]
        return self._label((), forecast.loss, forecast.strengths, drops)

    def measure(self, key: jax.Array) -> xr.Dataset:
        runs = _power_law.train_linear(self._sweep(), key, self.num_seeds)
        drops = _power_law.count_drops(self._sweep().times, runs.loss)
        return self._label(("seed",), runs.loss, runs.observables["strength"], drops)

    def _label(self, seed: tuple[str, ...], loss, strengths, drops) -> xr.Dataset:
        times = self._sweep().times
        return observables(
            coords={"exponent": list(self.exponents), "time": ("time", times, _power_law.TIME)},
            rise_time=((*seed, "exponent", "mode"), _power_law.rise_times(times, strengths)),
            drops=((*seed, "exponent"), drops),
            loss=((*seed, "exponent", "time"), 2 * loss, {"long_name": "loss, $E|y - f|^2$"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        return draw_default(ax, prediction, measurement, "loss")


class EqualSingularValuesKeepHeadsApart(Claim):
    """Linear attention learns even modes of equal singular value one at a time, a head after the other.

    Two heads may also escape almost together: the number of drops and their levels are medians over draws of the
    weights. A singular value of multiplicity three is learned by three heads along any orthogonal directions.
    """

    source = Source("zhang2026", "Fig. 2B (linear self-attention)", "asymptotic")
    metric, tolerance = max_relative_error("level", "drops"), 0.01  # measured: 0.001 to 0.003

    exponents: tuple[float, ...] = (0.0, 1.0)  # kappa
    width: int = 25  # H, the paper's
    init_scale: float = 0.005  # epsilon
    learning_rate: float = 0.3
    steps: int = 3000
    num_seeds: int = 16
    full = dict(exponents=(0.0, 0.5, 1.0), init_scale=0.002, steps=8000, num_seeds=64)

    def _sweep(self) -> _power_law.Sweep:
        return _power_law.Sweep(
            self.exponents, (self.width,), (self.init_scale,), self.learning_rate, self.steps, records=600
        )

    def predict(self) -> xr.Dataset:
        levels = [
            theory.flows.linear_attention_levels(_power_law.covariance_spectrum(at), _power_law.CONTEXT_LENGTH).loss
            for at in self.exponents
        ]
        return self._label(levels, [_power_law.NUM_MODES] * len(self.exponents))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        times = self._sweep().times
        loss = np.asarray(_power_law.train_attention(self._sweep(), key, self.num_seeds).loss)
        drops = np.median(_power_law.count_drops(times, loss), axis=0)
        levels = [_median_levels(times, loss[:, place]) for place in range(len(self.exponents))]
        curves = observables(
            coords={"time": ("time", times, _power_law.TIME)}, loss=(("seed", "exponent", "time"), 2 * loss[:4])
        )
        return self._label(levels, drops).merge(curves)

    def _label(self, levels, drops) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={"exponent": list(self.exponents)},
            level=(("exponent", "plateau"), 2 * np.asarray(levels)),
            drops=("exponent", drops),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for place, at in enumerate(self.exponents):
            artists += [ax.axhline(level, color=PALETTE[place], lw=1) for level in prediction["level"].values[place]]
            artists += ax.plot(
                measurement["time"].values, measurement["loss"].values[:, place].T, ".", ms=2, color=PALETTE[place]
            )
            artists[-1].set_label(f"exponent {at:g}, measured")
        ax.set(xlabel=_power_law.TIME["long_name"], ylabel="loss, $E|y - f|^2$")
        ax.legend(fontsize="small", title="lines: levels, theory")
        return artists


def _median_levels(times, loss) -> list[float]:
    """Median level of each plateau over the curves that have as many as there are modes, and one at the end."""
    import numpy as np

    stages = [instruments.find_stages(times, curve).plateaus for curve in loss]
    levels = [[plateau.level for plateau in found] for found in stages if len(found) == _power_law.NUM_MODES + 1]
    return list(np.median(levels, axis=0))
