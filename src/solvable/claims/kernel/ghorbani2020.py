"""Ghorbani, Mei, Misiakiewicz, Montanari (2020), When do neural networks outperform kernel methods?

Their kernel h(<x, x'>/R^2) with h = exp and R^2 = |x|^2 is, on inputs of one length, the Gaussian kernel of width R up
to the factor e. Their theorem gives the limit of high dimensions; sizes of today's experiments have the risk's own
curve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import estimators, numerics, tasks, theory
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def _learn(inputs: jax.Array, targets: jax.Array, sizes: jax.Array, most: int, ridge: float) -> jax.Array:
    """Predictions for all inputs beyond the first so many, after training on the first ones, (size, input, output)."""
    import jax
    import jax.numpy as jnp

    # Of kernel exp(<x, x'>/R^2): all inputs have the length R.
    inputs = inputs / jnp.linalg.norm(inputs[0])
    gram = jnp.e * numerics.gram_matrix(numerics.GaussianKernel(1.0), inputs, inputs[:most])

    def of_size(size):
        present = jnp.where(jnp.arange(1.0, most + 1) <= size, 1.0, 0.0)
        seen = gram[:most] * present[:, None] * present[None, :]
        return gram[most:] @ estimators.ridge_weights(seen, targets[:most] * present[:, None], ridge)

    return jax.lax.map(of_size, sizes)


class KernelsLearnDegreeByDegree(Claim):
    """A stronger signal part of the inputs lowers the dimension that kernel regression sees, and its error.

    Targets depend on the strong part alone; the staircase of the theorem is smooth at these sizes. Errors relative to
    theory, averaged over training sets.
    """

    source = Source("ghorbani2020", "Theorem 1, at finite size", "asymptotic")
    metric, tolerance = max_relative_error("test", over="mean"), 0.065  # measured: 0.018 to 0.046 over 7 seeds
    limit = ("draws", (2, 40))

    input_dim: int = 30  # d
    signal_dim: int = 5  # d0
    snr_exponents: tuple[float, ...] = (0.0, 0.6)  # kappa
    num_samples: tuple[int, ...] = (40, 120)  # n
    degree_power: tuple[float, ...] = (0.0, 0.4, 0.3, 0.3)  # F_k
    noise: float = 0.01  # variance of labels' noise
    ridge: float = 1e-3  # delta, of exp(<x, x'>/R^2)
    num_degrees: int = 7  # of each part in the theory
    draws: int = 40
    num_test: int = 300  # new inputs for each draw
    full = dict(input_dim=40, num_samples=(100, 300, 1000), snr_exponents=(0.0, 0.3, 0.6, 0.9), draws=20, num_test=2000)

    def _radii(self, exponent: float) -> tuple[float, float]:
        """Squared radii of both parts."""
        return self.signal_dim * self.input_dim**exponent, float(self.input_dim)

    def _theory(self, exponent: float, num_samples: Any) -> jax.Array:
        import jax.numpy as jnp

        strong, weak = self._radii(exponent)
        spectrum = theory.kernel.exponential_spiked_spectrum(
            self.signal_dim,
            self.input_dim - self.signal_dim,
            self.num_degrees,
            signal_inner=strong / (strong + weak),
            noise_inner=weak / (strong + weak),
        )
        power = jnp.asarray(self.degree_power)
        law = dict(ridge=self.ridge, noise=self.noise)
        return theory.kernel.spiked_risk(spectrum, power, jnp.asarray(num_samples, float), **law).test

    def predict(self) -> xr.Dataset:
        return self._label((), [self._theory(exponent, self.num_samples) for exponent in self.snr_exponents])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        sizes, power = jnp.asarray(self.num_samples, float), jnp.asarray(self.degree_power)
        signal = tasks.SphereTask(jnp.sqrt(power), jnp.eye(self.signal_dim)[0], self.noise**0.5)
        radii = jnp.sqrt(jnp.asarray([self._radii(exponent) for exponent in self.snr_exponents]))

        def error(key, radii):
            task = tasks.SpikedSphere(signal, self.input_dim - self.signal_dim, radii[0], radii[1])
            most = max(self.num_samples)
            samples = task.sample(key, most + self.num_test)
            found = _learn(samples.inputs, samples.targets, sizes, most, self.ridge)
            return jnp.mean((found - samples.targets[None, most:]) ** 2, axis=(1, 2))

        over_exponents = jax.vmap(error, (None, 0))
        over_draws = jax.jit(lambda keys: jax.lax.map(lambda one: over_exponents(one, radii), keys))
        return self._label(("seed",), over_draws(jax.random.split(key, self.draws)))

    def _label(self, lead: tuple[str, ...], test: Any) -> xr.Dataset:
        size = ("num_samples", list(self.num_samples), {"long_name": "samples $n$", "scale": "log"})
        words = {"long_name": "test error, mean square", "scale": "log"}
        return observables(
            coords={"snr_exponent": list(self.snr_exponents), "num_samples": size},
            test=((*lead, "snr_exponent", "num_samples"), test, words),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        sizes = np.geomspace(min(self.num_samples) / 3, 3 * max(self.num_samples), 60)
        artists: list[Artist] = []
        for colour, exponent in zip(PALETTE, self.snr_exponents, strict=False):
            label = f"κ = {exponent:g}: dimension seen {self._seen(exponent):.3g}"
            artists += ax.plot(sizes, self._theory(exponent, sizes), color=colour, label=label)
            ours = measurement["test"].sel(snr_exponent=exponent)
            error = ours.std("seed") / ours.sizes["seed"] ** 0.5
            artists += ax.errorbar(
                ours["num_samples"], ours.mean("seed"), error, fmt="o", ms=5, mfc="none", capsize=2, color=colour
            ).get_children()
        ax.set(xscale="log", yscale="log", xlabel="samples $n$", ylabel="test error, mean square")
        ax.xaxis.set_minor_formatter("")
        ax.legend(fontsize="small", title="theory: lines, measured: markers", title_fontsize="small")
        return artists

    def _seen(self, exponent: float) -> float:
        snr = self.input_dim**exponent
        return float(theory.kernel.effective_dimension(float(self.input_dim), float(self.signal_dim), snr))


class SamplesGrowWithTheDimensionSeen(Claim):
    """Samples that a linear target needs grow as the power max(1 - κ, η) of the dimension, κ of the signal's strength.

    Needed is what learns half of it. Dimensions are those whose power η = 2/5 is whole.
    """

    source = Source("ghorbani2020", "Theorem 1: effective dimension", "scaling")
    metric, tolerance = max_relative_error("exponent", "half_samples"), 0.075  # measured: 0.029 to 0.054 over 7 seeds

    input_dims: tuple[int, ...] = (32, 243)  # d = 2^5, 3^5, ...
    snr_exponents: tuple[float, ...] = (0.3, 0.6)  # kappa
    signal_exponent: float = 0.4  # eta
    multiples: tuple[float, ...] = (1.3, 2.3, 4.0)  # of the effective dimension: sizes of training sets
    ridge: float = 1e-3  # delta, of exp(<x, x'>/R^2)
    num_degrees: int = 7  # of each part in the theory
    draws: int = 40
    num_test: int = 300  # new inputs for each draw
    full = dict(snr_exponents=(0.15, 0.3, 0.6), draws=100)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        halves = np.array([[self._half(exponent, dim) for dim in self.input_dims] for exponent in self.snr_exponents])
        slopes = theory.kernel.degree_exponent(1.0, self.signal_exponent, jnp.asarray(self.snr_exponents))
        return self._label(halves, slopes)

    def _half(self, exponent: float, dim: int) -> float:
        signal_dim, strong = self._strong(exponent, dim)
        spectrum = theory.kernel.exponential_spiked_spectrum(
            signal_dim,
            dim - signal_dim,
            self.num_degrees,
            signal_inner=strong / (strong + dim),
            noise_inner=dim / (strong + dim),
        )
        return float(theory.kernel.half_learning_samples(spectrum, ridge=self.ridge)[1])

    def _strong(self, exponent: float, dim: int) -> tuple[int, float]:
        """Dimensions of the strong part, and its squared radius; that of the weak part is the number of dimensions."""
        signal_dim = max(round(dim**self.signal_exponent), 2)
        return signal_dim, signal_dim * dim**exponent

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        halves = np.stack([self._measure_halves(key, dim) for dim in self.input_dims], axis=1)
        slopes = [np.polyfit(np.log(self.input_dims), np.log(each), 1)[0] for each in halves]
        return self._label(halves, slopes)

    def _measure_halves(self, key: jax.Array, dim: int) -> np.ndarray:
        """Samples from which half of the target is learned, for each exponent."""
        import jax
        import jax.numpy as jnp
        import numpy as np

        signal_dim = self._strong(0.0, dim)[0]
        strong = np.array([self._strong(exponent, dim)[1] for exponent in self.snr_exponents])
        seen = np.maximum(signal_dim * dim / strong, signal_dim)
        sizes = np.rint(seen[:, None] * np.array(self.multiples))
        signal = tasks.SphereTask(jnp.asarray([0.0, 1.0]), jnp.eye(signal_dim)[0])

        most = int(sizes.max())

        def share(key, strong, sizes):
            task = tasks.SpikedSphere(signal, dim - signal_dim, jnp.sqrt(strong), dim**0.5)
            inputs = task.sample(key, most + self.num_test).inputs
            # All linear targets at once: one for each direction of the strong part.
            targets = inputs[:, :signal_dim]
            found = _learn(inputs, targets, sizes, most, self.ridge)
            return jnp.sum(found * targets[None, most:], axis=(1, 2)) / jnp.sum(targets[most:] ** 2)

        over_exponents = jax.vmap(share, (None, 0, 0))
        inputs = jnp.asarray(strong), jnp.asarray(sizes)
        over_draws = jax.jit(lambda keys: jnp.mean(jax.lax.map(lambda one: over_exponents(one, *inputs), keys), axis=0))
        found = np.asarray(over_draws(jax.random.split(key, self.draws)))
        crossings = [numerics.first_crossing(np.log(size), each, 0.5) for size, each in zip(sizes, found, strict=True)]
        return np.exp(crossings)

    def _label(self, half_samples: Any, exponent: Any) -> xr.Dataset:
        dim = ("input_dim", list(self.input_dims), {"long_name": "dimensions $d$", "scale": "log"})
        words = {"long_name": "samples to learn half of the target", "scale": "log"}
        return observables(
            coords={"snr_exponent": list(self.snr_exponents), "input_dim": dim},
            exponent=("snr_exponent", exponent),
            half_samples=(("snr_exponent", "input_dim"), half_samples, words),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        dims = np.array(self.input_dims)
        ends = np.array([dims.min() / 1.5, dims.max() * 1.5])
        artists: list[Artist] = []
        for colour, exponent in zip(PALETTE, self.snr_exponents, strict=False):
            theirs, ours = (side.sel(snr_exponent=exponent) for side in (prediction, measurement))
            slope = float(theirs["exponent"])
            label = f"κ = {exponent:g}: power {slope:g}, measured {float(ours['exponent']):.2f}"
            artists += ax.plot(dims, theirs["half_samples"], color=colour, label=label)
            middle = np.exp(np.mean(np.log(theirs["half_samples"].values) - slope * np.log(dims)))
            artists += ax.plot(ends, middle * ends**slope, ":", color=colour)
            artists += ax.plot(dims, ours["half_samples"], "o", mfc="none", color=colour)
        ax.set(xscale="log", yscale="log", xlabel="dimensions $d$", ylabel="samples to learn half of the target")
        ax.set_xticks(dims, [str(dim) for dim in dims])
        ax.minorticks_off()
        ax.legend(fontsize="small", title="finite d: lines, powers: dotted, measured: markers", title_fontsize="small")
        return artists
