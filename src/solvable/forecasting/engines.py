"""What theory says of a task: the forecast curve, its stages, and where an assumption fails."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from solvable.errors import OutsideDomain
from solvable.forecasting.settings import Settings
from solvable.instruments import find_stages
from solvable.numerics import Monomials
from solvable.tasks import Samples, sample_moments
from solvable.theory import flows
from solvable.training.trajectory import wait

_RECORDS = 300
# Divergence needs some tens of steps to show; stages that take longer than the most are not waited for.
_FEWEST_STEPS, _MOST_STEPS = 100, 100_000
# Where neighbouring eigenvalues are closer than this share, a new sample of the data may exchange them.
_NEAR = 0.05
# Below the stable rate the loss never rises above its start; rounding is allowed.
_RISE = 1.0001
# Initial strength, as a share of the learned one, above which the mean curve's gap passes 0.02 of the initial loss.
# Width 500, 8 seeds of a Gaussian task: 0.011 at 4e-3, 0.016 at 6e-3, 0.027 at 1e-2; digits 3/5: 0.024 at 2e-2.
# ReLU units must align too: width 400, the same task: 0.016 at 1e-6, 0.024 at 9e-4, 0.40 at 1e-2.
_SMALL_START = {"linear": 8e-3, "relu": 1e-3}
# Directions that ReLU units are tried from: the share that settles on a ray is known to a tenth.
_TRIALS = 256


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
    """

    engine: str
    steps: np.ndarray
    loss: np.ndarray
    strengths: np.ndarray | None
    stages: list[dict[str, Any]]
    stable_rate: float
    warnings: list[str] = field(default_factory=list)


Rerun = Callable[[float, jax.Array], Any]


def predict(samples: Samples, settings: Settings, names: list[str]) -> Prediction:
    """The forecast for a data set.

    Parameters
    ----------
    samples
        Inputs (num_samples, input_dim) and targets (num_samples, output_dim).
    settings
        The network and its training.
    names
        What each output stands for, such as class labels.

    Raises
    ------
    OutsideDomain
        Targets that do not correlate with the inputs, or a learning rate that diverges.

    References
    ----------
    zhang2026.
    """
    return (_predict_linear if settings.model == "linear" else _predict_relu)(samples, settings, names)


def _predict_linear(samples: Samples, settings: Settings, names: list[str]) -> Prediction:
    moments = flows.diagonalise(sample_moments(samples, Monomials(samples.inputs.shape[1], 1)))
    points = jax.tree.map(np.asarray, _untie(flows.greedy_fixed_points(moments), np.asarray(moments.sigma_yz)))
    _refuse_uncorrelated(points.escape_rate[0], samples)
    count = int(np.sum(points.eigenvalues > 1e-3 * points.eigenvalues[0]))
    start = settings.init_scale * np.sqrt(settings.width / 2)
    flow_time = _horizon(start, points.escape_rate[: min(count, settings.width)])
    steps = settings.steps or _steps(flow_time, settings)
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
    _refuse_divergence(curve, run, stable_rate, settings)
    stages = find_stages(curve.steps, curve.loss)
    if settings.steps is None and stages.drops:
        # Half as long again as the last stage takes, so that its end is seen.
        steps = min(steps, max(_round_up(1.5 * stages.drops[-1].end), _FEWEST_STEPS))
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


def record_steps(steps: int) -> jax.Array:
    """The steps at which both witnesses are recorded."""
    return jnp.asarray(np.unique(np.linspace(0, steps, _RECORDS + 1).round().astype(int)))


def _horizon(start: float, rates: np.ndarray) -> float:
    """Gradient-flow time by which every mode has surely escaped: as if each waited for the one before."""
    return 1.5 * max(float(np.log(1 / start)), 1.0) * float(np.sum(1 / rates[rates > 0]))


def _steps(flow_time: float, settings: Settings) -> int:
    return min(max(_round_up(flow_time / settings.learning_rate), _FEWEST_STEPS), _MOST_STEPS)


def _round_up(steps: float) -> int:
    """To two significant digits."""
    scale = 10 ** max(int(np.floor(np.log10(max(steps, 10)))) - 1, 0)
    return int(np.ceil(steps / scale) * scale)


def _modes_at(curve: Any, record: int) -> int:
    """Modes learned at a record: those whose strength has risen half-way to where it will be."""
    strengths = curve.strengths[min(record, len(curve.steps) - 1)]
    return int(np.sum(strengths > np.maximum(curve.strengths[-1] / 2, 100 * curve.strengths[0])))


def _linear_stage(drop, modes: range, points, names: list[str], settings: Settings) -> dict[str, Any]:
    rates = [float(points.escape_rate[mode]) for mode in modes]
    return {
        "predicted_step": float(drop.time),
        "predicted_loss": float(drop.below),
        "level": float(points.loss[modes.stop]),
        "singular_value": rates[0],
        "learned": "; ".join(describe_direction(points.directions[mode], names) for mode in modes),
        # The start's strength along a mode is a sum of squares over units: its logarithm scatters by sqrt(2/H).
        "scatter": float(1 / (np.sqrt(2 * settings.width) * rates[0] * settings.learning_rate)),
    }


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


def _linear_warnings(points, count: int, curve, start: float, limit: float, settings: Settings) -> list[str]:
    warnings = []
    for mode in range(count - 1):
        upper, lower = points.eigenvalues[mode : mode + 2]
        if (upper - lower) < _NEAR * upper:
            warnings.append(
                f"Eigenvalues {mode + 1} and {mode + 2} of Sigma_yx Sigma_xx^-1 Sigma_xy nearly coincide "
                f"({upper:.4g} and {lower:.4g}): which comes first, and the later rates, may change with the sample."
            )
    warnings += _start_warnings(start**2 / float(curve.strengths[-1].max()) ** 2, settings)
    if settings.width < 2 * count:
        warnings.append(
            f"Width {settings.width} is small for {count} modes: the start along each mode is no average over units."
        )
    return [*warnings, *_rule_warnings(limit, settings)]


def _start_warnings(share: float, settings: Settings) -> list[str]:
    if share <= _SMALL_START[settings.model]:
        return []
    return [
        f"The initialisation is too large for this forecast: `init_scale` {settings.init_scale:g} at width "
        f"{settings.width} starts at {share:.2g} of the strength to be learned, which should be below "
        f"{_SMALL_START[settings.model]:g}; weights that do not matter here then change the loss."
    ]


def _rule_warnings(limit: float, settings: Settings) -> list[str]:
    warnings = []
    if settings.learning_rate > limit:
        warnings.append(
            f"The learning rate {settings.learning_rate:g} is above the largest stable one, {limit:.3g}: "
            "the loss oscillates, and networks need not follow the forecast."
        )
    if settings.batch_size:
        warnings.append("The forecast is for all samples at once; minibatch noise is not part of it.")
    return warnings


def _refuse_uncorrelated(rate: float, samples: Samples) -> None:
    power = float(jnp.sum(samples.weights[:, None] * samples.targets**2))
    spread = float(jnp.sum(samples.weights[:, None] * samples.inputs**2))
    if rate <= 1e-12 * np.sqrt(power * spread) or power == 0:
        raise OutsideDomain(
            "the targets do not correlate with the inputs (Sigma_yx is 0), so nothing escapes from small weights; "
            "check that inputs and targets belong together."
        )


def _refuse_divergence(curve, run: Rerun, stable_rate: Callable[[], float], settings: Settings) -> None:
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


def _predict_relu(samples: Samples, settings: Settings, names: list[str]) -> Prediction:
    keys = jax.random.split(jax.random.key(settings.seed + 1))
    first = jax.random.normal(keys[0], (_TRIALS, samples.inputs.shape[1]), samples.inputs.dtype)
    second = jax.random.normal(keys[1], (samples.targets.shape[1], _TRIALS), samples.inputs.dtype)
    growth = jnp.asarray(max(float(np.log(1 / settings.init_scale)), 5.0))
    rays = jax.tree.map(np.asarray, wait(flows.settle_on_rays(samples, first, second, log_growth=growth)))
    _refuse_uncorrelated(float(rays.rates[0]), samples)
    start = settings.init_scale * np.sqrt(settings.width * float(rays.strength[0]))
    flow_time = 3 * _horizon(start, rays.rates[:1])
    steps = settings.steps or _steps(flow_time, settings)

    def run(rate: float, at: jax.Array) -> Any:
        scales = {"init_scale": jnp.asarray(settings.init_scale), "learning_rate": jnp.asarray(rate)}
        found = flows.ray_forecast(samples, rays, width=settings.width, record_steps=at, **scales)
        return jax.tree.map(np.asarray, wait(found))

    curve = run(settings.learning_rate, record_steps(steps))
    _refuse_divergence(curve, run, lambda: _stable_rate(run, samples, float(rays.rates[0]), flow_time), settings)
    stages = find_stages(curve.steps, curve.loss)
    rows = [_relu_stage(drop, rays, names, settings) for drop in stages.drops[:1]]
    # The first escape is over when its drop is; another may follow any time after.
    until = stages.drops[0].end if stages.drops else float(curve.steps[-1])
    limit = 2 / float(np.max(curve.sharpness[curve.steps <= until]))
    loss = np.where(curve.steps <= until, curve.loss, np.nan)
    warnings = [_relu_limits(rays, names, until), *_rule_warnings(limit, settings)]
    if stages.drops:
        growth = float(rays.rates[0]) * settings.learning_rate * stages.drops[0].time
        warnings += _start_warnings(float(np.exp(-2 * growth)), settings)
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
