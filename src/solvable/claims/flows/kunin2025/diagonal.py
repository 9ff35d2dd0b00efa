"""Diagonal linear networks: coordinates take turns, and some come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error
from solvable.claims.flows.kunin2025 import _staircase

if TYPE_CHECKING:
    import jax
    import xarray as xr

    from solvable.tasks import Samples


def _predict(samples: Samples) -> xr.Dataset:
    import numpy as np

    path = theory.flows.diagonal_stages(tasks.sample_moments(samples, lambda inputs: inputs))
    strength = np.stack([saddle.strength for saddle in path.saddles])
    return _staircase.predict_stages(path, active=(("saddle", "coordinate"), strength[:-1] != 0))


def _measure(claim: Any, samples: Samples, init_scales: tuple[float, ...]) -> xr.Dataset:
    """Train the weights themselves from u = alpha sqrt2, v = 0, at a rate that is small next to every time."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    units = np.log(1 / np.asarray(init_scales))
    record = np.linspace(0, claim.horizon * units.max() / claim.learning_rate, 3000).astype(int)

    def train(scale):
        start = jnp.full(samples.inputs.shape[1], scale * jnp.sqrt(2.0))
        return training.gradient_descent(
            networks.DiagonalLinear(start, jnp.zeros_like(start)),
            samples,
            learning_rate=claim.learning_rate,
            steps=int(record[-1]),
            record=record,
            observables={"map": lambda network: network.coefficients()[0]},
        )

    run = jax.jit(jax.vmap(train))(jnp.asarray(init_scales))
    found = _staircase.read_stages(run.times, run.loss, units)
    strength = np.abs(np.asarray(run.observables["map"])[-1])
    at_rest = strength[found["rest"].values.astype(int)]
    return found.assign(active=(("saddle", "coordinate"), (at_rest > 0.02 * strength.max()).astype(float)))


class DiagonalStages(Claim):
    """A diagonal linear network learns coordinate by coordinate, each when its utility adds up to log(1/alpha).

    Inputs are correlated by chance: P Gaussian ones of unequal variances. Times are those of half a drop.
    """

    source = Source("kunin2025", "diagonal linear networks", "asymptotic")
    metric, tolerance = (
        max_relative_error("time", "level", "active"),
        0.01,
    )  # measured: 0.0079; 0.031 at 1e-4, 0.015 at 1e-8
    limit = ("init_scale", (1e-4, 1e-8, 1e-16))

    teacher: tuple[float, ...] = (1.0, 0.0, -2.0, 0.0, 0.0, 1.5, 0.0, 0.0)  # beta*
    deviations: tuple[float, ...] = (1.5, 0.7)  # of the first and of the last coordinate of the inputs
    num_samples: int = 40  # P
    design_seed: int = 2
    init_scale: float = 1e-16  # alpha
    horizon: float = 1.0  # training time in units of log(1/alpha)
    learning_rate: float = 5e-4

    def _samples(self) -> Samples:
        import numpy as np

        rng, dim = np.random.default_rng(self.design_seed), len(self.teacher)
        inputs = rng.normal(size=(self.num_samples, dim)) * np.linspace(self.deviations[0], self.deviations[-1], dim)
        return tasks.make_samples(inputs, inputs @ np.array(self.teacher))

    def predict(self) -> xr.Dataset:
        return _predict(self._samples())

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure(self, self._samples(), (self.init_scale,))

    draw = staticmethod(_staircase.draw_staircase)


class ReturningCoordinate(Claim):
    """A coordinate whose weight falls back to zero is dormant again, and takes off anew from where it stood.

    Strongly correlated inputs, chosen so that coordinate 2 is learned first, leaves when 3 and 4 are there and is the
    last to come. Times are what each further log(1/alpha) adds, free of the constant that the fall itself takes.
    """

    source = Source("kunin2025", "diagonal linear networks, returning units", "asymptotic")
    metric, tolerance = max_relative_error("time", "level", "active"), 0.003  # measured: 0.001

    teacher: tuple[float, ...] = (2.0, -2.0, -2.0, 1.0)  # beta*
    num_samples: int = 12  # P
    design_seed: int = 19
    init_scales: tuple[float, ...] = (1e-13, 1e-20)  # alpha; below, rounding hides how far a dormant pair of weights is
    horizon: float = 4.5  # training time in units of log(1/alpha)
    learning_rate: float = 5e-4

    def _samples(self) -> Samples:
        import numpy as np

        rng, dim = np.random.default_rng(self.design_seed), len(self.teacher)
        inputs = rng.normal(size=(self.num_samples, dim)) @ rng.normal(size=(dim, dim))
        return tasks.make_samples(inputs, inputs @ np.array(self.teacher))

    def predict(self) -> xr.Dataset:
        return _predict(self._samples())

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure(self, self._samples(), self.init_scales)

    draw = staticmethod(_staircase.draw_staircase)
