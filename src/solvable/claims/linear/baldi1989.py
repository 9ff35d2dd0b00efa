"""Baldi and Hornik (1989), Neural networks and principal component analysis.

Their loss is a sum over samples without our 1/2; landscapes do not depend on such factors, and losses here are ours.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.tasks import Samples


class EveryCriticalPoint(Claim):
    """Each set of principal components is a point of rest, and all but the leading ones are saddles.

    The number of ways down at each is counted by us; the paper shows that there is one. A network comes to the point by
    being trained on what the chosen components explain, and is then looked at on all the data; counted from 1.
    Breaks as `init_scale` grows: units that are not needed then do not end at zero.
    """

    source = Source("baldi1989", "Facts 1 to 4", "exact")
    metric, tolerance = max_relative_error("loss", "ways_down"), 1e-8  # measured: 1e-9 over five seeds

    input_dim: int = 5  # n
    output_dim: int = 4
    width: int = 2  # p
    num_samples: int = 60  # T
    correlation: float = 0.2  # of the inputs: standard deviation of the mixing matrix about the identity
    noise_std: float = 1.0  # of the targets, which no linear map explains
    design_seed: int = 0
    init_scale: float = 1e-5  # standard deviation of the initial weights
    learning_rate: float = 0.1
    steps: int = 4000

    def _samples(self) -> Samples:
        import numpy as np

        rng = np.random.default_rng(self.design_seed)
        mix = np.eye(self.input_dim) + self.correlation * rng.normal(size=(self.input_dim,) * 2)
        inputs = rng.normal(size=(self.num_samples, self.input_dim)) @ mix
        noise = self.noise_std * rng.normal(size=(self.num_samples, self.output_dim))
        return tasks.make_samples(inputs, inputs @ rng.normal(size=(self.input_dim, self.output_dim)) + noise)

    def _sets(self) -> list[tuple[int, ...]]:
        modes = range(min(self.input_dim, self.output_dim))
        return [chosen for size in range(self.width + 1) for chosen in combinations(modes, size)]

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        moments = tasks.sample_moments(self._samples(), numerics.Monomials(self.input_dim, 1))
        modes = jnp.arange(min(self.input_dim, self.output_dim))
        active = jnp.stack([jnp.isin(modes, jnp.asarray(chosen, int)) for chosen in self._sets()])

        def look(chosen):
            point = theory.linear.critical_point(moments, chosen, self.width)
            return point.loss, point.index

        return self._observe(*jax.jit(jax.vmap(look))(active))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        samples, sets = self._samples(), self._sets()
        inputs, targets = np.asarray(samples.inputs), np.asarray(samples.targets)
        explained = inputs @ np.linalg.lstsq(inputs, targets, rcond=None)[0]
        components = np.linalg.svd(explained, full_matrices=False)[2]
        parts = np.stack([explained @ components[list(chosen)].T @ components[list(chosen)] for chosen in sets])
        unit = networks.Neuron(numerics.activations.identity)

        def train(part, key):
            start = networks.initialise_for(unit, samples, key, width=self.width, init_scale=self.init_scale)
            only = tasks.Samples(samples.inputs, part, samples.weights)
            run = training.gradient_descent(
                start, only, learning_rate=self.learning_rate, steps=self.steps, record=2, reduction="moments"
            )
            return run.network, training.make_objective(run.network, samples, "moments")(run.network)

        reached, losses = jax.jit(jax.vmap(train))(jnp.asarray(parts), jax.random.split(key, len(sets)))
        networks_there = [jax.tree.map(lambda leaf, place=place: leaf[place], reached) for place in range(len(sets))]
        loss = training.make_objective(networks_there[0], samples, "moments")
        return self._observe(losses, [instruments.hessian_index(loss, there) for there in networks_there])

    def _observe(self, loss, index) -> xr.Dataset:
        import numpy as np

        names = ["{" + ",".join(str(mode + 1) for mode in chosen) + "}" for chosen in self._sets()]
        counted = ("components", 1 + np.asarray(index), {"long_name": "negative curvatures + 1"})
        return observables(
            coords={"components": ("components", names, {"long_name": "components learned"})},
            loss=("components", loss, {"long_name": "loss"}),
            ways_down=counted,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        theory_index, index = prediction["ways_down"] - 1, measurement["ways_down"] - 1
        artists: list[Artist] = [
            *ax.plot(theory_index, prediction["loss"], "_", ms=22, mew=2, color=PALETTE[0], label="theory"),
            *ax.plot(index, measurement["loss"], "o", mfc="none", color=PALETTE[1], label="reached by training"),
        ]
        for down, loss, name in zip(
            theory_index.values, prediction["loss"].values, prediction["components"].values, strict=True
        ):
            artists.append(
                ax.annotate(
                    name, (down, loss), xytext=(0, 5), textcoords="offset points", fontsize="x-small", ha="center"
                )
            )
        ax.set(xlabel="negative curvatures", ylabel="loss")
        ax.margins(0.08)
        ax.legend(fontsize="small", loc="lower right")
        return artists


class LadderOfComponents(Claim):
    """A linear autoencoder learns principal components one by one and rests at the loss of each set.

    Inputs are Gaussian and turned, so that no axis is special.
    Breaks as `init_scale` grows: saddles are then passed at a distance.
    """

    source = Source("baldi1989", "Facts 2 and 3, autoassociative case", "exact")
    metric, tolerance = max_relative_error("level"), 0.002  # measured: 4e-4 to 1e-3 over five seeds
    limit = ("init_scale", (1e-3, 1e-4, 1e-5))

    variances: tuple[float, ...] = (4.0, 2.2, 1.2, 0.6, 0.3)  # of the inputs along their principal components
    width: int = 3  # p, components that the network can hold
    init_scale: float = 1e-5  # standard deviation of the initial weights
    learning_rate: float = 0.02
    steps: int = 800

    def _task(self):
        import jax
        import jax.numpy as jnp

        size = len(self.variances)
        turn = jnp.linalg.qr(jax.random.normal(jax.random.key(0), (size, size)))[0]
        return tasks.linear_teacher(jnp.eye(size), (turn * jnp.asarray(self.variances)[None, :]) @ turn.T)

    def predict(self) -> xr.Dataset:
        import jax

        moments = self._task().moments(numerics.Monomials(len(self.variances), 1))
        points = theory.flows.greedy_fixed_points(moments)
        passed = slice(self.width + 1)
        count = jax.jit(jax.vmap(lambda active: theory.flows.linear_saddle_index(moments, active, self.width)))
        return self._observe(points.loss[passed]).assign(ways_down=("plateau", count(points.active[passed])))

    def measure(self, key: jax.Array) -> xr.Dataset:
        task = self._task()
        start = networks.initialise(
            networks.Neuron(numerics.activations.identity),
            key,
            width=self.width,
            input_shape=task.input_shape,
            output_dim=len(self.variances),
            init_scale=self.init_scale,
        )
        run = training.gradient_descent(start, task, learning_rate=self.learning_rate, steps=self.steps, record=400)
        plateaus = instruments.find_stages(run.times, run.loss).plateaus
        curve = observables(coords={"time": run.times}, loss=("time", run.loss))
        return self._observe([plateau.level for plateau in plateaus]).merge(curve)

    def _observe(self, levels) -> xr.Dataset:
        return observables(
            coords={"plateau": ("plateau", range(len(levels)), {"long_name": "components learned"})},
            level=("plateau", levels, {"long_name": "loss at plateau"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        curve = ax.plot(measurement["time"], measurement["loss"], ".", ms=4, color=PALETTE[1], label="measured")
        artists: list[Artist] = [*curve]
        edge = ax.get_yaxis_transform()
        for level, ways in zip(prediction["level"].values, prediction["ways_down"].values, strict=True):
            artists.append(ax.axhline(level, color=PALETTE[0], lw=1))
            words = f"{ways} ways down"
            artists.append(ax.text(1.01, level, words, color=PALETTE[0], size="small", va="center", transform=edge))
        artists[1].set_label("theory")
        ax.set(xlabel="time", ylabel="loss", ylim=(0, None))
        ax.legend(fontsize="small", loc=(0.74, 0.75))
        return artists
