"""What depth does to the time of learning, and to the signals that random weights pass on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from jaxtyping import Array
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class DepthPlateau(Claim):
    """At its best learning rate a deep linear network needs a number of steps that stays finite at any depth.

    The best rate is taken as a fixed share of 1 over the curvature at the solution. All modes are equally strong.
    Breaks as `share` grows: theory's time is that of gradient flow.
    """

    source = Source("saxe2014", "learning time of deep chains and its limit of infinite depth", "exact")
    metric, tolerance = max_relative_error("steps"), 0.004  # measured: 0.0025, all of it from c
    limit = ("share", (0.1, 0.05, 0.02))

    depths: tuple[int, ...] = (2, 4, 12)  # D, weight layers
    target: float = 2.0  # s of all modes
    start_strength: float = 0.1  # u_0
    end_share: float = 0.95  # of s, at which a mode counts as learned
    share: float = 0.02  # c, learning rate times curvature at the solution
    width: int = 2  # of inputs, outputs and all layers
    full = dict(depths=(2, 3, 5, 10, 20, 40), width=6)

    def _endless(self) -> float:
        """Steps in the limit of infinite depth, where the curvature is D s^2."""
        import jax.numpy as jnp

        start, target = jnp.asarray(self.start_strength), jnp.asarray(self.target)
        return float(theory.linear.endless_depth_time(start, self.end_share * target, target)) * (
            self.target**2 / self.share
        )

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        start, target = jnp.asarray(self.start_strength), jnp.asarray(self.target)
        end, steps = self.end_share * target, []
        for depth in self.depths:
            time = theory.linear.depth_time(start, end, target, depth)
            steps.append(time * theory.linear.chain_curvature(target, depth) / self.share)
        return self._label(steps, endless=self._endless())

    def measure(self, key: jax.Array) -> xr.Dataset:
        return self._label([self._count_steps(depth, key) for depth in self.depths])

    def _count_steps(self, depth: int, key: jax.Array) -> float:
        import equinox as eqx
        import jax.numpy as jnp
        import numpy as np

        task, left, right = tasks.mode_teacher(
            covariances=jnp.full(self.width, self.target), variances=jnp.ones(self.width), output_dim=self.width
        )
        scales = jnp.full((depth, self.width), self.start_strength ** (1 / depth))
        most = int(2 / (self.share * self.start_strength / self.target))
        rate = self.share / (depth * self.target ** (2 - 2 / depth))

        @eqx.filter_jit
        def train(key):
            start = networks.decoupled_start(
                key, left=left, right=right, scales=scales, widths=(self.width,) * (depth - 1)
            )
            return training.gradient_descent(
                start,
                task,
                learning_rate=rate,
                steps=most,
                record=np.arange(most),
                observables={"strength": lambda network: instruments.mode_strengths(network, left, right)},
            ).observables["strength"]

        strength = np.asarray(train(key)).mean(axis=1)
        return numerics.first_crossing(np.arange(most, dtype=float), strength, self.end_share * self.target)

    def _label(self, steps: list, **more: float) -> xr.Dataset:
        depth = ("depth", self.depths, {"long_name": "depth $D$, weight layers"})
        return observables(coords={"depth": depth}, steps=("depth", steps, {"long_name": "steps to learn"}), **more)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        artists += ax.plot(prediction["depth"], prediction["steps"], color=PALETTE[0], label="theory")
        artists.append(ax.axhline(prediction["endless"].item(), color=PALETTE[0], ls="--", label="theory, $D → ∞$"))
        artists += ax.plot(measurement["depth"], measurement["steps"], "o", mfc="none", color="0.2", label="measured")
        ax.set(xlabel="depth $D$, weight layers", ylabel="steps to learn", xscale="log", ylim=(0, None))
        ax.set_xticks(self.depths, [str(depth) for depth in self.depths])
        ax.minorticks_off()
        ax.legend(fontsize="small")
        return artists


class GaussianProducts(Claim):
    """Products of Gaussian weights shrink almost every direction exponentially in depth; orthogonal ones none.

    Breaks as `shared` grows: layers that resemble each other act along the same directions.
    """

    source = Source("saxe2014", "random Gaussian against orthogonal initial conditions", "asymptotic")
    metric, tolerance = (
        max_relative_error("factor", over="mean"),
        0.015,
    )  # measured: 0.003 to 0.009 over five seeds
    limit = ("depth", (20, 200, 2000))

    width: int = 8  # N, of all layers
    depth: int = 2000  # D, factors
    draws: int = 16  # products
    shared: float = 0.0  # correlation of the entries of different layers, from 0 to 1
    full = dict(depth=10_000, width=16)

    def predict(self) -> xr.Dataset:
        import numpy as np

        return self._label("direction", np.exp(theory.linear.lyapunov_exponents(self.width)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        @jax.jit
        def multiply(key: Array) -> Array:
            size = (self.draws, self.depth + 1, self.width, self.width)
            normal = jax.random.normal(key, size) / self.width**0.5
            layers = (1 - self.shared) ** 0.5 * normal[:, 1:] + self.shared**0.5 * normal[:, :1]
            return jax.vmap(instruments.product_exponents)(layers)

        return self._label(("seed", "direction"), np.exp(multiply(key)))

    def _label(self, dims, factor) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={"direction": ("direction", np.arange(1, self.width + 1), {"long_name": "direction"})},
            factor=(dims, factor, {"long_name": "factor a layer, exp μ"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE, draw_default

        artists = draw_default(ax, prediction, measurement, "factor")
        artists.append(ax.axhline(1.0, color=PALETTE[1], ls="--"))
        ax.annotate("orthogonal weights", (self.width, 1.0), xytext=(0, 4), textcoords="offset points", ha="right")
        ax.set_ylim(0, 1.15)
        return artists
