"""Arora, Cohen, Hu, Luo (2019), Implicit regularization in deep matrix factorization.

Their completion loss is ours: half the sum of squares over observed entries. Time is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.tasks import MatrixCompletion


class SingularMotion(Claim):
    """Singular values of a deep linear map grow at N sigma^(2 - 2/N) times their share of the descent.

    One step of training on a completion problem, from a balanced random map. Singular vectors turn, too: compared is
    how fast each of them does.
    Breaks as `learning_rate` grows: what is measured are steps, not velocities.
    """

    source = Source("arora2019b", "Theorem 3 and Lemma 2", "exact")
    metric, tolerance = max_relative_error("growth", "turn"), 1e-4  # measured: 1.8e-5
    limit = ("learning_rate", (1e-3, 1e-4, 1e-5))

    depths: tuple[int, ...] = (1, 2, 3)  # N
    output_dim: int = 5
    input_dim: int = 4
    num_observed: int = 12
    task_seed: int = 0
    learning_rate: float = 1e-6  # eta

    def _setting(self) -> tuple[MatrixCompletion, np.ndarray]:
        import jax.numpy as jnp
        import numpy as np

        rng, shape = np.random.default_rng(self.task_seed), (self.output_dim, self.input_dim)
        target, start = rng.normal(size=(2, *shape))
        seen = rng.permutation(target.size).reshape(shape) < self.num_observed
        return tasks.MatrixCompletion(jnp.asarray(target), jnp.asarray(seen)), start

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        task, start = self._setting()

        @jax.jit
        def move(weights, depth):
            descent = -task.gradient(weights)
            speeds = theory.linear.singular_vector_velocity(weights, descent, depth)
            turns = [jnp.linalg.norm(speed, axis=0) for speed in speeds]
            return theory.linear.singular_value_velocity(weights, descent, depth), jnp.concatenate(turns)

        return self._label([move(jnp.asarray(start), float(depth)) for depth in self.depths])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        task, start = self._setting()
        left, sizes, right = np.linalg.svd(start, full_matrices=False)
        rows = []
        for depth in self.depths:

            @jax.jit
            def step(weights, depth=depth):
                return training.gradient_descent(
                    networks.balanced_factors(weights, depth=depth),
                    training.CompletionLoss(task),
                    learning_rate=self.learning_rate,
                    steps=1,
                    record=2,
                ).network.coefficients()

            moved = np.linalg.svd(np.asarray(step(jnp.asarray(start))), full_matrices=False)
            same = np.sign(np.sum(left * moved[0], axis=0))
            turns = [moved[0] * same - left, (moved[2].T * same - right.T)]
            turn = np.concatenate([np.linalg.norm(change, axis=0) for change in turns])
            rows.append(((moved[1] - sizes) / self.learning_rate, turn / self.learning_rate))
        return self._label(rows)

    def _label(self, rows) -> xr.Dataset:
        import numpy as np

        growth, turn = (np.stack(values) for values in zip(*rows, strict=True))
        mode = ("mode", np.arange(1, growth.shape[1] + 1), {"long_name": "singular value, by size"})
        return observables(
            coords={"depth": list(self.depths), "mode": mode, "vector": ("vector", np.arange(1, turn.shape[1] + 1))},
            growth=(("depth", "mode"), growth, {"long_name": "velocity of the singular value"}),
            turn=(("depth", "vector"), turn, {"long_name": "speed of the singular vector, left and then right"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        artists = draw_default(ax, prediction, measurement, "growth")
        ax.set_xticks(prediction["mode"].values)
        return artists


class LowRankCompletion(Claim):
    """Three layers from small weights complete a matrix at its low rank where least nuclear norm does not.

    With so few entries observed another matrix fits them at less nuclear norm than the low-rank one they come from. The
    rank is that of the singular values' entropy; recovered is what is left of 1 without the relative error.
    Breaks as `init_scale` grows: training then ends elsewhere, at higher rank.
    """

    source = Source("arora2019b", "experiments on matrix completion", "asymptotic")
    metric, tolerance = max_relative_error("rank", "recovered"), 0.025  # measured: 0.017 to 0.023 over three task seeds
    limit = ("init_scale", (1e-1, 1e-2, 1e-3))

    depth: int = 3  # N
    dim: int = 20
    true_rank: int = 2
    num_observed: int = 170
    task_seed: int = 1
    init_scale: float = 1e-3  # of the map's start, a multiple of the identity
    learning_rate: float = 8e-3
    steps: int = 7500
    full = dict(dim=30, num_observed=300, init_scale=5e-4, steps=25_000, learning_rate=4e-3)

    def _task(self) -> MatrixCompletion:
        import jax

        return tasks.low_rank_completion(
            jax.random.key(self.task_seed),
            shape=(self.dim, self.dim),
            rank=self.true_rank,
            num_observed=self.num_observed,
        )

    def predict(self) -> xr.Dataset:
        import numpy as np

        task = self._task()
        other = theory.linear.least_nuclear_norm(task, tolerance=1e-3).weights
        values, others = (np.linalg.svd(weights)[1] for weights in (task.target, other))
        rank, rival = (numerics.entropy_count(sizes) for sizes in (values, others))
        strengths = ("mode", values[: self.true_rank])
        recovered = {"recovered": 1.0, "other_recovered": 1 - task.relative_error(other)}
        return observables(rank=rank, other_rank=rival, strengths=strengths, **recovered)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax.numpy as jnp
        import numpy as np

        task = self._task()
        record = np.unique(np.geomspace(1, self.steps, 80).round().astype(int))

        @eqx.filter_jit
        def train(scale):
            return training.gradient_descent(
                networks.balanced_factors(scale * jnp.eye(self.dim), depth=self.depth),
                training.CompletionLoss(task),
                learning_rate=self.learning_rate,
                steps=self.steps,
                record=record,
                observables={
                    "rank": lambda network: instruments.entropy_rank(network.coefficients()),
                    "error": lambda network: task.relative_error(network.coefficients()),
                    "values": lambda network: instruments.top_singular_values(network.coefficients(), 5),
                },
            )

        run = train(jnp.asarray(self.init_scale))
        return observables(
            rank=run.observables["rank"][-1],
            recovered=1 - run.observables["error"][-1],
            values=(("time", "mode"), run.observables["values"]),
            at=("time", run.times),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for mode, values in enumerate(measurement["values"].transpose("mode", "time")):
            label = f"singular values of {self.depth} layers" if mode == 0 else None
            artists += ax.plot(measurement["at"], values, color=PALETTE[1], label=label)
        for mode, strength in enumerate(prediction["strengths"].values):
            label = "those of the matrix" if mode == 0 else None
            artists.append(ax.axhline(strength, color=PALETTE[0], ls="--", lw=1, label=label))
        rows = (("matrix", prediction, ""), ("training", measurement, ""), ("least nuclear norm", prediction, "other_"))
        text = [
            f"{name}: rank {side[kind + 'rank']:.2f}, recovered {side[kind + 'recovered']:.3f}"
            for name, side, kind in rows
        ]
        artists.append(ax.text(0.02, 0.05, "\n".join(text), transform=ax.transAxes, fontsize="small"))
        ax.set(xscale="log", yscale="log", xlabel="time, learning rate × steps", ylabel="singular value")
        ax.set_ylim(self.init_scale / 100, None)
        ax.legend(fontsize="small", loc="center left")
        return artists
