"""Figure 1A from real weights: paths between saddles along invariant manifolds, and training that follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.tasks import TeacherNetwork


class SaddlePaths(Claim):
    """Breaking one relation at a saddle, training runs along the manifold of the others to the next saddle.

    From zero weights, one unit after another is released. The figure lays the paths in the plane of the strengths of
    the first two modes, with the path of a network of small random weights beside them.
    """

    source = Source("zhang2026", "Section 4 and Fig. 1A", "exact")
    metric, tolerance = max_curve_gap("level", "units"), 1e-9  # measured: 1e-16 over six keys

    strengths: tuple[float, ...] = (2.0, 1.0, 0.4)  # singular values of the teacher W*
    variances: tuple[float, ...] = (1.6, 1.0, 0.7)  # eigenvalues of Sigma_xx
    width: int = 4  # H
    nudge: float = 1e-3  # of the weights of the unit that is released
    init_scale: float = 0.03  # of the network trained beside the paths
    learning_rate: float = 0.1
    steps: int = 1500

    def _task(self) -> TeacherNetwork:
        import jax.numpy as jnp

        return tasks.linear_teacher(jnp.diag(jnp.asarray(self.strengths)), jnp.diag(jnp.asarray(self.variances)))

    def predict(self) -> xr.Dataset:
        points = theory.flows.greedy_fixed_points(self._task().moments(numerics.Monomials(len(self.strengths), 1)))
        return self._observe(2 * points.loss, range(len(self.strengths) + 1))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import functools
        import operator

        import jax
        import jax.numpy as jnp

        task, dim = self._task(), len(self.strengths)
        unit = networks.Neuron(numerics.activations.identity)
        saddle = networks.UnitLayer(jnp.zeros((self.width, dim)), jnp.zeros((dim, self.width)), unit)
        manifold = functools.reduce(
            operator.and_, [networks.zero_unit(self.width, place) for place in range(self.width)]
        )
        levels, widths, paths = [training.make_objective(saddle, task)(saddle)], [0], []
        for place, key_unit in enumerate(jax.random.split(key, dim)):
            found = instruments.trace_transition(
                saddle,
                task,
                manifold,
                key_unit,
                release=place,
                learning_rate=self.learning_rate,
                steps=self.steps,
                nudge=self.nudge,
                record=self.steps,
            )
            assert found.manifold is not None  # more units than modes: some stay at zero
            saddle, manifold = found.end, found.manifold
            levels.append(training.make_objective(saddle, task)(saddle))
            widths.append(int(instruments.effective_rank(saddle.coefficients(), threshold=1e-6)))
            paths.append(jax.vmap(lambda u, v: jnp.diagonal(v @ u)[:2])(found.first, found.second))
        network = networks.initialise(
            unit, key, width=self.width, input_shape=(dim,), output_dim=dim, init_scale=self.init_scale
        )
        run = training.gradient_descent(
            network,
            task,
            learning_rate=self.learning_rate,
            steps=self.steps,
            record=self.steps,
            observables={"strengths": lambda network: jnp.diagonal(network.coefficients())[:2]},
        )
        beside = observables(
            paths=(("path", "record", "mode"), jnp.stack(paths)),
            training=(("record", "mode"), run.observables["strengths"]),
        )
        return self._observe(2 * jnp.stack(levels), widths).merge(beside)

    def _observe(self, levels, widths) -> xr.Dataset:
        import numpy as np

        saddle = ("saddle", range(len(widths)), {"long_name": "units released"})
        return observables(
            coords={"saddle": saddle},
            level=("saddle", levels, {"long_name": "loss E|y − f|²"}),
            units=("saddle", 1 + np.asarray(widths), {"long_name": "1 + effective width"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for place, (colour, path) in enumerate(zip(PALETTE[2:], measurement["paths"].values, strict=False)):
            label = f"path from {place} to {place + 1} units"
            artists += ax.plot(*path.T, color=colour, lw=2, label=label if place < 2 else "_")
        # Thinned to equal steps along the path, for training spends most of its time at the saddles.
        training = measurement["training"].values
        along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(training, axis=0), axis=1))])
        shown = np.searchsorted(along, np.linspace(0, along[-1], 40))
        artists += ax.plot(
            *training[np.unique(shown.clip(max=len(training) - 1))].T,
            ".",
            color=PALETTE[1],
            label="training from small weights",
        )
        corners = np.array([[0.0, 0.0], [self.strengths[0], 0.0], [*self.strengths[:2]]])
        artists += ax.plot(*corners.T, "o", ms=11, mfc="none", color=PALETTE[0], label="saddles, theory", ls="")
        for corner, level in zip(corners, prediction["level"].values, strict=False):
            artists.append(
                ax.annotate(f"loss {level:.3g}", corner, xytext=(-12, 12), textcoords="offset points", ha="right")
            )
        ax.set(xlabel="strength of mode 1, $e_1^T W r_1$", ylabel="strength of mode 2, $e_2^T W r_2$")
        ax.margins(0.25)
        ax.legend(fontsize="small", loc="upper left")
        return artists
