"""Diagonal linear networks: the staircase of saddles, one coordinate after the other."""

from typing import Any

import numpy as np

from solvable.errors import OutsideDomain
from solvable.forecasting.prediction import (
    Prediction,
    refuse_uncorrelated,
    refuse_unstable,
    rule_warnings,
    stage_row,
)
from solvable.forecasting.settings import Settings
from solvable.forecasting.staircase import DROP, Staircase, make_staircase
from solvable.numerics import Monomials
from solvable.tasks import Samples, sample_moments
from solvable.theory import flows


def predict_diagonal(samples: Samples, settings: Settings, names: list[str]) -> Prediction:
    """The forecast of f(x) = sum_i u_i v_i x_i from u_i = sqrt2 init_scale, v_i = 0.

    Parameters
    ----------
    samples
        Inputs (num_samples, input_dim) and one target each.
    settings
        Its ``width`` is not used: each input has a unit.
    names
        What the output stands for.

    Raises
    ------
    OutsideDomain
        More than one output, a start that is not small, targets that do not correlate with the inputs, or a learning
        rate that diverges.

    References
    ----------
    kunin2025 and pesme2023, Algorithm 1: the limit of small weights, in which times are exact multiples of
    log(1/init_scale).
    """
    if samples.targets.shape[1] != 1:
        raise OutsideDomain(
            f"a diagonal network has one output and these data {samples.targets.shape[1]}; give one target, or two "
            "classes, which become -1 and +1."
        )
    if settings.init_scale >= 1:
        raise OutsideDomain(f"`init_scale` is {settings.init_scale:g}; a diagonal network needs weights below 1.")
    moments = sample_moments(samples, Monomials(samples.inputs.shape[1], 1))
    refuse_uncorrelated(float(np.max(np.abs(moments.sigma_yz))), samples)
    path = flows.diagonal_stages(moments)
    limit = _stable_rate(path, np.asarray(moments.sigma_zz))
    refuse_unstable(limit, "a diagonal network", settings)
    stairs = make_staircase(path, path.flow_times(settings.init_scale), settings.learning_rate)
    steps = stairs.record(settings)
    strengths = np.sort(np.abs([saddle.strength for saddle in path.saddles]), axis=1)[:, ::-1]
    return Prediction(
        "staircase of saddles (alternating gradient flows)",
        steps,
        stairs.loss(steps),
        strengths[stairs.places(steps)],
        [_stage(stairs, stage, settings) for stage in stairs.stages(steps)],
        limit,
        [*_diagonal_warnings(stairs, settings), *rule_warnings(limit, settings)],
    )


def _stage(stairs: Staircase, stage: int, settings: Settings) -> dict[str, Any]:
    before, after = stairs.path.saddles[stage - 1], stairs.path.saddles[stage]
    # Half the gradient is the utility of a unit; it grows at the gradient itself.
    rate = 2 * float(np.abs(before.utility[after.unit]))
    learned = f"input {after.unit} ({'+' if after.strength[after.unit] > 0 else '-'})"
    # The theory leaves out a constant of order 1 in the exponent of the growth.
    scatter = 1 / (max(rate, 1e-300) * settings.learning_rate)
    return stage_row(
        step=float(stairs.at_steps[stage]), loss=float(after.loss), rate=rate, learned=learned, scatter=scatter
    )


def _stable_rate(path: Any, sigma_zz: np.ndarray) -> float:
    """2 over the largest curvature at any saddle: along active coordinates, and of dormant ones under the residual."""
    sharpest = 0.0
    for saddle in path.saddles:
        root = np.sqrt(2 * np.abs(saddle.strength))
        active = root > 0
        if active.any():
            curvature = root[active, None] * sigma_zz[np.ix_(active, active)] * root[None, active]
            sharpest = max(sharpest, float(np.linalg.eigvalsh(curvature)[-1]))
        sharpest = max(sharpest, 2 * float(np.max(np.abs(saddle.utility))))
    return 2 / sharpest


def _diagonal_warnings(stairs: Staircase, settings: Settings) -> list[str]:
    log = np.log(1 / settings.init_scale)
    small = len(stairs.at_steps) - 1 - stairs.large.size
    warnings = [
        "The forecast is the limit of small weights: each time is right up to a constant over the growth rate, about "
        f"{1 / log:.0%} of a stage at this `init_scale`, and the loss is given on the plateaus only."
    ]
    if small:
        warnings.append(
            f"{small} further events change the loss by less than {DROP:.0%} of its start and are not listed."
        )
    return warnings
