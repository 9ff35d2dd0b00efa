"""Loureiro et al. (2021), Learning curves of generic features maps for realistic datasets with a teacher-student model.

Their features carry 1/sqrt(dimension), which is absorbed in the covariances here; losses are summed over samples, with
(ridge/2)|w|^2, as theirs. Square errors are without a half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import estimators, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_SAMPLES = {"long_name": "samples $n$", "scale": "log"}


def _curves(
    ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset, name: str, words: str, style: str = "-"
) -> list[Artist]:
    """One curve a ridge, mean of draws with its standard error."""
    from solvable.report.figures import PALETTE

    artists: list[Artist] = []
    for colour, ridge in zip(PALETTE, prediction["ridge"].values, strict=False):
        theory_, drawn = (side[name].sel(ridge=ridge) for side in (prediction, measurement))
        error = drawn.std("seed") / drawn.sizes["seed"] ** 0.5
        label = f"{words}, ridge {ridge:g}"
        artists += ax.plot(theory_["num_samples"], theory_, style, color=colour, label=label)
        bars = ax.errorbar(drawn["num_samples"], drawn.mean("seed"), error, fmt="o", ms=4, mfc="none", color=colour)
        artists += bars.get_children()
    return artists


class LogisticOnOtherFeatures(Claim):
    """Three equations give error and overlaps of logistic regression on other features than the teacher's.

    The teacher sees u with variances i^-decay, the student F u + noise. Both are drawn once; the labels are signs.
    """

    source = Source("loureiro2021", "Gaussian covariate model with logistic loss", "asymptotic")
    metric = max_relative_error("error", "overlap_cross", "overlap_student", "train_loss", over="mean")
    tolerance = 0.08  # measured: 0.034 to 0.068 over 5 seeds
    limit = ("input_dim", (6, 60))

    input_dim: int = 60  # d
    teacher_ratio: float = 4 / 3  # p/d
    sample_ratios: tuple[float, ...] = (1.0, 4.0)  # n/d
    ridges: tuple[float, ...] = (1.0, 10.0)  # lambda
    decay: float = 0.8
    projection_std: float = 3.0  # of F, times sqrt(p)
    noise_variance: float = 0.02  # of each feature
    features_seed: int = 3
    draws: int = 80
    full = dict(input_dim=100, sample_ratios=(0.67, 1.0, 2.0, 4.0), ridges=(0.3, 1.0, 10.0))

    def _sizes(self) -> list[int]:
        return [max(round(ratio * self.input_dim), 1) for ratio in self.sample_ratios]

    def _task(self) -> tasks.GaussianCovariates:
        import jax
        import jax.numpy as jnp

        variances = jnp.arange(1.0, round(self.teacher_ratio * self.input_dim) + 1) ** -self.decay
        stds = dict(projection_std=self.projection_std, noise_std=self.noise_variance**0.5)
        return tasks.noisy_projection(jax.random.key(self.features_seed), variances, self.input_dim, **stds)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        task = self._task()
        spectrum = theory.kernel.covariance_spectrum(task.student_covariance, task.cross, task.teacher_power)
        sizes, ridges = jnp.meshgrid(jnp.asarray(self._sizes(), float), jnp.asarray(self.ridges), indexing="ij")
        risk = theory.kernel.classification_risk(
            spectrum.eigenvalues,
            spectrum.target_power,
            sizes,
            theory.kernel.LOGISTIC,
            ridge=ridges,
            teacher_power=task.teacher_power,
        )
        return self._label((), risk.classification_error, risk.overlap_cross, risk.overlap_student, risk.train_loss)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax
        import jax.numpy as jnp

        ridges = jnp.asarray(self.ridges)

        @eqx.filter_jit
        def draw(task, keys, num_samples):
            def fit(key):
                drawn = task.sample(key, num_samples)
                fits = jax.vmap(estimators.logistic_regression, (None, None, 0))(
                    drawn.inputs, drawn.targets[:, 0], ridges
                )
                overlaps = task.overlaps(fits.weights)
                return overlaps.classification_error, overlaps.cross, overlaps.student, fits.train_loss

            return jax.vmap(fit)(keys)

        task, keys = self._task(), jax.random.split(key, self.draws)
        columns = [draw(task, keys, size) for size in self._sizes()]
        return self._label(("seed",), *(jnp.stack(parts, axis=1) for parts in zip(*columns, strict=True)))

    def _label(self, lead: tuple[str, ...], error, cross, student, train) -> xr.Dataset:
        dims = (*lead, "num_samples", "ridge")
        return observables(
            coords={"num_samples": ("num_samples", self._sizes(), _SAMPLES), "ridge": ("ridge", self.ridges)},
            error=(dims, error),
            overlap_cross=(dims, cross),
            overlap_student=(dims, student),
            train_loss=(dims, train),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        artists = _curves(ax, prediction, measurement, "error", "test error")
        other = ax.twinx()  # its colours are those of the ridges
        artists += _curves(other, prediction, measurement, "train_loss", "train loss", "--")
        ax.set(xscale="log", xlabel=_SAMPLES["long_name"], ylabel="classification error (full lines)")
        other.set(ylabel="training loss (dashed)", ylim=(0, None))
        ax.set_ylim(0, None)
        ax.legend(fontsize="small", loc="lower center")
        return artists


class RidgeOnDigits(Claim):
    """Covariances of random features of real digits give the error of ridge regression on them.

    Errors are means over the whole pool of digits, of which the samples are drawn: on new digits they are larger.
    """

    source = Source("loureiro2021", "ridge regression on real data through its covariances", "asymptotic")
    metric, tolerance = max_relative_error("test", over="mean"), 0.045  # measured: 0.005 to 0.032 over 5 seeds
    limit = ("num_samples", ((8,), (200,)))

    num_features: int = 100
    num_samples: tuple[int, ...] = (50, 200)  # n
    ridges: tuple[float, ...] = (30.0, 300.0)  # delta, of features whose variance does not shrink with their number
    pool: int = 2000
    features_seed: int = 0
    draws: int = 12
    full = dict(num_features=200, num_samples=(50, 100, 300, 600), ridges=(3.0, 30.0, 300.0), pool=5000)

    def _pool(self) -> Any:
        import jax

        digits = tasks.digit_parity(self.pool, mean_square=784.0)
        features = tasks.random_relu_features(jax.random.key(self.features_seed), digits.inputs, self.num_features)
        return features * self.num_features**0.5, digits.targets[:, 0]

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        features, labels = self._pool()
        spectrum = theory.kernel.covariance_spectrum(
            features.T @ features / self.pool, labels @ features / self.pool, jnp.mean(labels**2)
        )
        sizes, ridges = jnp.meshgrid(jnp.asarray(self.num_samples, float), jnp.asarray(self.ridges), indexing="ij")
        risk = theory.kernel.kernel_risk(
            spectrum.eigenvalues,
            spectrum.target_power,
            sizes,
            ridge=ridges,
            noise=jnp.full(sizes.shape, spectrum.beyond),
        )
        return self._label((), risk.test, risk.train)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import functools

        import jax
        import jax.numpy as jnp

        features, labels = self._pool()
        ridges = jnp.asarray(self.ridges)

        @functools.partial(jax.jit, static_argnames="num_samples")
        def draw(features, labels, keys, *, num_samples):
            def fit(key):
                chosen = jax.random.choice(key, self.pool, (num_samples,), replace=False)
                design = estimators.factor_design(features[chosen], labels[chosen, None])
                errors = design.ridge_weights(ridges)[:, 0] @ features.T - labels[None, :]
                return jnp.mean(errors**2, axis=1), jnp.mean(errors[:, chosen] ** 2, axis=1)

            return jax.lax.map(fit, keys)

        keys = jax.random.split(key, self.draws)
        columns = [draw(features, labels, keys, num_samples=size) for size in self.num_samples]
        return self._label(("seed",), *(jnp.stack(parts, axis=1) for parts in zip(*columns, strict=True)))

    def _label(self, lead: tuple[str, ...], test, train) -> xr.Dataset:
        dims = (*lead, "num_samples", "ridge")
        return observables(
            coords={"num_samples": ("num_samples", self.num_samples, _SAMPLES), "ridge": ("ridge", self.ridges)},
            test=(dims, test),
            train=(dims, train),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        artists = _curves(ax, prediction, measurement, "test", "mean squared error")
        ax.set(xscale="log", xlabel=_SAMPLES["long_name"], ylabel="mean squared error on the pool")
        ax.legend(fontsize="small")
        return artists
