"""What every engine hands back, and what engines share: how long to look, what to refuse and to warn of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from solvable.errors import OutsideDomain
from solvable.forecasting.settings import Settings
from solvable.tasks import Samples

_RECORDS = 300
# Divergence needs some tens of steps to show; stages that take longer than the most are not waited for.
FEWEST_STEPS, MOST_STEPS = 100, 100_000
# Below the stable rate the loss never rises above its start; rounding is allowed.
_RISE = 1.0001
# Initial strength, as a share of the learned one, above which the mean curve's gap passes 0.02 of the initial loss.
# Width 500, 8 seeds of a Gaussian task: 0.011 at 4e-3, 0.016 at 6e-3, 0.027 at 1e-2; digits 3/5: 0.024 at 2e-2.
# ReLU units must align too: width 400, the same task: 0.016 at 1e-6, 0.024 at 9e-4, 0.40 at 1e-2.
_SMALL_START = {"linear": 8e-3, "relu": 1e-3}


@dataclass(frozen=True)
class Prediction:
    """A forecast before anything is trained.

    Attributes
    ----------
    engine
        Which theory made it.
    steps, loss
        The curve, shape (record,); NaN where theory does not reach.
    strengths
        Singular values of the first-layer weights, shape (record, mode); None where there is no theory of them.
    stages
        One dictionary a stage.
    stable_rate
        Largest learning rate at which the forecast itself is stable.
    warnings
        Sentences.
    test_loss, best_step
        Loss on new data, shape (record,), and the step at which it is smallest; None where there is no theory of it.
    """

    engine: str
    steps: np.ndarray
    loss: np.ndarray
    strengths: np.ndarray | None
    stages: list[dict[str, Any]]
    stable_rate: float
    warnings: list[str] = field(default_factory=list)
    test_loss: np.ndarray | None = None
    best_step: float | None = None


Rerun = Callable[[float, jax.Array], Any]


def record_steps(steps: int) -> jax.Array:
    """The steps at which both witnesses are recorded."""
    return jnp.asarray(np.unique(np.linspace(0, steps, _RECORDS + 1).round().astype(int)))


def flow_horizon(start: float, rates: np.ndarray) -> float:
    """Gradient-flow time by which every mode has surely escaped: as if each waited for the one before."""
    return 1.5 * max(float(np.log(1 / start)), 1.0) * float(np.sum(1 / rates[rates > 0]))


def choose_steps(flow_time: float, settings: Settings) -> int:
    return min(max(round_up_steps(flow_time / settings.learning_rate), FEWEST_STEPS), MOST_STEPS)


def round_up_steps(steps: float) -> int:
    """To two significant digits."""
    scale = 10 ** max(int(np.floor(np.log10(max(steps, 10)))) - 1, 0)
    return int(np.ceil(steps / scale) * scale)


def describe_direction(direction: np.ndarray, names: list[str]) -> str:
    """A direction in output space in words: which outputs move together, and which against them."""
    if len(names) == 1:
        return names[0]
    weights = direction / np.max(np.abs(direction))
    weights = weights if np.sum(weights) >= 0 else -weights
    large = [(name, weight) for name, weight in zip(names, weights, strict=True) if abs(weight) > 0.3]
    up = " + ".join(name for name, weight in large if weight > 0)
    down = " + ".join(name for name, weight in large if weight < 0)
    return (
        f"{up} against {down}"
        if up and down
        else f"{(up or down).replace(' + ', ' and ')} alike"
        if len(large) > 1
        else up or down
    )


def start_warnings(share: float, settings: Settings) -> list[str]:
    if share <= _SMALL_START[settings.model]:
        return []
    return [
        f"The initialisation is too large for this forecast: `init_scale` {settings.init_scale:g} at width "
        f"{settings.width} starts at {share:.2g} of the strength to be learned, which should be below "
        f"{_SMALL_START[settings.model]:g}; weights that do not matter here then change the loss."
    ]


def rule_warnings(limit: float, settings: Settings) -> list[str]:
    warnings = []
    if settings.learning_rate > limit:
        warnings.append(
            f"The learning rate {settings.learning_rate:g} is above the largest stable one, {limit:.3g}: "
            "the loss oscillates, and networks need not follow the forecast."
        )
    if settings.batch_size:
        warnings.append("The forecast is for all samples at once; minibatch noise is not part of it.")
    return warnings


def refuse_uncorrelated(rate: float, samples: Samples) -> None:
    power = float(jnp.sum(samples.weights[:, None] * samples.targets**2))
    spread = float(jnp.sum(samples.weights[:, None] * samples.inputs**2))
    if rate <= 1e-12 * np.sqrt(power * spread) or power == 0:
        raise OutsideDomain(
            "the targets do not correlate with the inputs (Sigma_yx is 0), so nothing escapes from small weights; "
            "check that inputs and targets belong together."
        )


def refuse_unstable(limit: float, network: str, settings: Settings) -> None:
    """Refuse a learning rate above the largest at which gradient descent on the network stays at its saddles."""
    if settings.learning_rate > limit:
        raise OutsideDomain(
            f"`learning_rate` is {settings.learning_rate:g}: gradient descent on {network} is stable below "
            f"{limit:.3g} for these data; use a smaller one."
        )


def stage_row(
    *, step: float, loss: float, rate: float, learned: str, scatter: float, level: float | None = None
) -> dict[str, float | str]:
    """One stage as the table and the file show it; the level is the loss unless it is known better."""
    return {
        "predicted_step": step,
        "predicted_loss": loss,
        "level": loss if level is None else level,
        "singular_value": rate,
        "learned": learned,
        "scatter": scatter,
    }


def refuse_divergence(curve, run: Rerun, stable_rate: Callable[[], float], settings: Settings) -> None:
    """Refuse where the loss rises above its start and never comes back; the step is the first one above."""
    above = np.flatnonzero(~(curve.loss <= _RISE * curve.loss[0]))
    if above.size == 0 or curve.loss[-1] <= curve.loss[0]:
        return
    last, first = int(curve.steps[above[0] - 1]), int(curve.steps[above[0]])
    fine = run(settings.learning_rate, jnp.arange(last, first + 1))
    step = last + int(np.argmin(fine.loss <= _RISE * curve.loss[0]))
    raise OutsideDomain(
        f"`learning_rate` is {settings.learning_rate:g}: gradient descent diverges at step {step}; "
        f"the largest stable rate for these data is {stable_rate():.3g}; use a smaller one."
    )
