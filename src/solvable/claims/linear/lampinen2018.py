"""Lampinen and Ganguli (2019), Generalization dynamics and transfer learning in deep linear networks.

Their loss is half the sum over samples whose inputs are orthonormal, of noise 1/N_1 after that; ours is half the mean
over inputs that are white, and both give the same flow of the modes. Their errors are normalised, ours here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def _draw_one(key: jax.Array, values: jax.Array, output_dim: int, input_dim: int, noise_std: float = 1.0):
    """A teacher's map and the moments of what was sampled from it: as many samples as inputs."""
    import jax

    key_teacher, key_noise = jax.random.split(key)
    teacher = tasks.low_rank_map(key_teacher, values, output_dim=output_dim, input_dim=input_dim)
    return teacher, tasks.NoisyTeacher(teacher, noise_std).sample_moments(key_noise, input_dim)


class SpikesOfTheTeacher(Claim):
    """Noise moves a teacher's singular value out and its singular vectors away, and swallows both below A^(1/4).

    Observed are the leading singular value of the data and the product of the two overlaps with the teacher's vectors.

    Breaks as `aspect` grows: spikes near the threshold fluctuate, and the formulas are limits of large matrices.
    """

    source = Source("lampinen2018", "singular values and overlaps of the noisy teacher", "asymptotic")
    metric, tolerance = max_relative_error("outlier", "overlap", over="mean"), 0.05  # measured: 0.01 to 0.03
    limit = ("input_dim", (8, 30, 120))

    teachers: tuple[float, ...] = (1.5, 2.0, 3.0, 4.0)  # s, in units of the noise
    aspect: float = 0.5  # A = outputs/inputs
    input_dim: int = 120  # N_1
    draws: int = 12
    full = dict(input_dim=600, draws=24)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        values = jnp.asarray(self.teachers)
        left, right = theory.linear.spike_overlaps(values, self.aspect)
        return self._label((), theory.linear.observed_singular_value(values, self.aspect), left * right)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        outputs = max(round(self.aspect * self.input_dim), 1)

        def draw(key, value):
            teacher, moments = _draw_one(key, value[None], outputs, self.input_dim)
            left, sizes, right = jnp.linalg.svd(moments.sigma_yz, full_matrices=False)
            # u-hat^T T v-hat is the teacher's value times both overlaps.
            return sizes[0], jnp.abs(left[:, 0] @ teacher @ right[0]) / value

        keys = jax.random.split(key, self.draws)
        over_draws = jax.vmap(draw, in_axes=(0, None))
        outlier, overlap = jax.jit(jax.vmap(over_draws, in_axes=(None, 0), out_axes=1))(
            keys, jnp.asarray(self.teachers)
        )
        return self._label(("seed",), outlier, overlap)

    def _label(self, lead, outlier, overlap) -> xr.Dataset:
        return observables(
            coords={"teacher": ("teacher", list(self.teachers), {"long_name": "singular value of the teacher"})},
            outlier=((*lead, "teacher"), outlier, {"long_name": "singular value of the data"}),
            overlap=((*lead, "teacher"), overlap, {"long_name": "overlap of singular vectors O"}),
        )


class GeneralisationDynamics(Claim):
    """Test error falls while spikes of the teacher are learned and rises with the noise that follows.

    Networks start balanced and aligned with the data, all modes at one strength; errors are averages over draws of
    teacher and noise.

    Breaks as `disorder` grows: small random weights added to the aligned ones mix the modes.
    """

    source = Source("lampinen2018", "train and test error, optimal stopping", "asymptotic")
    metric, tolerance = max_curve_gap("test_error", "train_error", over="mean"), 0.08  # measured: 0.02 to 0.07
    limit = ("learning_rate", (0.04, 0.02, 0.01))

    singular_values: tuple[float, ...] = (3.0,)  # of the teacher, in units of the noise
    input_dim: int = 120  # N_1
    aspect: float = 0.5  # A = N_3/N_1
    width: int = 12  # N_2
    start: float = 1e-3  # strength of every mode
    noise_std: float = 1.0
    disorder: float = 0.0  # standard deviation of random weights on top
    horizon: float = 4.0  # training time
    learning_rate: float = 0.005
    draws: int = 8
    full = dict(input_dim=300, draws=16, learning_rate=0.002)  # as many modes of noise, of larger matrices

    def _record(self) -> np.ndarray:
        import numpy as np

        return np.unique(np.linspace(0, self.horizon / self.learning_rate, 61).round().astype(int))

    def _outputs(self) -> int:
        return max(round(self.aspect * self.input_dim), 1)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        def follow(values, times):
            spectrum = theory.linear.spiked_spectrum(
                values,
                output_dim=self._outputs(),
                input_dim=self.input_dim,
                width=self.width,
                noise_std=self.noise_std,
            )
            curves = theory.linear.generalisation_curves(times, spectrum, self.start)
            power = jnp.sum(spectrum.counts * spectrum.values**2) + spectrum.unlearned_power
            best = theory.linear.best_stopping(spectrum, self.start)
            return curves.test_error / spectrum.teacher_power, curves.train_error / power, best.time

        times = jnp.asarray(self.learning_rate * self._record())
        return self._label((), *jax.jit(follow)(jnp.asarray(self.singular_values), times))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        record, modes = self._record(), min(self.width, self._outputs(), self.input_dim)

        def train(key):
            key_data, hidden, noise = jax.random.split(key, 3)
            values = jnp.asarray(self.singular_values)
            teacher, drawn = _draw_one(key_data, values, self._outputs(), self.input_dim, self.noise_std)
            left, _, right = jnp.linalg.svd(drawn.sigma_yz, full_matrices=False)
            network = networks.decoupled_start(
                hidden,
                left=left[:, :modes],
                right=right[:modes].T,
                scales=jnp.full((2, modes), self.start**0.5),
                widths=(self.width,),
            )
            assert isinstance(network, networks.UnitLayer)
            # Weights of both layers side by side, so that one draw disturbs all.
            both = jnp.concatenate([network.first, network.second.T], axis=1)
            both = both + self.disorder * jax.random.normal(noise, both.shape)
            network = networks.UnitLayer(both[:, : self.input_dim], both[:, self.input_dim :].T, network.unit)
            run = training.gradient_descent(
                network,
                drawn,
                learning_rate=self.learning_rate,
                steps=int(record[-1]),
                record=record,
                observables={
                    "test": lambda trained: jnp.sum((trained.coefficients() - teacher) ** 2),
                    "train": lambda trained: jnp.sum((trained.coefficients() - drawn.sigma_yz) ** 2),
                },
            ).observables
            return run["test"] / jnp.sum(teacher**2), run["train"] / jnp.sum(drawn.sigma_yz**2)

        test, train_ = jax.jit(jax.vmap(train))(jax.random.split(key, self.draws))
        stop = self.learning_rate * record[jnp.argmin(jnp.mean(test, axis=0))]
        return self._label(("seed",), test, train_, stop)

    def _label(self, lead, test, train, stop) -> xr.Dataset:
        time = ("time", self.learning_rate * self._record(), {"long_name": "time, learning rate × steps"})
        return observables(
            coords={"time": time},
            test_error=((*lead, "time"), test, {"long_name": "error, as a share of its start"}),
            train_error=((*lead, "time"), train, {"long_name": "train error"}),
            stop=stop,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, name in zip(PALETTE, ("train_error", "test_error"), strict=False):
            mean, spread = measurement[name].mean("seed"), measurement[name].std("seed")
            label = name.replace("_", " ")
            artists += ax.plot(prediction["time"], prediction[name], color=colour, label=f"{label}, theory")
            artists += ax.errorbar(
                measurement["time"], mean, spread, fmt="o", ms=4, mfc="none", capsize=2, color=colour,
                label=f"{label}, measured",
            ).get_children()  # fmt: skip
        stop = float(prediction["stop"])
        artists.append(ax.axvline(stop, color="0.5", lw=0.8, ls=":", label="best stop"))
        ax.set(xlabel="time, learning rate × steps", ylabel="error, as a share of its start")
        ax.legend(fontsize="small")
        return artists
