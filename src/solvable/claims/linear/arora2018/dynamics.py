"""The end-to-end matrix of balanced layers: its flow, and why no loss of it could replace depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from jaxtyping import Array
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.tasks import Moments


class EndToEndFlow(Claim):
    """The product of balanced layers follows a flow of its own, in which depth preconditions the gradient.

    Layers start balanced, up to a factor: the first is 1 + imbalance times as large, the last as much smaller.
    Breaks as `imbalance` grows: the flow is that of balanced layers.
    """

    source = Source("arora2018", "Theorem 1", "exact")
    metric, tolerance = max_relative_error("singular_value", "loss"), 0.01  # measured: 0.0065
    limit = ("learning_rate", (0.02, 0.01, 0.005))

    depth: int = 3  # N
    output_dim: int = 3  # k
    input_dim: int = 5  # d
    num_samples: int = 40
    decay: float = 0.02  # lambda, of every layer
    start_scale: float = 0.3  # standard deviation of the entries of W_e(0)
    task_seed: int = 0
    imbalance: float = 0.0
    learning_rate: float = 2e-3  # eta
    horizon: float = 6.0  # training time
    full = dict(depth=4, learning_rate=5e-4)

    def _task(self) -> tuple[Moments, Array]:
        import jax.numpy as jnp
        import numpy as np

        rng = np.random.default_rng(self.task_seed)
        inputs = rng.normal(size=(self.num_samples, self.input_dim))
        targets = rng.normal(size=(self.num_samples, self.output_dim)) + inputs @ rng.normal(
            size=(self.input_dim, self.output_dim)
        )
        moments = tasks.sample_moments(tasks.make_samples(inputs, targets), lambda inputs: inputs)
        return moments, jnp.asarray(self.start_scale * rng.normal(size=(self.output_dim, self.input_dim)))

    def _record(self) -> np.ndarray:
        import numpy as np

        return np.linspace(0, self.horizon / self.learning_rate, 61).round().astype(int)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        moments, start = self._task()
        times = jnp.asarray(self.learning_rate * self._record())
        return self._label(theory.linear.end_to_end_path(moments, start, times, self.depth, decay=self.decay))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax.numpy as jnp

        moments, start = self._task()
        even = networks.balanced_factors(start, depth=self.depth)
        assert isinstance(even, networks.DeepNetwork)
        first, *middle, last = even.weights
        factor = 1 + self.imbalance
        loss = training.NoisyLoss(moments, jnp.zeros(self.depth - 1), jnp.full(self.depth, self.decay))

        @eqx.filter_jit
        def train(network):
            return training.gradient_descent(
                network,
                loss,
                learning_rate=self.learning_rate,
                steps=int(self._record()[-1]),
                record=self._record(),
                observables={"map": lambda network: network.coefficients()},
            ).observables["map"]

        skewed = (factor * first, *middle, last / factor)
        return self._label(train(eqx.tree_at(lambda network: network.weights, even, skewed)))

    def _label(self, path) -> xr.Dataset:
        import numpy as np

        moments, _ = self._task()
        maps = np.asarray(path)
        power = np.sum((maps @ np.asarray(moments.sigma_zz) - 2 * np.asarray(moments.sigma_yz)) * maps, axis=(1, 2))
        time = ("time", self.learning_rate * self._record(), {"long_name": "time, learning rate × steps"})
        return observables(
            coords={"time": time},
            singular_value=(("mode", "time"), np.linalg.svd(maps)[1].T, {"long_name": "singular value of $W_e$"}),
            loss=("time", (np.asarray(moments.target_power) + power) / 2, {"long_name": "loss, half mean square"}),
        )


class CurlOfDepth(Claim):
    """For more than two layers the end-to-end dynamics are the gradient flow of no function: they have a curl.

    One step of training from each point of a circle of maps, on a loss that is linear in them; around the circle the
    displacements add up to what no gradient could.
    Breaks as `learning_rate` grows: what is measured are steps, not velocities.
    """

    source = Source("arora2018", "Theorem 2", "exact")
    metric, tolerance = max_relative_error("circulation"), 1e-6  # measured: 6e-8
    limit = ("learning_rate", (0.1, 0.03, 0.01))

    depths: tuple[int, ...] = (3, 4)  # N; 0 is exact for 1 and 2
    center: tuple[float, ...] = (0.0, 1.0)  # of the circle
    radius: float = 0.5
    descent: tuple[float, ...] = (1.0, 0.0)  # minus the gradient, the same everywhere
    points: int = 128  # on the circle
    learning_rate: float = 1e-3  # eta

    def _circle(self) -> tuple[np.ndarray, np.ndarray]:
        """Points, and unit vectors along the circle there."""
        import numpy as np

        angles = 2 * np.pi * np.arange(self.points) / self.points
        outward = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return np.asarray(self.center) + self.radius * outward, np.stack([-outward[:, 1], outward[:, 0]], axis=1)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        center, descent = jnp.asarray(self.center), jnp.asarray(self.descent)
        points, along = (jnp.asarray(values) for values in self._circle())

        @jax.jit
        def move(depth):
            speeds = jax.vmap(lambda point: theory.linear.single_output_velocity(point, descent, depth))(points)
            return jnp.sum(speeds * along, axis=1), theory.linear.circulation(center, self.radius, descent, depth)

        return self._label(*zip(*[move(float(depth)) for depth in self.depths], strict=True))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        points, along = self._circle()
        loss = training.MapLoss(lambda weights: -jnp.sum(weights * jnp.asarray(self.descent)[None]))

        def move(point, depth):
            start = networks.balanced_factors(point[None], depth=depth)
            run = training.gradient_descent(start, loss, learning_rate=self.learning_rate, steps=1, record=2)
            return (run.network.coefficients()[0] - point) / self.learning_rate

        moves = [jax.jit(jax.vmap(lambda point, n=depth: move(point, n)))(jnp.asarray(points)) for depth in self.depths]
        speeds = [np.sum(np.asarray(moved) * along, axis=1) for moved in moves]
        return self._label(speeds, [2 * np.pi * self.radius * np.mean(speed) for speed in speeds])

    def _label(self, speeds, circulation) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={"depth": list(self.depths), "angle": 360 * np.arange(self.points) / self.points},
            circulation=("depth", np.asarray(circulation)),
            speed=(("depth", "angle"), np.stack(speeds)),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, depth in zip(PALETTE, self.depths, strict=False):
            sides = [side.sel(depth=depth) for side in (prediction, measurement)]
            around, found = (side["circulation"].item() for side in sides)
            label = f"depth {depth}: around {found:.4f}, theory {around:.4f}"
            artists += ax.plot(sides[0]["angle"], sides[0]["speed"], color=colour, label=label)
            few = sides[1].isel(angle=slice(None, None, 4))
            artists += ax.plot(few["angle"], few["speed"], "o", mfc="none", color=colour)
        artists.append(ax.axhline(0, color="0.7", lw=1, zorder=0))
        ax.set(xlabel="angle on the circle, degrees", ylabel="velocity along the circle")
        ax.set_xticks(range(0, 361, 90))
        ax.legend(fontsize="small", title="line: theory, circles: training", title_fontsize="small")
        return artists
