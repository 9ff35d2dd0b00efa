"""Deep linear networks whose layers start along the modes of the data: exact curves, train and test."""

import jax
import jax.numpy as jnp
import numpy as np

from solvable.forecasting.data_modes import Modes, find_modes
from solvable.forecasting.held_out import forecast_test_error
from solvable.forecasting.prediction import (
    Prediction,
    choose_steps,
    describe_direction,
    record_steps,
    refuse_uncorrelated,
    refuse_unstable,
    rule_warnings,
    stage_row,
)
from solvable.forecasting.settings import Settings
from solvable.instruments import find_stages
from solvable.numerics import Monomials
from solvable.tasks import Moments, Samples, sample_moments
from solvable.theory import linear
from solvable.training.objective import moment_loss

# Covariance off the modes' own axes, as a share of all of it, below which they are taken to decouple.
_COMMUTES = 1e-6
# Modes weaker than this share of the strongest wait longer than anyone trains.
_WEAKEST = 1e-3


def predict_deep_linear(samples: Samples, settings: Settings, names: list[str]) -> Prediction:
    """The forecast of ``depth`` linear layers that start with singular values ``init_scale`` along the data's modes.

    Parameters
    ----------
    samples
        The training data.
    settings
        The network and its training; with a ``test_share``, the test error is forecast too, from the training data.
    names
        What each output stands for.

    Raises
    ------
    OutsideDomain
        Targets that do not correlate with the inputs, or a learning rate that diverges.

    References
    ----------
    saxe2014, gidel2019: modes that decouple; arora2018: any inputs; lampinen2018: test error.
    """
    moments = sample_moments(samples, Monomials(samples.inputs.shape[1], 1))
    refuse_uncorrelated(float(np.linalg.norm(moments.sigma_yz, 2)), samples)
    all_modes = find_modes(moments)
    # A hidden layer passes on as many modes as it has units.
    modes = all_modes.first(settings.width) if settings.depth > 1 else all_modes
    limit = 2 / _sharpest(modes, moments, settings.depth)
    refuse_unstable(limit, "this network", settings)
    steps = np.asarray(record_steps(settings.steps or choose_steps(1.5 * _last_time(modes, settings), settings)))
    exact = modes.coupling <= _COMMUTES
    strengths, loss = (_decoupled if exact else _coupled)(moments, modes, steps, settings)
    drops = find_stages(steps, loss).drops[: modes.covariance.size]
    test = forecast_test_error(samples, moments, all_modes, steps, settings)
    return Prediction(
        f"{'exact solution' if exact else 'end-to-end flow'} of {_layers(settings)}",
        steps,
        loss,
        strengths,
        [_stage(drop, mode, modes, names) for mode, drop in enumerate(drops)],
        limit,
        [_why(modes, exact), *test.remarks, *rule_warnings(limit, settings)],
        test_loss=test.loss,
        best_step=test.best_step,
    )


def _decoupled(moments: Moments, modes: Modes, steps: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Strengths, largest first, and loss where every mode learns by itself."""
    times = jnp.asarray(steps * settings.learning_rate)[:, None]
    covariance, variance = jnp.asarray(modes.covariance), jnp.asarray(modes.variance)
    if settings.depth == 1:
        strengths = linear.one_layer_mode(times, covariance[None], variance[None], jnp.zeros_like(covariance)[None])
    else:
        start = jnp.full_like(covariance, settings.start_strength)[None]
        strengths = linear.depth_mode(times * variance[None], (covariance / variance)[None], start, settings.depth)
    # What no map of these modes can fit.
    floor = (moments.target_power - jnp.sum(covariance**2 / variance)) / 2
    loss = jnp.maximum(floor, 0) + linear.modes_loss(strengths, covariance, variance)
    return -np.sort(-np.asarray(strengths), axis=1), np.asarray(loss)


def _coupled(moments: Moments, modes: Modes, steps: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Strengths, largest first, and loss of the end-to-end map on any inputs."""
    begin = settings.start_strength * jnp.asarray(modes.left @ modes.right.T)
    path = linear.end_to_end_path(moments, begin, jnp.asarray(steps * settings.learning_rate), settings.depth)
    loss = jax.vmap(moment_loss, (0, None))(path, moments)
    return np.linalg.svd(np.asarray(path), compute_uv=False), np.asarray(loss)


def _sharpest(modes: Modes, moments: Moments, depth: int) -> float:
    """The largest curvature at the solution, from above where modes are coupled."""
    if modes.coupling <= _COMMUTES:
        solution = jnp.asarray(modes.covariance / modes.variance)
        return float(jnp.max(modes.variance * linear.chain_curvature(solution, depth)))
    sigma_xx = np.asarray(moments.sigma_zz)
    solution = np.asarray(moments.sigma_yz) @ np.linalg.pinv(sigma_xx, hermitian=True)
    largest = jnp.asarray(np.linalg.norm(solution, 2))
    return float(np.linalg.norm(sigma_xx, 2) * linear.chain_curvature(largest, depth))


def _last_time(modes: Modes, settings: Settings) -> float:
    """Flow time by which the last mode of any weight has all but arrived."""
    strong = modes.covariance > _WEAKEST * modes.covariance[0]
    covariance, variance = modes.covariance[strong], modes.variance[strong]
    if settings.depth == 1:
        return float(5 / np.min(variance))
    goal = jnp.asarray(covariance / variance)
    begin = jnp.full_like(goal, settings.start_strength)
    spans = np.asarray(linear.depth_time(begin, 0.99 * goal, goal, settings.depth)) / variance
    return float(np.max(spans[np.isfinite(spans)], initial=1.0))


def _stage(drop, mode: int, modes: Modes, names: list[str]) -> dict[str, float | str]:
    return stage_row(
        step=float(drop.time),
        loss=float(drop.below),
        rate=float(modes.covariance[mode]),
        learned=describe_direction(modes.left[:, mode], names),
        scatter=0.0,  # the start is part of what is asked for
    )


def _why(modes: Modes, exact: bool) -> str:
    if exact:
        return (
            "The inputs' covariance and the correlation share their axes (white inputs always do), so that each mode "
            f"learns by itself from weights along it; off these axes is {modes.coupling:.1g} of the covariance."
        )
    return (
        f"The inputs' covariance couples the modes ({modes.coupling:.0%} of it is off their axes), so that the "
        "end-to-end map is integrated; whitened inputs have an exact solution and a forecast of the test error."
    )


def _layers(settings: Settings) -> str:
    return f"{settings.depth} linear layer{'' if settings.depth == 1 else 's'}"
