"""Jacot, Simsek, Spadaro, Hongler, Gabriel (2020), Kernel alignment risk estimator.

Their ridge lambda belongs to the mean over samples: ours, delta, is n times larger. Their risk is ours: a mean squared
error without a half, noise of the labels included.
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

_RIDGE = {"long_name": r"ridge $δ = nλ$", "scale": "log"}


class AlignmentRisk(Claim):
    """One training set tells the risk and the capture threshold, on average as the kernel's spectrum does.

    Gaussian features of a power-law spectrum; the risk itself is measured exactly. Train error is (delta/(n theta))^2
    of the risk.
    """

    source = Source("jacot2020", "KARE, signal capture threshold, expected risk", "asymptotic")
    metric, tolerance = (
        max_relative_error("kare", "risk", "train", "threshold", over="mean"),
        0.04,
    )  # measured: 0.016 to 0.027 over 5 seeds
    limit = ("num_samples", (6, 15, 50))

    num_samples: int = 50  # n
    ridges: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0)  # delta
    num_modes: int = 300
    capacity: float = 1.4  # eigenvalues i^-capacity
    source_exponent: float = 0.36  # target's power i^-(1 + 2 capacity source_exponent)
    noise: float = 0.1  # variance of the labels' noise
    draws: int = 300
    full = dict(num_samples=150, num_modes=1000, ridges=(0.01, 0.1, 1.0, 10.0, 100.0))

    def _task(self) -> tasks.GaussianFeatures:
        return tasks.source_capacity(
            self.num_modes, capacity=self.capacity, source=self.source_exponent, noise_std=self.noise**0.5
        )

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        task = self._task()
        risk = theory.kernel.kernel_risk(
            task.eigenvalues,
            task.coefficients**2,
            self.num_samples,
            ridge=jnp.asarray(self.ridges),
            noise=self.noise,
        )
        return self._label((), risk.test, risk.test, risk.train, risk.effective_ridge)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task, ridges = self._task(), jnp.asarray(self.ridges)

        def learn(key):
            samples = task.sample(key, self.num_samples)
            factored = estimators.factor_kernel(samples.inputs @ samples.inputs.T, samples.targets)
            weights = jax.vmap(lambda ridge: samples.inputs.T @ factored.dual_weights(ridge)[:, 0])(ridges)
            told = factored.statistics(ridges)
            return told.gcv, task.excess_error(weights) + self.noise, told.train, told.effective_ridge

        return self._label(("seed",), *jax.jit(jax.vmap(learn))(jax.random.split(key, self.draws)))

    def _label(self, lead: tuple[str, ...], kare, risk, train, threshold) -> xr.Dataset:
        dims = (*lead, "ridge")
        return observables(
            coords={"ridge": ("ridge", list(self.ridges), _RIDGE)},
            kare=(dims, kare, {"long_name": "risk estimate from the training set"}),
            risk=(dims, risk, {"long_name": "risk"}),
            train=(dims, train, {"long_name": "train error"}),
            threshold=(dims, threshold, {"long_name": "signal capture threshold θ", "scale": "log"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for place, (name, label) in enumerate((("risk", "risk"), ("kare", "KARE"), ("train", "train error"))):
            if name != "kare":
                line = prediction["ridge"], prediction[name]
                artists += ax.plot(*line, color=PALETTE[place], label=f"{label}, theory")
            mean, spread = measurement[name].mean("seed"), measurement[name].std("seed")
            # Estimates scatter more than what they estimate: bars aside of each other.
            artists += ax.errorbar(
                measurement["ridge"] * (1.12 if name == "kare" else 1), mean, spread,
                fmt="o", ms=4, mfc="none", capsize=2, color=PALETTE[place], label=f"{label}, measured",
            ).get_children()  # fmt: skip
        ax.set(xlabel=_RIDGE["long_name"], ylabel="mean squared error", xscale="log", yscale="log")
        ax.legend(fontsize="small")
        return artists


class AlignmentRiskOnDigits(Claim):
    """On digits, even or odd, KARE is the test error where the ridge is not small.

    Where n lambda is 1 or more. Leave-one-out, which is exact on average, is beside it; ratios of means over training
    sets.
    """

    source = Source("jacot2020", "experiments: KARE tracks the risk over the ridge", "asymptotic")
    metric, tolerance = (
        max_relative_error("kare_ratio", "left_out_ratio"),
        0.07,
    )  # measured: 0.013 to 0.057 over 5 seeds

    ridges: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0)  # delta
    width: float = 1.0  # of both kernels; the images' mean squared length is 1
    num_samples: int = 200  # n
    num_tests: int = 1000
    draws: int = 12
    full = dict(num_samples=600, num_tests=4000)

    def predict(self) -> xr.Dataset:
        """Both estimates are the risk."""
        import numpy as np

        ones = np.ones((len(self._kernels()), len(self.ridges)))
        return self._label(ones, ones)

    def measure(self, key: jax.Array) -> xr.Dataset:
        """KARE, leave-one-out and test error of many training sets of digits, and means of both over the third's."""
        import jax
        import jax.numpy as jnp

        pool, ridges, size = tasks.digit_parity(), jnp.asarray(self.ridges), self.num_samples

        def learn(key):
            rows = jax.random.permutation(key, pool.num_samples)[: size + self.num_tests]
            inputs, targets = pool.inputs[rows], pool.targets[rows]

            def one(kernel):
                gram = numerics.gram_matrix(kernel, inputs, inputs[:size])
                factored = estimators.factor_kernel(gram[:size], targets[:size])
                guesses = gram[size:] @ jax.vmap(factored.dual_weights)(ridges)[:, :, 0].T
                told = factored.statistics(ridges)
                return told.gcv, told.leave_one_out, jnp.mean((guesses - targets[size:]) ** 2, axis=0)

            return jax.tree.map(lambda *parts: jnp.stack(parts), *(one(kernel) for kernel in self._kernels().values()))

        # One after the other: matrix products are fast when they are not batched.
        kare, left_out, risk = jax.jit(lambda keys: jax.lax.map(learn, keys))(jax.random.split(key, self.draws))
        risks = jnp.mean(risk, axis=0)
        return self._label(
            jnp.mean(kare, axis=0) / risks,
            jnp.mean(left_out, axis=0) / risks,
            **{name: (("seed", "kernel", "ridge"), part) for name, part in
               (("kare", kare), ("leave_one_out", left_out), ("risk", risk))},
        )  # fmt: skip

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, kernel in zip(PALETTE, measurement["kernel"].values, strict=False):
            chosen = measurement.sel(kernel=kernel)
            for name, style in (("risk", "-"), ("kare", "o"), ("leave_one_out", "x")):
                words = {"risk": "test error", "kare": "KARE", "leave_one_out": "leave-one-out"}[name]
                heights = chosen[name].mean("seed")
                artists += ax.plot(
                    chosen["ridge"], heights, style, mfc="none", color=colour, label=f"{kernel}, {words}"
                )  # fmt: skip
        ax.set(xlabel=_RIDGE["long_name"], ylabel="mean squared error", xscale="log", ylim=(0, None))
        ax.legend(fontsize="small", ncols=2)
        return artists

    def _kernels(self) -> dict[str, Any]:
        return {"Gaussian": numerics.GaussianKernel(self.width), "Laplace": numerics.LaplaceKernel(self.width)}

    def _label(self, kare_ratio, left_out_ratio, **more) -> xr.Dataset:
        dims = ("kernel", "ridge")
        return observables(
            coords={"kernel": list(self._kernels()), "ridge": ("ridge", list(self.ridges), _RIDGE)},
            kare_ratio=(dims, kare_ratio, {"long_name": "KARE / test error"}),
            left_out_ratio=(dims, left_out_ratio, {"long_name": "leave-one-out / test error"}),
            **more,
        )


class AlignmentRiskOnDigitsNearInterpolation(AlignmentRiskOnDigits):
    """On digits KARE is the test error down to the smallest ridges."""

    metric, tolerance = max_relative_error("kare_ratio"), 0.07  # measured: 0.21 to 0.29 over 5 seeds
    expected = "fails"
    reason = (
        "near interpolation KARE is a fifth too low for the Gaussian kernel: it takes all samples for alike, and some "
        "digits (the ones) are far closer to their neighbours than others; leave-one-out weighs each and is right"
    )

    ridges: tuple[float, ...] = (1e-3, 1e-2, 0.1, 1.0)  # delta
