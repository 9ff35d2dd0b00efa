"""Pesme, Pillaud-Vivien, Flammarion (2021), Implicit bias of SGD for diagonal linear networks.

Their loss is half of ours, their learning rate and time are twice ours: their -4 gamma h int L is -8 eta h int L here.
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
    """Inputs of +-1, for which E[r^2 x^2] = E[r^2] E[x^2] sample by sample, with a sparse teacher."""
    import numpy as np

    inputs = np.random.default_rng(claim.design_seed).choice([-1.0, 1.0], (claim.num_samples, claim.input_dim))
    return tasks.make_samples(inputs, inputs[:, : len(claim.teacher)] @ np.array(claim.teacher))


class SGDShrinksTheScale(Claim):
    """SGD ends at the interpolator of a smaller scale, shrunk by the integral of the loss; its l1 norm is smaller.

    Inputs are +-1, for which the law is sharp in every coordinate; Gaussian ones add 2 to 7% of the gain, by an
    average that the paper splits in two. Samples are drawn with replacement.
    Breaks as `learning_rate` grows: the path along which the loss is integrated is that of gradient flow.
    """

    source = Source("pesme2021", "main theorem: effective scale", "asymptotic")
    metric, tolerance = max_relative_error("gain", "l1_fall", over="mean"), 0.04  # measured: 0.021
    limit = ("learning_rate", (0.016, 0.008, 0.004))

    learning_rate: float = 0.004  # eta, the largest of three
    shares: tuple[float, ...] = (0.5, 0.75, 1.0)  # of it
    init_scale: float = 0.1  # alpha
    teacher: tuple[float, ...] = (1.0, -0.7, 0.5)  # beta*, zero beyond
    num_samples: int = 12  # n
    input_dim: int = 24  # d
    design_seed: int = 1
    seeds: int = 4
    horizon: float = 800.0  # training time
    full = dict(num_samples=40, input_dim=80, seeds=16, shares=(0.25, 0.5, 0.75, 1.0))

    def _rates(self) -> Any:
        import numpy as np

        return self.learning_rate * np.array(self.shares)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        samples = _samples(self)
        inputs, targets = samples.inputs, samples.targets[:, 0]
        flow = theory.linear.flow_interpolator(inputs, targets, self.init_scale).predictor
        integral = theory.linear.loss_integral(flow, self.init_scale)
        gains = jnp.stack([theory.linear.homogeneous_gain(inputs, integral, rate) for rate in self._rates()])
        scales = self.init_scale**2 * jnp.exp(-gains)
        ends = [theory.linear.hyperbolic_interpolator(inputs, targets, scale) for scale in scales]
        return self._label((), gains, jnp.stack(ends))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import equinox as eqx
        import jax
        import jax.numpy as jnp

        samples = _samples(self)
        start = networks.power_difference_start(jnp.full(self.input_dim, self.init_scale))
        steps = int(self.horizon / self.learning_rate)

        def descend(key, rate):
            return training.sgd(
                start, samples, key=key, batch_size=1, learning_rate=rate, steps=steps, record=2, replacement=True
            ).network

        @eqx.filter_jit
        def train(keys, rates):
            runs = jax.vmap(jax.vmap(descend, (None, 0)), (0, None))(keys, rates)
            logs = jnp.log(jnp.abs(runs.first)) + jnp.log(jnp.abs(runs.second))
            return 2 * jnp.log(self.init_scale) - logs, runs.first**2 - runs.second**2

        return self._label(("seed",), *train(jax.random.split(key, self.seeds), jnp.asarray(self._rates())))

    def _label(self, lead: tuple[str, ...], gain, predictor) -> xr.Dataset:
        import numpy as np

        l1 = np.abs(np.asarray(predictor)).sum(-1)
        words = {"long_name": r"fall of the $\ell_1$ norm from the smallest rate"}
        return observables(
            coords={
                "learning_rate": ("learning_rate", self._rates(), {"long_name": "learning rate $η$"}),
                "larger_rate": ("larger_rate", self._rates()[1:]),
            },
            gain=((*lead, "learning_rate"), np.asarray(gain).mean(-1), {"long_name": r"gain $\ln(α²/α_∞²)$"}),
            l1_fall=((*lead, "larger_rate"), l1[..., :1] - l1[..., 1:], words),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE, draw_default

        artists = draw_default(ax, prediction, measurement, "gain")
        other = ax.twinx()
        rates, fall = prediction["larger_rate"], measurement["l1_fall"]
        artists += other.plot(rates, prediction["l1_fall"], "--", color=PALETTE[1])
        bars = other.errorbar(rates, fall.mean("seed"), fall.std("seed"), fmt="s", ms=4, mfc="none", color=PALETTE[1])
        artists += bars.get_children()
        other.set_ylabel(prediction["l1_fall"].attrs["long_name"], color=PALETTE[1])
        ax.yaxis.label.set_color(PALETTE[0])
        for axis in (ax, other):
            axis.set_ylim(0, None)
        ax.set_xlim(0, None)
        return artists


class LossIntegral(Claim):
    """The integral of the loss over training is what the potential gains, and grows as the log of 1/scale.

    Breaks as `learning_rate` grows: a sum over steps stands for the integral.
    """

    source = Source("pesme2021", "Bregman identity for the loss integral", "exact")
    metric, tolerance = max_relative_error("integral"), 0.005  # measured: 0.0021
    limit = ("learning_rate", (0.02, 0.01, 0.005))

    learning_rate: float = 0.005  # eta
    init_scales: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 0.1)  # alpha
    teacher: tuple[float, ...] = (1.0, -0.7, 0.5)  # beta*, zero beyond
    num_samples: int = 12  # n
    input_dim: int = 24  # d
    design_seed: int = 1
    horizon: float = 100.0  # training time
    full = dict(num_samples=40, input_dim=80, learning_rate=1e-3)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        samples = _samples(self)

        def integrate(scale):
            end = theory.linear.flow_interpolator(samples.inputs, samples.targets[:, 0], scale).predictor
            return theory.linear.loss_integral(end, scale)

        return self._label(jax.jit(jax.vmap(integrate))(jnp.asarray(self.init_scales)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        samples = _samples(self)
        objective = training.make_objective(networks.power_difference_start(jnp.ones(self.input_dim)), samples)

        def integrate(scale):
            return training.gradient_descent(
                networks.power_difference_start(jnp.full(self.input_dim, scale)),
                samples,
                learning_rate=self.learning_rate,
                steps=int(self.horizon / self.learning_rate),
                record=2,
                totals={"loss_sum": lambda before, after: (objective(before) + objective(after)) / 2},
            ).observables["loss_sum"][-1]

        return self._label(self.learning_rate * jax.jit(jax.vmap(integrate))(jnp.asarray(self.init_scales)))

    def _label(self, integral) -> xr.Dataset:
        scale = ("init_scale", self.init_scales, {"long_name": "initialisation scale $α$", "scale": "log"})
        return observables(
            coords={"init_scale": scale},
            integral=("init_scale", integral, {"long_name": r"integral of the loss $\int L\,dt$"}),
        )
