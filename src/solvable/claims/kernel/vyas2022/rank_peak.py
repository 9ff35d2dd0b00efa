"""Where the finite width of a network ends the learning curve of its kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import theory
from solvable.claims import Claim, Source, fraction_wrong, observables
from solvable.claims.kernel.vyas2022 import _setting as setting

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class PeakOfTheStart(Claim):
    """Regression with one network's kernel at its start fails where samples are as many as its parameters.

    Not quite so many: scaling a ReLU unit up and its output down changes nothing, so that the kernel's rank is smaller
    than their number by one a unit. Observed are the rank and, of some numbers of samples, that of the largest error.
    """

    source = Source("vyas2022", "rank of empirical kernels", "exact")
    metric, tolerance = fraction_wrong("rank", "peak"), 0.01

    input_dim: int = 3  # d
    width: int = 16  # m
    degree_power: tuple[float, ...] = (0.0, 0.2, 0.5, 0.3)  # F_k
    ratios: tuple[float, ...] = (0.3, 0.5, 0.7, 0.85, 1.0, 1.25, 1.6, 2.0)  # of samples to the rank
    ridge: float = 1e-10  # share of the kernel's mean diagonal
    draws: int = 30
    num_test: int = 200  # new inputs for each draw
    full = dict(width=64, draws=60, num_test=1000)

    def _rank(self) -> int:
        return theory.kernel.tangent_kernel_rank((self.input_dim, self.width, 1))

    def _sizes(self) -> tuple[int, ...]:
        """Numbers of samples that are tried."""
        return tuple(max(round(ratio * self._rank()), 1) for ratio in self.ratios)

    def predict(self) -> xr.Dataset:
        return observables(rank=self._rank(), peak=self._rank())

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        sizes = self._sizes()
        present, most, unit = setting.presence(sizes), max(sizes), jnp.eye(self.input_dim)[0]

        def draw(key):
            key_data, key_network = jax.random.split(key)
            samples = setting.make_task(self, unit).sample(key_data, most + self.num_test)
            kernel = setting.empirical_kernel(
                setting.initialise(self, key_network), samples.inputs, samples.inputs[:most]
            )
            errors = jax.lax.map(
                lambda which: setting.regression_error(kernel, samples.targets, which, self.ridge), present
            )
            return errors, kernel[:most]

        errors, kernels = jax.jit(lambda keys: jax.lax.map(draw, keys))(jax.random.split(key, self.draws))
        typical = np.median(np.asarray(errors), axis=0)
        return observables(
            coords={"num_samples": ("num_samples", list(sizes), setting.SIZE)},
            rank=np.median(np.linalg.matrix_rank(np.asarray(kernels), hermitian=True, rtol=1e-11)),
            peak=sizes[int(np.argmax(typical))],
            test=(("seed", "num_samples"), errors, setting.ERROR),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        test, rank = measurement["test"], int(prediction["peak"])
        parameters = rank + self.width
        artists: list[Artist] = [
            ax.axvline(rank, color=PALETTE[0], label=f"rank of the kernel, {rank}"),
            ax.axvline(parameters, color="0.6", ls=":", label=f"number of parameters, {parameters}"),
        ]
        artists += ax.plot(test["num_samples"], test.T, ".", ms=3, alpha=0.4, color=PALETTE[1])
        median = test.median("seed")
        artists += ax.plot(test["num_samples"], median, "o", mfc="none", color=PALETTE[1], label="medians of draws")
        setting.set_axes(ax, self._sizes())
        ax.legend(fontsize="small", loc="upper left")
        return artists
