"""The exponent of a kernel, predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import instruments, numerics
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.kernel.vyas2022 import _setting as setting

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class KernelExponent(Claim):
    """The exponent of a kernel's learning curve is that of the omniscient risk over the same samples.

    Each draw of samples has targets along all axes.
    """

    source = Source("vyas2022", "exponents of the infinite tangent kernel", "asymptotic")
    metric, tolerance = max_relative_error("exponent"), 0.05  # measured: 0.005 to 0.034 over 7 seeds
    limit = ("draws", (2, 40))

    input_dim: int = 8  # d
    num_samples: tuple[int, ...] = (32, 64, 128)  # n
    degree_power: tuple[float, ...] = (0.0, 0.2, 0.5, 0.3)  # F_k
    ridge: float = 1e-6  # share of the kernel's mean diagonal
    num_levels: int = 30  # of the kernel in the theory
    draws: int = 40
    num_test: int = 300  # new inputs for each draw
    full = dict(input_dim=12, num_samples=(64, 128, 256, 512, 1024), num_test=1000)

    def predict(self) -> xr.Dataset:
        exponent, test = setting.theory_curve(self, self.num_samples)
        return self._label((), test).assign(exponent=((), float(exponent)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        axes, present = jnp.eye(self.input_dim), setting.presence(self.num_samples)

        def errors(key):
            inputs = setting.make_task(self, axes[0]).sample(key, max(self.num_samples) + self.num_test).inputs
            targets = jax.vmap(lambda axis: setting.make_task(self, axis).target(inputs), out_axes=1)(axes)
            kernel = numerics.gram_matrix(setting.infinite_kernel(), inputs, inputs[: max(self.num_samples)])
            return jax.lax.map(lambda which: setting.regression_error(kernel, targets, which, self.ridge), present)

        key_draws, key_fit = jax.random.split(key)
        found = jax.jit(lambda keys: jax.lax.map(errors, keys))(jax.random.split(key_draws, self.draws))
        fit = instruments.learning_exponent(np.array(self.num_samples), np.asarray(found), key_fit)
        return self._label(("seed",), found).assign(exponent=((), fit.exponent), interval=("end", list(fit.interval)))

    def _label(self, lead: tuple[str, ...], test: Any) -> xr.Dataset:
        size = ("num_samples", list(self.num_samples), setting.SIZE)
        return observables(coords={"num_samples": size}, test=((*lead, "num_samples"), test, setting.ERROR))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        test, (low, high) = measurement["test"], measurement["interval"].values
        theirs, ours = float(prediction["exponent"]), float(measurement["exponent"])
        label = f"theory, exponent {theirs:.3f}"
        artists: list[Artist] = list(
            ax.plot(prediction["num_samples"], prediction["test"], color=PALETTE[0], label=label)
        )
        artists += ax.errorbar(
            test["num_samples"], test.mean("seed"), test.std("seed") / self.draws**0.5, fmt="o", mfc="none", capsize=2,
            color=PALETTE[1], label=f"measured, exponent {ours:.3f} [{low:.3f}, {high:.3f}]",
        ).get_children()  # fmt: skip
        setting.set_axes(ax, self.num_samples)
        ax.legend(fontsize="small")
        return artists
