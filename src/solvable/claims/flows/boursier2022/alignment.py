"""While the output is small: units align with the pull of their active points, and leave points for good."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from solvable import theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.flows.boursier2022 import _training
from solvable.errors import OutsideDomain

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class EarlyAlignment(Claim):
    """Units active on a set S of points of their sign align with D_S and grow, both at the rate |D_S|.

    The pull on a unit is read off how it moves. Rates are those of tan(angle/2) and of the norm, averaged over the
    units of a group from 2/3 of the time on, while the output is still small.
    """

    source = Source("boursier2022", "early alignment", "exact")
    metric, tolerance = (
        max_relative_error("growth_rate", "alignment_rate", "pull"),
        1e-4,
    )  # measured: below 3e-5 over seven seeds

    norms: tuple[float, ...] = (1.0, 1.5, 0.8, 1.2, 0.7)  # |x_k|
    targets: tuple[float, ...] = (1.0, 0.8, 1.1, -0.6, -0.9)  # y_k
    width: int = 200  # m
    init_scale: float = 1e-12  # lambda
    learning_rate: float = 0.02
    end_time: float = 54.0
    full = dict(width=1000)

    def _groups(self) -> dict[str, tuple[int, ...]]:
        """Every set of points of one sign, by name."""
        signs = [[k for k, y in enumerate(self.targets) if y * sign > 0] for sign in (1, -1)]
        sets = [points for sign in signs for size in range(len(sign)) for points in combinations(sign, size + 1)]
        return {",".join(str(k + 1) for k in points): points for points in sets}

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        groups = [[k in points for k in range(len(self.targets))] for points in self._groups().values()]
        growth = theory.flows.group_growth(_training.make_points(self), jnp.asarray(groups))
        return self._label(growth.rates, growth.rates, growth.directions / growth.rates[:, None])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        samples = _training.make_points(self)
        steps = round(self.end_time / self.learning_rate)
        record = np.array([2 * steps // 3, steps])
        run = _training.train(self, samples, key, (self.init_scale,), record)
        first, signs = np.asarray(run.observables["first"])[0], np.sign(np.asarray(run.observables["second"])[0, -1])
        active = first @ np.asarray(samples.inputs).T > 0
        rows = []
        for points in self._groups().values():
            group = np.isin(np.arange(len(self.targets)), points)
            own = (active == group).all(axis=(0, 2)) & (signs == np.sign(self.targets[points[0]]))
            if not own.any():
                raise OutsideDomain(f"`width` is {self.width}; it must be larger for units on points {points} alone.")
            rows.append(_measure_alignment(first[:, own], np.diff(record)[0], self.learning_rate))
        return self._label(*zip(*rows, strict=True))

    def _label(self, growth_rate, alignment_rate, pull) -> xr.Dataset:
        points = {"long_name": "active points"}
        return observables(
            coords={"group": ("group", list(self._groups()), points)},
            growth_rate=("group", growth_rate, {"long_name": "growth rate of $|w|$", "units": "1/time"}),
            alignment_rate=("group", alignment_rate, {"long_name": "decay rate of the angle", "units": "1/time"}),
            pull=(("axis", "group"), list(zip(*pull, strict=True)), {"long_name": "direction of the pull"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        groups = prediction["group"].values
        artists: list[Artist] = [*ax.plot(groups, prediction["growth_rate"], "_", ms=26, mew=2, color=PALETTE[0])]
        artists[0].set_label("$|D_S|$, theory")
        for marker, colour, name in (("o", PALETTE[1], "growth_rate"), ("x", PALETTE[2], "alignment_rate")):
            label = measurement[name].attrs["long_name"]
            artists += ax.plot(groups, measurement[name], marker, mfc="none", ls="", color=colour, label=label)
        ax.set(xlabel="active points $S$", ylabel="rate (1/time)")
        ax.legend(fontsize="small", loc="lower left")
        return artists


def _measure_alignment(first: np.ndarray, steps: int, learning_rate: float) -> tuple[float, float, np.ndarray]:
    """Growth and alignment rate and direction of the pull, means over units, from weights at two times."""
    import numpy as np

    pull = (first[1] - first[0]) / np.linalg.norm(first[1] - first[0], axis=1, keepdims=True)
    along, norm = np.sum(first * pull, axis=2), np.linalg.norm(first, axis=2)
    half_angle = np.linalg.norm(first - along[:, :, None] * pull, axis=2) / (norm + along)
    logs = np.log(np.array([norm[1] / norm[0], half_angle[0] / half_angle[1]])).mean(axis=1)
    # Gradient descent multiplies by 1 + learning_rate * rate a step.
    growth, alignment = np.expm1(logs / steps) / learning_rate
    return growth, alignment, pull.mean(axis=0)


class LostPoints(Claim):
    """A unit inactive at a point keeps w.x there for ever; it loses all points of the sign that is not its own.

    Measured after both signs are learned: the smallest and the largest w.x / w(0).x over inactive pairs of unit and
    point, and the share of pairs of other sign that are inactive.
    """

    source = Source("boursier2022", "early alignment, exact facts", "law")
    metric, tolerance = (
        max_relative_error("smallest_kept", "largest_kept", "share_lost"),
        1e-12,
    )  # measured: 0 over seven seeds

    norms: tuple[float, ...] = (1.0, 1.5, 0.8, 1.2, 0.7)  # |x_k|
    targets: tuple[float, ...] = (1.0, 0.8, 1.1, -0.6, -0.9)  # y_k
    width: int = 100  # m
    init_scale: float = 1e-6  # lambda
    learning_rate: float = 0.02
    end_time: float = 110.0

    def predict(self) -> xr.Dataset:
        return observables(smallest_kept=1.0, largest_kept=1.0, share_lost=1.0)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        samples = _training.make_points(self)
        run = _training.train(self, samples, key, (self.init_scale,))
        before, after = np.asarray(run.observables["first"])[0] @ np.asarray(samples.inputs).T / self.init_scale
        inactive, kept = before < 0, after / before
        other = np.asarray(run.observables["second"])[0, -1, :, None] * np.asarray(self.targets) < 0
        return observables(
            smallest_kept=kept[inactive].min(),
            largest_kept=kept[inactive].max(),
            share_lost=np.mean(after[other] < 0),
            inactive=(("pair", "time"), np.stack([before[inactive], after[inactive]], axis=1)),
            lost=(("other", "time"), np.stack([before[other & ~inactive], after[other & ~inactive]], axis=1)),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        inactive, lost = measurement["inactive"].values, measurement["lost"].values
        kept = [inactive.min(), 0.0]
        artists: list[Artist] = [*ax.plot(kept, kept, color=PALETTE[0], label="kept, theory")]
        artists.append(ax.axhline(0, color="0.6", lw=0.8))
        artists += ax.plot(*inactive.T, "o", ms=4, mfc="none", color=PALETTE[1], label="inactive from the start")
        artists += ax.plot(*lost.T, ".", ms=4, color=PALETTE[2], label="active, of the other sign")
        ax.set(xlabel="$w_j(0) · x_k / λ$", ylabel="$w_j · x_k / λ$ after training")
        ax.legend(fontsize="small", loc="lower right")
        return artists
