"""Units quadratic in their weights: when each one grows, what it keeps meanwhile, and where training stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, fraction_wrong, max_curve_gap, max_relative_error, observables
from solvable.claims.flows.zhang2026 import _units

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


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
        return _blow_ups([1 / blow_up.time for blow_up in found], [blow_up.sign for blow_up in found])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        steps = round(self.horizon / self.init_scale / self.learning_rate)
        record = np.unique(np.geomspace(1e-3 * steps, steps, 1200).round().astype(int))
        observed = {"size": lambda unit: _units.unit_sizes(unit)[0], "second": lambda unit: unit.second[0, 0]}

        def train(first, second, moments):
            unit = _units.layer_of(first[None, :], second[None], 2)
            return training.gradient_descent(
                unit, moments, learning_rate=self.learning_rate, steps=steps, record=record, observables=observed
            ).observables

        # Both tasks at once; without the moments of z the residual is y itself.
        task_moments = [
            _units.axis_teacher(task, 2).moments(numerics.Monomials(len(task), 2))
            for task in (self.indefinite, self.definite)
        ]
        moments = jax.tree.map(lambda *entries: jnp.stack(entries), *task_moments)
        early = tasks.Moments(moments.target_power, moments.sigma_yz, jnp.zeros_like(moments.sigma_zz))
        over_units = jax.vmap(train, (0, 0, None))
        paths = jax.jit(jax.vmap(over_units, (None, None, 0)))(*self._start(), early)
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


class FirstToGrow(Claim):
    """The unit with the earliest blow-up time is the one that grows first in the network.

    Only the first: once it has grown the others feel another residual, and at that moment their sizes are not in the
    order of their blow-up times (of the first four, one in ten is out of place).
    """

    source = Source("zhang2026", "Prop. 5, Eq. 57", "asymptotic")
    metric, tolerance = fraction_wrong("first_unit"), 0.01  # measured: none wrong over six starts

    eigenvalues: tuple[float, ...] = (1.0, 0.2, -1.0)  # of the teacher; S has both signs
    width: int = 50  # H
    count: int = 24  # networks, with initial weights of their own
    init_scale: float = 1e-3  # epsilon
    init_seed: int = 0  # of the initial weights, which theory needs too
    learning_rate: float = 0.05
    horizon: float = 0.4  # training time, in units of 1/epsilon
    large: float = 0.5  # size at which a unit has grown
    full = dict(count=100)

    def _start(self) -> tuple[jax.Array, jax.Array]:
        import jax

        keys = jax.random.split(jax.random.key(self.init_seed), self.count)
        dim = len(self.eigenvalues)
        return jax.vmap(lambda key: _units.draw_weights(key, self.width, dim, self.init_scale))(keys)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        correlation = theory.flows.gaussian_correlation(jnp.diag(jnp.asarray(self.eigenvalues)))
        order = lambda *start: theory.flows.growth_order(theory.flows.blow_up_time(*start, correlation))  # noqa: E731
        return observables(first_unit=("network", jax.vmap(order)(*self._start())[:, 0], {"long_name": "first unit"}))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        moments = _units.axis_teacher(self.eigenvalues, 2).moments(numerics.Monomials(len(self.eigenvalues), 2))
        steps = round(self.horizon / self.init_scale / self.learning_rate)

        def grow(first, second):
            run = training.gradient_descent(
                _units.layer_of(first, second, 2),
                moments,
                learning_rate=self.learning_rate,
                steps=steps,
                record=500,
                observables={"size": _units.unit_sizes},
            )
            largest = jnp.max(run.observables["size"], axis=1)
            unit = jnp.argmax(run.observables["size"][jnp.argmax(largest > self.large)])
            return jnp.where(largest[-1] > self.large, unit.astype(float), jnp.nan)

        return observables(first_unit=("network", jax.jit(jax.vmap(grow))(*self._start())))


class BlowUpConservation(Claim):
    """Every quadratic unit keeps v^2 - |u|^2/2 while it grows, and for the rest of training."""

    source = Source("zhang2026", "Eq. 50", "law")
    metric, tolerance = max_curve_gap("invariant"), 1e-6  # measured: CONS

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


class QuadraticStops(Claim):
    """A quadratic network stops at one saddle after another, each with one more eigenvector of the teacher."""

    source = Source("zhang2026", "Section 5.2 and App. I, Eq. 71", "exact")
    metric, tolerance = max_curve_gap("level"), 2e-4  # measured: up to 0.00003 over five seeds

    eigenvalues: tuple[float, ...] = (2.0, 1.2, 0.5)  # of the teacher, all positive
    width: int = 10  # H
    seeds: int = 4
    init_scale: float = 1e-3  # epsilon
    learning_rate: float = 0.01
    horizon: float = 1.2  # training time, in units of 1/epsilon
    full = dict(seeds=16)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        # The paper's loss is twice ours.
        return observables(level=("stop", 2 * theory.flows.greedy_quadratic_levels(jnp.asarray(self.eigenvalues)).loss))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        dim = len(self.eigenvalues)
        moments = _units.axis_teacher(self.eigenvalues, 2).moments(numerics.Monomials(dim, 2))
        steps = round(self.horizon / self.init_scale / self.learning_rate)

        def train(key):
            network = networks.initialise(
                networks.Neuron(numerics.activations.square),
                key,
                width=self.width,
                input_shape=(dim,),
                init_scale=self.init_scale,
            )
            run = training.gradient_descent(
                network, moments, learning_rate=self.learning_rate, steps=steps, record=3000
            )
            return run.times, run.loss

        times, losses = map(np.asarray, jax.jit(jax.vmap(train))(jax.random.split(key, self.seeds)))
        levels = np.full((self.seeds, dim + 1), np.nan)
        for found, time, loss in zip(levels, times, losses, strict=True):
            plateaus = instruments.find_stages(time, 2 * loss, min_drop=0.005).plateaus
            found[:] = [plateau.level for plateau in plateaus] if len(plateaus) == dim + 1 else np.nan
        return observables(
            coords={"time": times[0]}, level=(("seed", "stop"), levels), loss=(("seed", "time"), 2 * losses)
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        times, losses = measurement["time"].values, measurement["loss"].values
        artists: list[Artist] = []
        for place, level in enumerate(prediction["level"].values[:-1]):
            artists.append(ax.axhline(level, color=PALETTE[0], label="_" if place else "levels above 0, theory"))
        for place, (colour, loss) in enumerate(zip(PALETTE[1:], losses, strict=False)):
            artists += ax.plot(times, loss, ".", ms=3, color=colour, label=f"measured, seed {place}")
        floor = 0.2 * prediction["level"].values[-2]
        ends = times[(losses > floor).any(axis=0)].max()
        ax.set(xlabel="time", ylabel="loss, $E|y - f|^2$", yscale="log", xlim=(0, 1.05 * ends))
        ax.set_ylim(floor, 2 * prediction["level"].values[0])
        ax.legend(fontsize="small", markerscale=3)
        return artists


def _blow_ups(rates: list, signs: list) -> xr.Dataset:
    """One over the blow-up time, 0 where there is none, and the sign of v there, for both tasks."""
    import numpy as np

    dims = ("task", "unit")
    return observables(
        coords={"task": ["indefinite", "definite"]}, rate=(dims, np.stack(rates)), sign=(dims, np.stack(signs))
    )
