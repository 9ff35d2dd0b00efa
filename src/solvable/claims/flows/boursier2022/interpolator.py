"""What is learned in the end: one unit a sign, of least variation norm, up to a power of the initial scale."""

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

    from solvable.tasks import Samples

_STAGES = ["start", "aligned", "plateau", "end"]


def _predict(samples: Samples) -> xr.Dataset:
    found = theory.flows.interpolate_with_least_norm(samples)
    return _label(found.norm, [found.positive, found.negative])


def _label(norm, neurons) -> xr.Dataset:
    import numpy as np

    return observables(
        coords={"sign": _training.SIGNS, "axis": ("axis", range(1, np.shape(neurons)[1] + 1))},
        norm=((), norm, {"long_name": "variation norm $F$"}),
        neurons=(("sign", "axis"), neurons, {"long_name": "entries of $|Σ_j a_j w_j|$ over each sign"}),
    )


class PairInterpolator(Claim):
    """Two orthogonal points end fitted by two units: the interpolator of least variation norm."""

    source = Source("boursier2022", "main theorem and Fig. 3", "asymptotic")
    metric, tolerance = max_relative_error("norm", "neurons"), 1e-6  # measured: up to 8e-8 over seven seeds
    limit = ("init_scale", (1e-4, 1e-6, 1e-8))

    width: int = 60  # m
    init_scale: float = 1e-8  # lambda
    learning_rate: float = 0.005
    end_time: float = 60.0

    def predict(self) -> xr.Dataset:
        samples = tasks.orthogonal_pair()
        pulls = theory.flows.sign_growth(samples).directions
        return _predict(samples).merge(observables(pulls=(("sign", "axis"), pulls)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        run = _training.train(self, tasks.orthogonal_pair(), key, (self.init_scale,), record=1000)
        norm, neurons = _training.measure_neurons(run)
        times, stages = np.asarray(run.times[0]), instruments.find_stages(run.times[0], run.loss[0])
        at = np.searchsorted(times, [0.0, stages.drops[0].time / 2, stages.plateaus[1].time, times[-1]])
        first = np.asarray(run.observables["first"])[0, at]
        last = _label(norm[0, -1], neurons[0, -1])
        return last.merge(observables({"stage": _STAGES}, first=(("stage", "unit", "axis"), first)))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for panel, stage in zip(_split(ax, len(_STAGES)), _STAGES, strict=True):
            weights = measurement["first"].sel(stage=stage).values
            reach = 1.15 * np.max(np.abs(weights))
            for colour, name, pull in zip(PALETTE, ("$D_+$", "$D_-$"), prediction["pulls"].values, strict=False):
                artists += panel.plot(*zip((0, 0), 9 * reach * pull, strict=True), color=colour, lw=1, label=name)
            artists += panel.plot(*weights.T, "o", ms=3, mfc="none", color="black", alpha=0.6)
            panel.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
            panel.set_title(f"{stage}: |w| up to {np.max(np.linalg.norm(weights, axis=1)):.1g}", fontsize="small")
        ax.legend(fontsize="small", loc="lower right")
        return artists


def _split(ax: Axes, panels: int) -> list[Axes]:
    """The axes, made smaller, and others beside and below it."""
    place = ax.get_subplotspec()
    if place is None:
        return [ax] * panels
    first, *rest = place.subgridspec(2, panels // 2)
    ax.set_subplotspec(first)
    return [ax, *(ax.figure.add_subplot(spot) for spot in rest)]


class BalancedInterpolator(Claim):
    """Several points a sign end fitted by one unit a sign: the interpolator of least variation norm.

    The points of a sign pull alike, so that what is left at λ = 1e-8 is small; ``NormExcess`` has what is left.
    """

    source = Source("boursier2022", "main theorem", "asymptotic")
    metric, tolerance = max_relative_error("norm"), 1e-4  # measured: 1e-5 to 5e-5 over seven seeds

    norms: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)  # |x_k|
    targets: tuple[float, ...] = (1.0, 1.0, -0.6, -0.6)  # y_k
    width: int = 40  # m
    init_scale: float = 1e-8  # lambda
    learning_rate: float = 0.02
    end_time: float = 160.0

    def predict(self) -> xr.Dataset:
        import numpy as np

        samples = _training.make_points(self)
        prediction, rates = _predict(samples), theory.flows.sign_growth(samples).rates
        first = np.linalg.norm(prediction["neurons"].values[np.argmax(rates)])
        return prediction.merge(observables(first_unit=first))

    def measure(self, key: jax.Array) -> xr.Dataset:
        run = _training.train(self, _training.make_points(self), key, (self.init_scale,), record=200)
        norm, neurons = _training.measure_neurons(run)
        curve = observables(times=("record", run.times[0]), norms=("record", norm[0]))
        return _label(norm[0, -1], neurons[0, -1]).merge(curve)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = [ax.axhline(prediction["norm"].item(), color=PALETTE[0], label="both units, theory")]
        label = "unit of the first sign, theory"
        artists.append(ax.axhline(prediction["first_unit"].item(), color=PALETTE[0], ls="--", lw=1, label=label))
        times, norms = measurement["times"], measurement["norms"]
        artists += ax.plot(times, norms, "o", ms=4, mfc="none", markevery=4, color=PALETTE[1], label="measured")
        ax.set(xlabel="gradient-flow time", ylabel="variation norm $\\Sigma_j |a_j||w_j|$")
        ax.legend(fontsize="small", loc="lower right")
        return artists


class NormExcess(Claim):
    """The variation norm exceeds the least one by λ^(2 - 2 max |D_S| / |D|), over proper parts S of a sign.

    Not in the paper, whose theorem is the limit: ours, from its growth rates. Units that are active on S only are left
    behind with weights of that size. The excess is measured over the norm of the two sums of a_j w_j.
    """

    source = Source("boursier2022", "early alignment and main theorem (the exponent is ours)", "scaling")
    metric, tolerance = max_relative_error("exponent"), 0.01  # measured: below 0.003 over seven seeds

    norms: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)  # |x_k|
    targets: tuple[float, ...] = (1.0, 1.0, -0.6, -0.6)  # y_k
    width: int = 40  # m
    init_scales: tuple[float, ...] = (1e-6, 1e-7, 1e-8, 1e-9, 1e-10)  # lambda
    learning_rate: float = 0.02
    end_time: float = 180.0

    def predict(self) -> xr.Dataset:
        return observables(exponent=theory.flows.norm_excess_exponent(_training.make_points(self)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        run = _training.train(self, _training.make_points(self), key, self.init_scales)
        norm, neurons = _training.measure_neurons(run)
        excess = norm[:, -1] - np.linalg.norm(neurons[:, -1], axis=-1).sum(axis=-1)
        exponent = np.polyfit(np.log(self.init_scales), np.log(excess), 1)[0]
        scales = {"init_scale": ("init_scale", self.init_scales, {"long_name": "λ", "scale": "log"})}
        return observables(scales, exponent=exponent, excess=("init_scale", excess))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        scales, excess = measurement["init_scale"].values, measurement["excess"].values
        exponent = prediction["exponent"].item()
        law = excess[-1] * (scales / scales[-1]) ** exponent
        artists: list[Artist] = [*ax.loglog(scales, law, color=PALETTE[0], label=f"slope {exponent:.3f}, theory")]
        artists += ax.loglog(scales, excess, "o", mfc="none", color=PALETTE[1], label="measured")
        ax.set(xlabel="initial scale λ", ylabel="variation norm, in excess of two units'")
        ax.legend(fontsize="small")
        return artists


class UnequalNormExcess(NormExcess):
    """Where one point of a sign pulls weakly, the variation norm hardly approaches the least one."""

    norms: tuple[float, ...] = (1.3, 0.9, 1.1)  # |x_k|
    targets: tuple[float, ...] = (1.0, 0.8, -1.7)  # y_k
    width: int = 30  # m
    init_scales: tuple[float, ...] = (1e-12, 1e-13, 1e-14, 1e-15, 1e-16)  # lambda
