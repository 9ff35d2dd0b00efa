"""Liu, Zhu, Belkin (2020), On the linearity of large non-linear models: when and why the tangent kernel is constant.

Their loss is half the sum over samples, ours half the mean: our learning rates are theirs times the number of samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, fraction_wrong, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_WIDTH = {"long_name": "width $m$", "scale": "log"}


class HessianNorm(Claim):
    """The Hessian of a two-layer network's output falls as the root of its width, up to a logarithm that is known.

    Mean over N(0, 1) weights of both layers, for an input of given length; measured by Lanczos steps on products.
    """

    source = Source("liu2020", "Theorem 3.2, two layers [made exact]", "exact")
    metric, tolerance = max_relative_error("hessian", over="mean"), 0.04  # measured: 0.004 to 0.023 over 6 seeds

    widths: tuple[int, ...] = (8, 32)  # m
    radius: float = 1.0  # length of the input, divided by the root of its dimension
    input_dim: int = 3
    draws: int = 200
    full = dict(widths=(8, 32, 128), draws=400)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        tanh = numerics.activations.tanh
        widths = jnp.asarray(self.widths, float)
        return self._label((), theory.kernel.mean_hessian_norm(widths, tanh, radius=self.radius))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        point = jnp.full(self.input_dim, self.radius)  # the network divides it by the root of its dimension

        def norm(key, mask):
            tanh = numerics.activations.tanh
            network = networks.initialise_masked(key, (mask,), tanh, input_dim=self.input_dim)
            return instruments.hessian_norm(lambda network: network(point)[0], network)

        norms = jax.vmap(jax.vmap(norm, (None, 0)), (0, None))
        return self._label(("seed",), jax.jit(norms)(jax.random.split(key, self.draws), _masks(self.widths)))

    def _label(self, lead: tuple[str, ...], hessian) -> xr.Dataset:
        words = {"long_name": r"mean Hessian norm $\|H\|$", "scale": "log"}
        return observables(
            coords={"width": ("width", list(self.widths), _WIDTH)}, hessian=((*lead, "width"), hessian, words)
        )


def _masks(widths: tuple[int, ...]):
    """Which units of a layer of the largest width there are."""
    import jax.numpy as jnp

    return jnp.arange(max(widths))[None, :] < jnp.asarray(widths)[:, None]


def _samples(claim: Any, key: jax.Array) -> tasks.Samples:
    """Gaussian inputs with targets +-1/2."""
    import jax
    import jax.numpy as jnp

    rows = jax.random.normal(key, (claim.num_samples, claim.input_dim + 1))
    return tasks.make_samples(rows[:, :-1], jnp.sign(rows[:, -1:]) / 2)


def _kernel(network, samples: tasks.Samples):
    return instruments.tangent_kernel(network, samples.inputs)[:, :, 0, 0]


def _follow(network, samples: tasks.Samples, steps: int):
    """Kernels before and after gradient descent, at a rate that the former allows."""
    import jax.numpy as jnp

    before = _kernel(network, samples)
    rate = 0.2 * samples.num_samples / jnp.linalg.norm(before, 2)
    trained = training.gradient_descent(network, samples, learning_rate=rate, steps=steps, record=2).network
    return before, _kernel(trained, samples)


def _relative_change(before, after):
    import jax.numpy as jnp

    return jnp.linalg.norm(after - before) / jnp.linalg.norm(before)


class KernelChange(Claim):
    """Kernels of wide networks stay, as 1/width; behind a tanh or with a bottleneck they move at any width.

    Observed is the exponent of the median relative change in training: -1 where it is below -3/4, else 0.
    """

    source = Source("liu2020", "Theorem 3.2; nonlinear output; bottleneck", "scaling")
    metric, tolerance = fraction_wrong("exponent"), 0.01

    widths: tuple[int, ...] = (32, 128)  # m of both hidden layers
    bottleneck: int = 1  # width of the second in the last model
    num_samples: int = 5
    input_dim: int = 4
    steps: int = 150
    draws: int = 15
    full = dict(widths=(32, 64, 128, 256), draws=32)

    def predict(self) -> xr.Dataset:
        laws = (
            theory.kernel.curvature_exponents(),
            theory.kernel.curvature_exponents(linear_output=False),
            theory.kernel.curvature_exponents(narrowest=self.bottleneck),
        )
        return self._label([law.kernel for law in laws])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        key_data, key_networks = jax.random.split(key)
        samples, wide = _samples(self, key_data), _masks(self.widths)
        narrow = jnp.broadcast_to(_masks((self.bottleneck, max(self.widths)))[0], wide.shape)

        def change(key, masks, bend):
            """Of one network: its output f, or f + bend (tanh f - f)."""
            tanh = numerics.activations.tanh
            network = networks.initialise_masked(key, masks, tanh, input_dim=self.input_dim)
            bent = networks.BentOutput(network, bend)
            return _relative_change(*_follow(bent, samples, self.steps))

        models = (jnp.stack([wide, wide, wide]), jnp.stack([wide, wide, narrow])), jnp.array([0.0, 1.0, 0.0])
        over_widths = jax.vmap(change, (None, 0, None))
        over_models = jax.vmap(over_widths, (None, 0, 0))
        changes = jax.jit(jax.vmap(over_models, (0, None, None)))(jax.random.split(key_networks, self.draws), *models)
        typical = np.median(np.asarray(changes), axis=0)
        exponents = [np.polyfit(np.log(self.widths), np.log(row), 1)[0] for row in typical]
        words = {"long_name": "relative change of the kernel", "scale": "log"}
        return self._label(
            np.where(np.array(exponents) < -0.75, -1.0, 0.0),
            slope=("model", exponents),
            change=(("seed", "model", "width"), changes, words),
            width=("width", list(self.widths), _WIDTH),
        )

    def _label(self, exponent, **more) -> xr.Dataset:
        models = ["linear output", "tanh output", "bottleneck"]
        return observables(coords={"model": models}, exponent=("model", exponent), **more)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        widths = measurement["width"]
        for colour, model in zip(PALETTE, prediction["model"].values, strict=False):
            changes = measurement["change"].sel(model=model)
            exponent = float(prediction["exponent"].sel(model=model))
            line = changes[:, 0].median() * (widths / widths[0]) ** exponent
            artists += ax.plot(widths, line, color=colour, label=f"{model}, $m^{{{exponent:g}}}$")
            artists += ax.plot(widths, changes.median("seed"), "o", mfc="none", color=colour)
            artists += ax.plot(widths, changes.T, ".", ms=3, alpha=0.4, color=colour)
        ax.set(xlabel=_WIDTH["long_name"], ylabel="relative change of the kernel", xscale="log", yscale="log")
        ax.legend(fontsize="small", title="circles: medians over networks", title_fontsize="small")
        return artists


class FrozenCore(Claim):
    """Behind a tanh the kernel moves, to where the labels and the kernel at the start say that it does.

    Mean over networks of the relative change of the kernel in training.
    """

    source = Source("liu2020", "nonlinear output", "asymptotic")
    metric, tolerance = max_relative_error("change"), 0.03  # measured: 0.005 to 0.010
    limit = ("width", (16, 64, 256))

    width: int = 256  # m, of one hidden layer, at most `most`
    most: int = 256  # units that are computed, so that widths share one program
    num_samples: int = 6
    input_dim: int = 8
    steps: int = 300
    draws: int = 15
    network_seed: int = 0
    full = dict(width=2048, most=2048, draws=24)

    def validate(self) -> None:
        from solvable.errors import OutsideDomain

        if not 1 <= self.width <= self.most:
            raise OutsideDomain(f"`width` is {self.width}; it must be 1 to `most` = {self.most}, or raise that.")

    def _setting(self):
        """Data and networks before the tanh."""
        import jax
        import jax.numpy as jnp

        key_data, key_networks = jax.random.split(jax.random.key(self.network_seed))
        mask, tanh = jnp.arange(self.most) < self.width, numerics.activations.tanh
        start = lambda key: networks.initialise_masked(key, (mask,), tanh, input_dim=self.input_dim)  # noqa: E731
        return _samples(self, key_data), jax.jit(jax.vmap(start))(jax.random.split(key_networks, self.draws))

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        samples, cores = self._setting()

        def change(core):
            kernel = _kernel(core, samples)
            slopes = 1 - jnp.tanh(jax.vmap(core)(samples.inputs)[:, 0]) ** 2, 1 - samples.targets[:, 0] ** 2
            return _relative_change(*(theory.kernel.mapped_kernel(kernel, slope) for slope in slopes))

        return self._label(jax.jit(jax.vmap(change))(cores))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        samples, cores = self._setting()

        def change(core):
            return _relative_change(*_follow(networks.BentOutput(core, jnp.ones(())), samples, self.steps))

        return self._label(jax.jit(jax.vmap(change))(cores))

    def _label(self, changes) -> xr.Dataset:
        words = {"long_name": "relative change of the kernel"}
        return observables(change=changes.mean(), changes=("network", changes, words))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        theirs, ours = prediction["changes"], measurement["changes"]
        ends = [0, 1.05 * max(float(theirs.max()), float(ours.max()))]
        artists: list[Artist] = []
        artists += ax.plot(ends, ends, color=PALETTE[0], label="as predicted")
        artists += ax.plot(theirs, ours, "o", mfc="none", color=PALETTE[1], label="networks")
        ax.set(xlabel="change predicted from the labels and the kernel at the start", ylabel="measured change")
        ax.set(xlim=ends, ylim=ends)
        ax.legend(fontsize="small")
        return artists
