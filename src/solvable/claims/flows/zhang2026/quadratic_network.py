"""Networks of units quadratic in their weights: which unit grows first, and where training stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, theory, training
from solvable.claims import Claim, Source, fraction_wrong, max_curve_gap, observables
from solvable.claims.flows.zhang2026 import _units

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


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
        found = jax.vmap(theory.flows.blow_up_time, (0, 0, None))(*self._start(), correlation)
        order = jax.vmap(theory.flows.growth_order)(found)
        return observables(first_unit=("network", order[:, 0], {"long_name": "first unit"}))

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


class QuadraticStops(Claim):
    """A quadratic network stops at one saddle after another, each with one more eigenvector of the teacher."""

    source = Source("zhang2026", "Section 5.2 and App. I, Eq. 71", "exact")
    metric, tolerance = max_curve_gap("level"), 5e-4  # measured: up to 0.0001 over twenty seeds

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
