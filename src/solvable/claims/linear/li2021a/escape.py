"""The escape from zero: how fast the first direction leaves the others behind, and what depth changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, numerics, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.linear.li2021a import _setting

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class FirstPhaseRate(Claim):
    """The first phase approaches that of the top direction alone, by a power of the scale set by two growth rates.

    Distance between runs from alpha W_0 and from alpha u_1 u_1^T when the latter has grown to size 1. The paper proves
    a smaller power; these are what linear growth says: one for W_0 = I, and half of it where W_0 mixes directions.
    Breaks as `learning_rate` grows: both runs are then cut off at whole steps of their growth.
    """

    source = Source("li2021a", "first phase from infinitesimal weights", "scaling")
    metric, tolerance = max_relative_error("exponent"), 0.04  # measured: 0.018 to 0.031 over three task seeds

    eigenvalues: tuple[float, ...] = (10.0, 5.0, 2.5)  # of M
    dim: int = 10  # d
    observed_share: float = 0.75
    task_seed: int = 3
    smallest: float = 1e-14  # alpha, from here
    largest: float = 1e-8  # to here
    scales: int = 7
    mixing: float = 0.5  # entry of W_0 between its directions u_1 and u_2, where it is not I
    learning_rate: float = 2e-3

    def predict(self) -> xr.Dataset:
        growth = _setting.growth_rates(_setting.make_task(self))
        exponents = [theory.linear.phase_exponent(growth, aligned=aligned) for aligned in (True, False)]
        return observables(coords={"start": ["aligned", "mixed"]}, exponent=("start", exponents))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax.numpy as jnp
        import numpy as np

        task = _setting.make_task(self)
        growth, vectors = np.linalg.eigh(-np.asarray(task.gradient(jnp.zeros_like(task.target))))
        top = np.outer(vectors[:, -1], vectors[:, -1])
        mixed = np.eye(self.dim) + self.mixing * sum(np.outer(vectors[:, -i], vectors[:, i - 3]) for i in (1, 2))
        scales = np.geomspace(self.smallest, self.largest, self.scales)
        steps = np.round(np.log(1 / scales) / (2 * growth[-1] * self.learning_rate)).astype(int)

        @eqx.filter_jit
        @eqx.filter_vmap(in_axes=(0, None))
        @eqx.filter_vmap(in_axes=(None, 0))
        def train(shape, scale):
            run = training.gradient_descent(
                networks.balanced_factors(scale * shape, depth=2),
                training.CompletionLoss(task),
                learning_rate=self.learning_rate,
                steps=int(steps.max()),
                record=np.unique(steps),
                observables={"map": lambda network: network.coefficients()},
            )
            return run.observables["map"]

        maps = np.asarray(train(jnp.asarray(np.stack([top, np.eye(self.dim), mixed])), jnp.asarray(scales)))
        own = np.searchsorted(np.unique(steps), steps)
        maps = maps[:, np.arange(self.scales), own]
        distances = np.linalg.norm(maps[1:] - maps[:1], axis=(2, 3))
        exponents = [np.polyfit(np.log(scales), np.log(distance), 1)[0] for distance in distances]
        coords = {"start": ["aligned", "mixed"], "scale": scales}
        return observables(coords=coords, exponent=("start", exponents), distance=(("start", "scale"), distances))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        names = {"aligned": "$W_0 = I$", "mixed": "$W_0$ mixes $u_1$, $u_2$"}
        for colour, (start, name) in zip(PALETTE, names.items(), strict=False):
            found = measurement["distance"].sel(start=start)
            exponent = prediction["exponent"].sel(start=start).item()
            middle = found[found.size // 2]
            line = middle.item() * (found["scale"] / middle["scale"].item()) ** exponent
            artists += ax.plot(found["scale"], line, color=colour, label=f"{name}: $α^{{{exponent:.3f}}}$")
            artists += ax.plot(found["scale"], found, "o", mfc="none", color=colour)
        ax.set(xscale="log", yscale="log", xlabel="scale α of the start", ylabel="distance from the flow out of $u_1$")
        ax.legend(fontsize="small", title="line: theory's power, circles: training", title_fontsize="small")
        return artists


class DeepEscape(Claim):
    """Layers beyond two leave zero after a power of the scale, and hold the other directions where they began.

    Escape is when W is half as large as M; by then direction k has grown by a factor that does not depend on alpha.
    Breaks as `init_scale` grows: what escape itself takes is no longer short.
    """

    source = Source("li2021a", "deep factorisations, escape and greediness", "asymptotic")
    metric, tolerance = max_relative_error("time", "growth"), 0.04  # measured: 0.017 to 0.034 over three task seeds
    limit = ("init_scale", (1e-3, 1e-4, 1e-5))

    depths: tuple[int, ...] = (3, 4)  # L
    eigenvalues: tuple[float, ...] = (10.0, 5.0, 2.5)  # of M
    dim: int = 10  # d
    observed_share: float = 0.75
    task_seed: int = 3
    init_scale: float = 1e-5  # alpha, of W(0) = alpha I
    learning_rate: float = 1e-3
    followers: int = 2  # directions after the first
    full = dict(init_scale=1e-6)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        growth = _setting.growth_rates(_setting.make_task(self))
        ratios = growth[1 : 1 + self.followers] / growth[0]
        end, start = jnp.asarray(np.inf), jnp.asarray(self.init_scale)
        times = [theory.linear.escape_time(start, end, growth[0], depth) for depth in self.depths]
        return self._label(times, [theory.linear.follower_growth(end, ratios, depth) for depth in self.depths])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        task, found = _setting.make_task(self), []
        half = float(jnp.linalg.norm(task.target)) / 2
        for depth in self.depths:
            # Beyond the escape time of the eigenvalue itself, of which the observed entries show a part.
            horizon = 1.4 * self.init_scale ** (2 / depth - 1) / ((depth - 2) * max(self.eigenvalues))
            record = np.arange(1001) * max(1, int(horizon / self.learning_rate / 1000))

            def train(scale, depth=depth, record=record):
                return training.gradient_descent(
                    networks.balanced_factors(scale * jnp.eye(self.dim), depth=depth),
                    training.CompletionLoss(task),
                    learning_rate=self.learning_rate,
                    steps=int(record[-1]),
                    record=record,
                    observables={"values": lambda network: jnp.linalg.svdvals(network.coefficients())},
                )

            run = jax.jit(train)(jnp.asarray(self.init_scale))
            times, values = np.asarray(run.times), np.asarray(run.observables["values"])
            size = np.linalg.norm(values, axis=1)
            time = numerics.first_crossing(times, size, half)
            grown = values[:, : 1 + self.followers] / self.init_scale
            found.append((time, [np.interp(time, times, curve) for curve in grown.T[1:]], times, grown))
        at = ("depth", "record"), np.stack([times for *_, times, _ in found])
        curve = ("depth", "record", "mode"), np.stack([grown for *_, grown in found])
        return self._label(*zip(*[row[:2] for row in found], strict=True)).merge(observables(at=at, curve=curve))

    def _label(self, times, growth) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={"depth": list(self.depths), "direction": np.arange(2, 2 + self.followers)},
            time=("depth", np.asarray(times)),
            growth=(("depth", "direction"), np.stack(growth)),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, depth in zip(PALETTE, self.depths, strict=False):
            theory, trained = prediction.sel(depth=depth), measurement.sel(depth=depth)
            escape = theory["time"].item()
            for mode, curve in enumerate(trained["curve"].transpose("mode", "record")):
                label = f"depth {depth}, escape at {trained['time'].item():.2f}, theory {escape:.2f}"
                artists += ax.plot(trained["at"] / escape, curve, color=colour, label=None if mode else label)
            artists += [ax.axhline(level, color=colour, ls="--", lw=1) for level in theory["growth"].values]
        artists.append(ax.axvline(1, color="0.6", ls="--", lw=1))
        ax.set(xlabel="time, of theory's escape time", ylabel="growth $σ_k/α$", xlim=(0, 1.2), yscale="log")
        ax.set_ylim(0.9, 3 * float(prediction["growth"].max()))
        ax.legend(fontsize="small", title="solid: training, dashed: theory", title_fontsize="small")
        return artists
