"""Fukumizu (1998), Effect of batch learning in multilayer neural networks.

The paper sums the squared error over samples, which divides times by the number of samples; ours is half its mean. Its
generalisation error, the squared distance to the teacher's map, is ours: the excess of twice the population loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class Overtraining(Claim):
    """A linear network with units to spare passes a minimum of the test error, then learns noise.

    Levels are those of each draw of the noise, averaged over draws. The minimum is what the noise adds in the teacher's
    directions; the end adds the largest singular values of the rest, as many as there are spare units.

    Breaks as `init_scale` grows: surplus modes then start high, and no plateau is left.
    """

    source = Source("fukumizu1998", "asymptotic generalisation error, overtraining", "asymptotic")
    metric, tolerance = max_relative_error("least", "end"), 0.06  # measured: 0.006 to 0.05
    limit = ("num_samples", (25, 100, 400))

    singular_values: tuple[float, ...] = (2.0, 1.0)  # of the teacher T, of rank r
    input_dim: int = 10  # L
    output_dim: int = 8  # M
    widths: tuple[int, ...] = (2, 5, 8)  # H
    num_samples: int = 1600  # N
    noise_std: float = 0.5  # sigma
    init_scale: float = 1e-4  # of the singular values of both layers
    draws: int = 12  # of the noise
    noise_seed: int = 0  # of the data, which theory needs too
    horizon: float = 15.0  # training time in units of sqrt(N)/sigma
    learning_rate: float = 0.1
    full = dict(num_samples=10_000, draws=32)

    def _data(self) -> tuple[jax.Array, tasks.Moments]:
        """The teacher, and the moments of every draw."""
        import jax
        import jax.numpy as jnp

        keys = jax.random.split(jax.random.key(self.noise_seed), self.draws + 1)
        values = jnp.asarray(self.singular_values)
        teacher = tasks.low_rank_map(keys[0], values, output_dim=self.output_dim, input_dim=self.input_dim)
        task = tasks.NoisyTeacher(teacher, self.noise_std)
        return teacher, jax.vmap(lambda key: task.sample_moments(key, self.num_samples))(keys[1:])

    def _starts(self) -> networks.UnitLayer:
        """One network a width, of units up to the largest: those beyond its width are zero, and stay so."""
        import jax
        import jax.numpy as jnp

        def start(width):
            small = networks.imbalanced_start(
                jax.random.key(0),
                widths=(width,),
                input_dim=self.input_dim,
                output_dim=self.output_dim,
                init_scale=self.init_scale,
            )
            assert isinstance(small, networks.UnitLayer)
            spare = max(self.widths) - width
            first, second = jnp.pad(small.first, ((0, spare), (0, 0))), jnp.pad(small.second, ((0, 0), (0, spare)))
            return networks.UnitLayer(first, second, small.unit)

        return jax.tree.map(lambda *weights: jnp.stack(weights), *map(start, self.widths))

    def _record(self) -> np.ndarray:
        import numpy as np

        end = self.horizon * self.num_samples**0.5 / self.noise_std / self.learning_rate
        return np.unique(np.geomspace(1, end, 300).round().astype(int))

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        teacher, moments = self._data()
        levels = [
            jax.vmap(lambda noise, width=width: jnp.stack(theory.linear.overtraining_levels(teacher, noise, width)))(
                moments.sigma_yz - teacher[None]
            )
            for width in self.widths
        ]
        starts, times = self._starts(), jnp.asarray(self.learning_rate * self._record())

        def follow(first, second, correlation):
            path = theory.linear.two_layer_path(correlation, first, second, times)
            return jnp.sum((path.map - teacher[None]) ** 2, axis=(1, 2))

        least, end = jnp.moveaxis(jnp.mean(jnp.stack(levels), axis=1), 1, 0)
        over_draws = jax.vmap(jax.vmap(follow, in_axes=(None, None, 0)), in_axes=(0, 0, None))
        curves = jax.jit(over_draws)(starts.first, starts.second, moments.sigma_yz)
        return self._label(least, end, curves.mean(axis=1))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        (teacher, moments), record = self._data(), self._record()

        def train(network, drawn):
            run = training.gradient_descent(
                network,
                drawn,
                learning_rate=self.learning_rate,
                steps=int(record[-1]),
                record=record,
                observables={"excess": lambda trained: ((trained.coefficients() - teacher) ** 2).sum()},
            )
            return run.observables["excess"]

        over_draws = jax.vmap(train, in_axes=(None, 0))
        excess = np.asarray(jax.jit(jax.vmap(over_draws, in_axes=(0, None)))(self._starts(), moments))
        return self._label(excess.min(axis=2).mean(axis=1), excess[:, :, -1].mean(axis=1), excess.mean(axis=1))

    def _label(self, least, end, curve) -> xr.Dataset:
        unit = self.noise_std**2 / self.num_samples
        return observables(
            coords={
                "width": ("width", list(self.widths), {"long_name": "units H"}),
                "time": ("time", self.learning_rate * self._record(), {"long_name": "time, learning rate × steps"}),
            },
            least=("width", least / unit, {"long_name": "smallest test error", "units": "σ²/N"}),
            end=("width", end / unit, {"long_name": "last test error", "units": "σ²/N"}),
            curve=(("width", "time"), curve / unit, {"long_name": "test error, mean over draws", "units": "σ²/N"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE, draw_default

        artists = draw_default(ax, prediction, measurement, "curve")
        top = 1.5 * float(prediction["end"].max())
        for name, colour in (("least", "0.5"), *zip(range(len(self.widths)), PALETTE, strict=False)):
            level = prediction["least"].mean() if name == "least" else prediction["end"][name]
            artists.append(ax.axhline(float(level), color=colour, lw=0.8, ls=":"))
        ax.set(xscale="log", xlim=(3, None), ylim=(0, top))
        return artists
