"""Linear networks: the narrow-network forecast of the whole curve."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from solvable.forecasting.prediction import (
    FEWEST_STEPS,
    Prediction,
    choose_steps,
    describe_direction,
    flow_horizon,
    record_steps,
    refuse_divergence,
    refuse_uncorrelated,
    round_up_steps,
    rule_warnings,
    stage_row,
    start_warnings,
)
from solvable.forecasting.settings import Settings
from solvable.instruments import find_stages
from solvable.numerics import Monomials
from solvable.tasks import Samples, sample_moments
from solvable.theory import flows
from solvable.training.trajectory import wait

# Where neighbouring eigenvalues are closer than this share, a new sample of the data may exchange them.
_NEAR = 0.05


def predict_linear(samples: Samples, settings: Settings, names: list[str]) -> Prediction:
    moments = flows.diagonalise(sample_moments(samples, Monomials(samples.inputs.shape[1], 1)))
    points = jax.tree.map(np.asarray, _untie(flows.greedy_fixed_points(moments), np.asarray(moments.sigma_yz)))
    refuse_uncorrelated(points.escape_rate[0], samples)
    count = int(np.sum(points.eigenvalues > 1e-3 * points.eigenvalues[0]))
    start = settings.init_scale * np.sqrt(settings.width / 2)
    flow_time = flow_horizon(start, points.escape_rate[: min(count, settings.width)])
    steps = settings.steps or choose_steps(flow_time, settings)
    network = {"width": settings.width, "init_scale": settings.init_scale}

    def run(rate: float, at: jax.Array) -> Any:
        # Arrays, not Python numbers: those would be compiled in.
        scales = {"init_scale": jnp.asarray(settings.init_scale), "learning_rate": jnp.asarray(rate)}
        width = jnp.asarray(float(settings.width))
        found = flows.narrow_network_forecast(moments, width=width, record_steps=at, **scales)
        return jax.tree.map(np.asarray, wait(found))

    def stable_rate() -> float:
        return float(flows.largest_stable_rate(moments, flow_time=flow_time, **network))

    curve = run(settings.learning_rate, record_steps(steps))
    refuse_divergence(curve, run, stable_rate, settings)
    stages = find_stages(curve.steps, curve.loss)
    if settings.steps is None and stages.drops:
        # Half as long again as the last stage takes, so that its end is seen.
        steps = min(steps, max(round_up_steps(1.5 * stages.drops[-1].end), FEWEST_STEPS))
        curve = run(settings.learning_rate, record_steps(steps))
        stages = find_stages(curve.steps, curve.loss)
    rows, learned = [], 0
    ends = [*(drop.start for drop in stages.drops[1:]), curve.steps[-1]]
    for drop, end in zip(stages.drops, ends, strict=False):
        modes = range(learned, max(_modes_at(curve, int(np.searchsorted(curve.steps, end))), learned + 1))
        if modes.stop > points.eigenvalues.size:
            break  # a fall that learns no new mode, as where the loss oscillates
        rows.append(_linear_stage(drop, modes, points, names, settings))
        learned = modes.stop
    limit = 2 / float(np.max(curve.sharpness))
    if settings.learning_rate > limit:
        limit = stable_rate()  # that of a curve which does not overshoot
    warnings = _linear_warnings(points, count, curve, start, limit, settings)
    return Prediction("narrow-network forecast", curve.steps, curve.loss, curve.strengths, rows, limit, warnings)


def _untie(points: flows.FixedPoints, sigma_yz: np.ndarray) -> flows.FixedPoints:
    """The fixed points that growth chooses where eigenvalues nearly coincide, as all do with fewer samples than inputs.

    Any directions within their space are then as good a fixed point, and the fastest-growing one is taken.
    """
    directions, eigenvalues = np.array(points.directions), np.asarray(points.eigenvalues)
    apart = np.flatnonzero(eigenvalues[1:] < (1 - _NEAR) * eigenvalues[:-1]) + 1
    for tied in np.split(np.arange(eigenvalues.size), apart):
        left = np.linalg.svd(directions[tied] @ sigma_yz, full_matrices=False)[0]
        directions[tied] = left.T @ directions[tied]
    residuals = [sigma_yz - directions[:done].T @ (directions[:done] @ sigma_yz) for done in range(len(directions) + 1)]
    rates = np.array([np.linalg.norm(residual, ord=2) for residual in residuals])
    return replace(points, directions=jnp.asarray(directions), escape_rate=jnp.asarray(rates))


def _modes_at(curve: Any, record: int) -> int:
    """Modes learned at a record: those whose strength has risen half-way to where it will be."""
    strengths = curve.strengths[min(record, len(curve.steps) - 1)]
    return int(np.sum(strengths > np.maximum(curve.strengths[-1] / 2, 100 * curve.strengths[0])))


def _linear_stage(drop, modes: range, points, names: list[str], settings: Settings) -> dict[str, Any]:
    rates = [float(points.escape_rate[mode]) for mode in modes]
    return stage_row(
        step=float(drop.time),
        loss=float(drop.below),
        level=float(points.loss[modes.stop]),
        rate=rates[0],
        learned="; ".join(describe_direction(points.directions[mode], names) for mode in modes),
        # The start's strength along a mode is a sum of squares over units: its logarithm scatters by sqrt(2/H).
        scatter=float(1 / (np.sqrt(2 * settings.width) * rates[0] * settings.learning_rate)),
    )


def _linear_warnings(points, count: int, curve, start: float, limit: float, settings: Settings) -> list[str]:
    warnings = []
    for mode in range(count - 1):
        upper, lower = points.eigenvalues[mode : mode + 2]
        if (upper - lower) < _NEAR * upper:
            warnings.append(
                f"Eigenvalues {mode + 1} and {mode + 2} of Sigma_yx Sigma_xx^-1 Sigma_xy nearly coincide "
                f"({upper:.4g} and {lower:.4g}): which comes first, and the later rates, may change with the sample."
            )
    warnings += start_warnings(start**2 / float(curve.strengths[-1].max()) ** 2, settings)
    if settings.width < 2 * count:
        warnings.append(
            f"Width {settings.width} is small for {count} modes: the start along each mode is no average over units."
        )
    return [*warnings, *rule_warnings(limit, settings)]
