"""Even, Pesme, Gunasekar, Flammarion (2023), (S)GD over diagonal linear networks.

Their u v from u = alpha sqrt2 at rate gamma is our w_+^2 - w_-^2 from w = alpha / sqrt2 at eta = gamma / 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.tasks import Samples


def _samples(claim: Any) -> Samples:
    """Gaussian inputs with a sparse teacher of ones."""
    import numpy as np

    inputs = np.random.default_rng(claim.design_seed).normal(size=(claim.num_samples, claim.input_dim))
    return tasks.make_samples(inputs, inputs[:, : claim.sparsity].sum(1))


class GainOfSmallSteps(Claim):
    """Full batches shrink the scale of the learned coordinates; single samples shrink every one, and far more.

    The gain is averaged over the coordinates that are learned and over the others. Batches are drawn with replacement;
    gains of SGD are averages over runs.
    Breaks as `learning_rate` grows: the gain is of first order in it.
    """

    source = Source("even2023", "gain of small steps", "asymptotic")
    metric, tolerance = max_relative_error("gain", over="mean"), 0.05  # measured: 0.030 to 0.039 over three seeds
    limit = ("learning_rate", (0.04, 0.02, 0.005))

    learning_rate: float = 0.005  # eta
    batch_sizes: tuple[int, ...] = (1, 4)  # b, beside gradient descent on all samples
    init_scale: float = 0.07  # alpha
    sparsity: int = 3  # ones in the teacher
    num_samples: int = 20  # n
    input_dim: int = 30  # d
    design_seed: int = 1
    seeds: int = 8
    horizon: float = 60.0  # training time
    full = dict(learning_rate=0.002, seeds=32)

    def predict(self) -> xr.Dataset:
        samples = _samples(self)
        residuals = theory.linear.residual_integral(samples.inputs, samples.targets[:, 0], self.init_scale)
        gains = [
            theory.linear.descent_gain(samples.inputs, residuals, self.learning_rate, batch_size=size)
            for size in (*self.batch_sizes, None)
        ]
        return self._label((), [self._average(gain) for gain in gains])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax
        import jax.numpy as jnp

        samples = _samples(self)
        start = networks.power_difference_start(jnp.full(self.input_dim, self.init_scale))
        rule: dict[str, Any] = dict(
            learning_rate=self.learning_rate, steps=int(self.horizon / self.learning_rate), record=2
        )

        def gain(run) -> Any:
            logs = jnp.log(jnp.abs(run.network.first)) + jnp.log(jnp.abs(run.network.second))
            return self._average(2 * jnp.log(self.init_scale) - logs)

        @eqx.filter_jit
        def train(keys):
            whole = gain(training.gradient_descent(start, samples, **rule))
            runs = [
                jax.vmap(
                    lambda key, size=size: gain(
                        training.sgd(start, samples, key=key, batch_size=size, replacement=True, **rule)
                    )
                )(keys)
                for size in self.batch_sizes
            ]
            return jnp.stack([*runs, jnp.broadcast_to(whole[None], runs[0].shape)], axis=1)

        return self._label(("seed",), train(jax.random.split(key, self.seeds)))

    def _average(self, gain) -> Any:
        import jax.numpy as jnp

        return jnp.stack([gain[: self.sparsity].mean(), gain[self.sparsity :].mean()])

    def _label(self, lead: tuple[str, ...], gain) -> xr.Dataset:
        import numpy as np

        words = [*(f"batch {size}" for size in self.batch_sizes), "all"]
        return observables(
            coords={
                "batch": ("batch", words, {"long_name": "samples a step"}),
                "coordinates": ("coordinates", ["learned", "others"]),
            },
            gain=((*lead, "batch", "coordinates"), np.stack([np.asarray(g) for g in gain]), {"long_name": "gain"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        artists = draw_default(
            ax,
            prediction.transpose("coordinates", "batch"),
            measurement.transpose("seed", "coordinates", "batch"),
            "gain",
        )
        ax.set(yscale="log", ylabel=r"gain $\ln(α²/α_∞²)$")
        return artists


class SharpnessAtTheEdge(Claim):
    """Past the stability limit of the flow's interpolator, training still ends: where the curvature just allows it.

    Rates run from below 2/S of the flow's interpolator to near the largest that converges. That largest rate has no
    meaning of its own: beyond it training may settle later, or never and yet stay bounded.
    Breaks as `largest_rate` grows: within the horizon training no longer settles.
    """

    source = Source("even2023", "sharpness at the edge of stability", "law")
    metric, tolerance = max_relative_error("sharpness"), 0.02  # measured: 0.0016

    largest_rate: float = 0.5  # eta
    shares: tuple[float, ...] = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0)  # of it
    init_scale: float = 0.07  # alpha
    sparsity: int = 3  # ones in the teacher
    num_samples: int = 20  # n
    input_dim: int = 30  # d
    design_seed: int = 1
    steps: int = 40_000
    full = dict(steps=300_000, shares=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0))

    def _rates(self) -> Any:
        import numpy as np

        return self.largest_rate * np.array(self.shares)

    def predict(self) -> xr.Dataset:
        import numpy as np

        samples = _samples(self)
        flow = theory.linear.flow_interpolator(samples.inputs, samples.targets[:, 0], self.init_scale)
        sharpness = theory.linear.diagonal_sharpness(samples.inputs, flow.predictor, flow.effective_scale)
        return self._label(np.minimum(float(sharpness), 2 / self._rates()))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax
        import jax.numpy as jnp

        from solvable.instruments.curvature import flat_product

        samples = _samples(self)
        start = networks.power_difference_start(jnp.full(self.input_dim, self.init_scale))
        loss = training.make_objective(start, samples)

        @eqx.filter_jit
        def train(rates):
            def run(rate):
                end = training.gradient_descent(start, samples, learning_rate=rate, steps=self.steps, record=2)
                beta = end.network.coefficients()[0]
                teacher = jnp.where(jnp.arange(self.input_dim) < self.sparsity, 1.0, 0.0)
                hessian = jax.vmap(flat_product(loss, end.network))(jnp.eye(2 * self.input_dim))
                return jnp.linalg.eigvalsh(hessian)[-1], jnp.linalg.norm(beta - teacher), end.loss[-1]

            return jax.vmap(run)(rates)

        sharpness, distance, final = train(jnp.asarray(self._rates()))
        return self._label(sharpness, distance=("learning_rate", distance), loss=("learning_rate", final))

    def _label(self, sharpness, **more) -> xr.Dataset:
        return observables(
            coords={"learning_rate": ("learning_rate", self._rates(), {"long_name": "learning rate $η$"})},
            sharpness=("learning_rate", sharpness, {"long_name": "sharpness at the end"}),
            **more,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        rates, top = self._rates(), float(prediction["sharpness"].max())
        along = np.linspace(rates[0], rates[-1], 200)
        artists: list[Artist] = []
        artists += ax.plot(along, np.minimum(top, 2 / along), color=PALETTE[0], label="theory")
        artists += ax.plot(rates, measurement["sharpness"], "o", mfc="none", color="0.2", label="sharpness, measured")
        artists.append(ax.axvline(2 / top, color=PALETTE[0], ls=":", label="2 / sharpness of the flow's end"))
        ax.set(xlabel="learning rate $η$", ylabel="sharpness at the end", ylim=(0, 1.15 * top))
        other = ax.twinx()
        style: dict[str, Any] = dict(mfc="none", color=PALETTE[1], label="distance to the teacher, measured")
        artists += other.plot(rates, measurement["distance"], "s", ms=4, **style)
        other.set(ylabel="distance to the teacher", ylim=(0, None))
        other.yaxis.label.set_color(PALETTE[1])
        ax.legend(handles=artists, fontsize="small", loc="center left")
        return artists
