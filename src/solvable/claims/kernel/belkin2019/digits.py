"""Random features of handwritten digits."""

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


class PeakOfRandomFeatures(Claim):
    """Least squares on random Fourier features of digits errs most at as many features as images.

    Whatever the number of classes, which are learned together, each as a target of 0 and 1. The peak is that of the
    median over draws.
    """

    source = Source("belkin2019", "random Fourier features on MNIST", "law")
    metric, tolerance = max_relative_error("peak"), 0.05  # measured: 0 over 7 seeds

    num_samples: int = 60  # n
    ratios: tuple[float, ...] = (0.2, 0.5, 0.75, 0.9, 1.0, 1.1, 1.35, 2.0, 5.0)  # N/n
    width: float = 5.0  # of the Gaussian kernel; images have pixels from 0 to 1
    num_test: int = 300
    draws: int = 5
    full = dict(
        num_samples=300, num_test=1500, ratios=(0.17, 0.5, 0.83, 0.93, 0.97, 1.0, 1.03, 1.1, 1.5, 3.0, 10.0), draws=3
    )

    def _counts(self) -> Any:
        import numpy as np

        return np.maximum(np.rint(np.array(self.ratios) * self.num_samples), 1)

    def predict(self) -> xr.Dataset:
        classes = 10
        return observables(peak=theory.kernel.interpolation_threshold(self.num_samples, classes) / classes)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        digits, counts = tasks.load_digits(), self._counts()
        labels, size = np.asarray(digits.labels), self.num_samples
        key_rows, key_features = jax.random.split(key)
        shuffle = np.random.default_rng(np.asarray(jax.random.key_data(key_rows))).permuted
        rows = shuffle(np.tile(np.arange(len(labels)), (self.draws, 1)), axis=1)[:, : size + self.num_test]

        def learn(key, inputs, targets):
            features = tasks.random_fourier_features(key, inputs, int(counts.max()), width=self.width)

            def of_count(count):
                weights = fit(features[:size], targets[:size], count)
                missed = features[size:] @ weights.T - targets[size:]
                return jnp.mean(jnp.sum(missed**2, axis=1)), jnp.sum(weights**2)

            return jax.lax.map(of_count, jnp.asarray(counts))

        one_hot = np.eye(10)[labels[rows]]
        keys = jax.random.split(key_features, self.draws)
        errors, norms = jax.jit(jax.vmap(learn))(keys, jnp.asarray(digits.inputs[rows]), jnp.asarray(one_hot))
        error = np.asarray(errors)
        found = counts[np.argmax(np.median(error, axis=0))]
        return observables(
            coords={"num_features": counts},
            peak=found,
            test=(("seed", "num_features"), error),
            weight_norm=(("seed", "num_features"), norms),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        counts = measurement["num_features"]
        artists: list[Artist] = [ax.axvline(float(prediction["peak"]), color="0.4", lw=1.2, label="$N = n$")]
        for colour, name, words in zip(
            PALETTE, ("test", "weight_norm"), ("test error", "norm of weights"), strict=False
        ):
            values = measurement[name] if name == "test" else measurement[name] ** 0.5
            middle = values.median("seed")
            artists += ax.plot(counts, middle, "o-", lw=0.6, mfc="none", color=colour, label=words)
            artists.append(
                ax.fill_between(counts, values.min("seed"), values.max("seed"), color=colour, alpha=0.15, lw=0)
            )
        ax.set(xscale="log", yscale="log", xlabel="random features $N$", ylabel="median and range over draws")
        ax.xaxis.set_minor_formatter("")
        ax.legend(fontsize="small")
        return artists
