"""Arora, Du, Hu, Li, Salakhutdinov, Wang (2019), On exact computation with an infinitely wide neural net.

Their networks have no biases, the factor 2 of ReLU units behind each hidden layer, and no factor of the input's size in
the first. Their loss is half the sum over samples, ours half the mean: learning rates are num_samples times larger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class ConvolutionalKernel(Claim):
    """The tangent kernel of a convolutional network of many channels is that of a dynamic program over pixel pairs.

    Images are two waves of several channels; means are over initial weights.
    """

    source = Source("arora2019c", "Section 4: CNTK, with and without global average pooling", "asymptotic")
    metric, tolerance = (
        max_relative_error("pooled", "flattened", over="mean"),
        0.08,
    )  # measured: 0.011 to 0.041 over 4 seeds
    limit = ("channels", (2, 32))

    channels: int = 32  # C of each convolution
    convolutions: int = 2  # L
    image_shape: tuple[int, ...] = (4, 3, 2)  # rows, columns, channels
    filter_size: int = 3  # q
    draws: int = 200
    full = dict(channels=64, convolutions=3, image_shape=(5, 4, 2), draws=300)

    def _images(self) -> np.ndarray:
        import numpy as np

        row, column, channel = np.indices(self.image_shape)
        return np.stack([np.cos(1 + row + 2 * column + 3 * channel), np.sin(row * column / 2 + channel)])

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        kernels = [
            theory.kernel.convolutional_tangent_kernel(
                jnp.asarray(self._images()),
                convolutions=self.convolutions,
                filter_size=self.filter_size,
                read_out=read_out,
            )
            for read_out in ("pool", "flatten")
        ]
        return self._label((), *kernels)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        def kernel(key, read_out):
            network = networks.initialise_convolution(
                key,
                channels=(self.channels,) * self.convolutions,
                image_shape=self.image_shape,
                filter_size=self.filter_size,
                read_out=read_out,
            )
            return instruments.tangent_kernel(network, jnp.asarray(self._images()))[:, :, 0, 0]

        run = jax.jit(lambda keys: [jax.vmap(lambda k, r=r: kernel(k, r))(keys) for r in ("pool", "flatten")])
        return self._label(("seed",), *run(jax.random.split(key, self.draws)))

    def _label(self, lead: tuple[str, ...], pooled: Any, flattened: Any) -> xr.Dataset:
        import numpy as np

        pairs, names = np.triu_indices(2), ["1, 1", "1, 2", "2, 2"]
        pooled, flattened = (np.asarray(kernel)[..., pairs[0], pairs[1]] for kernel in (pooled, flattened))
        return observables(
            coords={"pair": ("pair", names, {"long_name": "pair of images"})},
            pooled=((*lead, "pair"), pooled, {"long_name": "kernel, pooled"}),
            flattened=((*lead, "pair"), flattened, {"long_name": "kernel, flattened"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for place, (name, colour) in enumerate(zip(("pooled", "flattened"), PALETTE, strict=False)):
            theirs, ours = prediction[name].values, measurement[name].values
            at = np.arange(theirs.size) + 0.3 * (place - 0.5)
            label = {"pooled": "global average pooling", "flattened": "flattened, /50"}[name]
            share = 1 if name == "pooled" else 50
            artists.append(ax.hlines(theirs / share, at - 0.12, at + 0.12, color=colour, label=f"{label}: program"))
            bars = ax.errorbar(
                at, ours.mean(0) / share, ours.std(0) / share, fmt="o", mfc="none", capsize=2, color=colour,
                label=f"{self.channels} channels, mean and spread of networks",
            )  # fmt: skip
            artists += bars.get_children()
        ax.set(xlabel="pair of images", ylabel="tangent kernel", ylim=(0, None))
        ax.set_xticks(range(prediction["pair"].size), prediction["pair"].values)
        ax.legend(fontsize="small")
        return artists


class TrainedNetIsKernelRegression(Claim):
    """A wide network trained to the end, less where it started, is kernel regression with its limit's tangent kernel.

    Inputs are on a circle, the target a wave with a step; outputs are means over networks, along half the circle.

    Breaks as `target_scale` grows: the weights then move too far for the kernel to stay.
    """

    source = Source("arora2019c", "Theorem 3.2", "asymptotic")
    metric, tolerance = max_curve_gap("output", over="mean"), 0.05  # measured: 0.015 to 0.030 over 5 seeds
    limit = ("width", (8, 32, 256))

    width: int = 256  # m of the hidden layers
    depth: int = 3  # layers of weights, L + 1
    num_samples: int = 6
    num_points: int = 13
    target_scale: float = 1.0
    rate_share: float = 0.4  # learning rate over 1/largest eigenvalue of the kernel
    steps: int = 200
    draws: int = 16
    full = dict(width=512, num_samples=10, steps=1000, draws=24)

    def _task(self) -> tuple[Any, jax.Array]:
        """Training samples around the circle, and the points of half of it from the target's peak on."""
        import jax.numpy as jnp
        import numpy as np

        angles = 2 * np.pi * (np.arange(self.num_samples) + 0.25) / self.num_samples
        targets = self.target_scale * (np.cos(angles) + 0.5 * np.sign(np.cos(angles)))
        among = np.pi * np.arange(self.num_points) / (self.num_points - 1)
        inputs, points = (jnp.asarray(np.stack([np.cos(a), np.sin(a)], axis=1)) for a in (angles, among))
        return tasks.make_samples(inputs, targets), points

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        samples, points = self._task()
        setting: Any = dict(
            depth=self.depth, activation=numerics.activations.relu, weight_variance=2.0, first_variance=1.0
        )
        own = theory.kernel.infinite_width_kernels(samples.inputs, **setting).ntk
        cross = theory.kernel.infinite_width_kernels(points, samples.inputs, **setting).ntk
        end = theory.kernel.Flow(jnp.asarray([jnp.inf]))
        path = theory.kernel.linear_path(own, samples.targets, end, cross_kernel=cross)
        assert path.test is not None
        return self._label((), path.test[0, :, 0])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        samples, points = self._task()

        def train(key):
            network = networks.initialise_fully_connected(
                key,
                widths=(self.width,) * (self.depth - 1),
                input_dim=2,
                weight_variance=2.0,
                first_variance=1.0,
            )
            kernel = instruments.tangent_kernel(network, samples.inputs)[:, :, 0, 0]
            rate = self.rate_share * self.num_samples / jnp.linalg.eigvalsh(kernel)[-1]
            trained = training.gradient_descent(
                networks.centre(network), samples, learning_rate=rate, steps=self.steps, record=2
            ).network
            return jax.vmap(trained)(points)[:, 0]

        return self._label(("seed",), jax.jit(jax.vmap(train))(jax.random.split(key, self.draws)))

    def _label(self, lead: tuple[str, ...], output: Any) -> xr.Dataset:
        import numpy as np

        angles = np.pi * np.arange(self.num_points) / (self.num_points - 1)
        return observables(
            coords={"angle": ("angle", angles, {"long_name": "angle of the input"})},
            output=((*lead, "angle"), output, {"long_name": "output of the trained network"}),
        )
