"""What the paper leaves open, measured: which saddles are visited, how near a start must be, what the next one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables
from solvable.claims.flows.zhang2026 import _units

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.tasks import Moments, TeacherNetwork


class ClosestApproach(Claim):
    """The nearer training starts to an invariant manifold, the closer it passes the next saddle: a power law.

    The paper asks how near is near enough. For linear layers on white inputs the exponent follows from the two modes
    and from the imbalance of the weights in use. One start is small throughout, the other has one large unit.
    """

    source = Source("zhang2026", "Section 7, condition (ii), left open", "scaling")
    metric, tolerance = max_relative_error("exponent", over="mean"), 0.01  # measured: up to 0.006 over six keys

    strengths: tuple[float, ...] = (2.0, 1.0)  # singular values of the teacher W*
    imbalance: float = 3.0  # |u|^2 - |v|^2 of the large unit
    width: int = 10  # H
    smallest: float = 1e-14  # epsilon
    largest: float = 1e-12
    learning_rate: float = 0.005
    steps: int = 10000
    seeds: int = 4
    full = dict(seeds=24, width=40)

    def predict(self) -> xr.Dataset:
        exponents = [
            theory.flows.closest_approach_exponent(*self.strengths, imbalance=imbalance)
            for imbalance in (0.0, self.imbalance)
        ]
        return observables(coords={"start": ["small", "one large unit"]}, exponent=("start", exponents))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        scales = np.geomspace(self.smallest, self.largest, 5)
        over_seeds = jax.vmap(self._nearest, (None, None, 0))
        everywhere = jax.jit(jax.vmap(jax.vmap(over_seeds, (None, 0, None)), (0, None, None)))
        nearest = everywhere(jnp.array([0.0, 1.0]), jnp.asarray(scales), jax.random.split(key, self.seeds))
        flat = np.log(np.asarray(nearest)).transpose(1, 0, 2).reshape(len(scales), -1)
        exponents = np.polyfit(np.log(scales), flat, 1)[0].reshape(2, self.seeds)
        return observables(
            coords={
                "start": ["small", "one large unit"],
                "init_scale": ("init_scale", scales, {"long_name": "distance of the start, $\\varepsilon$"}),
            },
            exponent=(("start", "seed"), exponents),
            nearest=(("start", "init_scale", "seed"), nearest),
        )

    def _nearest(self, size: jax.Array, init_scale: jax.Array, key: jax.Array) -> jax.Array:
        """Smallest distance of the map from the best one of rank one, as a share of its norm."""
        import jax
        import jax.numpy as jnp

        task = tasks.linear_teacher(jnp.diag(jnp.asarray(self.strengths)), jnp.eye(2))
        saddle = jnp.diag(jnp.asarray(self.strengths)).at[1, 1].set(0)
        key_small, key_u, key_v = jax.random.split(key, 3)
        unit = networks.Neuron(numerics.activations.identity)
        small = networks.initialise(
            unit, key_small, width=self.width, input_shape=(2,), output_dim=2, init_scale=init_scale
        )
        direction = lambda key: jax.random.normal(key, (2,), float)  # noqa: E731
        u, v = (each / jnp.linalg.norm(each) for each in map(direction, (key_u, key_v)))
        start = networks.UnitLayer(
            small.first.at[0].add(size * jnp.sqrt(1 + self.imbalance) * u), small.second.at[:, 0].add(size * v), unit
        )
        run = training.gradient_descent(
            start,
            task,
            learning_rate=self.learning_rate,
            steps=self.steps,
            record=2000,
            observables={"distance": lambda network: jnp.linalg.norm(network.coefficients() - saddle)},
        )
        return jnp.min(run.observables["distance"]) / jnp.linalg.norm(saddle)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        scales, artists = measurement["init_scale"].values, []
        for colour, start in zip(PALETTE, measurement["start"].values, strict=False):
            nearest = measurement["nearest"].sel(start=start).values
            exponent = float(prediction["exponent"].sel(start=start))
            middle = np.exp(np.log(nearest).mean())
            line = middle * (scales / np.exp(np.log(scales).mean())) ** exponent
            artists += ax.plot(scales, line, color=colour, label=f"{start}: exponent {exponent:.3f}, theory")
            artists += ax.plot(scales, nearest, ".", color=colour)
        ax.set(xscale="log", yscale="log", xlabel="distance of the start from the manifold, $\\varepsilon$")
        ax.set_ylabel("closest approach to the saddle")
        ax.legend(fontsize="small")
        return artists


class GreedySaddlesAreVisited(Claim):
    """Of the saddles of each rank, training from small weights visits the one of lowest loss.

    Which of the C(D, r) fixed points is visited is open in the paper. Random teachers on random input covariances,
    where the direction that grows fastest is not the one that lowers the loss most; of these, tasks whose growth rates
    at successive saddles are far enough apart for every saddle to leave a plateau.
    """

    source = Source("zhang2026", "Remark 2, left open", "asymptotic")
    metric, tolerance = max_curve_gap("level"), 0.002  # measured: up to 2e-4 over six keys

    strengths: tuple[float, ...] = (2.0, 0.9, 0.4)  # singular values of every teacher
    variances: tuple[float, ...] = (1.6, 1.0, 0.6)  # eigenvalues of every Sigma_xx
    count: int = 12  # tasks
    task_seed: int = 0  # of the axes of teachers and inputs
    apart: float = 2.0  # smallest ratio of the growth rates at a saddle and at the next
    width: int = 12  # H
    init_scale: float = 1e-9  # epsilon
    learning_rate: float = 0.2
    steps: int = 2500
    full = dict(count=200)

    def _tasks(self) -> TeacherNetwork:
        """All tasks in one, along a leading axis; fewer than ``count`` where one in twenty of them is not apart."""
        import jax
        import jax.numpy as jnp

        dim = len(self.strengths)

        def draw(key):
            left, right, axes = jax.random.orthogonal(key, dim, (3,))
            teacher = left @ jnp.diag(jnp.asarray(self.strengths)) @ right
            return tasks.linear_teacher(teacher, axes @ jnp.diag(jnp.asarray(self.variances)) @ axes.T)

        def draw_rated(key):
            task = draw(key)
            return task, theory.flows.greedy_fixed_points(_linear_moments(task)).escape_rate

        keys = jax.random.split(jax.random.key(self.task_seed), 20 * self.count)
        drawn, rates = jax.jit(jax.vmap(draw_rated))(keys)
        chosen = jnp.flatnonzero(jnp.all(rates[:, :-2] > self.apart * rates[:, 1:-1], axis=1))[: self.count]
        return jax.tree.map(lambda leaf: leaf[chosen], drawn)

    def predict(self) -> xr.Dataset:
        import jax

        levels = jax.jit(jax.vmap(lambda task: theory.flows.greedy_fixed_points(_linear_moments(task)).loss))(
            self._tasks()
        )
        return self._observe(2 * levels[:, :-1])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        unit, dim = networks.Neuron(numerics.activations.identity), len(self.strengths)

        def train(task, key):
            start = networks.initialise(
                unit, key, width=self.width, input_shape=(dim,), output_dim=dim, init_scale=self.init_scale
            )
            return training.gradient_descent(
                start, _linear_moments(task), learning_rate=self.learning_rate, steps=self.steps, record=self.steps
            ).loss

        drawn = self._tasks()
        losses = jax.jit(jax.vmap(train))(drawn, jax.random.split(key, len(drawn.second)))
        return self._observe(np.array([_read_levels(loss, dim + 1)[:dim] for loss in np.asarray(2 * losses)]))

    def _observe(self, levels) -> xr.Dataset:
        rank = ("rank", range(len(self.strengths)), {"long_name": "rank of the saddle"})
        return observables(
            coords={"rank": rank}, level=(("task", "rank"), levels, {"long_name": "loss E|y − f|²", "scale": "log"})
        )


class NextSaddleIgnoresHistory(Claim):
    """For linear layers the saddle reached next is a function of the one at hand, however it was reached.

    Whether the sequence of saddles is Markov is open in the paper. Networks come to the saddle of rank one from small
    weights and from one large unit of random directions, and go on to the same saddle of rank two.
    """

    source = Source("zhang2026", "Section 4 and Remark 2, left open", "asymptotic")
    metric, tolerance = max_curve_gap("level"), 0.002  # measured: up to 2e-4 over six keys

    strengths: tuple[float, ...] = (2.0, 1.0, 0.4)  # singular values of the teacher W*
    variances: tuple[float, ...] = (1.6, 1.0, 0.7)  # eigenvalues of Sigma_xx
    width: int = 12  # H
    init_scale: float = 1e-9  # epsilon
    learning_rate: float = 0.1
    steps: int = 4000
    seeds: int = 4

    def _task(self) -> TeacherNetwork:
        import jax.numpy as jnp

        return tasks.linear_teacher(jnp.diag(jnp.asarray(self.strengths)), jnp.diag(jnp.asarray(self.variances)))

    def predict(self) -> xr.Dataset:
        levels = 2 * theory.flows.greedy_fixed_points(_linear_moments(self._task())).loss[1:]
        return self._observe(("history", "saddle"), [levels, levels])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        unit, dim = networks.Neuron(numerics.activations.identity), len(self.strengths)

        def train(large, key):
            start = networks.low_rank_start(
                unit,
                key,
                width=self.width,
                input_shape=(dim,),
                output_dim=dim,
                rank=1,
                large_scale=large,
                init_scale=self.init_scale,
            )
            return training.gradient_descent(
                start, self._task(), learning_rate=self.learning_rate, steps=self.steps, record=self.steps
            ).loss

        over_seeds = jax.vmap(train, (None, 0))
        losses = jax.jit(jax.vmap(over_seeds, (0, None)))(jnp.array([0.0, 0.6]), jax.random.split(key, self.seeds))
        levels = [[_read_levels(loss, dim)[-dim:] for loss in history] for history in np.asarray(2 * losses)]
        return self._observe(("history", "seed", "saddle"), levels)

    def _observe(self, dims, levels) -> xr.Dataset:
        saddle = ("saddle", range(1, len(self.strengths) + 1), {"long_name": "rank of the saddle"})
        return observables(
            coords={"history": ["small weights", "one large unit"], "saddle": saddle},
            level=(dims, levels, {"long_name": "loss E|y − f|²"}),
        )


class QuadraticSuccessorsDiffer(Claim):
    """For quadratic units one saddle has several successors: which comes next depends on the units that are left.

    With a teacher of both signs the second stop is either of two saddles, from the same first one: units with v > 0
    grow along the largest eigenvalue of what is left, those with v < 0 along the lowest. The sequence is not Markov in
    the map that the network computes.
    """

    source = Source("zhang2026", "Section 5.2 and Remark 2, left open", "asymptotic")
    metric, tolerance = max_relative_error("level"), 0.01  # measured: up to 0.002 over six keys

    eigenvalues: tuple[float, ...] = (1.5, 0.6, -0.8)  # of the teacher, descending; the first is learned first
    width: int = 10  # H
    init_scale: float = 1e-3  # epsilon
    learning_rate: float = 0.02
    horizon: float = 1.5  # training time, in units of 1/epsilon
    seeds: int = 16

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        levels = theory.flows.quadratic_network_levels(jnp.asarray(self.eigenvalues))
        size, top = levels.active.sum(axis=1), levels.active[:, 0]
        ends = levels.active[:, 1] | levels.active[:, -1]
        successors = 2 * levels.loss[(size == 2) & top & ends]
        return self._observe(jnp.append(2 * levels.loss[(size == 1) & top], jnp.sort(successors)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np

        dim = len(self.eigenvalues)
        moments = _units.axis_teacher(self.eigenvalues, 2).moments(numerics.Monomials(dim, 2))
        steps, unit = (
            round(self.horizon / self.init_scale / self.learning_rate),
            networks.Neuron(numerics.activations.square),
        )

        def train(key):
            start = networks.initialise(unit, key, width=self.width, input_shape=(dim,), init_scale=self.init_scale)
            return training.gradient_descent(
                start, moments, learning_rate=self.learning_rate, steps=steps, record=3000
            ).loss

        losses = 2 * np.asarray(jax.jit(jax.vmap(train))(jax.random.split(key, self.seeds)))
        stops = np.array([_read_levels(loss, 3)[:3] for loss in losses])
        first, seconds = np.median(stops[:, 1]), stops[:, 2]
        middle = (seconds.min() + seconds.max()) / 2
        # Of each group, the stop that is furthest from the other: no stop lies in between.
        return self._observe([first, seconds[seconds < middle].max(), seconds[seconds > middle].min()])

    def _observe(self, levels) -> xr.Dataset:
        names = ["first stop", "one second stop", "the other"]
        return observables(coords={"stop": names}, level=("stop", levels, {"long_name": "loss E|y − f|²"}))


def _linear_moments(task: TeacherNetwork) -> Moments:
    return task.moments(numerics.Monomials(task.input_shape[0], 1))


def _read_levels(loss, least: int) -> list[float]:
    """Levels of the plateaus of one recorded curve, in order; NaN where there are fewer than ``least``."""
    import numpy as np

    found = [plateau.level for plateau in instruments.find_stages(np.arange(len(loss)), loss, min_drop=0.001).plateaus]
    return found if len(found) >= least else [float("nan")] * least
