"""The main job: forecast training on a data set, train, and lay both side by side."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import jax
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from solvable.errors import Diverged, OutsideDomain
from solvable.forecasting.contexts import make_sequences
from solvable.forecasting.engines import predict
from solvable.forecasting.kernel import forecast_kernel
from solvable.forecasting.measure import train
from solvable.forecasting.prediction import Prediction
from solvable.forecasting.settings import Settings, make_settings
from solvable.forecasting.splits import Split, add_label_noise, split
from solvable.instruments import find_stages
from solvable.tasks import LabelledData, Samples, make_samples
from solvable.training import Trajectory

_STRENGTHS = {"diagonal": "largest |u_i v_i|", "deep-linear": "singular values of the map"}
_NUMBERS = ("predicted_step", "predicted_loss", "level", "singular_value", "scatter")


def forecast(
    inputs: ArrayLike | LabelledData | Samples,
    targets: ArrayLike | None = None,
    *,
    labels: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Forecast how a network or a kernel will learn a data set, train it, and return both side by side.

    Parameters
    ----------
    inputs
        Shape (num_samples, input_dim), finite; or ``LabelledData`` or ``Samples`` from ``solvable.tasks``.
    targets
        Shape (num_samples, output_dim) or (num_samples,), floating point.
    labels
        Class labels instead of targets, shape (num_samples,): targets become one-hot.
    classes
        With labels: the classes to keep, in the order of the outputs.
    **settings
        Fields of ``solvable.forecasting.Settings``: model, width, init_scale, learning_rate, steps, batch_size, train,
        seeds, seed; context_length for attention, for which the inputs alone count; depth, components, whiten,
        label_noise, test_share for deep linear networks; kernel, kernel_width, ridge, label_noise, test_share for
        ``model="kernel"``.

    Returns
    -------
    xr.Dataset
        ``predicted_loss (time)``, ``measured_loss (seed, time)``, ``predicted_strength (time, mode)``,
        ``measured_strength (seed, time, mode)``; per ``stage`` the predicted step, loss, level, singular value and
        what is learned, and ``measured_step (seed, stage)``, ``measured_stage_loss (seed, stage)``; with a test part,
        ``predicted_test_loss (time)``, ``measured_test_loss (seed, time)`` and the best step of each. Coordinates
        ``step`` and ``time`` (learning_rate * step). Attributes: model, engine, warnings (JSON), settings (JSON),
        curve_gap. Kernel regression, which has no time, is described by ``forecasting.kernel.forecast_kernel``.
        Measured variables are missing where nothing was trained. Losses are (1/2P) sum |y - f(x)|^2.

    Raises
    ------
    OutsideDomain
        Data or settings without meaning, or a learning rate that diverges; the message says which and what to do.
    Diverged
        Training left the finite numbers although the forecast did not.

    References
    ----------
    zhang2026.

    Examples
    --------
    >>> result = forecast(inputs, targets, width=200)
    """
    checked = make_settings(settings)
    if isinstance(inputs, Samples):
        if targets is not None or labels is not None:
            raise OutsideDomain("`inputs` are samples with targets of their own; leave out `targets` and `labels`.")
        inputs, targets = np.asarray(inputs.inputs), np.asarray(inputs.targets)
    with jax.enable_x64(True):
        if checked.model == "kernel":
            return forecast_kernel(_own_samples(inputs, targets, labels, classes, checked)[0], checked)
        data, names = _samples(inputs, targets, labels, classes, checked)
        samples = data.train
        _check_batch(samples, checked)
        prediction = predict(samples, checked, names)
        prediction.warnings.extend(data.remarks)
        trajectory = _train(data, checked, prediction) if checked.train else None
        return _assemble(prediction, trajectory, checked)


def _train(data: Split, settings: Settings, prediction: Prediction) -> Trajectory:
    """Train, and where a network diverges although the forecast did not, say at which step and what is stable."""
    samples = data.train
    outputs = samples.targets.shape[1] + (settings.model != "deep-linear")
    modes = min(3, *samples.inputs.shape, outputs, settings.width)
    try:
        trajectory = train(samples, settings, prediction.steps, modes, data.test)
        bad = np.flatnonzero(~np.all(np.isfinite(trajectory.loss), axis=0))
        if not bad.size:
            return trajectory
        step = int(prediction.steps[bad[0]])
    except Diverged as divergence:
        step = int(divergence.step)
    raise Diverged(
        f"training diverged by step {step} with `learning_rate` {settings.learning_rate:g}, though the forecast did "
        f"not, which is stable below {prediction.stable_rate:.3g}; use a smaller rate than both.",
        step,
    )


def _samples(inputs, targets, labels, classes, settings: Settings) -> tuple[Split, list[str]]:
    """What is learned and tested on, and what each output stands for."""
    if settings.model == "deep-linear":
        samples, names = _own_samples(inputs, targets, labels, classes, settings)
        return split(np.asarray(samples.inputs), np.asarray(samples.targets), settings), names
    if settings.model != "attention":
        samples, names = _own_samples(inputs, targets, labels, classes, settings)
        return Split(samples, None, ()), names
    if targets is not None:
        raise OutsideDomain("`targets` are given, but attention learns regression in context; leave them out.")
    array = inputs.inputs if isinstance(inputs, LabelledData) else _numbers("inputs", inputs).astype(float)
    sequences, remark = make_sequences(array, settings)
    return Split(sequences, None, (remark,)), ["the query's label"]


def _own_samples(inputs, targets, labels, classes, settings: Settings) -> tuple[Samples, list[str]]:
    if targets is not None and (labels is not None or isinstance(inputs, LabelledData)):
        raise OutsideDomain("both targets and labels are given; give one of them.")
    if labels is not None:
        inputs = LabelledData(np.asarray(inputs), np.asarray(labels), "the data")
    if isinstance(inputs, LabelledData):
        data = inputs.select(classes) if classes is not None else inputs
        if settings.label_noise:
            noisy = add_label_noise(np.asarray(data.labels), settings.label_noise, settings.seed)
            data = LabelledData(data.inputs, noisy, data.name, data.classes)
        names = [str(label) for label in data.classes]
        if settings.model == "diagonal" and len(names) == 2:
            signs = np.where(data.labels == data.classes[1], 1.0, -1.0)
            return make_samples(data.inputs, signs), [f"{names[1]} against {names[0]}"]
        return make_samples(data.inputs, data.one_hot()), names
    if targets is None:
        raise OutsideDomain("`targets` is missing; give targets (num_samples, output_dim), or `labels`.")
    if classes is not None:
        raise OutsideDomain(f"`classes` is {classes!r}, but targets have no classes; give `labels` instead of targets.")
    wanted = _numbers("targets", targets)
    if settings.label_noise:
        rng = np.random.default_rng(settings.seed + 3)
        wanted = wanted + settings.label_noise * rng.normal(size=wanted.shape)
    samples = make_samples(_numbers("inputs", inputs).astype(float), wanted)
    if samples.inputs.ndim != 2:
        raise OutsideDomain(f"`inputs` has shape {samples.inputs.shape}; it must be (num_samples, input_dim).")
    return samples, [f"output {index}" for index in range(samples.targets.shape[1])]


def _numbers(name: str, values: ArrayLike) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.array("ragged")
    if array.dtype.kind not in "biuf":
        raise OutsideDomain(f"`{name}` holds values that are not numbers; it must be an array of real numbers.")
    return array


def _check_batch(samples: Samples, settings: Settings) -> None:
    if settings.batch_size is not None and settings.batch_size > samples.num_samples:
        raise OutsideDomain(
            f"`batch_size` is {settings.batch_size}; it must be at most the {samples.num_samples} samples."
        )


def _assemble(prediction: Prediction, trajectory, settings: Settings) -> xr.Dataset:
    stages = prediction.stages
    variables: dict[str, Any] = {
        "predicted_loss": ("time", prediction.loss),
        "learned": ("stage", np.array([stage["learned"] for stage in stages], dtype=str)),
        **{
            name if name != "predicted_loss" else "predicted_stage_loss": ("stage", [stage[name] for stage in stages])
            for name in _NUMBERS
        },
    }
    if prediction.strengths is not None:
        variables["predicted_strength"] = (("time", "mode"), prediction.strengths[:, :3])
    attrs: dict[str, Any] = {
        "model": settings.model,
        "engine": prediction.engine,
        "warnings": json.dumps(prediction.warnings),
        "settings": json.dumps(asdict(settings)),
        "loss": "(1/2P) sum |y - f(x)|^2",
        "strength": _STRENGTHS.get(settings.model, "singular values of first-layer weights"),
        "time": "learning_rate * step",
    }
    if prediction.test_loss is not None:
        variables["predicted_test_loss"] = ("time", prediction.test_loss)
        attrs["best_step"] = prediction.best_step
    if trajectory is not None and "test_loss" in trajectory.observables:
        tested = np.asarray(trajectory.observables["test_loss"])
        variables["measured_test_loss"] = (("seed", "time"), tested)
        attrs["measured_best_step"] = float(prediction.steps[np.argmin(tested.mean(axis=0))])
    if trajectory is not None:
        measured = np.asarray(trajectory.loss)
        steps, losses = _measured_stages(prediction, measured, settings)
        variables |= {
            "measured_loss": (("seed", "time"), measured),
            "measured_strength": (("seed", "time", "mode_measured"), np.asarray(trajectory.observables["strength"])),
            "measured_step": (("seed", "stage_measured"), steps),
            "measured_stage_loss": (("seed", "stage_measured"), losses),
        }
        attrs["reduction"] = trajectory.reduction
        attrs["curve_gap"] = _curve_gap(prediction.loss, measured)
    coords = {"step": ("time", prediction.steps), "time": settings.learning_rate * prediction.steps}
    return xr.Dataset(variables, coords, attrs)


def _measured_stages(prediction: Prediction, measured: np.ndarray, settings: Settings):
    """Step and loss of every seed's drops, NaN past its last one; noise of minibatches is smoothed over."""
    smoothing = max(3, len(prediction.steps) // 30) if settings.batch_size else 0
    found = [find_stages(prediction.steps, curve, smoothing=smoothing).drops for curve in measured]
    most = max(map(len, found))
    steps, losses = np.full((2, len(found), most), np.nan)
    for seed, drops in enumerate(found):
        steps[seed, : len(drops)] = [drop.time for drop in drops]
        losses[seed, : len(drops)] = [drop.below for drop in drops]
    return steps, losses


def _curve_gap(predicted: np.ndarray, measured: np.ndarray) -> float:
    """Largest distance of any seed's curve from the forecast, in units of the initial loss."""
    return float(np.nanmax(np.abs(measured - predicted[None])) / predicted[0])
