"""How far the tangent kernel turns in learning, from rich at small imbalance to lazy at a large one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class LazyRichKernel(Claim):
    """A large imbalance keeps the tangent kernel where it is if it enlarges a square layer, and turns it if not.

    Distances are one minus the cosine between the kernels before and after. The network is a funnel by default, whose
    second layer is the square one.

    Breaks as `learning_rate` grows: imbalance is conserved by the flow only.
    """

    source = Source("domine2025", "tangent kernel of lambda-balanced networks", "exact")
    metric, tolerance = max_relative_error("distance"), 0.01  # measured: 0.001 to 0.006
    limit = ("learning_rate", (8e-3, 4e-3, 2e-3))

    singular_values: tuple[float, ...] = (3.0, 2.0, 1.0)  # s of the correlation
    input_dim: int = 6  # N_i
    width: int = 3  # N_h
    output_dim: int = 3  # N_o
    imbalances: tuple[float, ...] = (-20.0, -10.0, -5.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # lambda
    init_scale: float = 0.5  # of the singular values of the smaller layer
    learning_rate: float = 5e-4
    horizon: float = 12.0  # training time
    init_seed: int = 0  # of the initial weights, which theory needs too

    def _setting(self) -> tuple[jax.Array, networks.UnitLayer]:
        """The correlation in directions of its own, and one network an imbalance."""
        import jax
        import jax.numpy as jnp

        def start(imbalance):
            return networks.imbalanced_start(
                jax.random.key(self.init_seed),
                widths=(self.width,),
                input_dim=self.input_dim,
                output_dim=self.output_dim,
                imbalance=imbalance,
                init_scale=self.init_scale,
            )

        count = len(self.singular_values)
        left, right = (
            jnp.linalg.qr(jax.random.normal(jax.random.key(100 + side), (size, size)))[0][:, :count]
            for side, size in enumerate((self.output_dim, self.input_dim))
        )
        starts = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(start(each) for each in self.imbalances))
        return (left * jnp.asarray(self.singular_values)[None, :]) @ right.T, starts

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        correlation, starts = self._setting()

        def turn(first, second, imbalance):
            times = jnp.array([0.0, self.horizon])
            path = theory.linear.two_layer_path(correlation, first, second, times, imbalance=imbalance)
            kernel = theory.linear.two_layer_tangent_kernel(path)
            return 1 - jnp.sum(kernel[0] * kernel[1]) / jnp.linalg.norm(kernel[0]) / jnp.linalg.norm(kernel[1])

        return self._label(jax.jit(jax.vmap(turn))(starts.first, starts.second, jnp.asarray(self.imbalances)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        correlation, starts = self._setting()
        task, axes = tasks.linear_teacher(correlation), jnp.eye(self.input_dim)
        steps = round(self.horizon / self.learning_rate)

        def turn(network):
            run = training.gradient_descent(network, task, learning_rate=self.learning_rate, steps=steps, record=2)
            kernels = (instruments.tangent_kernel(each, axes) for each in (network, run.network))
            return instruments.kernel_distance(*kernels)

        return self._label(jax.jit(jax.vmap(turn))(starts))

    def _label(self, distance) -> xr.Dataset:
        return observables(
            coords={"imbalance": ("imbalance", list(self.imbalances), {"long_name": "imbalance λ"})},
            distance=("imbalance", distance, {"long_name": "turn of the kernel, 1 − cos", "scale": "log"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        artists = draw_default(ax, prediction, measurement, "distance")
        ax.set_xscale("symlog", linthresh=1)
        return artists
