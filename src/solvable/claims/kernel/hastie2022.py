"""Hastie, Montanari, Rosset, Tibshirani (2022), Surprises in high-dimensional ridgeless least squares interpolation.

Their risk is ours, mean squared without a half and without the labels' noise. Their ridge lambda belongs to the mean
over samples: the estimators' ridge is n times larger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import estimators, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_ASPECT = {"long_name": "inputs for each sample $γ = p/n$", "scale": "log"}


def _counts(claim: Any) -> np.ndarray:
    """Whole numbers of inputs, nearest to the aspects asked for."""
    import numpy as np

    return np.maximum(np.rint(np.array(claim.aspects) * claim.num_samples), 1).astype(int)


def _spectrum(decay: Any, kept: jax.Array) -> jax.Array:
    """Variances i^-decay of the inputs that are kept, of mean 1; 0 of the others."""
    import jax.numpy as jnp

    law = jnp.asarray(kept) * jnp.arange(1.0, kept.size + 1) ** -decay
    return law * jnp.sum(kept) / jnp.sum(law)


def _learn(inputs: jax.Array, targets: jax.Array, ridges: jax.Array) -> jax.Array:
    """Weights of each ridge, (ridge, target, input), through the kernel of the few samples."""
    import jax

    factored = estimators.factor_kernel(inputs @ inputs.T, targets)
    return jax.vmap(lambda ridge: factored.dual_weights(ridge).T @ inputs)(ridges)


class RidgelessDoubleDescent(Claim):
    """Least squares fails at as many inputs as samples and recovers beyond; the best ridge never fails.

    Inputs are white. The best ridge is sought on a grid, theory has it in closed form.
    Breaks as `decay` grows: variances of the inputs then differ, as a power of their rank.
    """

    source = Source("hastie2022", "Theorem 1 and Corollary 5: isotropic features", "asymptotic")
    metric, tolerance = (
        max_relative_error("ridgeless", "best_ridge", over="mean"),
        0.07,
    )  # measured: 0.028 to 0.051 over 5 seeds
    limit = ("num_samples", (8, 20, 60))

    aspects: tuple[float, ...] = (0.25, 0.5, 1.6, 2.0, 3.0)  # gamma
    num_samples: int = 60  # n
    signal: float = 5.0  # r^2
    noise: float = 1.0  # sigma^2
    decay: float = 0.0  # variances of inputs fall as i^-decay, of mean 1
    draws: int = 100
    labels: int = 8  # noise drawn for each draw of inputs
    full = dict(num_samples=200, aspects=(0.25, 0.5, 0.7, 0.85, 1.2, 1.5, 1.8, 2.5, 4.0))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        aspects, law = jnp.asarray(_counts(self) / self.num_samples), dict(signal=self.signal, noise=self.noise)
        best = theory.kernel.best_isotropic_ridge(aspects, **law)
        ridges = jnp.stack([jnp.zeros_like(best), best])
        risk = theory.kernel.isotropic_risk(aspects[None, :], **law, mean_ridge=ridges)
        return self._label((), *risk.excess)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        counts = _counts(self)
        ridges = self.num_samples * jnp.append(0.0, jnp.logspace(-2, 2, 17))

        def learn(key, count):
            kept = (jnp.arange(1.0, int(max(counts)) + 1) <= count).astype(float)
            variances = _spectrum(self.decay, kept)
            signs = jnp.sqrt(self.signal / count * variances)
            task = tasks.GaussianFeatures(variances, signs)
            samples = task.sample(key, self.num_samples)
            # Labels of the same inputs, drawn several times.
            noise = jax.random.normal(jax.random.fold_in(key, 1), (self.num_samples, self.labels))
            targets = samples.targets + self.noise**0.5 * noise
            return jnp.mean(task.excess_error(_learn(samples.inputs, targets, ridges)), axis=-1)

        over_aspects = jax.vmap(jax.vmap(learn, (None, 0)), (0, None))
        errors = jax.jit(over_aspects)(jax.random.split(key, self.draws), jnp.asarray(counts, float))
        best = jnp.argmin(jnp.mean(errors, axis=0), axis=-1)
        return self._label(("seed",), errors[..., 0], errors[:, jnp.arange(counts.size), best])

    def _label(self, lead: tuple[str, ...], ridgeless, best_ridge) -> xr.Dataset:
        return observables(
            coords={"aspect": ("aspect", _counts(self) / self.num_samples, _ASPECT)},
            ridgeless=((*lead, "aspect"), ridgeless, {"long_name": "excess error"}),
            best_ridge=((*lead, "aspect"), best_ridge, {"long_name": "excess error at the best ridge"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import jax.numpy as jnp

        from solvable.report.figures import PALETTE

        sides = [jnp.linspace(0.1, 0.985, 100), jnp.linspace(1.015, 8, 300)]
        law, artists = dict(signal=self.signal, noise=self.noise), []
        for side, first in zip(sides, (True, False), strict=True):
            best = theory.kernel.best_isotropic_ridge(side, **law)
            for colour, label, ridge in ((PALETTE[0], "least norm", 0.0), (PALETTE[1], "best ridge", best)):
                risk = theory.kernel.isotropic_risk(side, **law, mean_ridge=ridge)
                artists += ax.plot(side, risk.excess, color=colour, label=f"{label}, theory" if first else None)
        for colour, name in ((PALETTE[0], "ridgeless"), (PALETTE[1], "best_ridge")):
            artists += _mark(ax, measurement[name], colour)
        artists.append(ax.axhline(self.signal, color="0.5", lw=0.8, ls=":", label="predicting 0"))
        ax.set(xlabel=_ASPECT["long_name"], ylabel="excess error", xscale="log", ylim=(0, 2.2 * self.signal))
        ax.legend(fontsize="small")
        return artists


class CorrelatedFeatures(Claim):
    """With correlated inputs, bias and variance follow from the spectrum and the target's share of each eigenvalue.

    Variances of the inputs fall as a power of their rank, the target's coefficients as another.
    """

    source = Source("hastie2022", "Theorem 2: correlated features", "asymptotic")
    metric, tolerance = (
        max_relative_error("bias", "variance", over="mean"),
        0.055,
    )  # measured: 0.020 to 0.039 over 5 seeds

    aspect: float = 2.0  # gamma
    num_samples: int = 50  # n
    decays: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0)  # variances of inputs fall as i^-decay, of mean 1
    alignment: float = 0.3  # the target's coefficients fall as i^-alignment
    noise: float = 0.3  # sigma^2
    draws: int = 200
    full = dict(num_samples=200)

    def _features(self, decay) -> tuple[jax.Array, jax.Array]:
        """Eigenvalues, and coefficients of the target, of norm 1."""
        import jax.numpy as jnp

        count = max(round(self.aspect * self.num_samples), 1)
        coefficients = jnp.arange(1.0, count + 1) ** -self.alignment
        return _spectrum(decay, jnp.ones(count)), coefficients / jnp.linalg.norm(coefficients)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        def risk(decay):
            eigenvalues, coefficients = self._features(decay)
            aspect = eigenvalues.size / self.num_samples
            found = theory.kernel.least_squares_risk(eigenvalues, coefficients**2, aspect, noise=self.noise)
            return found.bias, found.variance

        return self._label((), *jax.jit(jax.vmap(risk))(jnp.asarray(self.decays)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        def learn(key, decay):
            eigenvalues, coefficients = self._features(decay)
            clean = tasks.GaussianFeatures(eigenvalues, jnp.sqrt(eigenvalues) * coefficients)
            noise = tasks.GaussianFeatures(eigenvalues, jnp.zeros_like(eigenvalues), self.noise**0.5)
            # Least squares is linear in the targets, so that target and noise are learned apart, of the same inputs.
            samples = [task.sample(key, self.num_samples) for task in (clean, noise)]
            targets = jnp.concatenate([sample.targets for sample in samples], axis=1)
            weights = _learn(samples[0].inputs, targets, jnp.zeros(1))[0]
            return clean.excess_error(weights[0]), noise.excess_error(weights[1])

        over_decays = jax.vmap(jax.vmap(learn, (None, 0)), (0, None))
        errors = jax.jit(over_decays)(jax.random.split(key, self.draws), jnp.asarray(self.decays))
        return self._label(("seed",), *errors)

    def _label(self, lead: tuple[str, ...], bias, variance) -> xr.Dataset:
        words = {"long_name": "decay of the inputs' variances"}
        return observables(
            coords={"decay": ("decay", list(self.decays), words)},
            bias=((*lead, "decay"), bias),
            variance=((*lead, "decay"), variance),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, name in zip(PALETTE, ("bias", "variance"), strict=False):
            artists += ax.plot(prediction["decay"], prediction[name], color=colour, label=f"{name}, theory")
            artists += _mark(ax, measurement[name], colour)
        ax.set(xlabel=prediction["decay"].attrs["long_name"], ylabel="excess error", ylim=(0, None))
        ax.legend(fontsize="small")
        return artists


class LatentCauses(Claim):
    """With a few hidden causes behind all inputs, error is least far beyond the interpolation threshold.

    The number of causes for each sample is fixed, so that further inputs see the same causes better.
    """

    source = Source("hastie2022", "latent space model", "asymptotic")
    metric, tolerance = max_relative_error("error", over="mean"), 0.065  # measured: 0.026 to 0.045 over 5 seeds

    aspects: tuple[float, ...] = (0.5, 2.0, 3.0, 5.0)  # gamma
    causes: float = 0.3  # d/n
    num_samples: int = 50  # n
    strength: float = 1.0  # mu
    signal: float = 1.0  # |theta|^2
    noise: float = 0.0  # sigma_xi^2
    draws: int = 200
    full = dict(num_samples=100, aspects=(0.5, 0.7, 1.5, 2.0, 4.0, 8.0))

    def predict(self) -> xr.Dataset:
        return self._label((), self._theory(_counts(self) / self.num_samples))

    def _theory(self, aspects: np.ndarray) -> jax.Array:
        import jax.numpy as jnp

        law = dict(strength=self.strength, signal=self.signal, noise=self.noise)
        ratios = max(round(self.causes * self.num_samples), 1) / self.num_samples / aspects
        return theory.kernel.latent_space_risk(jnp.asarray(aspects), jnp.asarray(ratios), **law).excess

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        causes = max(round(self.causes * self.num_samples), 1)

        counts = _counts(self)
        most = int(max(counts))

        def learn(key, count):
            # All that the causes show is in the first of the inputs; the last are not observed.
            task = tasks.latent_space(
                most, causes, strength=self.strength * count / most, signal=self.signal, noise_std=self.noise**0.5
            )
            samples = task.sample(key, self.num_samples)
            seen = jnp.where((jnp.arange(1.0, most + 1) <= count)[None, :], samples.inputs, 0)
            return task.excess_error(_learn(seen, samples.targets, jnp.zeros(1))[0, 0])

        over_aspects = jax.vmap(jax.vmap(learn, (None, 0)), (0, None))
        return self._label(
            ("seed",), jax.jit(over_aspects)(jax.random.split(key, self.draws), jnp.asarray(counts, float))
        )

    def _label(self, lead: tuple[str, ...], error) -> xr.Dataset:
        return observables(
            coords={"aspect": ("aspect", _counts(self) / self.num_samples, _ASPECT)},
            error=((*lead, "aspect"), error, {"long_name": "excess error", "scale": "log"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        least = max(self.causes, 0.1)
        artists: list[Artist] = []
        for side, label in ((np.linspace(least, 0.98, 100), "theory"), (np.geomspace(1.02, 30, 200), None)):
            artists += ax.plot(side, self._theory(side), color=PALETTE[0], label=label)
        artists += _mark(ax, measurement["error"], PALETTE[0], label="measured")
        ax.set(xlabel=_ASPECT["long_name"], ylabel="excess error", xscale="log", ylim=(0, 2.2 * self.signal))
        ax.legend(fontsize="small")
        return artists


def _mark(ax: Axes, values: xr.DataArray, colour: str, label: str | None = None) -> list[Artist]:
    """The mean over draws, with its standard error."""
    mean, error = values.mean("seed"), values.std("seed") / values.sizes["seed"] ** 0.5
    places = values[values.dims[-1]]
    bars = ax.errorbar(places, mean, error, fmt="o", ms=5, mfc="none", capsize=2, color=colour, label=label)
    return bars.get_children()
