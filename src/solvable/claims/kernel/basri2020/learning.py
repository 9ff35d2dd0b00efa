"""Times at which arcs of unlike density are learned."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from solvable import estimators, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.kernel.basri2020._points import equal_arcs, sampled_kernel
from solvable.errors import OutsideDomain

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class SparseArcsAreLearnedLast(Claim):
    """A wave is learned in each arc at its own time, as the square of its frequency over the density there.

    Time until a share of the target's root mean square is left, ends of arcs aside, of the sampled kernel.
    """

    source = Source("basri2020", "theorem on convergence time under non-uniform density", "asymptotic")
    metric, tolerance = max_relative_error("time"), 0.05  # measured: 0.042, without randomness
    limit = ("frequency", (3, 8))

    frequency: int = 8  # kappa of the target cos(kappa theta)
    masses: tuple[float, ...] = (1.0, 2.0, 4.0)  # of arcs of one length, up to a factor
    residual: float = 0.05  # epsilon
    margin: float = 0.3  # left out at both ends of each arc, in radians
    num_points: int = 500
    full = dict(frequency=24, num_points=2400, residual=0.05)

    def validate(self) -> None:
        import numpy as np

        if not (0 < self.residual < 1 and 0 <= self.margin < np.pi / len(self.masses)):
            raise OutsideDomain(
                f"`residual` is {self.residual} and `margin` {self.margin}; one lies between 0 and 1, the other leaves "
                "some of each arc."
            )

    def _density(self) -> tasks.CircleDensity:
        return equal_arcs(self.masses)

    def _formula(self, frequency: Any) -> jax.Array:
        import jax.numpy as jnp

        return theory.kernel.local_learning_time(frequency, jnp.asarray(self._density().densities), self.residual)

    def predict(self) -> xr.Dataset:
        return self._label(self._formula(float(self.frequency)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        del key  # points in the middle of equal cells
        points = self._density().spread(self.num_points)
        target, gram_root = np.cos(self.frequency * points.angles), sampled_kernel(points)
        times = np.linspace(0, 1, 200) ** 2 * self._longest()

        @jax.jit
        def evolve(gram, root, targets, times):
            factored = estimators.factor_kernel(gram, root[:, None] * targets[:, None])
            learned = jax.vmap(factored.flow_weights)(times)[:, :, 0] @ gram
            return targets[None, :] - learned / root[None, :]

        left = evolve(*gram_root, jnp.asarray(target), jnp.asarray(times))
        return self._label(self._first_times(points, times, np.asarray(left), target))

    def _longest(self) -> float:
        """By when the sparsest arc has been learned: a scale for the grid of times."""
        import numpy as np

        return 1.5 * np.pi * self.frequency**2 * np.log(1 / self.residual) / min(self._density().densities)

    def _first_times(self, points: tasks.CirclePoints, times: np.ndarray, left: np.ndarray, target: np.ndarray) -> list:
        """When each arc's root mean square of what is left passes the share of the target's."""
        import numpy as np

        edges = np.array(self._density().edges)
        found = []
        for region, (low, high) in enumerate(pairwise(edges)):
            inner = (
                (points.regions == region) & (points.angles > low + self.margin) & (points.angles < high - self.margin)
            )
            share = np.sqrt(np.mean(left[:, inner] ** 2, axis=1) / np.mean(target[inner] ** 2))
            # The logarithm falls nearly straight between records.
            found.append(numerics.first_crossing(times, np.log(share), np.log(self.residual)))
        return found

    def _label(self, time: Any) -> xr.Dataset:
        density = ("density", self._density().densities, {"long_name": "density $p$ of the arc"})
        words = {"long_name": f"time until {self.residual:g} of the target is left"}
        return observables(coords={"density": density}, time=("density", time, words))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        sparse = self.frequency**2 / prediction["density"].values
        line = np.array([0, 1.1 * sparse.max()])
        slope = np.pi * np.log(1 / self.residual)
        artists: list[Artist] = []
        law, ours = rf"$π\log(1/ε)\,κ^2/p$, ε = {self.residual:g}", measurement["time"]
        if "seed" in ours.dims:
            artists += ax.plot(line, slope * line, "--", color=PALETTE[1], label=law)
            artists += ax.plot(sparse, prediction["time"], color=PALETTE[0], label="kernel of infinite width")
            artists += ax.errorbar(
                sparse, ours.mean("seed"), ours.std("seed"), fmt="o", ms=6, mfc="none", capsize=2, color="k",
                label="networks",
            ).get_children()  # fmt: skip
        else:
            artists += ax.plot(line, slope * line, color=PALETTE[0], label=law)
            artists += ax.plot(sparse, ours, "o", ms=6, mfc="none", color="k", label="measured")
        ax.set(xlabel="$κ^2/p$, square of the frequency over density", ylabel=prediction["time"].attrs["long_name"])
        ax.set(xlim=(0, None), ylim=(0, None))
        ax.legend(fontsize="small")
        return artists


class WideNetworksLearnDenseArcsFirst(SparseArcsAreLearnedLast):
    """A wide ReLU network learns a wave in dense arcs first, as fast as its frozen kernel does.

    Gradient descent on the hidden weights alone. Theory is that of infinite width and of the density itself.
    High frequencies need widths far above their fourth power: weights then move too far for a frozen kernel.
    """

    source = Source("basri2020", "experiments with networks under non-uniform density", "asymptotic")
    metric, tolerance = max_relative_error("time", over="mean"), 0.075  # measured: 0.013 to 0.053 over 7 seeds
    limit = ("width", (60, 800))

    frequency: int = 2
    residual: float = 0.2
    num_points: int = 42
    num_waves: int = 40  # M of the theory's Fourier modes
    width: int = 800  # m
    step: float = 1.0  # of time
    draws: int = 5
    full = dict(frequency=3, width=6000, num_points=210, step=2.5, num_waves=100, draws=2)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        density = self._density()
        points, times = density.spread(40 * len(self.masses)), np.linspace(0, self._longest(), 300)
        modes = theory.kernel.density_modes(
            theory.kernel.relu_layer_spectrum(self.num_waves + 1),
            jnp.asarray(density.edges),
            jnp.asarray(density.masses),
        )
        left = theory.kernel.wave_residual(modes, self.frequency, jnp.asarray(times), jnp.asarray(points.angles))
        return self._label(self._first_times(points, times, np.asarray(left), np.cos(self.frequency * points.angles)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        points = self._density().spread(self.num_points)
        target = np.cos(self.frequency * points.angles)
        samples = tasks.make_samples(points.inputs, target)
        steps = int(np.ceil(self._longest() / self.step))

        @jax.jit
        @jax.vmap
        def train(key):
            network = networks.paired_hidden_layer(key, width=self.width, input_dim=2)
            return training.gradient_descent(
                network,
                samples,
                learning_rate=self.step,
                steps=steps,
                record=min(steps, 300),
                observables={"outputs": lambda net: jax.vmap(net)(samples.inputs)[:, 0]},
            )

        path = train(jax.random.split(key, self.draws))
        left = target[None, None, :] - np.asarray(path.observables["outputs"])
        times = np.asarray(path.times)[0]
        found = [self._first_times(points, times, each, target) for each in left]
        return self._label(np.array(found), lead=("seed",))

    def _label(self, time: Any, lead: tuple[str, ...] = ()) -> xr.Dataset:
        density = ("density", self._density().densities, {"long_name": "density $p$ of the arc"})
        words = {"long_name": f"time until {self.residual:g} of the target is left"}
        return observables(coords={"density": density}, time=((*lead, "density"), time, words))
