"""ReLU networks: early alignment and the first escape."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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
    start_warnings,
)
from solvable.forecasting.settings import Settings
from solvable.instruments import find_stages
from solvable.tasks import Samples
from solvable.theory import flows
from solvable.training.trajectory import wait

# Directions that ReLU units are tried from: the share that settles on a ray is known to a tenth.
_TRIALS = 256


def predict_relu(samples: Samples, settings: Settings, names: list[str]) -> Prediction:
    keys = jax.random.split(jax.random.key(settings.seed + 1))
    first = jax.random.normal(keys[0], (_TRIALS, samples.inputs.shape[1]), samples.inputs.dtype)
    second = jax.random.normal(keys[1], (samples.targets.shape[1], _TRIALS), samples.inputs.dtype)
    growth = jnp.asarray(max(float(np.log(1 / settings.init_scale)), 5.0))
    rays = jax.tree.map(np.asarray, wait(flows.settle_on_rays(samples, first, second, log_growth=growth)))
    refuse_uncorrelated(float(rays.rates[0]), samples)
    start = settings.init_scale * np.sqrt(settings.width * float(rays.strength[0]))
    flow_time = 3 * flow_horizon(start, rays.rates[:1])
    steps = settings.steps or choose_steps(flow_time, settings)

    def run(rate: float, at: jax.Array) -> Any:
        scales = {"init_scale": jnp.asarray(settings.init_scale), "learning_rate": jnp.asarray(rate)}
        found = flows.ray_forecast(samples, rays, width=settings.width, record_steps=at, **scales)
        return jax.tree.map(np.asarray, wait(found))

    curve = run(settings.learning_rate, record_steps(steps))
    refuse_divergence(curve, run, lambda: _stable_rate(run, samples, float(rays.rates[0]), flow_time), settings)
    stages = find_stages(curve.steps, curve.loss)
    rows = [_relu_stage(drop, rays, names, settings) for drop in stages.drops[:1]]
    # The first escape is over when its drop is; another may follow any time after.
    until = stages.drops[0].end if stages.drops else float(curve.steps[-1])
    limit = 2 / float(np.max(curve.sharpness[curve.steps <= until]))
    loss = np.where(curve.steps <= until, curve.loss, np.nan)
    warnings = [_relu_limits(rays, names, until), *rule_warnings(limit, settings)]
    if stages.drops:
        growth = float(rays.rates[0]) * settings.learning_rate * stages.drops[0].time
        warnings += start_warnings(float(np.exp(-2 * growth)), settings)
    return Prediction("ray forecast", curve.steps, loss, None, rows, limit, warnings)


def _stable_rate(run: Rerun, samples: Samples, growth: float, flow_time: float) -> float:
    """2 over the largest sharpness of a curve with a rate that is safe whatever happens."""
    spread = float(jnp.linalg.norm(samples.inputs * jnp.sqrt(samples.weights)[:, None], ord=2)) ** 2
    safe = 0.1 / (growth + spread)
    steps = np.unique(np.geomspace(1, max(flow_time / safe, 2), 200).astype(int))
    return 2 / float(np.max(run(safe, jnp.asarray(steps)).sharpness))


def _relu_stage(drop, rays, names: list[str], settings: Settings) -> dict[str, Any]:
    rate = float(rays.rates[0])
    return {
        "predicted_step": float(drop.time),
        "predicted_loss": float(drop.below),
        "level": float(drop.below),
        "singular_value": rate,
        "learned": describe_direction(rays.outputs[0], names),
        "scatter": float(1 / (np.sqrt(2 * settings.width) * rate * settings.learning_rate)),
    }


def _relu_limits(rays, names: list[str], until: float) -> str:
    """What theory gives of a ReLU network, and plainly what it does not."""
    listed = ", ".join(
        f"{rate:.3g} ({describe_direction(output, names)})"
        for rate, output, share in zip(rays.rates, rays.outputs, rays.strength, strict=True)
        if rate > 0.05 * rays.rates[0] and share > 0.01 * rays.strength.max()
    )
    return (
        f"For ReLU units theory gives the early alignment (rays of growth rate {listed}) and the first escape. "
        f"It gives no stage after step {until:.0f}: how rays interact is an open problem, "
        "so the later curve is measured only."
    )
