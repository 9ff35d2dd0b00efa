"""The early flow of units quadratic in their weights: when each one blows up, and what it keeps meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables
from solvable.claims.flows.zhang2026 import _units

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    Array = jax.Array | np.ndarray


class BlowUpTimes(Claim):
    """Each quadratic unit blows up at a time, and with a sign of v, that its initial weights decide.

    The paper's integral is for a v that keeps its sign and an S of both signs; here v may cross 0 and S be definite,
    where some units never blow up. Trained on the residual y, not y - f: this is Eq. 14, whose units really diverge.
    """

    source = Source("zhang2026", "Prop. 5, Eqs. 14 and 56", "exact")
    metric, tolerance = max_relative_error("rate", "sign"), 0.01  # measured: 0.002 to 0.005 over six starts

    indefinite: tuple[float, ...] = (1.0, 0.2, -1.0)  # eigenvalues of a teacher whose S has both signs
    definite: tuple[float, ...] = (1.0, 0.5, 0.2)  # and of one whose S is positive definite; as many
    width: int = 48  # H, none of which feels the others
    init_scale: float = 1e-3  # epsilon
    init_seed: int = 0  # of the initial weights, which theory needs too
    learning_rate: float = 0.03
    horizon: float = 8.0  # training time, in units of 1/epsilon

    def _start(self) -> tuple[jax.Array, jax.Array]:
        import jax

        return _units.draw_weights(jax.random.key(self.init_seed), self.width, len(self.definite), self.init_scale)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        found = [
            theory.flows.blow_up_time(
                *self._start(), theory.flows.gaussian_correlation(jnp.diag(jnp.asarray(eigenvalues)))
            )
            for eigenvalues in (self.indefinite, self.definite)
        ]
        times, signs = (jnp.stack([getattr(unit, name) for unit in found]) for name in ("time", "sign"))
        return _blow_ups(1 / times, signs)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        steps = round(self.horizon / self.init_scale / self.learning_rate)
        record = np.unique(np.geomspace(1e-3 * steps, steps, 1200).round().astype(int))
        observed = {"size": lambda unit: _units.unit_sizes(unit)[0], "second": lambda unit: unit.second[0, 0]}

        def train(first, second, sigma_yz):
            unit = _units.layer_of(first[None, :], second[None], 2)
            # Without the moments of z the residual is y itself.
            early = tasks.Moments(jnp.zeros(()), sigma_yz, jnp.zeros((sigma_yz.size, sigma_yz.size)))
            return training.gradient_descent(
                unit, early, learning_rate=self.learning_rate, steps=steps, record=record, observables=observed
            ).observables

        sigma_yz = jnp.stack(
            [
                _units.axis_teacher(task, 2).moments(numerics.Monomials(len(task), 2)).sigma_yz
                for task in (self.indefinite, self.definite)
            ]
        )
        over_units = jax.vmap(train, (0, 0, None))
        paths = jax.jit(jax.vmap(over_units, (None, None, 0)))(*self._start(), sigma_yz)
        sizes, seconds = np.asarray(paths["size"]), np.asarray(paths["second"])
        times = np.apply_along_axis(lambda size: numerics.divergence_time(self.learning_rate * record, size), 2, sizes)
        last = np.sum(np.isfinite(sizes), axis=2, keepdims=True) - 1
        ends = np.take_along_axis(seconds, last, axis=2)[:, :, 0]
        return _blow_ups(1 / times, np.where(np.isinf(times), 0, np.sign(ends)))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, task in zip(PALETTE, prediction["task"].values, strict=False):
            theory_rate, rate, sign = (
                values.sel(task=task).values
                for values in (prediction["rate"], measurement["rate"], measurement["sign"])
            )
            order = np.argsort(-theory_rate)
            places = np.arange(np.sum(theory_rate > 0))
            order, never = order[: places.size], theory_rate.size - places.size
            artists += ax.plot(places, 1 / theory_rate[order], color=colour, label=f"S {task}, {never} never blow up")
            for end, marker in ((1, "^"), (-1, "v")):
                chosen = sign[order] == end
                artists += ax.plot(places[chosen], 1 / rate[order][chosen], marker, ms=5, mfc="none", color=colour)
        for marker, words in (("^", "measured, to v > 0"), ("v", "measured, to v < 0")):
            ax.plot([], [], marker, mfc="none", color="0.3", label=words)
        ax.set(xlabel="unit, in order of theory's time", ylabel="blow-up time", yscale="log")
        ax.legend(fontsize="small")
        return artists


class BlowUpConservation(Claim):
    """Every quadratic unit keeps v^2 - |u|^2/2 while it grows, and for the rest of training."""

    source = Source("zhang2026", "Eq. 50", "law")
    metric, tolerance = max_curve_gap("invariant"), 1e-6  # measured: up to 1.3e-8 over six starts

    eigenvalues: tuple[float, ...] = (1.0, 0.2, -1.0)  # of the teacher
    width: int = 6  # H
    init_scale: float = 0.1  # epsilon
    init_seed: int = 0  # of the initial weights, which theory needs too
    horizon: float = 20.0  # training time

    def _start(self) -> tuple[jax.Array, jax.Array]:
        import jax

        return _units.draw_weights(jax.random.key(self.init_seed), self.width, len(self.eigenvalues), self.init_scale)

    def _times(self):
        import numpy as np

        return np.linspace(0, self.horizon, 120)

    def predict(self) -> xr.Dataset:
        import numpy as np

        invariant = np.asarray(theory.flows.conserved_quantity(*self._start()))
        curves = np.repeat(invariant[:, None], self._times().size, axis=1)
        return observables(coords={"time": self._times()}, invariant=(("unit", "time"), curves))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp

        run = training.gradient_flow(
            _units.layer_of(*self._start(), 2),
            _units.axis_teacher(self.eigenvalues, 2),
            times=self._times(),
            relative_tolerance=1e-10,
            absolute_tolerance=1e-10,
            observables={
                "first": lambda network: jnp.linalg.norm(network.first, axis=1),
                "second": lambda network: network.second[0],
            },
        )
        first, second = run.observables["first"].T, run.observables["second"].T
        return observables(
            coords={"time": self._times()},
            invariant=(("unit", "time"), second**2 - first**2 / 2),
            first=(("unit", "time"), first),
            second=(("unit", "time"), second),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for place, colour in zip(range(prediction.sizes["unit"]), PALETTE, strict=False):
            invariant = prediction["invariant"].values[place, 0]
            first, second = measurement["first"].values[place], measurement["second"].values[place]
            artists += ax.plot(second, first, "o", ms=4, mfc="none", color=colour)
            along = np.linspace(second.min(), second.max(), 400)
            height = np.sqrt(2 * np.maximum(along**2 - invariant, 0))
            artists += ax.plot(along, height, color=colour)
        ax.plot([], [], color="0.3", label=r"$v^2 - |u|^2/2$ constant, one colour a unit")
        ax.plot([], [], "o", mfc="none", color="0.3", label="measured, along training")
        ax.set(xlabel="v", ylabel="|u|")
        ax.legend(fontsize="small")
        return artists


def _blow_ups(rates: Array, signs: Array) -> xr.Dataset:
    """One over the blow-up time, 0 where there is none, and the sign of v there, for both tasks and every unit."""
    dims = ("task", "unit")
    return observables(coords={"task": ["indefinite", "definite"]}, rate=(dims, rates), sign=(dims, signs))
