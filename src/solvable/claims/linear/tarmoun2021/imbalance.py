"""The imbalance between layers: what training conserves, and the rate that it guarantees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class ConservedImbalance(Claim):
    """Training conserves the imbalance of the two layers, whatever the inputs and wherever it starts.

    Neither inputs nor start share the modes of the task. What is compared are the eigenvalues of the imbalance.
    Breaks as `learning_rate` grows: every step adds to it in proportion to its square.
    """

    source = Source("tarmoun2021", "conservation of imbalance", "law")
    metric, tolerance = max_curve_gap("imbalance"), 0.001
    limit = ("learning_rate", (1e-2, 3e-3, 1e-3))

    first_scales: tuple[float, ...] = (0.2, 0.3, 1.2, 1.0)  # singular values of W_1 at the start
    second_scales: tuple[float, ...] = (1.5, 1.0, 0.5, 0.0)  # singular values of W_2 at the start
    strengths: tuple[float, ...] = (2.0, 1.5, 0.7, 0.4)  # singular values of the teacher
    variances: tuple[float, ...] = (1.5, 1.0, 0.7, 0.5, 0.3)  # of the inputs, along axes of their own
    learning_rate: float = 1e-3  # eta
    horizon: float = 8.0  # training time
    full = dict(learning_rate=1e-4)

    def _record(self) -> np.ndarray:
        import numpy as np

        return np.linspace(0, self.horizon / self.learning_rate, 81).round().astype(int)

    def predict(self) -> xr.Dataset:
        import numpy as np

        conserved = np.sort(np.square(self.second_scales) - np.square(self.first_scales))[::-1]
        return self._label(np.repeat(conserved[:, None], self._record().size, axis=1))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax.numpy as jnp
        import numpy as np

        modes, inputs = len(self.strengths), len(self.variances)
        _, left, right = tasks.mode_teacher(
            covariances=jnp.ones(modes), variances=jnp.asarray(self.variances), output_dim=modes
        )
        teacher = jnp.zeros((modes, inputs)).at[:, :modes].set(jnp.diag(jnp.asarray(self.strengths)))
        task = tasks.linear_teacher(teacher, jnp.diag(jnp.asarray(self.variances)))
        scales = jnp.asarray([self.first_scales, self.second_scales])

        @eqx.filter_jit
        def train(key):
            start = networks.decoupled_start(key, left=left, right=right, scales=scales, widths=(modes,))
            run = training.gradient_descent(
                start,
                task,
                learning_rate=self.learning_rate,
                steps=int(self._record()[-1]),
                record=self._record(),
                observables={"imbalance": instruments.layer_imbalance},
            )
            return run.observables["imbalance"], run.loss

        imbalance, loss = train(key)
        return self._label(np.linalg.eigvalsh(imbalance)[:, ::-1].T, loss=("time", loss))

    def _label(self, imbalance, **more) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={
                "rank": ("rank", np.arange(1, len(self.strengths) + 1)),
                "time": ("time", self.learning_rate * self._record(), {"long_name": "time, learning rate × steps"}),
            },
            imbalance=(("rank", "time"), imbalance, {"long_name": "eigenvalues of W₂ᵀW₂ − W₁W₁ᵀ"}),
            **more,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE, draw_default

        artists = draw_default(ax, prediction, measurement, "imbalance")
        artists += ax.plot(measurement["time"], measurement["loss"], color=PALETTE[-1], ls=":", label="loss, measured")
        ax.legend(handles=[artists[0], artists[-2], artists[-1]], fontsize="small", loc="upper right")
        return artists


class GuaranteedRate(Claim):
    """Unbalanced layers guarantee a rate of learning, which is sharp where one layer outweighs the task.

    W_2 starts with separate singular values along axes that are not the task's, W_1 at 0.
    Breaks as `target` grows: what W_1 comes to hold adds to the rate, which exceeds the guaranteed one.
    """

    source = Source("tarmoun2021", "convergence rate", "bound")
    metric, tolerance = max_relative_error("rate"), 0.01
    limit = ("target", (1.0, 0.5, 0.25))

    second_scales: tuple[float, ...] = (3.5, 3.0, 2.5, 2.0)  # singular values of W_2 at the start
    target: float = 0.25  # largest singular value of the teacher, whose others are 0.8, 0.6, ... of it
    width: int = 6
    learning_rate: float = 1e-3  # eta
    horizon: float = 4.0  # training time
    full = dict(learning_rate=1e-4, width=40)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        second = jnp.diag(jnp.asarray(self.second_scales))
        return self._label(2 * theory.linear.guaranteed_rate(jnp.zeros_like(second), second))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax.numpy as jnp
        import numpy as np

        modes = len(self.second_scales)
        _, left, right = tasks.mode_teacher(covariances=jnp.ones(modes), variances=jnp.ones(modes), output_dim=modes)
        scales = jnp.asarray([[0.0] * modes, self.second_scales])
        task = tasks.linear_teacher(self.target * jnp.diag(jnp.asarray(0.8 ** np.arange(modes))))
        record = np.linspace(0, self.horizon / self.learning_rate, 201).round().astype(int)

        @eqx.filter_jit
        def train(key):
            start = networks.decoupled_start(key, left=left, right=right, scales=scales, widths=(self.width,))
            return training.gradient_descent(
                start, task, learning_rate=self.learning_rate, steps=int(record[-1]), record=record
            ).loss

        loss, times = np.asarray(train(key)), self.learning_rate * record
        late = (loss < 1e-7 * loss[0]) & (loss > 1e-11 * loss[0])
        rate = -np.polyfit(times[late], np.log(loss[late]), 1)[0]
        return self._label(rate, at=("time", times), loss=("time", loss))

    def _label(self, rate, **more) -> xr.Dataset:
        return observables(rate=((), rate, {"long_name": "rate at which the loss decays"}), **more)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        times, loss = measurement["at"].values, measurement["loss"].values
        bound = loss[0] * np.exp(-prediction["rate"].item() * times)
        artists: list[Artist] = []
        artists += ax.plot(times, bound, color=PALETTE[0], label="theory, at most")
        artists += ax.plot(times[::5], loss[::5], "o", ms=4, mfc="none", color="0.2", label="measured")
        ax.set(xlabel="time, learning rate × steps", ylabel="loss ½E|y − f|²", yscale="log")
        ax.set_ylim(1e-12 * loss[0], 3 * loss[0])
        ax.legend(fontsize="small")
        return artists
