"""Figure 1 D, E: layers of ReLU units gather on one ray of proportional weights, then on two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import networks, numerics, tasks, theory
from solvable.claims import Claim, Source, max_curve_gap, observables
from solvable.claims.flows.zhang2026 import _panels

if TYPE_CHECKING:
    import jax
    import xarray as xr

    from solvable.theory.flows import Rays


def _settle(init_scale: float) -> Rays:
    """The rays of the two points, by trial units that stand for the average over initial weights."""
    import jax
    import jax.numpy as jnp

    key_first, key_second = jax.random.split(jax.random.key(0))
    trials = jax.random.normal(key_first, (4096, 2)), jax.random.normal(key_second, (1, 4096))
    return theory.flows.settle_on_rays(tasks.orthogonal_pair(), *trials, log_growth=-float(jnp.log(init_scale)))


class ReluNetworkStages(Claim):
    """A ReLU network fits the longer of two orthogonal points by one ray, then the other by a second.

    The level of the plateau is where one unit on the fastest ray comes to rest.
    """

    source = Source("zhang2026", "Fig. 1D and Theorem 3 (iii)", "asymptotic")
    metric, tolerance = (
        max_curve_gap("level", "effective_width", "direction"),
        0.01,
    )  # measured: below 1e-4 over six seeds

    width: int = 50  # H
    init_scale: float = 1e-6  # epsilon
    learning_rate: float = 0.02  # twice the paper's
    steps: int = 3000

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        rays = _settle(self.init_scale)
        ray = theory.flows.single_ray_forecast(
            tasks.orthogonal_pair(),
            rays,
            width=self.width,
            init_scale=self.init_scale,
            learning_rate=self.learning_rate,
            record_steps=jnp.array([0, self.steps]),
        )
        start, plateau = ray.loss
        stages = _panels.stage_levels(start, plateau, 0.0)
        return stages.assign(observables(direction=("axis", rays.inputs[0])))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        samples = tasks.orthogonal_pair()
        unit = networks.Neuron(numerics.activations.relu)
        run = _panels.measure_stages(self, unit, samples, key, effective_width=_panels.count_rays)
        first = run["weights"].sel(rest="plateau").values
        strongest = first[np.argmax(np.linalg.norm(first, axis=1))]
        return run.assign(observables(direction=("axis", strongest / np.linalg.norm(strongest))))

    draw = staticmethod(_panels.draw_stages)


class ReluFirstEscape(Claim):
    """Until a second ray grows, a wide ReLU network learns as one unit on its fastest ray.

    The prediction is leading order in epsilon and the mean over initial weights; single networks are ahead of it or
    behind by a time of order 1/sqrt(H).
    """

    source = Source("zhang2026", "Theorem 3 (iii), Appendix C and Fig. 1D", "asymptotic")
    metric, tolerance = max_curve_gap("loss", over="mean"), 0.03  # measured: 0.008 to 0.014 over six keys

    width: int = 50  # H
    init_scale: float = 1e-6  # epsilon
    learning_rate: float = 0.02  # twice the paper's
    steps: int = 750  # the second ray has not grown yet
    num_seeds: int = 256  # networks averaged over
    full = dict(width=400)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        forecast = theory.flows.single_ray_forecast(
            tasks.orthogonal_pair(),
            _settle(self.init_scale),
            width=self.width,
            init_scale=self.init_scale,
            learning_rate=self.learning_rate,
            record_steps=jnp.asarray(_panels.record_steps(self)),
        )
        return _panels.label_curves(self, "step", forecast.loss)

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _panels.measure_curves(self, networks.Neuron(numerics.activations.relu), tasks.orthogonal_pair(), key)


class ReluConvolutionStages(Claim):
    """A convolutional ReLU network passes the best single kernel on its way to two rays of kernels.

    The inputs lie on the axes, where a kernel of non-negative weights acts as a linear one; the best single kernel is
    one, so that the level is that of the linear fit: 2/5. From epsilon = 1e-6 it is passed, not reached.
    """

    source = Source("zhang2026", "Fig. 1E and Eq. 68", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.005  # measured: 0.0006 to 0.0013 over eight seeds

    width: int = 50  # H
    init_scale: float = 1e-6  # epsilon
    learning_rate: float = 0.02  # twice the paper's
    steps: int = 2500

    def predict(self) -> xr.Dataset:
        moments = _panels.linear_moments(tasks.convolution_points())
        return _panels.one_unit_levels(moments, (2, 2))

    def measure(self, key: jax.Array) -> xr.Dataset:
        samples = tasks.convolution_points()
        unit = networks.ConvolutionKernel(numerics.activations.relu, 2, 2)
        return _panels.measure_stages(self, unit, samples, key, effective_width=_panels.count_rays)

    draw = staticmethod(_panels.draw_stages)
