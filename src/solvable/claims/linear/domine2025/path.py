"""Two-layer linear networks on white inputs, solved from weights that are in no way aligned with the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def _correlation(output_dim: int, input_dim: int, seed: int) -> jax.Array:
    import jax

    return jax.random.normal(jax.random.key(seed), (output_dim, input_dim))


class BalancedPath(Claim):
    """From lambda-balanced weights a two-layer linear network has an exact path, whatever its directions.

    Compared are the loss and the squared norm of either layer, which the imbalance pulls apart. Inputs have variances
    from 1 - anisotropy to 1 + anisotropy, and the same correlation with the targets at any.

    Breaks as `anisotropy` grows: the flow is a Riccati flow on white inputs only.
    """

    source = Source("domine2025", "Theorem 4.3", "exact")
    metric, tolerance = max_relative_error("loss", "first", "second"), 0.01  # measured: 0.004 to 0.007
    limit = ("learning_rate", (8e-3, 4e-3, 2e-3))

    input_dim: int = 5  # N_i
    width: int = 3  # N_h, of a bottleneck that leaves a loss
    output_dim: int = 4  # N_o
    imbalances: tuple[float, ...] = (0.0, 2.0, -2.0, 10.0)  # lambda
    init_scale: float = 0.3  # of the singular values of the smaller layer
    learning_rate: float = 1e-3
    horizon: float = 6.0  # training time
    anisotropy: float = 0.0  # how far variances of the inputs are from 1, below 1
    init_seed: int = 0  # of the initial weights, which theory needs too
    task_seed: int = 4

    def _start(self) -> networks.UnitLayer:
        """One network an imbalance."""
        import jax
        import jax.numpy as jnp

        def draw(imbalance):
            return networks.imbalanced_start(
                jax.random.key(self.init_seed),
                widths=(self.width,),
                input_dim=self.input_dim,
                output_dim=self.output_dim,
                imbalance=imbalance,
                init_scale=self.init_scale,
            )

        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *(draw(each) for each in self.imbalances))

    def _record(self) -> np.ndarray:
        import numpy as np

        return np.linspace(0, self.horizon / self.learning_rate, 61).round().astype(int)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        start, times = self._start(), jnp.asarray(self.learning_rate * self._record())
        correlation = _correlation(self.output_dim, self.input_dim, self.task_seed)

        def follow(first, second, imbalance):
            path = theory.linear.two_layer_path(correlation, first, second, times, imbalance=imbalance)
            loss = jnp.sum((correlation[None] - path.map) ** 2, axis=(1, 2)) / 2
            return loss, jnp.trace(path.first_gram, axis1=1, axis2=2), jnp.trace(path.second_gram, axis1=1, axis2=2)

        return self._label(*jax.jit(jax.vmap(follow))(start.first, start.second, jnp.asarray(self.imbalances)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        variances = jnp.linspace(1 - self.anisotropy, 1 + self.anisotropy, self.input_dim)
        correlation, record = _correlation(self.output_dim, self.input_dim, self.task_seed), self._record()
        white = tasks.linear_teacher(correlation).moments(numerics.Monomials(self.input_dim, 1))
        moments = tasks.Moments(white.target_power, white.sigma_yz, jnp.diag(variances))
        # Targets that the best map does not reach add a constant to the loss, which is left out.
        reachable = jnp.sum(correlation**2 / variances[None, :])
        moments = tasks.Moments(reachable, moments.sigma_yz, moments.sigma_zz)

        def train(network):
            return training.gradient_descent(
                network,
                moments,
                learning_rate=self.learning_rate,
                steps=int(record[-1]),
                record=record,
                observables={"first": lambda n: jnp.sum(n.first**2), "second": lambda n: jnp.sum(n.second**2)},
            ).observables

        run = jax.jit(jax.vmap(train))(self._start())
        return self._label(run["loss"], run["first"], run["second"])

    def _label(self, loss, first, second) -> xr.Dataset:
        dims = ("imbalance", "time")
        return observables(
            coords={
                "imbalance": list(self.imbalances),
                "time": ("time", self.learning_rate * self._record(), {"long_name": "time, learning rate × steps"}),
            },
            loss=(dims, loss, {"long_name": "loss ½E|y − f|²"}),
            first=(dims, first, {"long_name": "‖W₁‖²"}),
            second=(dims, second, {"long_name": "‖W₂‖²"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        artists = draw_default(ax, prediction, measurement, "loss")
        ax.set_ylim(0, None)
        return artists


class SmallRandomStart(Claim):
    """Small random weights, which are not balanced, follow the balanced path up to order sigma^2.

    The formula of balanced weights is given the random ones as they are.

    Breaks as `init_scale` grows: the neglected imbalance is of order sigma^2.
    """

    source = Source("domine2025", "Theorem 4.3 with lambda = 0, on random weights", "asymptotic")
    metric, tolerance = max_curve_gap("loss", "missing"), 0.004  # measured: 0.0008 to 0.0019
    limit = ("init_scale", (0.4, 0.2, 0.1))

    singular_values: tuple[float, ...] = (4.0, 3.0, 2.0, 1.0)  # s of the correlation
    input_dim: int = 8
    width: int = 10
    output_dim: int = 6
    init_scale: float = 0.03  # sigma, standard deviation of all weights
    learning_rate: float = 5e-4
    horizon: float = 8.0  # training time
    init_seed: int = 0  # of the initial weights, which theory needs too
    # The neglected imbalance is of order sigma^2 times the width.
    full = dict(input_dim=24, width=40, output_dim=16, init_scale=0.015)

    def _task(self) -> jax.Array:
        import jax.numpy as jnp

        left, right = (
            jnp.linalg.qr(_correlation(size, size, seed))[0][:, : len(self.singular_values)]
            for seed, size in enumerate((self.output_dim, self.input_dim))
        )
        return (left * jnp.asarray(self.singular_values)[None, :]) @ right.T

    def _start(self) -> networks.UnitLayer:
        import jax

        return networks.initialise(
            networks.Neuron(numerics.activations.identity),
            jax.random.key(self.init_seed),
            width=self.width,
            input_shape=(self.input_dim,),
            output_dim=self.output_dim,
            init_scale=self.init_scale,
        )

    def _record(self) -> np.ndarray:
        import numpy as np

        return np.linspace(0, self.horizon / self.learning_rate, 101).round().astype(int)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        start, times = self._start(), jnp.asarray(self.learning_rate * self._record())
        path = jax.jit(theory.linear.two_layer_path)(self._task(), start.first, start.second, times)
        return self._label(path.map)

    def measure(self, key: jax.Array) -> xr.Dataset:
        record = self._record()
        run = training.gradient_descent(
            self._start(),
            tasks.linear_teacher(self._task()),
            learning_rate=self.learning_rate,
            steps=int(record[-1]),
            record=record,
            observables={"map": lambda network: network.coefficients()},
        )
        return self._label(run.observables["map"])

    def _label(self, maps) -> xr.Dataset:
        """``missing`` is what is left to learn of each singular mode of the task, which starts near its strength."""
        import numpy as np

        task = np.asarray(self._task())
        gap, (left, _, right) = task - np.asarray(maps), np.linalg.svd(task)
        count = len(self.singular_values)
        missing = np.einsum("ak,tai,ki->kt", left[:, :count], gap, right[:count])
        return observables(
            coords={
                "time": ("time", self.learning_rate * self._record(), {"long_name": "time, learning rate × steps"}),
                "mode": ("mode", list(self.singular_values), {"long_name": "singular value"}),
            },
            loss=("time", np.sum(gap**2, axis=(1, 2)) / 2, {"long_name": "loss ½E|y − f|²"}),
            missing=(("mode", "time"), missing, {"long_name": "strength still missing"}),
        )
