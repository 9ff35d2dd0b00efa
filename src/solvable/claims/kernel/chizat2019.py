"""Chizat, Oyallon, Bach (2019), On lazy training in differentiable programming.

Their loss is half the sum over samples, divided by alpha^2; ours is half the mean, so that our times and learning rates
are theirs times the number of samples and divided by alpha^2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_SCALE = {"long_name": "output scale $α$", "scale": "log"}


class LazyDeparture(Claim):
    """Training leaves its linearisation by 1/alpha in outputs, 1/alpha^2 in weights or if the model is doubled.

    Two-layer tanh networks, both as a difference of two networks: independent ones, or two copies. Gradient descent
    beside gradient descent of the linearised network, so that the step size does not count.
    """

    source = Source("chizat2019", "Theorem 2.2; doubling trick", "asymptotic")
    metric = max_relative_error("movement", "weights", "outputs", "doubled_outputs", over="mean")
    tolerance = 0.03  # measured: 0.001 to 0.015 over 6 seeds
    limit = ("output_scale", (2.0, 8.0, 32.0))

    output_scale: float = 32.0  # alpha, the smallest of four
    width: int = 10  # of each of the two networks
    num_samples: int = 12
    input_dim: int = 5
    horizon: float = 8.0  # training time
    learning_rate: float = 0.1  # of their loss
    seeds: int = 3
    full = dict(width=50, learning_rate=0.02, seeds=10, output_scale=100.0)

    def _scales(self):
        import numpy as np

        return self.output_scale * 2.0 ** np.arange(4)

    def predict(self) -> xr.Dataset:
        plain = theory.kernel.departure_exponents()
        return observables(**plain._asdict(), doubled_outputs=theory.kernel.departure_exponents(doubled=True).outputs)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        # All of them at once: every draw of its own is a program to compile.
        rows = jax.random.normal(key, (self.seeds, self.num_samples + 2 * self.width, self.input_dim + 1))
        departures = jax.jit(jax.vmap(self._depart))(rows)
        dims = ("seed", "output_scale")
        curves = {
            name: (dims, jnp.moveaxis(values, -1, 1)[..., column], {"long_name": "largest distance", "scale": "log"})
            for (name, column), values in zip(
                {"movement": 0, "weights": 0, "outputs": 0, "doubled_outputs": 1}.items(),
                (*departures, departures[2]),
                strict=True,
            )
        }
        slopes = {
            name: ("seed", np.polyfit(np.log(self._scales()), np.log(np.asarray(values)).T, 1)[0])
            for name, (_, values, _) in curves.items()
        }
        return observables(
            coords={"output_scale": ("output_scale", self._scales(), _SCALE)},
            **slopes,
            **{f"{name}_distance": curve for name, curve in curves.items()},
        )

    def _depart(self, rows):
        """Largest distances along training, by model (a pair, a doubled one) and scale; data and weights by rows."""
        import jax
        import jax.numpy as jnp

        unit, ends = networks.Neuron(numerics.activations.tanh), (self.num_samples, self.num_samples + self.width)
        data, *halves = jnp.split(rows, ends)
        samples = tasks.make_samples(data[:, :-1] / self.input_dim**0.5, data[:, -1:])
        one, other = (networks.UnitLayer(half[:, :-1], half[:, -1:].T, unit) for half in halves)
        pairs = jax.tree.map(lambda *parts: jnp.stack(parts), (one, other), (one, one))

        def depart(pair, scale):
            return training.lazy_departure(
                networks.centre(networks.DifferenceNetwork(*pair), scale / self.width**0.5),
                samples,
                learning_rate=self.learning_rate * self.num_samples / scale**2,
                steps=round(self.horizon / self.learning_rate),
            )

        over_scales = jax.vmap(depart, (None, 0))
        return jax.vmap(over_scales, (0, None))(pairs, jnp.asarray(self._scales()))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        words = {
            "movement": "weights from start",
            "weights": "weights from linearised",
            "outputs": "outputs from linearised",
            "doubled_outputs": "the same, doubled model",
        }
        scales = measurement["output_scale"]
        for colour, (name, label) in zip(PALETTE, words.items(), strict=False):
            distances = measurement[f"{name}_distance"]
            exponent = float(prediction[name])
            line = distances.mean("seed")[0] * (scales / scales[0]) ** exponent
            artists += ax.plot(scales, line, color=colour, label=rf"{label}, $α^{{{exponent:g}}}$")
            bars = ax.errorbar(
                scales,
                distances.mean("seed"),
                distances.std("seed"),
                fmt="o",
                ms=4,
                mfc="none",
                capsize=2,
                color=colour,
            )
            artists += bars.get_children()
        ax.set(xlabel="output scale $α$", ylabel="largest distance along training", xscale="log", yscale="log")
        ax.legend(fontsize="small")
        return artists


class ProductModelPath(Claim):
    """The model uv is lazy at large output scale and rich at small scale, along a path known in closed form.

    Three starts: u and v of one sign, of two, and of two and equal size, which run into the saddle u = v = 0.
    Breaks as `learning_rate` grows: gradient descent stands for the flow.
    """

    source = Source("chizat2019", "Sec. 1, scaled models [an instance, solved]", "exact")
    metric, tolerance = max_curve_gap("outputs", "kernel"), 0.008  # measured: 0.0055, proportional to the rate
    limit = ("learning_rate", (0.04, 0.01, 0.0025))

    first: tuple[float, ...] = (1.0, 0.8, 0.6)  # u_0 of each start
    second: tuple[float, ...] = (0.4, -0.5, -0.6)  # v_0
    targets: tuple[float, ...] = (1.5, -2.0, 1.5)  # y
    output_scales: tuple[float, ...] = (0.5, 2.0, 16.0)  # alpha
    horizon: float = 5.0  # training time
    learning_rate: float = 0.0025  # of their loss
    records: int = 20
    full = dict(output_scales=(0.5, 1.0, 4.0, 16.0, 256.0), records=60, learning_rate=1e-4)

    def validate(self) -> None:
        from solvable.errors import OutsideDomain

        if not len(self.first) == len(self.second) == len(self.targets):
            raise OutsideDomain(
                f"`first`, `second` and `targets` have {len(self.first)}, {len(self.second)} and {len(self.targets)} "
                "entries; each start has one of each."
            )

    def _steps(self):
        import numpy as np

        return np.unique(np.linspace(0, self.horizon / self.learning_rate, self.records + 1).round().astype(int)[1:])

    def _times(self):
        return self.learning_rate * self._steps()

    def _starts(self):
        import jax.numpy as jnp

        return tuple(jnp.asarray(values) for values in (self.first, self.second, self.targets))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        path = theory.kernel.product_path(
            jnp.asarray(self._times())[None, None],
            *(values[:, None, None] for values in self._starts()),
            jnp.asarray(self.output_scales)[None, :, None],
        )
        return self._label(path.outputs, path.kernel, lazy=(("start", "output_scale", "time"), path.lazy_outputs))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        unit, inputs = networks.Neuron(numerics.activations.identity), jnp.ones((1, 1))
        # One sample of input 1: the sum of squares of all weights is the kernel of the network before its scaling.
        watched = {
            "outputs": lambda network: network(inputs[0])[0],
            "kernel": lambda network: jnp.sum(network.network.first**2 + network.network.second**2),
        }

        def follow(u, v, y, scale):
            network = networks.UnitLayer(u.reshape(1, 1), v.reshape(1, 1), unit)
            return training.gradient_descent(
                networks.centre(network, scale),
                tasks.make_samples(inputs, y.reshape(1, 1)),
                learning_rate=self.learning_rate / scale**2,
                steps=int(self._steps()[-1]),
                record=self._steps(),
                observables=watched,
            ).observables

        runs = jax.vmap(jax.vmap(follow, (None, None, None, 0)), (0, 0, 0, None))
        found = jax.jit(runs)(*self._starts(), jnp.asarray(self.output_scales))
        return self._label(found["outputs"], found["kernel"])

    def _label(self, outputs, kernel, **more) -> xr.Dataset:
        dims = ("start", "output_scale", "time")
        return observables(
            coords={
                "output_scale": ("output_scale", list(self.output_scales), _SCALE),
                "time": ("time", self._times(), {"long_name": "time $t$"}),
            },
            outputs=(dims, outputs, {"long_name": "output $f$"}),
            kernel=(dims, kernel, {"long_name": "kernel $u^2 + v^2$"}),
            **more,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        times = prediction["time"]
        for place, scale in enumerate(prediction["output_scale"].values):
            colour = PALETTE[place % len(PALETTE)]
            for start in range(len(self.first)):
                label = f"α = {scale:g}" if start == 0 else None
                here = {"start": start, "output_scale": place}
                artists += ax.plot(times, prediction["outputs"].isel(here), color=colour, label=label)
                artists += ax.plot(times, measurement["outputs"].isel(here), "o", ms=4, mfc="none", color=colour)
        for start in range(len(self.first)):
            label = "lazy limit" if start == 0 else None
            artists += ax.plot(times, prediction["lazy"][start, 0], ":", color="0.3", label=label)
        ax.set(xlabel="time $t$", ylabel="output $f$ of three starts")
        ax.legend(fontsize="small")
        return artists
