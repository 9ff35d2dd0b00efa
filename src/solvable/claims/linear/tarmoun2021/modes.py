"""Modes whose two weights differ in size: imbalance speeds learning up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class ImbalanceSpeedsUp(Claim):
    """The more a mode's two weights differ, the faster it is learned: its error decays at sqrt(lambda^2 + 4 sigma^2).

    All modes are equally strong and start with the same lesser weight.
    Breaks as `learning_rate` grows: steps are too long for the fastest mode.
    """

    source = Source("tarmoun2021", "spectral initialisation", "exact")
    metric, tolerance = max_curve_gap("missing", "rate"), 0.006  # measured: 0.0049
    limit = ("learning_rate", (4e-3, 2e-3, 1e-3))

    imbalances: tuple[float, ...] = (0.0, 1.0, -2.0, 4.0)  # lambda of each mode, W_2's weight squared minus W_1's
    target: float = 1.0  # sigma of all modes
    lesser: float = 0.1  # the smaller weight of each mode at the start
    width: int = 8
    learning_rate: float = 1e-3  # eta
    horizon: float = 8.0  # training time
    full = dict(learning_rate=1e-4, width=64)

    def _weights(self) -> np.ndarray:
        """Of W_1 and W_2, layers first."""
        import numpy as np

        imbalances = np.asarray(self.imbalances)
        return np.sqrt(self.lesser**2 + np.maximum([-imbalances, imbalances], 0))

    def _record(self) -> np.ndarray:
        import numpy as np

        return np.linspace(0, self.horizon / self.learning_rate, 201).round().astype(int)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        first, second = jnp.asarray(self._weights())[:, :, None]
        times, target = jnp.asarray(self.learning_rate * self._record()), jnp.asarray(self.target)
        a, b = theory.linear.imbalanced_mode(times[None, :], first, second, target)
        return self._label(a * b, theory.linear.imbalanced_rate(jnp.asarray(self.imbalances), target))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax.numpy as jnp
        import numpy as np

        modes = len(self.imbalances)
        task, left, right = tasks.mode_teacher(
            covariances=jnp.full(modes, self.target), variances=jnp.ones(modes + 1), output_dim=modes + 2
        )
        scales = jnp.asarray(self._weights())

        @eqx.filter_jit
        def train(key):
            start = networks.decoupled_start(key, left=left, right=right, scales=scales, widths=(self.width,))
            return training.gradient_descent(
                start,
                task,
                learning_rate=self.learning_rate,
                steps=int(self._record()[-1]),
                record=self._record(),
                observables={"strength": lambda network: instruments.mode_strengths(network, left, right)},
            ).observables["strength"]

        strength = np.asarray(train(key)).T
        return self._label(strength, [self._decay(row) for row in strength])

    def _decay(self, strength: np.ndarray) -> float:
        """Slope of the logarithm of what is missing, late and well above rounding."""
        import numpy as np

        missing = np.abs(strength / self.target - 1)
        late = (missing < 1e-4) & (missing > 1e-11)
        return -np.polyfit(self.learning_rate * self._record()[late], np.log(missing[late]), 1)[0]

    def _label(self, strength, rate) -> xr.Dataset:
        return observables(
            coords={
                "λ": ("λ", list(self.imbalances), {"long_name": "imbalance λ"}),
                "time": ("time", self.learning_rate * self._record(), {"long_name": "time, learning rate × steps"}),
            },
            missing=(("λ", "time"), self.target - strength, {"long_name": "strength still missing, σ − w"}),
            rate=("λ", rate, {"long_name": "rate of decay in the end"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        artists = draw_default(ax, prediction, measurement, "missing")
        ax.set(yscale="log", ylim=(1e-6, 2 * self.target))
        return artists


class SymmetricFactorisation(Claim):
    """A symmetric factorisation U U^T follows a matrix Riccati flow in closed form, from any start.

    It is trained as a two-layer network whose layers start as each other's transpose, which they then remain. Negative
    eigenvalues of the target are never learned.
    Breaks as `learning_rate` grows: steps lag behind the flow.
    """

    source = Source("tarmoun2021", "symmetric one-layer factorisation", "exact")
    metric, tolerance = max_curve_gap("missing", "loss"), 0.002  # measured: 0.0009
    limit = ("learning_rate", (4e-3, 2e-3, 1e-3))

    eigenvalues: tuple[float, ...] = (3.0, 2.0, 1.0, -0.5, -1.5)  # f of the target Y
    width: int = 4  # columns of U
    init_scale: float = 0.3  # standard deviation of its entries
    start_seed: int = 0  # of its entries
    learning_rate: float = 1e-3  # eta
    horizon: float = 4.0  # training time
    full = dict(learning_rate=1e-4, eigenvalues=(4.0, 3.0, 2.5, 2.0, 1.0, 0.5, 0.0, -0.5, -1.5, -2.0), width=8)

    def _start(self) -> np.ndarray:
        """U at time 0, in the eigenbasis of Y."""
        import numpy as np

        rng = np.random.default_rng(self.start_seed)
        return self.init_scale * rng.normal(size=(len(self.eigenvalues), self.width))

    def _record(self) -> np.ndarray:
        import numpy as np

        return np.linspace(0, self.horizon / self.learning_rate, 101).round().astype(int)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        drift, times = jnp.diag(jnp.asarray(self.eigenvalues)), jnp.asarray(self.learning_rate * self._record())
        factor = np.asarray(theory.linear.riccati_flow(drift, 2**0.5 * jnp.asarray(self._start()), times))
        return self._label(factor @ factor.mT / 2)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        size = len(self.eigenvalues)
        _, basis, _ = tasks.mode_teacher(covariances=jnp.ones(size), variances=jnp.ones(size), output_dim=size)
        start = basis @ jnp.asarray(self._start())
        task = tasks.linear_teacher((basis * jnp.asarray(self.eigenvalues)[None, :]) @ basis.T)
        run = training.gradient_descent(
            networks.UnitLayer(start.T, start, networks.Neuron(numerics.activations.identity)),
            task,
            learning_rate=self.learning_rate,
            steps=int(self._record()[-1]),
            record=self._record(),
            observables={"map": lambda network: network.coefficients()},
        )
        return self._label(np.asarray(basis).T @ np.asarray(run.observables["map"]) @ np.asarray(basis))

    def _label(self, factored: np.ndarray) -> xr.Dataset:
        """From U U^T in the eigenbasis of Y, records first."""
        import numpy as np

        target = np.diag(np.asarray(self.eigenvalues))
        gap = target[None] - factored
        names = [f"{value:g}" for value in self.eigenvalues]
        strength = np.diagonal(factored, axis1=1, axis2=2).T
        return observables(
            coords={
                "mode": ("mode", names, {"long_name": "eigenvalue"}),
                "time": ("time", self.learning_rate * self._record(), {"long_name": "time, learning rate × steps"}),
            },
            missing=(("mode", "time"), np.diagonal(gap, axis1=1, axis2=2).T, {"long_name": "strength still missing"}),
            strength=(("mode", "time"), strength, {"long_name": "strength along eigenvectors"}),
            loss=("time", np.sum(gap**2, axis=(1, 2)) / 2, {"long_name": "loss ½|Y − UUᵀ|²"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        artists = draw_default(ax, prediction, measurement, "strength")
        ax.set_ylabel("strength along eigenvectors of $Y$")
        return artists
