"""ReLU networks: early alignment, the first escape, and the saddles after it where they can be followed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from solvable.errors import OutsideDomain
from solvable.forecasting.prediction import (
    Prediction,
    Rerun,
    choose_steps,
    describe_direction,
    flow_horizon,
    record_steps,
    refuse_divergence,
    refuse_uncorrelated,
    rule_warnings,
    stage_row,
    start_warnings,
)
from solvable.forecasting.settings import Settings
from solvable.forecasting.units import ENGINE, MOST_UNITS, UnitStaircase, follow_units, stable_rate, unit_stage
from solvable.instruments import find_stages
from solvable.tasks import Samples
from solvable.theory import flows
from solvable.training.trajectory import wait

# Directions that ReLU units are tried from: the share that settles on a ray is known to a tenth.
_TRIALS = 256
# Units times entries of the inputs: beyond this, following units takes longer than training.
_MOST_WORK = 3e6


def predict_relu(samples: Samples, settings: Settings, names: list[str]) -> Prediction:
    keys = jax.random.split(jax.random.key(settings.seed + 1))
    first = jax.random.normal(keys[0], (_TRIALS, samples.inputs.shape[1]), samples.inputs.dtype)
    second = jax.random.normal(keys[1], (samples.targets.shape[1], _TRIALS), samples.inputs.dtype)
    growth = jnp.asarray(max(float(np.log(1 / settings.init_scale)), 5.0))
    rays = jax.tree.map(np.asarray, wait(flows.settle_on_rays(samples, first, second, log_growth=growth)))
    refuse_uncorrelated(float(rays.rates[0]), samples)
    start = settings.init_scale * np.sqrt(settings.width * float(rays.strength[0]))
    flow_time = 3 * flow_horizon(start, rays.rates[:1])

    def run(rate: float, at: jax.Array) -> Any:
        scales = {"init_scale": jnp.asarray(settings.init_scale), "learning_rate": jnp.asarray(rate)}
        forecast = flows.ray_forecast(samples, rays, width=settings.width, record_steps=at, **scales)
        return jax.tree.map(np.asarray, wait(forecast))

    curve = run(settings.learning_rate, record_steps(settings.steps or choose_steps(flow_time, settings)))
    refuse_divergence(curve, run, lambda: _stable_rate(run, samples, float(rays.rates[0]), flow_time), settings)
    found, why_not = _later_saddles(samples, settings)
    if found and not settings.steps:
        curve = run(settings.learning_rate, jnp.asarray(found.stairs.record(settings)))
    drops = find_stages(curve.steps, curve.loss).drops[:1]
    rows = [_relu_stage(drop, rays, names, settings) for drop in drops]
    # The first escape is over when its drop is; another may follow any time after.
    until = drops[0].end if drops else float(curve.steps[-1])
    limit = 2 / float(np.max(curve.sharpness[curve.steps <= until]))
    loss = np.where(curve.steps <= until, curve.loss, np.nan)
    engine, warnings = "ray forecast", [_early_alignment(rays, names)]
    if found and drops:
        engine = f"ray forecast of the first escape, then {ENGINE}"
        loss = np.where(curve.steps <= until, curve.loss, found.stairs.loss(curve.steps))
        rows += [unit_stage(found, stage, names, settings) for stage in found.stairs.stages(curve.steps)[1:]]
        limit = min(limit, stable_rate(samples, found))
        why_not = found.why_it_ends
    if why_not:
        warnings.append(why_not)
    warnings += rule_warnings(limit, settings)
    if drops:
        growth = float(rays.rates[0]) * settings.learning_rate * drops[0].time
        warnings += start_warnings(float(np.exp(-2 * growth)), settings)
    return Prediction(engine, curve.steps, loss, None, rows, limit, warnings)


def _later_saddles(samples: Samples, settings: Settings) -> tuple[UnitStaircase | None, str]:
    """The staircase beyond the first escape where its assumptions hold, or the sentence that says why not."""
    if min(settings.width, MOST_UNITS) * samples.inputs.size > _MOST_WORK:
        return None, (
            f"The ray forecast ends with the first escape: to follow each unit from saddle to saddle over "
            f"{samples.num_samples} samples of {samples.inputs.shape[1]} inputs would cost more than to train."
        )
    try:
        found = follow_units(samples, settings)
    except OutsideDomain:
        return None, "The ray forecast ends with the first escape: units that are not small have no saddles to follow."
    if found.stairs.large.size > 1:
        return found, ""
    return None, found.why_it_ends or "Nothing is left to learn after the first escape."


def _stable_rate(run: Rerun, samples: Samples, growth: float, flow_time: float) -> float:
    """2 over the largest sharpness of a curve with a rate that is safe whatever happens."""
    spread = float(jnp.linalg.norm(samples.inputs * jnp.sqrt(samples.weights)[:, None], ord=2)) ** 2
    safe = 0.1 / (growth + spread)
    steps = np.unique(np.geomspace(1, max(flow_time / safe, 2), 200).astype(int))
    return 2 / float(np.max(run(safe, jnp.asarray(steps)).sharpness))


def _relu_stage(drop, rays, names: list[str], settings: Settings) -> dict[str, Any]:
    rate = float(rays.rates[0])
    return stage_row(
        step=float(drop.time),
        loss=float(drop.below),
        rate=rate,
        learned=describe_direction(rays.outputs[0], names),
        scatter=float(1 / (np.sqrt(2 * settings.width) * rate * settings.learning_rate)),
    )


def _early_alignment(rays, names: list[str]) -> str:
    listed = ", ".join(
        f"{rate:.3g} ({describe_direction(output, names)})"
        for rate, output, share in zip(rays.rates, rays.outputs, rays.strength, strict=True)
        if rate > 0.05 * rays.rates[0] and share > 0.01 * rays.strength.max()
    )
    return f"While small, ReLU units align with rays of growth rate {listed}; those on the fastest escape first."
