"""Modular addition by quadratic units: which unit is best, which frequency comes first, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.networks import UnitLayer


def _template(claim: Any) -> jax.Array:
    import jax.numpy as jnp

    return tasks.wave_template(jnp.asarray(claim.magnitudes))


def _draw_units(key: jax.Array, width: int, size: int) -> jax.Array:
    """Random directions of the weights (u, v, w) of units, shape (width, 3 size)."""
    import jax
    import jax.numpy as jnp

    weights = jax.random.normal(key, (width, 3 * size))
    return weights / jnp.linalg.norm(weights, axis=1, keepdims=True)


def _layer(weights: jax.Array, size: int) -> UnitLayer:
    unit = networks.Neuron(numerics.activations.square)
    return networks.UnitLayer(weights[:, : 2 * size], weights[:, 2 * size :].T, unit)


def _spectrum(rows: jax.Array) -> jax.Array:
    """Mean power of rows of length p at each frequency but 0."""
    import jax.numpy as jnp

    return jnp.mean(jnp.abs(jnp.fft.rfft(rows, axis=1)[:, 1:]) ** 2, axis=0)


class BestUtility(Claim):
    """No quadratic unit of norm 1 serves modular addition better than sqrt(2/27) p^(-3/2) max_k |x_k|^3.

    Found from the definition: the correlation of a unit's output with the targets of all pairs, climbed along the
    sphere from many random starts.
    """

    source = Source("kunin2025", "modular addition, best utility", "exact")
    metric, tolerance = max_relative_error("utility"), 1e-6  # measured: below 1e-15 over five seeds

    magnitudes: tuple[float, ...] = (4.0, 6.5, 2.5, 9.0, 1.0)  # |x_k|, k = 1 .. (p - 1)/2
    starts: int = 24
    steps: int = 150

    def predict(self) -> xr.Dataset:
        return observables(utility=theory.flows.best_modular_utilities(_template(self)).max())

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        template = _template(self)
        samples, size = tasks.modular_addition(template), template.size

        def utility(weights):
            outputs = jax.vmap(_layer(weights[None, :], size))(samples.inputs)
            return jnp.sum(samples.weights[:, None] * outputs * samples.targets)

        def climb(weights, _):
            slope = jax.vmap(jax.grad(utility))(weights)
            moved = weights + slope / jnp.linalg.norm(slope, axis=1, keepdims=True)
            return moved / jnp.linalg.norm(moved, axis=1, keepdims=True), None

        def best(weights):
            return jnp.max(jax.vmap(utility)(jax.lax.scan(climb, weights, length=self.steps)[0]))

        return observables(utility=jax.jit(best)(_draw_units(key, self.starts, size)))


class ModularStages(Claim):
    """A quadratic network learns the frequencies of modular addition one by one, the largest |x_k| first.

    Learned is a frequency of the output when half of its error is gone. A level is read when 1/500 of the next one's
    error is gone, and is the median of several networks: one in thirty begins a frequency before the last is finished,
    and more of them where magnitudes are closer (up to two in five at 3.5, 6, 1.8).
    """

    source = Source("kunin2025", "modular addition, order and levels", "asymptotic")
    metric, tolerance = max_relative_error("level", "frequency"), 0.003  # measured: up to 0.0017 over six seeds

    magnitudes: tuple[float, ...] = (2.5, 6.0, 1.0)  # |x_k|, k = 1 .. (p - 1)/2
    stages: int = 2  # how many are followed
    count: int = 3  # networks
    width: int = 36  # H
    init_scale: float = 0.02  # alpha
    learning_rate: float = 0.02
    horizon: float = 1.8  # training time in units of 1/alpha
    full = dict(magnitudes=(3.0, 4.5, 2.0, 9.0, 1.0), width=48, horizon=1.2, learning_rate=0.006)

    def predict(self) -> xr.Dataset:
        path = theory.flows.modular_stages(_template(self))
        return self._label(("stage", path.units[1 : self.stages + 1] + 1), path.loss[: self.stages])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        template = _template(self)
        samples, size = tasks.modular_addition(template), template.size
        steps = round(self.horizon / self.init_scale / self.learning_rate)

        def train(key):
            return training.gradient_descent(
                _layer(self.init_scale * _draw_units(key, self.width, size), size),
                samples,
                learning_rate=self.learning_rate,
                steps=steps,
                record=1000,
                observables={
                    "error": lambda network: _spectrum(samples.targets - jax.vmap(network)(samples.inputs)),
                    "weights": lambda network: _spectrum(network.second.T),
                },
                reduction="features",
            )

        run = jax.jit(jax.vmap(train))(jax.random.split(key, self.count))
        loss, spectra = np.asarray(run.loss), {name: np.asarray(run.observables[name]) for name in ("error", "weights")}
        share = spectra["error"] / spectra["error"][:, :1]
        halved, begun = (np.argmax(share < left, axis=1) for left in (0.5, 0.998))
        order = np.argsort(np.where(halved > 0, halved, loss.shape[1]), axis=1, kind="stable")[:, : self.stages]
        levels = np.take_along_axis(loss, np.take_along_axis(begun, order, axis=1) - 1, axis=1)
        curves = {
            "loss": (("seed", "record"), loss),
            "at": ("record", run.times[0]),
            "weights": (("seed", "record", "wave"), spectra["weights"]),
        }
        return self._label((("seed", "stage"), order + 1), np.median(levels, axis=0), **curves)

    def _label(self, frequency, levels, **more) -> xr.Dataset:
        stage = ("stage", range(1, self.stages + 1), {"long_name": "stage"})
        return observables(coords={"stage": stage}, level=("stage", levels), frequency=frequency, **more)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        at, loss = measurement["at"].values, measurement["loss"].values
        artists: list[Artist] = []
        for place, level in enumerate(prediction["level"].values):
            artists.append(ax.axhline(level, color=PALETTE[0], label="_" if place else "levels, theory"))
        artists += ax.plot(at[::8], loss[:, ::8].T, ".", ms=2, color=PALETTE[1])
        artists[-1].set_label("loss, measured")
        ax.set(xlabel="time", ylabel="loss", ylim=(0, 1.08 * loss.max()))
        beside = ax.twinx()
        power = measurement["weights"].values[0]
        for colour, wave in zip(PALETTE[2:], range(power.shape[1]), strict=False):
            label = f"$|\\hat w|^2$ at frequency {wave + 1}"
            artists += beside.plot(at, power[:, wave] / power.max(), "--", lw=1, color=colour, label=label)
        beside.set(ylabel="power of output weights in one network", ylim=(0, 1.08))
        handles = [artist for artist in artists if not str(artist.get_label()).startswith("_")]
        ax.legend(handles=handles, fontsize="small", loc="upper center", bbox_to_anchor=(0.45, 0.93))
        return artists


class FirstActivation(Claim):
    """The first unit of a small network is active when theory's single unit is that does not feel the others.

    Each network has random units of norm alpha, theory's initial weights too. Active is a unit of norm 1/2. The bound
    1/(3 alpha U) of an aligned unit would be too early by a third to a half.
    """

    source = Source("kunin2025", "activation time of a dormant unit", "asymptotic")
    metric, tolerance = max_relative_error("time"), 0.015  # measured: 0.0079 to 0.0093 over five sets of networks
    limit = ("init_scale", (0.08, 0.04, 0.02))

    magnitudes: tuple[float, ...] = (6.0, 4.0, 2.5)  # |x_k|, k = 1 .. (p - 1)/2
    width: int = 18  # H
    count: int = 4  # networks
    init_seed: int = 0
    init_scale: float = 0.02  # alpha
    learning_rate: float = 0.005
    horizon: float = 0.28  # training time in units of 1/alpha

    def _start(self) -> jax.Array:
        import jax

        size = 2 * len(self.magnitudes) + 1
        return jax.vmap(lambda key: _draw_units(key, self.width, size))(
            jax.random.split(jax.random.key(self.init_seed), self.count)
        )

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        template = _template(self)
        size = 2 * template.size

        def first(units):
            log_norms = jnp.full(self.width, jnp.log(self.init_scale))
            utility = lambda unit: theory.flows.modular_utility(template, unit[:size], unit[size:])  # noqa: E731
            return theory.flows.first_activation(utility, units, log_norms, degree=3).times.max()

        return observables(time=("network", jax.jit(jax.vmap(first))(self._start())))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        template = _template(self)
        samples, size = tasks.modular_addition(template), template.size
        steps = round(self.horizon / self.init_scale / self.learning_rate)

        def largest(network):
            return jnp.sqrt(jnp.max(jnp.sum(network.first**2, axis=1) + jnp.sum(network.second**2, axis=0)))

        def train(units):
            return training.gradient_descent(
                _layer(self.init_scale * units, size),
                samples,
                learning_rate=self.learning_rate,
                steps=steps,
                record=500,
                observables={"largest": largest},
                reduction="features",
            )

        run = jax.jit(jax.vmap(train))(self._start())
        times, norms = np.asarray(run.times), np.asarray(run.observables["largest"])
        found = [numerics.first_crossing(*curve, 0.5) for curve in zip(times, norms, strict=True)]
        return observables(time=("network", found))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        expected, found = prediction["time"].values, measurement["time"].values
        bound = 1 / (3 * self.init_scale * theory.flows.best_modular_utilities(_template(self)).max().item())
        ends = [0.95 * bound, 1.03 * found.max()]
        artists: list[Artist] = [
            *ax.plot(ends, ends, color=PALETTE[0], label="theory"),
            *ax.plot(expected, found, "o", mfc="none", color=PALETTE[1], label="measured, one network each"),
            ax.axvline(bound, color=PALETTE[0], ls=":", label="an aligned unit, 1/(3αU)"),
        ]
        ax.set(xlabel="activation time of the first unit by itself", ylabel="of the first unit of the network")
        ax.legend(fontsize="small")
        return artists
