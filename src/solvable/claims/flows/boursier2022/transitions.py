"""When each sign is learned, and where the loss rests in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.flows.boursier2022 import _training

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def _slopes(slopes) -> xr.Dataset:
    return observables(
        coords={"sign": ("sign", _training.SIGNS, {"long_name": "sign of the targets"})},
        slope=("sign", slopes, {"long_name": "learning time over ln(1/λ)", "units": "time"}),
    )


def _fit_slopes(init_scales, half_times) -> xr.Dataset:
    import numpy as np

    return _slopes(np.polyfit(np.log(1 / np.asarray(init_scales)), half_times, 1)[0])


class PairTransitions(Claim):
    """Of two orthogonal points each is learned at a time of ln(1/λ) / |D|, the one with the larger |D| first.

    The time of a sign is when the loss on its points has halved, and its slope in ln(1/λ) is compared, as the next term
    is a constant. On these points |D_-| is twice |D_+|: the negative one comes first, where the figure's caption has
    the neurons of the negative label leave second. What decides is |D|, as the theorem says up to exchange of the
    signs.
    """

    source = Source("boursier2022", "main theorem, t_+ and t_-; Fig. 3", "asymptotic")
    metric, tolerance = max_relative_error("slope"), 0.001  # measured: 0.0003 over seven seeds

    width: int = 60  # m
    init_scales: tuple[float, ...] = (1e-4, 1e-6, 1e-8)  # lambda
    learning_rate: float = 0.0005
    end_time: float = 45.0

    def predict(self) -> xr.Dataset:
        samples = tasks.orthogonal_pair()
        levels = theory.flows.plateau_losses(samples)
        return _slopes(1 / theory.flows.sign_growth(samples).rates).merge(observables(level=("stage", levels)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        samples = tasks.orthogonal_pair()
        run = _training.train(self, samples, key, self.init_scales, record=2000)
        times, logs = np.asarray(run.times), np.log(1 / np.asarray(self.init_scales))
        half_times = _training.measure_half_times(samples, run)
        curves = observables(
            coords={"init_scale": ("init_scale", self.init_scales)},
            loss=(("init_scale", "record"), run.loss),
            time_over_log=(("init_scale", "record"), times / logs[:, None]),
        )
        return _fit_slopes(self.init_scales, half_times).merge(curves)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        slopes, levels = prediction["slope"].values, prediction["level"].values
        artists: list[Artist] = [ax.axhline(level, color=PALETTE[0], lw=1) for level in levels]
        artists += [ax.axvline(slope, color=PALETTE[0], lw=1) for slope in slopes]
        for slope, label in zip(slopes, ("$1/|D_+|$", "$1/|D_-|$"), strict=True):
            artists.append(ax.text(slope + 0.02, 1.03 * levels[0], label, color=PALETTE[0], va="bottom"))
        for colour, scale in zip(PALETTE[1:], measurement["init_scale"].values, strict=False):
            curve = measurement.sel(init_scale=scale)
            artists += ax.plot(
                curve["time_over_log"], curve["loss"], ".", ms=3, markevery=8, color=colour, label=f"λ = {scale:g}"
            )
        ax.set(xlim=(0, 1.35 * slopes.max()), ylim=(-0.05 * levels[0], 1.15 * levels[0]))
        ax.set(xlabel=r"time over $\ln(1/\lambda)$", ylabel="half mean squared error")
        ax.legend(fontsize="small", loc="center right", title="measured")
        return artists


class OrthogonalTransitions(Claim):
    """Of any orthogonal points those of one sign are learned together, at a time of ln(1/λ) / |D|.

    The five points have different lengths and targets. The weaker the weakest point of a sign, the longer the units at
    all points but that one keep up, and the smaller λ must be.
    """

    source = Source("boursier2022", "main theorem, t_+ and t_-", "asymptotic")
    metric, tolerance = max_relative_error("slope"), 0.01  # measured: 0.004 to 0.006 over seven seeds

    norms: tuple[float, ...] = (1.0, 1.5, 0.8, 1.2, 0.7)  # |x_k|
    targets: tuple[float, ...] = (1.0, 0.8, 1.1, -0.6, -0.9)  # y_k
    width: int = 60  # m
    init_scales: tuple[float, ...] = (1e-6, 1e-8, 1e-10)  # lambda
    learning_rate: float = 0.02
    end_time: float = 140.0
    full = dict(width=200, init_scales=(1e-10, 1e-12, 1e-14, 1e-16), end_time=220.0)

    def predict(self) -> xr.Dataset:
        return _slopes(1 / theory.flows.sign_growth(_training.make_points(self)).rates)

    def measure(self, key: jax.Array) -> xr.Dataset:
        samples = _training.make_points(self)
        run = _training.train(self, samples, key, self.init_scales, record=1000)
        half_times = _training.measure_half_times(samples, run)
        times = observables(
            {"init_scale": ("init_scale", self.init_scales)}, half_times=(("init_scale", "sign"), half_times)
        )
        return _fit_slopes(self.init_scales, half_times).merge(times)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        logs = np.log(1 / measurement["init_scale"].values)
        artists: list[Artist] = []
        for colour, sign in zip(PALETTE, _training.SIGNS, strict=False):
            slope, times = prediction["slope"].sel(sign=sign).item(), measurement["half_times"].sel(sign=sign).values
            # The constant is not predicted: through the last measurement.
            artists += ax.plot(
                logs, times[-1] + slope * (logs - logs[-1]), color=colour, label=f"{sign}, theory's slope"
            )
            artists += ax.plot(logs, times, "o", mfc="none", color=colour, label=f"{sign}, measured")
        ax.set(xlabel=r"$\ln(1/\lambda)$", ylabel="time at which a sign is learned")
        ax.legend(fontsize="small")
        return artists


class PairPlateau(Claim):
    """Between the two transitions the loss rests where only the sign with the larger |D| is learned."""

    source = Source("boursier2022", "main theorem and Fig. 3", "asymptotic")
    metric, tolerance = max_relative_error("level"), 5e-5  # measured: up to 5e-6 over seven seeds
    limit = ("init_scale", (1e-4, 1e-6, 1e-8))

    width: int = 60  # m
    init_scale: float = 1e-8  # lambda
    learning_rate: float = 0.005
    end_time: float = 45.0

    def predict(self) -> xr.Dataset:
        return self._levels(theory.flows.plateau_losses(tasks.orthogonal_pair())[:2])

    def measure(self, key: jax.Array) -> xr.Dataset:
        run = _training.train(self, tasks.orthogonal_pair(), key, (self.init_scale,), record=1000)
        plateaus = instruments.find_stages(run.times[0], run.loss[0]).plateaus
        curve = observables(times=("record", run.times[0]), loss=("record", run.loss[0]))
        return self._levels([plateau.level for plateau in plateaus[:-1]]).merge(curve)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = [ax.axhline(level, color=PALETTE[0]) for level in prediction["level"].values]
        artists[0].set_label("plateaus, theory")
        curve = measurement["times"].values, measurement["loss"].values
        artists += ax.plot(*curve, "o", ms=4, mfc="none", markevery=15, color=PALETTE[1], label="measured")
        ax.set(xlabel="gradient-flow time", ylabel="half mean squared error")
        ax.legend(fontsize="small")
        return artists

    def _levels(self, levels) -> xr.Dataset:
        return observables(
            coords={"learned": ("learned", range(len(levels)), {"long_name": "signs learned"})},
            level=("learned", levels, {"long_name": "half mean squared error on the plateau"}),
        )
