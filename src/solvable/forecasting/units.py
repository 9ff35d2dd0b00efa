"""ReLU units, quadratic units, attention heads: each followed from saddle to saddle, from the network's own start."""

from dataclasses import dataclass
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from solvable.forecasting.measure import seed_key, start_network
from solvable.forecasting.prediction import (
    MOST_STEPS,
    Prediction,
    describe_direction,
    refuse_unstable,
    rule_warnings,
    stage_row,
)
from solvable.forecasting.settings import Settings
from solvable.forecasting.staircase import DROP, Staircase, make_staircase
from solvable.instruments import extreme_curvatures
from solvable.networks import UnitLayer
from solvable.tasks import ContextStatistics, Samples
from solvable.theory import flows
from solvable.training import make_objective

ENGINE = "staircase of saddles (alternating gradient flows)"
# Units of the network that are followed: more of them cost more than they change.
MOST_UNITS = 128
_MOST_SADDLES = 20
# Growth times on either side of a stage in which the loss may be on its way.
_DOUBT = 3.0
_UNITS = {"relu": (flows.relu_unit, 2), "quadratic": (flows.square_unit, 3), "attention": (flows.attention_unit, 3)}


@dataclass(frozen=True)
class UnitStaircase:
    """A staircase of a layer's units.

    Attributes
    ----------
    stairs
        The path of training.
    saddles
        Its saddles, with the units at each.
    network
        The units that were followed, at their start.
    why_it_ends
        A sentence where the theory's assumptions end before the loss is learned; empty where they do not.
    """

    stairs: Staircase
    saddles: tuple[flows.UnitSaddle, ...]
    network: UnitLayer
    why_it_ends: str

    def network_at(self, stage: int) -> UnitLayer:
        """The active units at a saddle; the others are 0."""
        saddle = self.saddles[stage]
        weights = jnp.asarray(saddle.directions * saddle.strength[:, None], self.network.first.dtype)
        first, second = jnp.split(weights, [self.network.first.shape[1]], axis=1)
        return eqx.tree_at(lambda layer: (layer.first, layer.second), self.network, (first, second.T))


def predict_units(samples: Samples, settings: Settings, names: list[str]) -> Prediction:
    """The forecast of a network of quadratic units, or of linear attention heads, from small weights.

    Parameters
    ----------
    samples
        The data; sequences for attention.
    settings
        The network and its training.
    names
        What each output stands for.

    Raises
    ------
    OutsideDomain
        A start that is not small, or a learning rate that is unstable at a saddle.

    References
    ----------
    kunin2025, alternating gradient flows of degree 3.
    """
    found = follow_units(samples, settings)
    stairs, limit = found.stairs, stable_rate(samples, found)
    refuse_unstable(limit, "this network", settings)
    steps = stairs.record(settings)
    return Prediction(
        ENGINE,
        steps,
        stairs.loss(steps),
        _strengths(found)[stairs.places(steps)],
        [unit_stage(found, stage, names, settings) for stage in stairs.stages(steps)],
        limit,
        [*_unit_warnings(found, settings), *rule_warnings(limit, settings)],
    )


def follow_units(samples: Samples, settings: Settings) -> UnitStaircase:
    """The staircase of the first network to be trained, as far as each saddle is reached before the next is left."""
    layer = start_network(samples, settings, seed_key(settings, 0))
    assert isinstance(layer, UnitLayer)
    network = UnitLayer(layer.first[:MOST_UNITS], layer.second[:, :MOST_UNITS], layer.unit)
    unit, degree = _UNITS[settings.model]
    weights = jnp.concatenate([network.first, network.second.T], axis=1) / settings.init_scale
    time_unit, most = flows.stage_time_unit(degree, settings.init_scale), MOST_STEPS * settings.learning_rate
    seen, why = [], ""

    def holds(saddle: flows.UnitSaddle, wait: float) -> bool:
        nonlocal why
        seen.append(saddle)
        if saddle.settled_time > wait * time_unit:
            why = (
                "The theory needs each saddle to be reached before the next one is left; here the units of the next "
                f"stage escape after a time of {wait * time_unit:.3g}, and coming to rest takes "
                f"{saddle.settled_time:.3g}: later stages are not forecast."
            )
        elif len(seen) > _MOST_SADDLES:
            why = f"The forecast ends after {_MOST_SADDLES} saddles."
        return not why and wait * time_unit < most and saddle.loss > DROP * seen[0].loss

    data = compress_sequences(samples) if settings.model == "attention" else samples
    path = flows.alternate(flows.SampledUnits(data, unit, weights, settings.init_scale, degree), holds)
    saddles = tuple(saddle for saddle in path.saddles if isinstance(saddle, flows.UnitSaddle))
    falls = np.array([saddle.half_time for saddle in saddles])
    times = path.flow_times(settings.init_scale) + falls
    doubt = np.array([_DOUBT * _scatter(*pair, degree) for pair in pairwise((saddles[0], *saddles))])
    stairs = make_staircase(path, times, settings.learning_rate, doubt)
    return UnitStaircase(stairs, saddles, network, why)


def compress_sequences(samples: Samples) -> Samples:
    """What linear heads see of sequences, in as few samples of their statistics as have the same loss.

    Parameters
    ----------
    samples
        Sequences (num_samples, token_dim, tokens) with one target each.

    Raises
    ------
    Raises nothing.

    References
    ----------
    None: a QR decomposition of features beside targets leaves every sum of squares as it is.
    """
    statistics = ContextStatistics(samples.inputs.shape[1] - 1, mean_over_context=True)
    rows = jnp.concatenate([jax.vmap(statistics)(samples.inputs), samples.targets], axis=1)
    root = jnp.linalg.qr(jnp.sqrt(samples.weights)[:, None] * rows, mode="r")
    return Samples(root[:, :-1], root[:, -1:], jnp.ones(len(root), root.dtype))


def stable_rate(samples: Samples, found: UnitStaircase) -> float:
    """2 over the largest curvature at any saddle."""
    objective = make_objective(found.network, samples)
    stages = range(len(found.saddles))
    sharpest = max(float(extreme_curvatures(objective, found.network_at(stage)).highest[0]) for stage in stages)
    return 2 / sharpest


def unit_stage(found: UnitStaircase, stage: int, names: list[str], settings: Settings) -> dict[str, float | str]:
    """One stage: which unit escapes, reading what and writing what."""
    _, degree = _UNITS[settings.model]
    before, after = found.saddles[stage - 1 : stage + 1]
    unit, layer = after.unit, found.network_at(stage)
    rate = degree * float(before.utility[unit])
    read, write = np.asarray(layer.first[unit]), np.asarray(layer.second[:, unit])
    learned = f"unit {unit}: {_describe_reading(read, settings)}{_describe_writing(write, names, settings)}"
    scatter = _scatter(before, after, degree) / settings.learning_rate
    return stage_row(
        step=float(found.stairs.at_steps[stage]), loss=float(after.loss), rate=rate, learned=learned, scatter=scatter
    )


def _scatter(before: flows.UnitSaddle, after: flows.UnitSaddle, degree: int) -> float:
    """Flow time that the theory leaves open: it leaves out a constant of order 1 in the exponent of the growth."""
    rate = degree * abs(float(before.utility[after.unit]))
    return max(after.half_time, 1 / max(rate, 1e-300)) if after.unit >= 0 else 0.0


def _describe_reading(weights: np.ndarray, settings: Settings) -> str:
    """The input that a unit reads most, and how much of it that is."""
    reads = weights[weights.size // 2 :] if settings.model == "attention" else weights
    most = int(np.argmax(np.abs(reads)))
    name = "component" if settings.model == "attention" else "input"
    return f"{name} {most} ({reads[most] ** 2 / max(float(reads @ reads), 1e-300):.0%} of what it reads)"


def _describe_writing(weights: np.ndarray, names: list[str], settings: Settings) -> str:
    if settings.model == "attention" or len(names) == 1:
        return "" if settings.model == "attention" else f", {'+' if weights[0] > 0 else '-'}"
    return f", {describe_direction(weights, names)}"


def _strengths(found: UnitStaircase) -> np.ndarray:
    """Singular values of the first-layer weights at each saddle."""
    return np.stack(
        [
            np.linalg.svd(np.asarray(found.network_at(stage).first), compute_uv=False)
            for stage in range(len(found.saddles))
        ]
    )


def _unit_warnings(found: UnitStaircase, settings: Settings) -> list[str]:
    warnings = ["The loss is given on the plateaus only; stages are those of the first network to be trained."]
    if settings.width > MOST_UNITS:
        warnings.append(
            f"{MOST_UNITS} of the {settings.width} units are followed: the first escape of all may come earlier."
        )
    return [*warnings, found.why_it_ends] if found.why_it_ends else warnings
