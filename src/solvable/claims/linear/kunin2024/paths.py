"""One linear neuron from unbalanced weights: exact paths for any imbalance and any rates of the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, theory
from solvable.claims import Claim, Source, max_curve_gap, observables
from solvable.claims.linear.kunin2024 import _training

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from jaxtyping import Array
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class NeuronPaths(Claim):
    """One formula gives the path of a linear neuron for any imbalance of its weights and any rates of its layers.

    The rates are had by weights in other units: a = sqrt(eta_a) a', w = sqrt(eta_w) w' on inputs times
    sqrt(eta_a eta_w). Paths are drawn in the plane of the target and of w at the start, which they never leave.
    Breaks as `learning_rate` grows: steps are too long for the faster layer.
    """

    source = Source("kunin2024", "exact solutions of the one-neuron model", "exact")
    metric, tolerance = max_curve_gap("missing", "across", "kernel_cosine"), 0.004  # measured: 0.0025
    limit = ("learning_rate", (4e-3, 2e-3, 1e-3))

    seconds: tuple[float, ...] = (3.0, 1.0, 0.3)  # a_0 of each start
    firsts: tuple[float, ...] = (0.3, 1.0, 3.0)  # |w_0| of each start
    cosine: float = -0.5  # between w_0 and the target
    target: float = 1.5  # b = |beta_*|
    first_rate: float = 1.5  # eta_w
    second_rate: float = 0.8  # eta_a
    input_dim: int = 4
    learning_rate: float = 1e-3  # eta
    horizon: float = 12.0  # training time
    full = dict(input_dim=50, learning_rate=1e-4)

    def _record(self) -> np.ndarray:
        import numpy as np

        # Denser at the start, where imbalanced weights move fastest.
        return np.unique((np.linspace(0, 1, 101) ** 2 * self.horizon / self.learning_rate).round().astype(int))

    def _starts(self) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        return np.asarray(self.firsts)[:, None] * _training.along(self.cosine, self.input_dim), np.asarray(self.seconds)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        times, rates = jnp.asarray(self.learning_rate * self._record()), (self.first_rate, self.second_rate)
        named = dict(zip(("first_rate", "second_rate"), rates, strict=True))
        target = self.target * jnp.eye(self.input_dim)[0]

        @jax.jit
        @jax.vmap
        def follow(first, second):
            path = theory.linear.neuron_path(times, first, second, target, **named)
            imbalance = rates[0] * second**2 - rates[1] * jnp.sum(first**2)
            kernels = jax.vmap(lambda map_: theory.linear.neuron_kernel(map_, imbalance, **named))(path.map)
            return path.map, theory.linear.kernel_turn(kernels)

        return self._label(*follow(*map(jnp.asarray, self._starts())))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax
        import jax.numpy as jnp

        units = (self.first_rate * self.second_rate) ** 0.5
        axes = units * jnp.eye(self.input_dim)

        @eqx.filter_jit
        @eqx.filter_vmap
        def train(first, second):
            run = _training.train(
                first / self.first_rate**0.5,
                second / self.second_rate**0.5,
                self.target,
                learning_rate=self.learning_rate,
                record=self._record(),
                units=units,
                map=lambda network: units * network.coefficients()[0],
                kernel=lambda network: instruments.tangent_kernel(network, axes)[:, :, 0, 0],
            )
            kernels = run.observables["kernel"]
            distances = jax.vmap(lambda kernel: instruments.kernel_distance(kernels[0], kernel))(kernels)
            return run.observables["map"], distances

        return self._label(*train(*map(jnp.asarray, self._starts())))

    def _label(self, maps: Array, distances: Array) -> xr.Dataset:
        import numpy as np

        path, first_rates = np.asarray(maps), np.square(self.seconds) * self.first_rate
        imbalances = first_rates - np.square(self.firsts) * self.second_rate
        return observables(
            coords={
                "start": ("start", imbalances, {"long_name": "imbalance δ"}),
                "time": ("time", self.learning_rate * self._record(), {"long_name": "time, learning rate × steps"}),
            },
            missing=(("start", "time"), self.target - path[:, :, 0], {"long_name": "what is missing along the target"}),
            across=(("start", "time"), path[:, :, 1], {"long_name": "the map across the target"}),
            kernel_cosine=(("start", "time"), 1 - np.asarray(distances), {"long_name": "kernel, cosine to its start"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, start in zip(PALETTE, prediction["start"].values, strict=False):
            theory_, found = prediction.sel(start=start), measurement.sel(start=start).isel(time=slice(None, None, 3))
            along = self.target - theory_["missing"], self.target - found["missing"]
            artists += ax.plot(along[0], theory_["across"], color=colour, label=f"δ = {start:.3g}")
            artists += ax.plot(along[1], found["across"], "o", color=colour, mfc="none", ms=4)
        artists += ax.plot(self.target, 0, "*", ms=14, color=PALETTE[-1])
        ax.annotate("target", (self.target, 0), xytext=(-6, -18), textcoords="offset points", ha="right")
        ax.set(xlabel=r"map along the target, $\beta_\parallel$", ylabel=r"map across the target, $\beta_\perp$")
        ax.legend(fontsize="small", title="lines: theory, markers: measured", title_fontsize="small")
        return artists
