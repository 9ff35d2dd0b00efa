"""Eigenvalues of kernels from the covariance of their inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import estimators, numerics, theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.kernel.karkada2025._data import centred_digits, flat_power_law

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class GaussianSpectrum(Claim):
    """A wide kernel's eigenvalues are products of the data's variances times one coefficient a level.

    All products of up to three directions of Gaussian data, against the integral operator of the Gaussian kernel,
    solved by quadrature along each direction.
    Breaks as `decay` grows: a few directions come to hold the variance.
    """

    source = Source("karkada2025", "Hermite eigenstructure ansatz, eigenvalues", "asymptotic")
    metric, tolerance = max_relative_error("eigenvalues"), 0.04  # deterministic: 0.0345
    limit = ("width", (1.0, 2.0, 4.0))

    width: float = 4.0  # s, where E|x|^2 = 1
    input_dim: int = 40  # d
    decay: float = 1.2  # gamma_i ~ (i + 6)^-decay
    full = dict(input_dim=80)

    def _directions(self) -> np.ndarray:
        import numpy as np

        products = [numerics.Monomials(self.input_dim, degree).factors.reshape(-1, degree) for degree in range(1, 4)]
        padded = [np.pad(each, ((0, 0), (0, 3 - each.shape[1])), constant_values=-1) for each in products]
        return np.concatenate([np.full((1, 3), -1), *padded])

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        coefficients = theory.kernel.level_coefficients(numerics.GaussianKernel(self.width), 1.0, 3)
        gammas, directions = flat_power_law(self.input_dim, self.decay), jnp.asarray(self._directions())
        return self._label(theory.kernel.monomial_eigenvalues(gammas, coefficients, directions))

    def measure(self, key: jax.Array) -> xr.Dataset:
        kernel, gammas = numerics.GaussianKernel(self.width), flat_power_law(self.input_dim, self.decay)
        return self._label(estimators.product_kernel_eigenvalues(kernel, gammas, self._directions()))

    def _label(self, eigenvalues) -> xr.Dataset:
        return observables(
            eigenvalues=("product", eigenvalues, {"long_name": "eigenvalue"}),
            level=("product", (self._directions() >= 0).sum(axis=1)),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        ends = [float(prediction["eigenvalues"].min()), float(prediction["eigenvalues"].max())]
        artists: list[Artist] = [*ax.plot(ends, ends, color="0.6", lw=1, label="equal")]
        for level in range(4):
            of_level = prediction["level"].values == level
            sides = (side["eigenvalues"].values[of_level] for side in (prediction, measurement))
            artists += ax.plot(*sides, "o", ms=4, mfc="none", color=PALETTE[level], label=f"level {level}")
        ax.set(xscale="log", yscale="log", xlabel="eigenvalue, theory", ylabel="eigenvalue, measured")
        ax.legend(fontsize="small")
        return artists


class DigitsSpectrum(Claim):
    """The covariance of images alone predicts the eigenvalues of their kernel matrix."""

    source = Source("karkada2025", "kernel eigenvalues against the ansatz", "asymptotic")
    metric, tolerance = max_relative_error("eigenvalues"), 0.085  # measured: 0.066 to 0.076 over 3 seeds

    width: float = 2.0  # s of the Gaussian kernel, where E|x|^2 = 1
    num_modes: int = 30  # compared
    num_samples: int = 3000  # of the kernel matrix, drawn from all digits
    full = dict(num_samples=5000)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        inputs = centred_digits().inputs
        gammas = jnp.linalg.eigvalsh(inputs.T @ inputs / len(inputs))[::-1]
        coefficients = theory.kernel.level_coefficients(numerics.GaussianKernel(self.width), jnp.sum(gammas), 6)
        modes = theory.kernel.hermite_modes(jnp.maximum(gammas, 0), coefficients, self.num_modes)
        return self._label(modes.eigenvalues)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax

        inputs = jax.random.choice(key, centred_digits().inputs, (self.num_samples,), replace=False)
        kernel = numerics.GaussianKernel(self.width)
        return self._label(estimators.sample_kernel_eigenvalues(kernel, inputs, self.num_modes))

    def _label(self, eigenvalues: Any) -> xr.Dataset:
        import numpy as np

        rank = ("mode", np.arange(1, len(eigenvalues) + 1), {"long_name": "mode", "scale": "log"})
        words = {"long_name": "eigenvalue", "scale": "log"}
        return observables(coords={"mode": rank}, eigenvalues=("mode", eigenvalues, words))
