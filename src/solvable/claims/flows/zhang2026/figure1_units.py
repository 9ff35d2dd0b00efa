"""Figure 1 F, G: layers quadratic in the weights of their units gain one unit a stage.

Where the claims hold they train on the population from smaller weights than the paper's. At the paper's own setting
they are kept as failing: both tasks are isotropic, so a sample of 8192 moves the levels by 1 to 3% and singles out a
direction, and from epsilon = 0.005 the next unit is under way before the last has finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, numerics, tasks, theory
from solvable.claims import Claim, Source, max_curve_gap
from solvable.claims.flows.zhang2026 import _panels, _units

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.networks import Unit
    from solvable.tasks import Task, TeacherNetwork


def _square_teacher() -> TeacherNetwork:
    import jax.numpy as jnp

    return tasks.TeacherNetwork(jnp.eye(2), jnp.ones((1, 2)), numerics.activations.square, jnp.eye(2))


def _quadratic_levels(teacher: TeacherNetwork) -> xr.Dataset:
    # The teacher as y = x.A x, whose fixed points come as subsets: none, one of the two, both.
    eigenvalues = (teacher.second[0] * (teacher.first**2).sum(axis=1)).sort()
    loss = theory.flows.quadratic_network_levels(eigenvalues).loss
    return _panels.stage_levels(loss[0], loss[2], loss[3])


def _measure_population(claim: Any, unit: Unit, task: Task, key: jax.Array) -> xr.Dataset:
    steps = round(claim.horizon / claim.init_scale)
    return _panels.measure_stages(claim, unit, task, key, steps=steps, record=4000, effective_width=_panels.count_units)


def _measure_seeds(claim: Any, unit: Unit, task: Task, key: jax.Array) -> xr.Dataset:
    """The stages of ``claim.num_seeds`` networks trained on the same samples; those without a plateau are left out."""
    import jax
    import numpy as np
    import xarray as xr

    samples = _panels.draw_samples(task, claim.data_seed, claim.num_samples)
    runs = [
        _panels.measure_stages(claim, unit, samples, seed, record=claim.steps, effective_width=_panels.count_units)
        for seed in jax.random.split(key, claim.num_seeds)
    ]
    return xr.concat([run for run in runs if np.all(np.isfinite(run["level"]))], "seed")


def _draw_first(ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
    return _panels.draw_stages(ax, prediction, measurement.isel(seed=0))


class LinearAttentionStages(Claim):
    """Linear attention learns to regress in context one head, one direction of the inputs, at a time.

    At the paper's epsilon = 0.005 the intermediate level is passed, not reached, on some seeds with a second head well
    under way (``LinearAttentionAtPaperScale``); epsilon is a hundred times smaller here.
    """

    source = Source("zhang2026", "Fig. 1F and Eq. 69", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.01  # measured: up to 0.0042 over twelve seeds

    context_length: int = 32  # N
    width: int = 10  # H
    init_scale: float = 5e-5  # epsilon
    learning_rate: float = 0.04  # twice the paper's
    horizon: float = 2.0  # gradient steps times epsilon, since units take a time of order 1/epsilon

    def predict(self) -> xr.Dataset:
        return _units.attention_levels(_units.planar_regression(self.context_length))

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure_population(self, networks.AttentionHead(), _units.planar_regression(self.context_length), key)

    draw = staticmethod(_panels.draw_stages)


class LinearAttentionAtPaperScale(Claim):
    """From the paper's initial weights too, linear attention stops at the level of one head on its way to two."""

    source = Source("zhang2026", "Fig. 1F and App. I", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.01
    expected = "fails"
    reason = (
        "From epsilon = 0.005 the second head is under way before the first has finished: one network in eight "
        "shows no plateau (and is left out), another rests first far below the level, where both heads have grown, and "
        "the rest are flattest up to 0.06 of the initial loss beside it; start and end agree within the 1% by which a "
        "sample of 8192 scatters, though two to four heads end up large."
    )

    context_length: int = 32  # N
    num_samples: int = 8192  # P
    data_seed: int = 0
    num_seeds: int = 8  # networks
    width: int = 10  # H
    init_scale: float = 0.005  # epsilon
    learning_rate: float = 0.04  # twice the paper's
    steps: int = 400

    def predict(self) -> xr.Dataset:
        return _units.attention_levels(_units.planar_regression(self.context_length))

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure_seeds(self, networks.AttentionHead(), _units.planar_regression(self.context_length), key)

    draw = staticmethod(_draw_first)


class QuadraticNetworkStages(Claim):
    """A quadratic network uses one unit at a time, and rests at the loss of the best single one.

    At the paper's epsilon = 0.005 one seed in six passes the plateau, or ends with two units in place of the second
    (``QuadraticNetworkAtPaperScale``); it is ten times smaller here.
    """

    source = Source("zhang2026", "Fig. 1G and Eq. 71", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.01  # measured: below 1e-4 over twelve seeds

    width: int = 10  # H
    init_scale: float = 5e-4  # epsilon
    learning_rate: float = 0.08  # twice the paper's
    horizon: float = 15.0  # gradient steps times epsilon, since units take a time of order 1/epsilon

    def predict(self) -> xr.Dataset:
        return _quadratic_levels(_square_teacher())

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure_population(self, networks.Neuron(numerics.activations.square), _square_teacher(), key)

    draw = staticmethod(_panels.draw_stages)


class QuadraticNetworkAtPaperScale(Claim):
    """From the paper's initial weights too, a quadratic network rests at the loss of the best single unit."""

    source = Source("zhang2026", "Fig. 1G and App. I", "asymptotic")
    metric, tolerance = max_curve_gap("level", "effective_width"), 0.01
    expected = "fails"
    reason = (
        "A sample of 8192 moves the loss at the start by 3% and prefers a direction, so that networks rest at levels "
        "between 2.5 and 2.9 where the population has 8/3; that one unit rests there and two end the training agrees."
    )

    num_samples: int = 8192  # P
    data_seed: int = 0
    num_seeds: int = 8  # networks
    width: int = 10  # H
    init_scale: float = 0.005  # epsilon
    learning_rate: float = 0.08  # twice the paper's
    steps: int = 3000

    def predict(self) -> xr.Dataset:
        return _quadratic_levels(_square_teacher())

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure_seeds(self, networks.Neuron(numerics.activations.square), _square_teacher(), key)

    draw = staticmethod(_draw_first)
