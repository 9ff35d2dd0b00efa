"""Subsets of Gaussian features, solved exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.kernel.belkin2019._fit import fit

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_CHOICES = ("random", "largest")


class DoubleDescentOfFeatures(Claim):
    """Risk and norm of least squares rise up to as many features as samples, and fall again beyond, exactly.

    Features are used in random order, and in that of falling coefficients. Within three features of the
    threshold draws have no finite variance, and means do not settle.
    """

    source = Source("belkin2019", "double descent; Belkin, Hsu, Xu (2020), Theorem 1", "exact")
    metric, tolerance = (
        max_relative_error("test", "train", "weight_norm", over="mean"),
        0.06,
    )  # measured: 0.015 to 0.048 over 7 seeds
    limit = ("draws", (30, 1200))

    num_samples: int = 20  # n
    num_features: tuple[int, ...] = (4, 10, 36, 60)  # p
    input_dim: int = 60  # D
    decay: float = 0.5  # coefficients fall as i^-decay, of norm 1
    noise: float = 0.05  # sigma^2
    draws: int = 1200
    full = dict(num_samples=40, num_features=(5, 20, 28, 52, 70, 100), input_dim=100, draws=2500)

    def _coefficients(self) -> jax.Array:
        import jax.numpy as jnp

        falling = jnp.arange(1.0, self.input_dim + 1) ** -self.decay
        return falling / jnp.linalg.norm(falling)

    def _theory(self, counts: Any, choice: Any) -> Any:
        import jax.numpy as jnp

        counts = jnp.asarray(counts, float)
        power = theory.kernel.chosen_power(self._coefficients(), counts, choice=choice)
        law = dict(chosen_power=power.chosen, missed_power=power.missed, noise=self.noise)
        return theory.kernel.subset_risk(float(self.num_samples), counts, **law)

    def predict(self) -> xr.Dataset:
        risks = [self._theory(self.num_features, choice) for choice in _CHOICES]
        return self._label((), *([getattr(risk, name) for risk in risks] for name in ("test", "train", "weight_norm")))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        coefficients, ones = self._coefficients(), jnp.ones(self.input_dim)

        def learn(key, shuffled, count):
            key_order, key_data = jax.random.split(key)
            order = jnp.where(shuffled, jax.random.permutation(key_order, self.input_dim), jnp.arange(self.input_dim))
            task = tasks.GaussianFeatures(ones, coefficients[order], self.noise**0.5)
            samples = task.sample(key_data, self.num_samples)
            weights = fit(samples.inputs, samples.targets, count)
            train = jnp.mean((samples.inputs @ weights.T - samples.targets) ** 2)
            return task.excess_error(weights[0]) + self.noise, train, jnp.sum(weights**2)

        over_counts = jax.vmap(jax.vmap(jax.vmap(learn, (None, None, 0)), (None, 0, None)), (0, None, None))
        counts = jnp.asarray(self.num_features, float)
        found = jax.jit(over_counts)(jax.random.split(key, self.draws), jnp.asarray([True, False]), counts)
        return self._label(("seed",), *found)

    def _label(self, lead: tuple[str, ...], test: Any, train: Any, weight_norm: Any) -> xr.Dataset:
        import numpy as np

        dims = (*lead, "choice", "num_features")
        # From as many features as samples on, all is fitted.
        fewer = np.flatnonzero(np.array(self.num_features) < self.num_samples)
        train = np.asarray(train)[..., fewer]
        counts = {"num_features": list(self.num_features), "fewer_features": np.array(self.num_features)[fewer]}
        return observables(
            coords={"choice": list(_CHOICES), **counts},
            test=(dims, test, {"long_name": "test error"}),
            train=((*lead, "choice", "fewer_features"), train, {"long_name": "training error"}),
            weight_norm=(dims, weight_norm, {"long_name": "squared norm of the weights"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        counts = np.arange(1, self.input_dim + 1)
        artists: list[Artist] = []
        styles = {"test": (PALETTE[0], "o"), "weight_norm": (PALETTE[1], "s"), "train": (PALETTE[2], "^")}
        words = {"test": "test error", "weight_norm": "norm of weights, squared", "train": "training error"}
        risk = self._theory(counts, "random")
        for name, (colour, marker) in styles.items():
            values = np.where(np.asarray(getattr(risk, name)) > 0, getattr(risk, name), np.nan)
            artists += ax.plot(counts / self.num_samples, values, color=colour, label=words[name])
            ours = measurement[name].sel(choice="random").mean("seed")
            artists += ax.plot(ours[ours.dims[0]] / self.num_samples, ours, marker, mfc="none", color=colour)
        artists += ax.plot(
            counts / self.num_samples, self._theory(counts, "largest").test, "--", color=PALETTE[0], lw=1,
            label="test error, largest coefficients first",
        )  # fmt: skip
        ours = measurement["test"].sel(choice="largest").mean("seed")
        artists += ax.plot(ours["num_features"] / self.num_samples, ours, "o", ms=4, color=PALETTE[0])
        ax.set(yscale="log", xlabel="features for each sample $p/n$", ylim=(0.02, 60))
        ax.legend(fontsize="small", loc="upper right", title="theory: lines, measured: markers", title_fontsize="small")
        return artists


class ProportionalLimit(Claim):
    """With ever more samples and features at a fixed ratio, double descent takes its limiting shape.

    Random features of all that there are. The limit has p/(n - p) where finite sizes have
    p/(n - p - 1).
    """

    source = Source("belkin2019", "double descent in the limit of many features", "asymptotic")
    metric, tolerance = max_relative_error("test", over="mean"), 0.05  # measured: 0.008 to 0.036 over 7 seeds
    limit = ("num_samples", (8, 40))

    ratios: tuple[float, ...] = (0.5, 2.0, 4.0)  # gamma = p/n
    num_samples: int = 40  # n
    most: float = 5.0  # D/n
    noise: float = 0.05  # sigma^2
    draws: int = 300
    full = dict(num_samples=100, ratios=(0.25, 0.5, 0.75, 1.5, 2.0, 4.0))

    def _counts(self) -> tuple[Any, int]:
        """Features used, and all there are."""
        import numpy as np

        counts = np.maximum(np.rint(np.array(self.ratios) * self.num_samples), 1)
        return counts, int(max(round(self.most * self.num_samples), counts.max()))

    def _theory(self, ratios: Any) -> Any:
        import jax.numpy as jnp

        share = jnp.asarray(ratios) * self.num_samples / self._counts()[1]
        risk = theory.kernel.isotropic_risk(jnp.asarray(ratios), signal=share, unseen=1 - share, noise=self.noise)
        return risk.excess + self.noise

    def predict(self) -> xr.Dataset:
        return self._label((), self._theory(self._counts()[0] / self.num_samples))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        counts, dim = self._counts()
        # All coefficients alike: any features are as good as random ones.
        task = tasks.GaussianFeatures(jnp.ones(dim), jnp.full(dim, dim**-0.5), self.noise**0.5)

        def learn(key, count):
            samples = task.sample(key, self.num_samples)
            return task.excess_error(fit(samples.inputs, samples.targets, count)[0]) + self.noise

        over_counts = jax.jit(jax.vmap(jax.vmap(learn, (None, 0)), (0, None)))
        return self._label(("seed",), over_counts(jax.random.split(key, self.draws), jnp.asarray(counts)))

    def _label(self, lead: tuple[str, ...], test: Any) -> xr.Dataset:
        ratio = ("ratio", self._counts()[0] / self.num_samples, {"long_name": "features for each sample $p/n$"})
        return observables(coords={"ratio": ratio}, test=((*lead, "ratio"), test, {"long_name": "test error"}))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for side, label in ((np.linspace(0.05, 0.97, 100), "limit"), (np.linspace(1.03, self.most, 200), None)):
            artists += ax.plot(side, self._theory(side), color=PALETTE[0], label=label)
        mean, spread = measurement["test"].mean("seed"), measurement["test"].std("seed")
        error = spread / measurement.sizes["seed"] ** 0.5
        label = f"measured, $n$ = {self.num_samples}"
        bars = ax.errorbar(mean["ratio"], mean, error, fmt="o", ms=5, mfc="none", capsize=2, color="k", label=label)
        ax.set(yscale="log", xlabel="features for each sample $p/n$", ylabel="test error", ylim=(0.3, 50))
        ax.legend(fontsize="small")
        return [*artists, *bars.get_children()]
