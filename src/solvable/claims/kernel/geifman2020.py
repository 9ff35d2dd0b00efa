"""Geifman et al. (2020), On the similarity between the Laplace and neural tangent kernels.

Their networks have biases that start at 0 and are trained with a factor beta; kernels are normalised to k(x, x) = 1
here. Their theorems give powers of the degree k, without constants: those are from the kernels' kinks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import estimators, numerics, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class LaplaceAndTangentTailsAgree(Claim):
    """ReLU tangent kernels fall as k^-d like the Laplace kernel, whose tail is the same at width 2π/L.

    On the circle, d = 2, where eigenvalues of many degrees are those of equally spaced points. Without biases even and
    odd degrees have tails of their own.
    """

    source = Source("geifman2020", "Theorems 1, 3 and 4: decay of eigenvalues", "asymptotic")
    metric, tolerance = max_relative_error("tail"), 0.005  # measured: 0.0034, without randomness
    limit = ("degree", (10, 40))

    degree: int = 40  # k, and k + 1
    depth: int = 2  # L
    bias_scales: tuple[float, ...] = (1.0, 0.0)  # beta
    num_points: int = 8192  # of the circle
    full = dict(degree=300, depth=3, num_points=131072)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        laplace = theory.kernel.exponential_kinks(1 / theory.kernel.matching_laplace_width(self.depth))
        tangent = theory.kernel.deep_relu_kinks(self.depth, jnp.asarray(self.bias_scales))
        tails = [theory.kernel.kink_tail(kinks, 2) for kinks in (laplace, tangent)]
        tails = jnp.concatenate([tails[0][:, None], tails[1]], axis=1)
        return self._label(jnp.roll(tails, self.degree % 2, axis=0).T)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        del key  # equally spaced points
        laplace = numerics.LaplaceKernel(2 * jnp.pi / self.depth)
        tangents = [numerics.DeepReluTangentKernel(self.depth, scale) for scale in self.bias_scales]

        @jax.jit
        def measure_all():
            degrees = jnp.arange(2.0 * self.degree)
            values = [
                estimators.circle_kernel_eigenvalues(kernel, self.num_points, degrees.size)
                for kernel in (laplace, *tangents)
            ]
            return jnp.stack(values) * degrees[None, :] ** 2

        scaled = np.asarray(measure_all())
        return self._label(scaled[:, self.degree : self.degree + 2]).assign(scaled=(("kernel", "all_degrees"), scaled))

    def _label(self, tail: Any) -> xr.Dataset:
        names = ["Laplace, width 2π/L", *(f"tangent, β = {scale:g}" for scale in self.bias_scales)]
        degrees = ("degree", [self.degree, self.degree + 1], {"long_name": "degree $k$"})
        words = {"long_name": r"eigenvalue times $k^2$"}
        return observables(coords={"kernel": names, "degree": degrees}, tail=(("kernel", "degree"), tail, words))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        degrees = np.arange(3, measurement.sizes["all_degrees"])
        chosen = degrees[:: max(len(degrees) // 50, 1)]
        artists: list[Artist] = []
        for colour, marker, name in zip(PALETTE, "os^v", prediction["kernel"].values, strict=False):
            theirs = prediction["tail"].sel(kernel=name)
            # The first of two kernels with the same tail would be hidden.
            artists += [ax.axhline(level, color=colour, lw=3 if marker == "o" else 1.2) for level in np.unique(theirs)]
            ours = measurement["scaled"].sel(kernel=name).values[chosen]
            artists += ax.plot(chosen, ours, marker, ms=4, mfc="none", color=colour, label=name)
        ax.set(xlabel="degree $k$", ylabel=r"eigenvalue times $k^2$")
        ax.legend(fontsize="small", title="tail: lines, measured: markers", title_fontsize="small")
        return artists


class HarmonicsOfSampledKernels(Claim):
    """Eigenvalues of a kernel matrix of points on the sphere come in levels, those of spherical harmonics.

    Sampled eigenvalues are larger, by a share that grows as those of the law fall.
    """

    source = Source("geifman2020", "eigenfunctions of zonal kernels on the sphere", "asymptotic")
    metric, tolerance = max_relative_error("eigenvalue", over="mean"), 0.045  # measured: 0.024 to 0.031 over 7 seeds
    limit = ("num_samples", (40, 240))

    input_dim: int = 3  # d
    num_samples: int = 240  # n
    num_levels: int = 3
    depth: int = 2  # L of the tangent kernel
    bias_scale: float = 1.0  # beta
    laplace_width: float = 2.0
    draws: int = 3
    full = dict(num_samples=1500, num_levels=5, draws=6)

    def _kernels(self) -> dict[str, numerics.Kernel]:
        return {
            f"tangent, L = {self.depth}": numerics.DeepReluTangentKernel(self.depth, self.bias_scale),
            f"Laplace, width {self.laplace_width:g}": numerics.LaplaceKernel(self.laplace_width),
        }

    def predict(self) -> xr.Dataset:
        spectra = [
            theory.kernel.sphere_spectrum(kernel, self.input_dim, self.num_levels)
            for kernel in self._kernels().values()
        ]
        return self._label((), [spectrum.eigenvalues for spectrum in spectra])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        counts = numerics.sphere_multiplicities(self.input_dim, self.num_levels).astype(int)
        task = tasks.SphereTask(jnp.ones(1), jnp.eye(self.input_dim)[0])
        level = np.repeat(np.arange(self.num_levels), counts)

        @jax.jit
        @jax.vmap
        def eigenvalues(key):
            points = task.sample(key, self.num_samples).inputs
            found = [jnp.linalg.eigvalsh(numerics.gram_matrix(kernel, points)) for kernel in self._kernels().values()]
            largest = jnp.stack(found)[:, ::-1][:, : counts.sum()] / self.num_samples
            means = jax.ops.segment_sum(largest.T, level, self.num_levels).T / jnp.asarray(counts, float)[None, :]
            return means, largest

        means, largest = eigenvalues(jax.random.split(key, self.draws))
        return self._label(("seed",), means).assign(largest=(("seed", "kernel", "mode"), np.asarray(largest)))

    def _label(self, lead: tuple[str, ...], eigenvalue: Any) -> xr.Dataset:
        import numpy as np

        words = {"long_name": "eigenvalue", "scale": "log"}
        return observables(
            coords={
                "kernel": list(self._kernels()),
                "level": ("level", np.arange(self.num_levels), {"long_name": "degree $k$"}),
            },
            eigenvalue=((*lead, "kernel", "level"), eigenvalue, words),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        counts = numerics.sphere_multiplicities(self.input_dim, self.num_levels).astype(int)
        modes = np.arange(1, counts.sum() + 1)
        artists: list[Artist] = []
        for colour, marker, name in zip(PALETTE, "os", prediction["kernel"].values, strict=False):
            theirs = np.repeat(prediction["eigenvalue"].sel(kernel=name).values, counts)
            artists += ax.plot(modes, theirs, color=colour, drawstyle="steps-mid")
            ours = measurement["largest"].sel(kernel=name)
            artists += ax.errorbar(
                modes, ours.mean("seed"), ours.std("seed"), fmt=marker, ms=5, mfc="none", capsize=2, color=colour,
                label=name,
            ).get_children()  # fmt: skip
        ax.set(yscale="log", xlabel="rank of the eigenvalue", ylabel="eigenvalue of the kernel matrix, over $n$")
        ax.legend(fontsize="small", title="theory: lines, measured: markers", title_fontsize="small")
        return artists
