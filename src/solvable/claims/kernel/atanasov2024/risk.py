"""Train and test error with random features, and what the choice of features adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import estimators, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class ErrorAgainstFeatures(Claim):
    """Error peaks where random features are as many as samples, then falls to that of the kernel itself.

    The eigenvalues fall with power 1.3 of their order; as many modes as given make the limit of many samples, modes and
    features one of a single size.
    """

    source = Source("atanasov2024", "linear random features: train and test error", "asymptotic")
    metric, tolerance = max_relative_error("test", "train", over="mean"), 0.08  # measured: 0.036 to 0.076 over 6 seeds
    limit = ("num_samples", (12, 48))

    num_samples: int = 48  # P
    features_per_sample: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)  # N/P
    modes_per_sample: int = 6
    capacity: float = 1.3  # a
    source_exponent: float = 0.25  # r
    noise_std: float = 0.5
    ridge: float = 0.001  # of the mean over samples
    draws: int = 160
    full = dict(num_samples=150, draws=200)

    def _task(self) -> tasks.GaussianFeatures:
        return tasks.source_capacity(
            self.modes_per_sample * self.num_samples,
            capacity=self.capacity,
            source=self.source_exponent,
            noise_std=self.noise_std,
        )

    def _features(self) -> np.ndarray:
        import numpy as np

        return np.maximum(np.round(np.array(self.features_per_sample) * self.num_samples), 1)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        task = self._task()
        # Infinitely many features, which are the kernel, come last.
        features = [*self._features(), float("inf")]
        risk = theory.kernel.random_feature_risk(
            task.eigenvalues,
            task.coefficients**2,
            self.num_samples,
            jnp.asarray(features),
            ridge=self.ridge * self.num_samples,
            noise=self.noise_std**2,
        )
        return self._label((), risk.test[:-1], risk.train[:-1]).assign(plateau=float(risk.test[-1]))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task, most = self._task(), int(self._features().max())

        def fit(key, num_features):
            key_samples, key_features = jax.random.split(key)
            drawn = task.sample(key_samples, self.num_samples)
            fitted = estimators.fit_random_features(
                key_features,
                drawn.inputs,
                drawn.targets,
                num_features,
                ridge=self.ridge * self.num_samples,
                most_features=most,
            )
            return task.excess_error(fitted.weights[0]) + self.noise_std**2, fitted.train

        @jax.jit
        def fit_all(keys, sizes):
            return jax.lax.map(lambda key: jax.vmap(fit, (None, 0))(key, sizes), keys)

        sizes = jnp.asarray(self._features(), int)
        return self._label(("seed",), *fit_all(jax.random.split(key, self.draws), sizes))

    def _label(self, lead, test, train) -> xr.Dataset:
        ratio = ("ratio", list(self.features_per_sample), {"long_name": "features per sample N/P", "scale": "log"})
        return observables(
            coords={"ratio": ratio},
            test=((*lead, "ratio"), test, {"long_name": "test error", "scale": "log"}),
            train=((*lead, "ratio"), train, {"long_name": "train error", "scale": "log"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, name in zip(PALETTE, ("test", "train"), strict=False):
            mean, spread = measurement[name].mean("seed"), measurement[name].std("seed") / self.draws**0.5
            artists += ax.plot(prediction["ratio"], prediction[name], color=colour, label=f"{name} error")
            style = {"fmt": "o", "ms": 4, "mfc": "none", "capsize": 2, "color": colour}
            artists += ax.errorbar(prediction["ratio"], mean, spread, **style).get_children()
        plateau = float(prediction["plateau"])
        artists.append(ax.axhline(plateau, color="0.5", lw=0.8, ls=":", label="test error of the kernel"))
        ax.set(xscale="log", yscale="log", xlabel="features per sample N/P", ylabel="mean squared error")
        ax.set_xticks(self.features_per_sample, [f"{ratio:g}" for ratio in self.features_per_sample])
        ax.minorticks_off()
        ax.legend(fontsize="small")
        return artists


class EnsembleOfFeatures(Claim):
    """Averaging over random features leaves the error of a kernel of the same effective ridge.

    What remains of the error of one draw is the variance of its features. The error of infinitely many draws on one
    training set is measured without bias from pairs of draws.
    """

    source = Source("atanasov2024", "linear random features: variance due to features", "asymptotic")
    metric, tolerance = (
        max_relative_error("ensemble", "feature_variance", over="mean"),
        0.055,
    )  # measured: 0.022 to 0.041 over 5 seeds

    num_samples: int = 50  # P
    features: tuple[int, ...] = (25, 100)  # N
    num_modes: int = 300
    capacity: float = 1.3  # a
    source_exponent: float = 0.25  # r
    noise_std: float = 0.5
    ridge: float = 0.01  # of the mean over samples
    members: int = 6
    draws: int = 40
    full = dict(num_samples=150, features=(75, 300), num_modes=800)

    def _task(self) -> tasks.GaussianFeatures:
        return tasks.source_capacity(
            self.num_modes, capacity=self.capacity, source=self.source_exponent, noise_std=self.noise_std
        )

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        task = self._task()
        risk = theory.kernel.random_feature_risk(
            task.eigenvalues,
            task.coefficients**2,
            self.num_samples,
            jnp.asarray(self.features, float),
            ridge=self.ridge * self.num_samples,
            noise=self.noise_std**2,
        )
        return self._label((), risk.ensemble, risk.feature_variance)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task = self._task()

        def fit(key, drawn, num_features):
            fitted = estimators.fit_random_features(
                key,
                drawn.inputs,
                drawn.targets,
                num_features,
                ridge=self.ridge * self.num_samples,
                most_features=max(self.features),
            )
            return fitted.weights[0]

        def split_error(key, num_features):
            key_samples, key_features = jax.random.split(key)
            drawn = task.sample(key_samples, self.num_samples)
            weights = jax.vmap(fit, (0, None, None))(jax.random.split(key_features, self.members), drawn, num_features)
            variance = jnp.mean(task.excess_error(weights)) - task.excess_error(jnp.mean(weights, axis=0))
            feature_variance = variance * self.members / (self.members - 1)
            return jnp.mean(task.excess_error(weights)) - feature_variance + self.noise_std**2, feature_variance

        @jax.jit
        def split_all(keys, sizes):
            return jax.lax.map(lambda key: jax.vmap(split_error, (None, 0))(key, sizes), keys)

        return self._label(("seed",), *split_all(jax.random.split(key, self.draws), jnp.asarray(self.features)))

    def _label(self, lead, ensemble, feature_variance) -> xr.Dataset:
        return observables(
            coords={"features": ("features", list(self.features), {"long_name": "random features N"})},
            ensemble=((*lead, "features"), ensemble, {"long_name": "test error of the ensemble"}),
            feature_variance=((*lead, "features"), feature_variance, {"long_name": "added by one draw of features"}),
        )
