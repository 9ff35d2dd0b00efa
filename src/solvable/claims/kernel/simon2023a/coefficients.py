"""What is learned of one mode, from training set to training set; and of modes that are better left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import estimators, numerics, tasks, theory
from solvable.claims import Claim, Source, max_curve_gap, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_KURTOSIS = {"normal": 3.0, "sign": 1.0}


class CoefficientsScatter(Claim):
    """Each learned coefficient scatters with the whole error, and modes of the target all together besides.

    Eigenvalues are a power law, each shared by a group of modes; some groups carry the target. Shown is the variance of
    one coefficient, a mean over its group, and that of the group's sum over the square root of its size, to which the
    common part contributes by each mode. Features are normal, or random signs, of kurtosis 1.
    """

    source = Source("simon2023a", "covariance of the eigencoefficients", "asymptotic")
    metric, tolerance = max_curve_gap("variance", "sum_variance"), 0.08  # measured: 0.037 to 0.062, 6 seeds
    limit = ("group", (1, 4))

    exponent: float = 1.3  # of the eigenvalues
    coefficients: tuple[float, ...] = (0.3, 0.0, 0.5, 0.0, 0.4)  # v of each mode in the first groups, 0 beyond
    num_groups: int = 30
    group: int = 4  # modes of each eigenvalue
    samples_per_group: int = 10  # n/group
    ridge: float = 0.2  # delta
    noise_std: float = 0.2
    draws: int = 2200
    full = dict(group=10, draws=4000)

    def _task(self, features) -> tasks.GaussianFeatures:
        import jax.numpy as jnp
        import numpy as np

        values = np.arange(1.0, self.num_groups + 1) ** -self.exponent / self.group
        coefficients = np.zeros(self.num_groups)
        coefficients[: len(self.coefficients)] = np.array(self.coefficients) / self.group**0.5
        values, coefficients = (jnp.asarray(np.repeat(each, self.group)) for each in (values, coefficients))
        return tasks.GaussianFeatures(values, coefficients, self.noise_std, features)

    def _num_samples(self) -> int:
        return self.samples_per_group * self.group

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task = self._task("normal")

        def follow(kurtosis):
            law = theory.kernel.coefficient_law(
                task.eigenvalues,
                task.coefficients,
                self._num_samples(),
                ridge=self.ridge,
                noise=self.noise_std**2,
                kurtosis=kurtosis,
            )
            first = slice(0, len(self.coefficients) * self.group, self.group)
            # Among the modes of one group every covariance is the same.
            return law.variance[first], law.variance[first] + (self.group - 1) * law.shared[first] ** 2

        return self._label(*jax.jit(jax.vmap(follow))(jnp.asarray(list(_KURTOSIS.values()))))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        first = len(self.coefficients)

        task = self._task("normal")

        def learn(samples):
            gram = numerics.gram_matrix(numerics.LinearKernel(), samples.inputs)
            dual = estimators.factor_kernel(gram, samples.targets).dual_weights(self.ridge)
            return task.learned(dual[:, 0] @ samples.inputs)[: first * self.group].reshape(first, self.group)

        @jax.jit
        def scatter(keys):
            size, laws = self._num_samples(), [self._task(law) for law in _KURTOSIS]
            drawn = [jax.vmap(lambda one, task=task: task.sample(one, size))(keys) for task in laws]
            # All at once: two batches of eigenvectors side by side wait for each other's threads.
            learned = jax.vmap(jax.vmap(learn))(jax.tree.map(lambda *each: jnp.stack(each), *drawn))
            sums = jnp.sum(learned, axis=-1) / self.group**0.5
            return jnp.mean(jnp.var(learned, axis=1), axis=-1), jnp.var(sums, axis=1)

        return self._label(*scatter(jax.random.split(key, self.draws)))

    def _label(self, variance, sum_variance) -> xr.Dataset:
        import numpy as np

        scaled = [np.asarray(each) * self.group for each in (variance, sum_variance)]
        order = ("group_of_modes", np.arange(1, len(self.coefficients) + 1), {"long_name": "group of modes"})
        return observables(
            coords={"features": list(_KURTOSIS), "group_of_modes": order},
            variance=(("features", "group_of_modes"), scaled[0], {"long_name": "variance of a learned coefficient"}),
            sum_variance=(("features", "group_of_modes"), scaled[1], {"long_name": "variance of the group's sum"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        places = prediction["group_of_modes"].values
        kinds = [(law, name) for law in _KURTOSIS for name in ("variance", "sum_variance")]
        for place, (colour, (law, name)) in enumerate(zip(PALETTE, kinds, strict=False)):
            at, label = places + 0.16 * (place - 1.5), f"{name.replace('_', ' ')}, {law} features"
            theory_, measured = (side[name].sel(features=law) for side in (prediction, measurement))
            artists += ax.plot(at, theory_, "_", ms=14, mew=2, color=colour)
            artists += ax.plot(at, measured, "o", ms=5, mfc="none", color=colour, label=label)
        for place, value in zip(places, self.coefficients, strict=True):
            artists.append(ax.text(place, 0.0, f"$v$ = {value:g}", ha="center", va="bottom", fontsize="small"))
        ax.set(xlabel="group of modes (bar: theory, circle: measured)", ylabel="group size × variance", ylim=(0, None))
        ax.set_xticks(places)
        ax.legend(fontsize="small")
        return artists


class HardModesAreMisled(Claim):
    """On a mode of small eigenvalue the first samples make the error worse than no learning at all.

    Each mode is a target of its own, without noise and ridge; errors are shares of its power, gaps in units of the
    error at the fewest samples.
    """

    source = Source("simon2023a", "modes of low learnability", "asymptotic")
    metric, tolerance = max_curve_gap("error"), 0.08  # measured: 0.044 to 0.07 over 6 seeds

    leading: tuple[float, ...] = (1.0, 0.5, 0.3)  # eigenvalues
    bulk: float = 0.02  # eigenvalue of the others
    num_bulk: int = 150
    num_samples: tuple[int, ...] = (1, 3, 10, 30)  # n
    draws: int = 800
    full = dict(num_samples=(1, 2, 4, 8, 16, 32, 64), draws=3000)

    def _eigenvalues(self):
        import jax.numpy as jnp
        import numpy as np

        return jnp.asarray(np.append(self.leading, np.full(self.num_bulk, self.bulk)))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        values = self._eigenvalues()
        risk = theory.kernel.kernel_risk(values, jnp.zeros_like(values), jnp.asarray(self.num_samples, float))
        error = theory.kernel.lone_mode_error(risk)[:, : len(self.leading) + 1]
        return self._label(error, theory.kernel.misled_threshold(values))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        values, most, modes = self._eigenvalues(), max(self.num_samples), len(self.leading)
        task = tasks.GaussianFeatures(values, jnp.zeros_like(values))
        sizes = (jnp.arange(most)[None, :] < jnp.asarray(self.num_samples)[:, None]).astype(values.dtype)

        def learn(features, present):
            """Features beyond the present samples are 0; errors of the bulk's modes are a mean over all of them."""
            inputs = features * present[:, None] * jnp.sqrt(values)[None, :]
            factored = estimators.factor_kernel(inputs @ inputs.T, features * present[:, None])
            dual = factored.dual_weights(0.0)
            learned = task.learned(dual.T @ inputs)
            errors = jnp.sum((learned - jnp.eye(values.size)) ** 2, axis=1)
            return jnp.append(errors[:modes], jnp.mean(errors[modes:]))

        @jax.jit
        def average(keys):
            def once(key):
                features = task.sample(key, most).inputs / jnp.sqrt(values)[None, :]
                return jax.vmap(learn, (None, 0))(features, sizes)

            return jnp.mean(jax.lax.map(once, keys, batch_size=8), axis=0)

        return self._label(average(jax.random.split(key, self.draws)))

    def _label(self, error, threshold=None) -> xr.Dataset:
        more = {} if threshold is None else {"threshold": threshold}
        return observables(
            coords={
                "num_samples": ("num_samples", list(self.num_samples), {"long_name": "samples $n$", "scale": "log"}),
                "eigenvalue": [*self.leading, self.bulk],
            },
            error=(("eigenvalue", "num_samples"), error.T, {"long_name": "test error, in units of the target's power"}),
            **more,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        artists = draw_default(ax, prediction, measurement, "error")
        artists.append(ax.axhline(1, color="0.5", lw=0.8, ls=":"))
        threshold = float(prediction["threshold"])
        artists.append(ax.text(1, 0.99, f"rises first for λ < {threshold:.3g}", va="top", fontsize="small"))
        return artists
