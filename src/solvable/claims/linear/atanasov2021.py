"""Atanasov, Bordelon, Pehlevan (2022), Neural networks as kernel learners: the silent alignment effect.

Their loss is half the mean squared error, as ours, and their learning rate is 1: their time is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def _start(claim: SilentAlignment | KernelMachine) -> networks.UnitLayer:
    """Weights of standard deviation 1, to be scaled."""
    import jax

    return networks.initialise(
        networks.Neuron(numerics.activations.identity),
        jax.random.key(claim.init_seed),
        width=claim.width,
        input_shape=(claim.input_dim,),
        init_scale=1.0,
    )


class SilentAlignment(Claim):
    """The kernel of a linear network turns to its target before the loss moves, and only grows while it falls.

    Breaks as `init_scale` grows: the neglected terms are of order sigma^2.
    """

    source = Source("atanasov2021", "silent alignment in two-layer linear networks", "asymptotic")
    metric, tolerance = max_curve_gap("loss", "alignment"), 0.004  # measured: 0.001 to 0.0016
    limit = ("init_scale", (0.2, 0.1, 0.05))

    strength: float = 2.0  # s of the target s beta . x
    input_dim: int = 10  # D
    width: int = 20  # N
    init_scale: float = 0.01  # sigma
    learning_rate: float = 5e-4
    horizon: float = 5.0  # training time
    init_seed: int = 0  # of the initial weights, which theory needs too
    full = dict(input_dim=30, width=100, init_scale=0.003)

    def _setting(self) -> tuple[jax.Array, networks.UnitLayer, np.ndarray]:
        """The correlation s beta, the network at its start, and the steps recorded."""
        import jax
        import jax.numpy as jnp
        import numpy as np

        beta = jnp.linspace(1.0, -1.0, self.input_dim)
        network = jax.tree.map(lambda weights: self.init_scale * weights, _start(self))
        record = np.linspace(0, self.horizon / self.learning_rate, 101).round().astype(int)
        return self.strength * beta / jnp.linalg.norm(beta), network, record

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        correlation, start, record = self._setting()

        def follow(first, second, times):
            path = theory.linear.small_start_path(correlation, first, second, times)
            kernels = jax.vmap(lambda w, a: theory.linear.linear_tangent_kernel([w, a])[:, :, 0, 0])(
                path.first, path.second
            )
            along = jnp.einsum("i,tij,j->t", correlation, kernels, correlation) / self.strength**2
            loss = (self.strength - path.strength) ** 2 / 2
            return loss, along / jnp.sqrt(jnp.sum(kernels**2, axis=(1, 2)))

        loss, alignment = jax.jit(follow)(start.first, start.second, jnp.asarray(self.learning_rate * record))
        return self._label(loss, alignment, theory.linear.converged_alignment(2, self.input_dim))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp

        correlation, start, record = self._setting()
        axes = jnp.eye(self.input_dim)

        def alignment(network):
            return instruments.kernel_alignment(instruments.tangent_kernel(network, axes)[:, :, 0, 0], correlation)

        run = training.gradient_descent(
            start,
            tasks.linear_teacher(correlation[None, :]),
            learning_rate=self.learning_rate,
            steps=int(record[-1]),
            record=record,
            observables={"alignment": alignment},
        )
        return self._label(run.loss, run.observables["alignment"], run.observables["alignment"][-1])

    def _label(self, loss, alignment, end) -> xr.Dataset:
        time = self.learning_rate * self._setting()[2]
        return observables(
            coords={"time": ("time", time, {"long_name": "time, learning rate × steps"})},
            loss=("time", loss, {"long_name": "loss ½E|y − f|²"}),
            alignment=("time", alignment, {"long_name": "alignment of the kernel A"}),
            end=end,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        shown = slice(None, None, 4)
        curves = (("loss", "loss / initial loss"), ("alignment", "alignment / final alignment"))
        for colour, (name, label) in zip(PALETTE, curves, strict=False):
            unit = float(prediction["end"] if name == "alignment" else prediction["loss"][0])
            artists += ax.plot(prediction["time"], prediction[name] / unit, color=colour, label=f"{label}, theory")
            artists += ax.plot(
                measurement["time"][shown], measurement[name][shown] / unit, "o", ms=4, mfc="none", color=colour,
                label="measured",
            )  # fmt: skip
        ax.set(xlabel="time, learning rate × steps", ylabel="share", ylim=(0, None))
        ax.legend(fontsize="small")
        return artists


class KernelMachine(Claim):
    """A trained linear network is its own final kernel's machine, up to initial weights that the data do not see.

    Fewer samples than dimensions, white on their span, with random labels. Compared is the root mean square difference
    on Gaussian inputs between the network and the ridgeless regression with its final kernel.

    Breaks as `aside` grows: initial weights that are not small.
    """

    source = Source("atanasov2021", "kernel machine after silent alignment", "asymptotic")
    metric, tolerance = max_relative_error("gap"), 0.05  # measured: 0.002 to 0.026
    limit = ("aside", (4.0, 2.0, 1.0))

    init_scales: tuple[float, ...] = (0.003, 0.01, 0.03)  # sigma
    aside: float = 1.0  # factor on all of them
    num_samples: int = 8  # n
    input_dim: int = 20  # D
    width: int = 30  # N
    num_tests: int = 200
    learning_rate: float = 0.02
    horizon: float = 40.0  # training time
    init_seed: int = 0  # of weights, data and test inputs, which theory needs too

    def _setting(self):
        """Training inputs and labels, test inputs, the initial scales."""
        import jax
        import jax.numpy as jnp

        keys = jax.random.split(jax.random.key(100 + self.init_seed), 3)
        normal = jax.random.normal(keys[0], (self.input_dim, self.num_samples))
        train = jnp.linalg.qr(normal)[0].T * self.num_samples**0.5
        labels = jax.random.rademacher(keys[1], (self.num_samples,), train.dtype)
        tests = jax.random.normal(keys[2], (self.num_tests, self.input_dim))
        return train, labels, tests, self.aside * jnp.asarray(self.init_scales)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        train, labels, tests, scales = self._setting()
        start = _start(self)

        def gap(scale):
            weights = scale * start.first, scale * start.second
            difference = theory.linear.kernel_machine_gap(*weights, train, labels, tests, own_kernel=True)
            return jnp.sqrt(jnp.mean(difference**2))

        return self._label(jax.jit(jax.vmap(gap))(scales))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        train, labels, tests, scales = self._setting()
        start, samples = _start(self), tasks.make_samples(train, labels)

        def gap(scale):
            run = training.gradient_descent(
                jax.tree.map(lambda weights: scale * weights, start),
                samples,
                learning_rate=self.learning_rate,
                steps=round(self.horizon / self.learning_rate),
                record=2,
            )
            kernel = instruments.tangent_kernel(run.network, jnp.concatenate([train, tests]))[:, :, 0, 0]
            weights = jnp.linalg.solve(kernel[: self.num_samples, : self.num_samples], labels)
            machine = kernel[self.num_samples :, : self.num_samples] @ weights
            return jnp.sqrt(jnp.mean((jax.vmap(run.network)(tests)[:, 0] - machine) ** 2))

        return self._label(jax.jit(jax.vmap(gap))(scales))

    def _label(self, gap) -> xr.Dataset:
        scales = [self.aside * scale for scale in self.init_scales]
        return observables(
            coords={"scale": ("scale", scales, {"long_name": "initial scale σ", "scale": "log"})},
            gap=("scale", gap, {"long_name": "network − kernel machine, r.m.s.", "scale": "log"}),
        )
