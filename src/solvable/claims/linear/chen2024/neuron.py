"""A linear neuron trained on noisy labels dies, or keeps a part of its signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class DyingNeuron(Claim):
    """Label noise kills a linear neuron beyond a threshold; below it the neuron keeps m - eta s^2/2 of its signal m.

    Compared are the share of runs that have died (1 + it) on both sides of the threshold, of finite steps, and the mean
    map well below it, of small ones.
    Breaks as `learning_rate` grows: the map keeps more, and runs blow up from far away.
    """

    source = Source("chen2024", "sign-invariant set; for the linear neuron derived", "asymptotic")
    metric, tolerance = max_relative_error("kept", "dead"), 0.06  # measured: 0.01 to 0.045 over five seeds
    limit = ("learning_rate", (0.4, 0.2, 0.1))

    signal: float = 0.3  # m
    learning_rate: float = 0.1  # eta
    kept_noises: tuple[float, ...] = (0.1, 0.2, 0.4)  # eta s^2 / 2m at which the mean of the map is compared
    dead_noises: tuple[float, ...] = (
        0.5,
        1.6,
    )  # eta s^2 / 2m at which the dead are counted; at 1 half a set of them dies
    start: tuple[float, ...] = (0.6, 0.5)  # w_1 and w_2
    horizon: float = 500.0  # training time
    chains: int = 200
    full = dict(learning_rate=0.05, chains=500, horizon=1000.0)

    def _spreads(self):
        """Label noise s: first where means are compared, then where the dead are counted."""
        import numpy as np

        return np.sqrt(2 * self.signal / self.learning_rate * np.array([*self.kept_noises, *self.dead_noises]))

    def predict(self) -> xr.Dataset:
        import numpy as np

        spreads, kept = self._spreads(), len(self.kept_noises)
        means = theory.linear.label_noise_mean(self.signal, spreads[:kept], self.learning_rate)
        exponents = theory.linear.label_noise_exponent(self.signal, spreads[kept:], self.learning_rate)
        return self._label(means, 1 + (np.asarray(exponents) < 0))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        spreads, kept = jnp.asarray(self._spreads()), len(self.kept_noises)
        first, second = self.start
        begin = jnp.log(jnp.array([abs(first + second), abs(first - second)]))[:, None, None]
        logs = training.follow_chains(
            training.LabelNoiseSGD(self.signal, spreads[:, None], self.learning_rate),
            jnp.broadcast_to(begin, (2, spreads.size, self.chains)),
            key,
            steps=100 * round(self.horizon / self.learning_rate / 100),
            record=101,
            shared=1,
        )
        maps = np.asarray(training.neuron_map(jnp.moveaxis(logs, 1, 0)))
        dead = np.mean(np.abs(maps[-1, kept:]) < 1e-6, axis=1)
        found = self._label(maps[20:, :kept].mean((0, 2)), 1 + dead)
        return found.assign(run=(("time", "noise"), maps[:, :, 0])).assign_coords(
            time=np.linspace(0, self.horizon, 101), noise=[*self.kept_noises, *self.dead_noises]
        )

    def _label(self, kept, dead) -> xr.Dataset:
        return observables(
            coords={"below": list(self.kept_noises), "around": list(self.dead_noises)},
            kept=("below", kept, {"long_name": "mean map"}),
            dead=("around", dead, {"long_name": "1 + share of dead neurons"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        fine = np.linspace(0, max(1.0, *self.dead_noises), 300)
        spreads = np.sqrt(2 * self.signal / self.learning_rate * fine)
        means = np.asarray(theory.linear.label_noise_mean(self.signal, spreads, self.learning_rate))
        dead = np.asarray(theory.linear.label_noise_exponent(self.signal, spreads, self.learning_rate)) < 0
        artists += ax.plot(fine, means / self.signal, color=PALETTE[0], label="mean map / signal")
        artists += ax.plot(fine, dead, color=PALETTE[1], label="share of dead neurons")
        artists += ax.plot(self.kept_noises, measurement["kept"] / self.signal, "o", mfc="none", color=PALETTE[0])
        artists += ax.plot(self.dead_noises, measurement["dead"] - 1, "s", mfc="none", color=PALETTE[1])
        ax.set(xlabel="label noise $η s^2 / 2m$", ylabel="share")
        ax.legend(fontsize="small")
        return artists
