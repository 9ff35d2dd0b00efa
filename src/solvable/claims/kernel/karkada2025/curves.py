"""Learning curves of kernel regression from the covariance of inputs and the Hermite coefficients of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import estimators, numerics, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.kernel.karkada2025._data import centred_digits, flat_power_law

if TYPE_CHECKING:
    import jax
    import xarray as xr


class GaussianLearningCurve(Claim):
    """The learning curve of a Hermite product follows from the spectrum of the data's covariance.

    One target a curve, on Gaussian data of many dimensions, by a wide Gaussian kernel.
    """

    source = Source("karkada2025", "learning curves, Gaussian data", "asymptotic")
    metric, tolerance = max_relative_error("test_error", over="mean"), 0.08  # measured: 0.039 to 0.055 over 3 seeds

    width: float = 2.5  # s, where E|x|^2 = 1
    input_dim: int = 80  # d
    decay: float = 0.9  # gamma_i ~ (i + 6)^-decay
    first: tuple[int, ...] = (40, 0, 2)  # direction of each target, counted from 0
    second: tuple[int, ...] = (-1, 3, 5)  # the direction it is multiplied by; -1 is none
    num_samples: tuple[int, ...] = (40, 120)  # n
    ridge: float = 5e-3  # of the sum over samples
    num_modes: int = 20_000  # of the ansatz
    num_test: int = 600
    draws: int = 50
    full = dict(num_samples=(30, 60, 120, 240), draws=100, num_test=2000)

    def _task(self) -> tasks.HermiteTargets:
        import jax.numpy as jnp

        directions = jnp.asarray([self.first, self.second]).T
        return tasks.HermiteTargets(flat_power_law(self.input_dim, self.decay), directions)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        task = self._task()
        coefficients = theory.kernel.level_coefficients(numerics.GaussianKernel(self.width), 1.0, 6)
        modes = theory.kernel.hermite_modes(task.covariance_eigenvalues, coefficients, self.num_modes)
        curves = [
            theory.kernel.truncated_risk(
                modes.eigenvalues,
                modes.power_of(product),
                jnp.asarray(self.num_samples, float),
                trace=1.0,
                label_power=1.0,
                ridge=self.ridge,
            ).test
            for product in zip(self.first, self.second, strict=True)
        ]
        return self._label(("target", "num_samples"), jnp.stack(curves))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task, kernel = self._task(), numerics.GaussianKernel(self.width)

        def train(key):
            key_train, key_test = jax.random.split(key)
            samples, test = task.sample(key_train, max(self.num_samples)), task.sample(key_test, self.num_test)
            first = [jax.tree.map(lambda entry, n=n: entry[:n], samples) for n in self.num_samples]
            errors = [estimators.kernel_ridge_error(kernel, train, test, self.ridge) for train in first]
            return jnp.stack(errors, axis=1)

        errors = jax.lax.map(train, jax.random.split(key, self.draws))
        return self._label(("seed", "target", "num_samples"), errors)

    def _label(self, dims: tuple[str, ...], errors) -> xr.Dataset:
        sizes = {"long_name": "number of samples $n$", "scale": "log"}
        words = {"long_name": "test error, mean square", "scale": "log"}
        pairs = zip(self.first, self.second, strict=True)
        names = [f"z{i}" if j < 0 else f"z{i} z{j}" for i, j in pairs]
        return observables(
            coords={"target": names, "num_samples": ("num_samples", self.num_samples, sizes)},
            test_error=(dims, errors, words),
        )


class NarrowKernelCurve(GaussianLearningCurve):
    """The learning curve of a Hermite product follows from the spectrum of the data's covariance.

    As before, by a narrower kernel and down to small errors.
    """

    metric, tolerance = max_relative_error("test_error", over="mean"), 0.08
    expected = "fails"
    reason = (
        "At errors far below 0.1 of a kernel no wider than the data the measured error is tens of times the predicted "
        "one. The exact eigenvalues fail alike: features of such a kernel are too far from Gaussian for the risk."
    )

    width: float = 1.0
    input_dim: int = 40
    decay: float = 1.2
    first: tuple[int, ...] = (0, 0, 4)
    second: tuple[int, ...] = (-1, 1, 6)
    num_samples: tuple[int, ...] = (50, 200)
    ridge: float = 1e-3
    num_test: int = 400
    draws: int = 5
    full = dict(draws=20, num_test=1500, num_samples=(50, 100, 200, 400))


class DigitsLearningCurve(Claim):
    """Covariance and labels of images alone predict the learning curve of kernel regression on them.

    Even against odd digits, by a Gaussian kernel; training and test digits are drawn from those that give the
    covariance.
    """

    source = Source("karkada2025", "learning curves, images", "asymptotic")
    metric, tolerance = max_relative_error("test_error", over="mean"), 0.06  # measured: 0.015 to 0.042 over 3 seeds

    width: float = 2.0  # s of the Gaussian kernel, where E|x|^2 = 1
    num_samples: tuple[int, ...] = (50, 200)  # n
    ridge: float = 0.01  # of the sum over samples
    num_modes: int = 400  # of the ansatz
    num_test: int = 600
    draws: int = 16
    full = dict(num_samples=(30, 100, 300), num_modes=1000, num_test=1500, draws=40)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        digits, kernel = centred_digits(), numerics.GaussianKernel(self.width)
        known = theory.kernel.hermite_statistics(kernel, digits.inputs, digits.targets, num_modes=self.num_modes)
        return self._label((), known.risk(jnp.asarray(self.num_samples, float), ridge=self.ridge).test)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        digits, kernel, most = centred_digits(), numerics.GaussianKernel(self.width), max(self.num_samples)

        def train(key):
            order = jax.random.permutation(key, digits.num_samples)
            test = jax.tree.map(lambda entry: entry[order[most : most + self.num_test]], digits)
            errors = [
                estimators.kernel_ridge_error(
                    kernel, jax.tree.map(lambda entry, n=n: entry[order[:n]], digits), test, self.ridge
                )
                for n in self.num_samples
            ]
            return jnp.concatenate(errors)

        return self._label(("seed",), jax.lax.map(train, jax.random.split(key, self.draws)))

    def _label(self, lead: tuple[str, ...], errors) -> xr.Dataset:
        sizes = {"long_name": "number of samples $n$", "scale": "log"}
        words = {"long_name": "test error, mean square", "scale": "log"}
        return observables(
            coords={"num_samples": ("num_samples", self.num_samples, sizes)},
            test_error=((*lead, "num_samples"), errors, words),
        )
