"""Parities on the hypercube compete for what n samples can teach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import numerics, tasks, theory
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables
from solvable.claims.kernel.simon2023a._cube import by_degree, cube_kernel, learn_cube

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class LearnabilityIsConserved(Claim):
    """On every training set without ridge the learnabilities of all modes add up to the number of samples.

    Samples are drawn without replacement: a point that comes twice counts once.
    """

    source = Source("simon2023a", "conservation of learnability", "exact")
    metric, tolerance = max_relative_error("total"), 1e-9  # measured: up to 4e-14 over 5 seeds

    input_dim: int = 6  # d, of 2^d points
    shares: tuple[float, ...] = (1.0, 0.3, 0.06, 0.01, 2e-3, 5e-4, 1e-4)  # of degrees 0, 1, ... in k(x, x)
    num_samples: tuple[int, ...] = (8, 24, 40, 56)  # n
    draws: int = 4
    full = dict(
        input_dim=8, shares=(1.0, 0.3, 0.06, 0.01, 2e-3, 5e-4, 1e-4, 5e-5, 2e-5), num_samples=(16, 64, 128, 192, 240)
    )

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        spectrum = theory.kernel.hypercube_spectrum(cube_kernel(self.input_dim, self.shares), self.input_dim)
        risk = theory.kernel.kernel_risk(
            spectrum.eigenvalues,
            jnp.zeros_like(spectrum.eigenvalues),
            jnp.asarray(self.num_samples, float),
            multiplicities=spectrum.multiplicities,
        )
        shares = risk.learnability * spectrum.multiplicities[None, :]
        return self._label((), theory.kernel.total_learnability(risk), shares)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task = tasks.ParityTask(self.input_dim, ((),), jnp.ones(1))

        @jax.jit
        def learn(keys):
            learned = jax.vmap(lambda one: learn_cube(one, self, task)[0])(keys)
            counts = jnp.asarray(numerics.hypercube_multiplicities(self.input_dim))[None, None]
            return jnp.sum(learned, axis=2), by_degree(learned, self.input_dim, self.input_dim + 1) * counts

        return self._label(("seed",), *learn(jax.random.split(key, self.draws)))

    def _label(self, lead: tuple[str, ...], total, parts) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={
                "num_samples": ("num_samples", list(self.num_samples), {"long_name": "samples $n$"}),
                "degree": np.arange(self.input_dim + 1),
            },
            total=((*lead, "num_samples"), total, {"long_name": r"sum of learnabilities $\sum_i L_i$"}),
            parts=((*lead, "num_samples", "degree"), parts, {"long_name": "learnability by degree"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        sizes, parts = measurement["num_samples"].values, measurement["parts"].mean("seed")
        gap = np.diff(sizes).min(initial=sizes[0])
        below = np.zeros(len(sizes))
        artists: list[Artist] = []
        for degree in range(parts.sizes["degree"]):
            height = parts.isel(degree=degree).values
            colour, label = PALETTE[degree % len(PALETTE)], f"degree {degree}, measured"
            shown = {"alpha": 0.55 if degree < len(PALETTE) else 0.25, "label": label if height.max() > 0.5 else None}
            artists += ax.bar(sizes, height, 0.5 * gap, below, color=colour, **shown)
            below = below + height
        ends = np.array([0, sizes[-1] + gap / 2])
        artists += ax.plot(ends, ends, color="k", label="$n$")
        ax.set(xlabel="samples $n$", ylabel=prediction["total"].attrs["long_name"], xlim=(0, None))
        ax.legend(fontsize="small")
        return artists


class ModesCompeteOnTheCube(Claim):
    """Each parity is learned by the share λ/(λ + κ), with one κ for all that the number of samples sets.

    Gaps are in units of the learnability of degree 0, nearly 1. Samples are drawn without replacement from 2^d points,
    which the theory takes for infinitely many. The test error is that of a parity of each degree 1, 2, 3.
    """

    source = Source("simon2023a", "mode learnabilities on the hypercube", "asymptotic")
    metric, tolerance = max_curve_gap("learnability", over="mean"), 0.006  # measured: 0.002 to 0.0042 over 8 seeds
    limit = ("input_dim", (6, 7, 8, 9))

    input_dim: int = 9  # d
    shares: tuple[float, ...] = (1.0, 0.3, 0.06, 0.01, 2e-3, 5e-4, 1e-4)  # of degrees 0, 1, ... in k(x, x)
    coefficients: tuple[float, ...] = (0.8, 0.5, 0.33)  # v of a parity of degrees 1, 2, ...
    num_samples: tuple[int, ...] = (16, 32, 48)  # n
    ridge: float = 0.02  # delta
    draws: int = 100
    full = dict(input_dim=11, num_samples=(16, 32, 64, 96), draws=40)

    def _task(self) -> tasks.ParityTask:
        import jax.numpy as jnp

        subsets = tuple(tuple(range(degree + 1)) for degree in range(len(self.coefficients)))
        return tasks.ParityTask(self.input_dim, subsets, jnp.asarray(self.coefficients))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        spectrum = theory.kernel.hypercube_spectrum(cube_kernel(self.input_dim, self.shares), self.input_dim)
        power = np.zeros(self.input_dim + 1)
        power[1 : len(self.coefficients) + 1] = np.square(self.coefficients)
        risk = theory.kernel.kernel_risk(
            spectrum.eigenvalues,
            jnp.asarray(power),
            jnp.asarray(self.num_samples, float),
            ridge=self.ridge,
            multiplicities=spectrum.multiplicities,
        )
        return self._label((), risk.learnability[:, : len(self.shares)], risk.test)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task = self._task()

        def learn(key):
            learnability, learned = learn_cube(key, self, task, self.ridge)
            errors = jnp.sum((learned - task.all_coefficients()[None, :]) ** 2, axis=1)
            return by_degree(learnability, self.input_dim, len(self.shares)), errors

        learned = jax.jit(jax.vmap(learn))(jax.random.split(key, self.draws))
        return self._label(("seed",), *learned)

    def _label(self, lead: tuple[str, ...], learnability, error) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={
                "num_samples": ("num_samples", list(self.num_samples), {"long_name": "samples $n$"}),
                "degree": np.arange(len(self.shares)),
            },
            learnability=((*lead, "num_samples", "degree"), learnability, {"long_name": "learnability $L$"}),
            test_error=((*lead, "num_samples"), error, {"long_name": "test error"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        few = {"degree": slice(0, 5)}
        theory_, measured = (
            side["learnability"].isel(few).transpose(..., "degree", "num_samples").to_dataset()
            for side in (prediction, measurement)
        )
        artists = draw_default(ax, theory_, measured, "learnability")
        sizes, error = prediction["num_samples"], measurement["test_error"]
        artists += ax.plot(sizes, prediction["test_error"], color="0.4", ls="--", label="test error")
        bars = ax.errorbar(sizes, error.mean("seed"), error.std("seed"), fmt="s", ms=4, mfc="none", capsize=2, c="0.4")
        artists += bars.get_children()
        handles, _ = ax.get_legend_handles_labels()
        ax.legend(handles=handles, fontsize="small", ncols=2)
        ax.set_ylabel("learnability $L$, test error")
        return artists
