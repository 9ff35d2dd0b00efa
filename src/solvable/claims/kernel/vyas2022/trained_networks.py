"""Exponents of trained networks and of the kernels that they start and end with."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from solvable import instruments, numerics, training
from solvable.claims import Claim, Source, fraction_wrong, observables
from solvable.claims.kernel.vyas2022 import _setting as setting

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_MODELS = ("infinite kernel", "kernel at the start", "network", "after-kernel", "one after-kernel")
_PAIRS = ((2, 0), (2, 1), (2, 4), (3, 0), (1, 0))  # of models, whose exponents are compared


class TrainedNetworksFallFaster(Claim):
    """The error of a trained network falls faster with samples than that of its tangent kernel.

    So does that of the after-kernel, of the network trained on the same samples; with one after-kernel for all sizes it
    does not keep up. Observed is whether the interval over draws of the first exponent is above that of the second.
    """

    source = Source("vyas2022", "exponents of networks, initial and after-kernels", "law")
    metric, tolerance = fraction_wrong("faster"), 0.01

    input_dim: int = 8  # d
    width: int = 100  # m
    num_samples: tuple[int, ...] = (32, 64, 128, 256)  # n
    degree_power: tuple[float, ...] = (0.0, 0.2, 0.5, 0.3)  # F_k
    init_scale: float = 0.05  # of the output at the start of training
    learning_rate: float = 1e-2  # of Adam, falling to 0
    steps: int = 200
    ridge: float = 1e-6  # share of the kernel's mean diagonal
    fixed: int = 1  # number of the size whose after-kernel is used for all sizes too
    num_levels: int = 30  # of the kernel in the theory
    draws: int = 6
    num_test: int = 300  # new inputs for each draw
    full = dict(input_dim=12, width=200, num_samples=(64, 128, 256, 512), steps=1000, learning_rate=5e-3, num_test=1000)

    def validate(self) -> None:
        from solvable.errors import check_choice

        check_choice("fixed", self.fixed, range(len(self.num_samples)))

    def predict(self) -> xr.Dataset:
        return self._label([1, 1, 1, 1, 0])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        key_draws, key_fit = jax.random.split(key)
        curves = jax.jit(lambda keys: jax.lax.map(self._curves, keys))
        test, train = curves(jax.random.split(key_draws, self.draws))
        test, sizes = np.asarray(test), np.array(self.num_samples)
        fits = [instruments.learning_exponent(sizes, test[:, model], key_fit, floor=False) for model in range(5)]
        return self._label(
            [fits[one].interval[0] > fits[other].interval[1] for one, other in _PAIRS],
            exponent=("model", [fit.exponent for fit in fits]),
            interval=(("model", "end"), [fit.interval for fit in fits]),
            test=(("seed", "model", "num_samples"), test, setting.ERROR),
            train=(("seed", "num_samples"), train, {"long_name": "train error of the network"}),
        ).assign_coords(model=list(_MODELS), num_samples=("num_samples", sizes, setting.SIZE))

    def _curves(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Test errors (model, size) and train errors (size,) of networks of one draw."""
        import jax
        import jax.numpy as jnp

        key_data, key_network = jax.random.split(key)
        present, most, count = setting.presence(self.num_samples), max(self.num_samples), len(self.num_samples)
        samples = setting.make_task(self, jnp.eye(self.input_dim)[0]).sample(key_data, most + self.num_test)
        inputs, targets = samples.inputs, samples.targets
        lazy = setting.initialise(self, key_network)
        scales = self.input_dim**-0.5, self.init_scale * self.width**-0.5
        weights = tuple(scale * layer for scale, layer in zip(scales, lazy.weights, strict=True))
        rich = dataclasses.replace(lazy, weights=weights)

        def train(which):
            loss = training.SampleLoss(inputs[:most], targets[:most], which / jnp.sum(which))
            objective = lambda network, _: loss(network)  # noqa: E731
            network = training.adam(
                rich, objective, key=key, learning_rate=self.learning_rate, steps=self.steps, decay=True
            )
            square = (jax.vmap(network)(inputs) - targets)[:, 0] ** 2
            return network, jnp.mean(square[most:]), jnp.sum(loss.weights * square[:most])

        trained, test, train_error = jax.lax.map(train, present)
        everyone = jax.tree.map(lambda many, one: jnp.append(many, one[None], axis=0), trained, lazy)
        seen = inputs[:most]
        kernels = jax.lax.map(lambda network: setting.empirical_kernel(network, inputs, seen), everyone)
        kernels = jnp.append(kernels, numerics.gram_matrix(setting.infinite_kernel(), inputs, seen)[None], axis=0)
        # Infinite kernel, kernel at the start, after-kernels, one after-kernel: each at all sizes.
        chosen = jnp.array([[count + 1] * count, [count] * count, list(range(count)), [self.fixed] * count])
        regress = lambda pair: setting.regression_error(kernels[pair[0]], targets, present[pair[1]], self.ridge)  # noqa: E731
        found = jax.lax.map(regress, (chosen.ravel(), jnp.tile(jnp.arange(count), 4))).reshape(4, count)
        return jnp.concatenate([found[:2], test[None], found[2:]]), train_error

    def _label(self, faster: Any, **more: Any) -> xr.Dataset:
        pairs = [f"{_MODELS[one]} > {_MODELS[other]}" for one, other in _PAIRS]
        return observables(coords={"pair": pairs}, faster=("pair", faster), **more)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        sizes = np.geomspace(min(self.num_samples) / 1.2, 1.2 * max(self.num_samples), 40)
        artists: list[Artist] = []
        for colour, marker, model in zip(PALETTE, "osD^v", _MODELS, strict=False):
            ours = measurement.sel(model=model)
            logs = np.log(ours["test"].values)
            mean, error = logs.mean(axis=0), logs.std(axis=0) / self.draws**0.5
            exponent, (low, high) = float(ours["exponent"]), ours["interval"].values
            middle = float(mean.mean()) + exponent * np.log(self.num_samples).mean()
            artists += ax.plot(sizes, np.exp(middle - exponent * np.log(sizes)), lw=0.8, ls=":", color=colour)
            label = f"{model}: {exponent:.2f} [{low:.2f}, {high:.2f}]"
            bars = np.exp(mean) * np.abs(np.expm1([-error, error]))
            artists += ax.errorbar(
                ours["num_samples"], np.exp(mean), bars, fmt=marker, ms=5, mfc="none", capsize=2, color=colour,
                label=label,
            ).get_children()  # fmt: skip
        theirs = setting.theory_curve(self, self.num_samples)[1]
        artists += ax.plot(self.num_samples, theirs, color=PALETTE[0], label="infinite kernel, theory")
        setting.set_axes(ax, self.num_samples)
        ax.legend(fontsize="x-small", title="exponents, fitted (dotted)", title_fontsize="x-small")
        return artists
