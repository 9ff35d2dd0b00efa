"""Jacot, Gabriel, Hongler (2018), Neural tangent kernel: convergence and generalization in neural networks.

Their costs are means over samples without a half or any other functional; kernels do not depend on that. Training here
is on half the mean square, ours, at learning rates in units of the largest stable one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_WIDTH = {"long_name": "width $n$", "scale": "log"}


def _network(claim: Any, key: jax.Array, width: int) -> networks.FullyConnected:
    return networks.initialise_fully_connected(
        key,
        widths=(width,) * (claim.depth - 1),
        input_dim=2,
        activation=getattr(numerics.activations, claim.activation),
        bias_variance=claim.bias_scale**2,
    )


def _draw_kernels(claim: Any, key: jax.Array, width: int) -> jax.Array:
    """Tangent kernels on the circle of many networks at their start."""
    import jax

    def kernel(key):
        network = _network(claim, key, width)
        return instruments.tangent_kernel(network, tasks.circle_points(claim.num_points))[:, :, 0, 0]

    return jax.jit(jax.vmap(kernel))(jax.random.split(key, claim.draws))


class LimitingKernel(Claim):
    """The tangent kernel of a wide network at its start is that of the layer-by-layer recursion.

    Inputs go around the circle; the network has four layers of ReLU units, and the mean is over initial weights. It is
    compared along the angle, in units of the kernel at angle 0.
    """

    source = Source("jacot2018", "Theorem 1", "asymptotic")
    metric, tolerance = max_curve_gap("tangent_kernel", over="mean"), 0.03  # measured: 0.004 to 0.017 over 7 seeds
    limit = ("width", (4, 16, 64))

    width: int = 64  # n of the hidden layers
    depth: int = 4  # L, layers of weights
    activation: str = "relu"  # sigma, of ``numerics.activations``
    bias_scale: float = 0.1  # beta
    num_points: int = 8
    draws: int = 800
    full = dict(width=256, draws=600, num_points=40)

    def predict(self) -> xr.Dataset:
        kernels = theory.kernel.infinite_width_kernels(
            tasks.circle_points(self.num_points),
            depth=self.depth,
            activation=getattr(numerics.activations, self.activation),
            bias_variance=self.bias_scale**2,
        )
        return self._label((), kernels.ntk)

    def measure(self, key: jax.Array) -> xr.Dataset:
        return self._label(("seed",), _draw_kernels(self, key, self.width))

    def _label(self, lead: tuple[str, ...], kernel: Any) -> xr.Dataset:
        import numpy as np

        half = self.num_points // 2 + 1
        angles = 2 * np.pi * np.arange(half) / self.num_points
        # Pairs of one angle are as good as each other.
        rows = np.arange(self.num_points)
        pairs = np.asarray(kernel)[..., rows[:, None], (rows[:, None] + np.arange(half)[None, :]) % self.num_points]
        return observables(
            coords={"angle": ("angle", angles, {"long_name": "angle $γ$ between inputs"})},
            tangent_kernel=((*lead, "angle"), pairs.mean(-2), {"long_name": "tangent kernel $Θ(γ)$"}),
        )


class FluctuationAtTheStart(Claim):
    """One network's kernel is random, by an amount that falls as the root of the width.

    For one hidden layer theory has the exact variance at every width, a sum over independent units. Observed is the
    root mean square departure of the kernel's matrix from the limit, relative to it.
    """

    source = Source("jacot2018", "Theorem 1, law of large numbers", "exact")
    metric, tolerance = max_relative_error("departure"), 0.08  # measured: 0.006 to 0.026 over 7 seeds

    widths: tuple[int, ...] = (8, 32, 128)  # n
    depth: int = 2  # layers of weights: one hidden
    activation: str = "relu"  # sigma, of ``numerics.activations``
    bias_scale: float = 0.1  # beta
    num_points: int = 6
    draws: int = 600
    full = dict(widths=(8, 32, 128, 512), num_points=12, draws=3000)

    def validate(self) -> None:
        from solvable.errors import check_choice

        check_choice("depth", self.depth, (2,))

    def _limit(self) -> jax.Array:
        return theory.kernel.infinite_width_kernels(
            tasks.circle_points(self.num_points),
            depth=2,
            activation=getattr(numerics.activations, self.activation),
            bias_variance=self.bias_scale**2,
        ).ntk

    def predict(self) -> xr.Dataset:
        import numpy as np

        variances = [
            theory.kernel.tangent_kernel_variance(
                tasks.circle_points(self.num_points),
                width=width,
                activation=getattr(numerics.activations, self.activation),
                bias_variance=self.bias_scale**2,
            )
            for width in self.widths
        ]
        return self._label(np.sqrt(np.sum(variances, axis=(1, 2)) / np.sum(np.square(self._limit()))))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        def departure(width):
            kernels = np.asarray(_draw_kernels(self, key, width))
            mean = kernels.mean(axis=0)
            return np.sqrt(np.sum(kernels.var(axis=0, ddof=1)) / np.sum(mean**2))

        return self._label(np.stack([departure(width) for width in self.widths]))

    def _label(self, departure: Any) -> xr.Dataset:
        words = {"long_name": "departure of one network's kernel", "scale": "log"}
        return observables(
            coords={"width": ("width", list(self.widths), _WIDTH)}, departure=("width", departure, words)
        )


class MotionInTraining(Claim):
    """Training to zero loss moves the kernel by a share that falls as the inverse of the width.

    The paper proves that it vanishes, for smooth activations; the power is measured. Each ReLU unit that switches on or
    off adds to it: its power is -0.7 with one hidden layer.
    Breaks as `target_scale` grows: networks have to leave the
    weights that they started from, and the kernel with them.
    """

    source = Source("jacot2018", "Theorem 2", "scaling")
    metric, tolerance = max_relative_error("exponent"), 0.06  # measured: up to 0.026 over 4 seeds

    widths: tuple[int, ...] = (256, 2048)  # n
    depth: int = 2  # layers of weights
    bias_scale: float = 0.1  # beta
    num_points: int = 6
    target_scale: float = 1.0  # of x_1 x_2
    rate_share: float = 0.5  # learning rate over 1/largest eigenvalue of the kernel at the start
    steps: int = 25
    draws: int = 160
    activation: str = "tanh"  # sigma, of ``numerics.activations``
    full = dict(depth=3, widths=(64, 128, 256, 512), num_points=8, steps=100)

    def predict(self) -> xr.Dataset:
        return observables(exponent=theory.kernel.WidthExponents().motion)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        inputs = tasks.circle_points(self.num_points)
        samples = tasks.make_samples(inputs, self.target_scale * inputs[:, 0] * inputs[:, 1])

        def motion(key, width):
            network = _network(self, key, width)
            before = instruments.tangent_kernel(network, inputs)[:, :, 0, 0]
            rate = self.rate_share * self.num_points / jnp.linalg.eigvalsh(before)[-1]
            trained = training.gradient_descent(
                network, samples, learning_rate=rate, steps=self.steps, record=2
            ).network
            after = instruments.tangent_kernel(trained, inputs)[:, :, 0, 0]
            return jnp.linalg.norm(after - before) / jnp.linalg.norm(before)

        keys = jax.random.split(key, self.draws)
        runs = [jax.jit(jax.vmap(motion, (0, None)), static_argnums=1)(keys, width) for width in self.widths]
        motions = np.stack(runs, axis=1)
        exponent = np.polyfit(np.log(self.widths), np.log(motions.mean(axis=0)), 1)[0]
        words = {"long_name": "share of the kernel that training moved", "scale": "log"}
        return observables(
            coords={"width": ("width", list(self.widths), _WIDTH)},
            exponent=exponent,
            motion=(("seed", "width"), motions, words),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        widths, motions = np.array(self.widths), measurement["motion"]
        mean, error = motions.mean("seed"), motions.std("seed") / self.draws**0.5
        exponent = float(prediction["exponent"])
        line = np.exp(np.mean(np.log(mean.values)) + exponent * (np.log(widths) - np.log(widths).mean()))
        artists: list[Artist] = list(
            ax.plot(widths, line, color=PALETTE[0], label=f"$\\propto n^{{{exponent:g}}}$, height fitted")
        )
        bars = ax.errorbar(
            widths, mean, error, fmt="o", mfc="none", capsize=2, color=PALETTE[0],
            label=f"measured, slope {float(measurement['exponent']):.2f}",
        )  # fmt: skip
        artists += bars.get_children()
        ax.set(xscale="log", yscale="log", xlabel="width $n$", ylabel=motions.attrs["long_name"])
        ax.legend(fontsize="small")
        return artists
