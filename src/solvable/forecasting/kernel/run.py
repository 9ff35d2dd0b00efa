"""The forecast of kernel regression: error against number of samples, which ridge, how many samples halve the error."""

import json
from dataclasses import asdict
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from solvable.errors import OutsideDomain
from solvable.forecasting.kernel.data import KernelData, choose_kernel, prepare
from solvable.forecasting.kernel.measure import (
    MOST_FACTORED,
    Part,
    Whole,
    measure_larger,
    measure_nested,
    measure_stopping,
    measure_whole,
)
from solvable.forecasting.kernel.spectrum import Ensemble, continue_spectrum, weigh
from solvable.forecasting.settings import Settings
from solvable.instruments import KernelModes, factored_modes, fit_source_capacity
from solvable.numerics import Kernel, first_crossing, interpolate_logs, kernel_trace
from solvable.tasks import Samples
from solvable.theory.kernel import hermite_statistics

_QUANTILES = (0.1, 0.5, 0.9)
_SIZES, _FEWEST = 45, 10
# How far beyond the data the error is followed.
_FURTHEST = 300
_RIDGES = np.geomspace(1e-6, 1e2, 41)
_HERMITE_MODES = 1000


def forecast_kernel(samples: Samples, settings: Settings) -> xr.Dataset:
    """Error of kernel regression against number of samples, forecast from the training part and measured on the rest.

    Parameters
    ----------
    samples
        Inputs (num_samples, input_dim) and targets (num_samples, output_dim).
    settings
        Its ``kernel``, ``kernel_width``, ``ridge``, ``test_share``, ``train``, ``seed``.

    Returns
    -------
    xr.Dataset
        Per ``size``: ``predicted_error``, its 10% and 90% quantiles ``predicted_low``, ``predicted_high``,
        ``predicted_ridge``, and up to the size of the data ``covariance_error``, from raw covariance alone. Per
        ``part``, of ``part_size`` samples: ``measured_error``, ``measured_sampling`` (its standard error for the size
        of the test part, which all parts share), ``measured_ridge``, ``measured_wrong`` (share of wrong classes). Per
        ``ridge``: ``gcv``, ``leave_one_out``, ``train_error``, ``held_out_error``. Per ``mode`` the eigenvalues and the
        target's power. Per ``time`` of gradient flow on half the mean squared error, without a ridge: ``halves_error``
        (on each half of the training part, trained on the other) and ``stopped_error`` on the test part. Errors are
        mean squared, summed over outputs, without a half.

    Raises
    ------
    OutsideDomain
        Too few samples; inputs or targets that are all alike.

    References
    ----------
    simon2023a; wei2022; jacot2020; karkada2025.
    """
    data = prepare(samples, settings)
    kernel = choose_kernel(settings)
    ridge = None if settings.ridge == "auto" else float(settings.ridge)
    ridges = _RIDGES * float(kernel_trace(kernel, jnp.asarray(data.inputs)))
    if ridge is not None:
        ridges = np.unique(np.append(ridges, ridge))
    whole = measure_whole(data, kernel, ridges, ridge, settings.train)
    nested = measure_nested(data, kernel, whole, ridge, settings.train)
    stopping = measure_stopping(data, kernel, whole, nested, settings.train)
    larger, remarks = measure_larger(data, kernel, whole) if settings.train else ([], [])
    modes = factored_modes(whole.factored)
    ensemble = weigh(continue_spectrum(modes), nested.sizes, nested.left_out, whole.reference)
    total = len(data.inputs)
    sizes = np.unique(np.append(np.geomspace(_FEWEST, _FURTHEST * total, _SIZES).round(), total))
    chosen = np.full(sizes.size, ridge) if ridge is not None else ensemble.best_ridges(sizes, ridges[::2])
    variables = {
        **_predicted(ensemble, sizes, chosen),
        "covariance_error": ("size", _from_covariance(data, kernel, sizes, chosen)),
        **_statistics(whole),
        "halves_error": ("time", stopping.halves),
        "stopped_error": ("time", stopping.held_out),
        **_measured([*nested.parts, whole.part, *larger] if settings.train else []),
        "eigenvalue": ("mode", np.asarray(modes.eigenvalues)),
        "target_power": ("mode", np.asarray(modes.target_power)),
    }
    attrs = {
        "model": "kernel",
        "engine": f"spectrum of {whole.part.size} samples",
        "settings": json.dumps(asdict(settings)),
        "loss": "mean squared error on new samples, summed over outputs",
        "samples": total,
        "variance": float(np.mean(np.sum(data.targets**2, axis=1))),
        "reference_ridge": whole.reference,
        **_halving(ensemble, sizes, chosen, total),
        **_exponents(modes),
    }
    result = xr.Dataset(variables, {"size": sizes, "ridge": ridges, "time": stopping.times}, attrs)
    result.attrs["warnings"] = json.dumps([*remarks, *_warn(result)])
    if settings.train:
        result.attrs["curve_gap"] = _curve_gap(result)
    return result


def _predicted(ensemble: Ensemble, sizes: np.ndarray, ridges: np.ndarray) -> dict[str, Any]:
    low, middle, high = ensemble.quantiles(ensemble.curves(sizes, ridges), _QUANTILES)
    return {
        "predicted_error": ("size", middle),
        "predicted_low": ("size", low),
        "predicted_high": ("size", high),
        "predicted_ridge": ("size", ridges),
    }


def _from_covariance(data: KernelData, kernel: Kernel, sizes: np.ndarray, ridges: np.ndarray) -> np.ndarray:
    """NaN beyond the data: what the Hermite products do not hold is noise there, and no more is known of it."""
    inputs, targets = (jnp.asarray(part[:MOST_FACTORED]) for part in (data.inputs, data.targets))
    statistics = hermite_statistics(kernel, inputs, targets, num_modes=min(_HERMITE_MODES, max(len(inputs) // 5, 1)))
    known = sizes <= len(data.inputs)
    risks = statistics.risk(jnp.asarray(sizes[known]), ridge=jnp.asarray(ridges[known])).test
    return np.append(np.asarray(risks), np.full(int(np.sum(~known)), np.nan))


def _statistics(whole: Whole) -> dict[str, Any]:
    found = whole.statistics
    return {
        "gcv": ("ridge", np.asarray(found.gcv)),
        "leave_one_out": ("ridge", np.asarray(found.leave_one_out)),
        "train_error": ("ridge", np.asarray(found.train)),
        "held_out_error": ("ridge", whole.held_out),
    }


def _measured(parts: list[Part]) -> dict[str, Any]:
    ordered = sorted(parts, key=lambda part: part.size)
    if not ordered:
        return {}
    return {
        name: ("part", np.array([getattr(part, field) for part in ordered], dtype=float))
        for name, field in (
            ("part_size", "size"),
            ("measured_error", "held_out"),
            ("measured_sampling", "sampling"),
            ("measured_wrong", "wrong"),
            ("measured_ridge", "ridge"),
        )
    }


def _halving(ensemble: Ensemble, sizes: np.ndarray, ridges: np.ndarray, total: int) -> dict[str, float]:
    """Numbers of samples that halve the error, inf where it takes more than is looked at."""
    curves = ensemble.curves(sizes, ridges)
    now = curves[..., sizes == total]
    start = sizes >= total
    needed = np.apply_along_axis(
        lambda falls: first_crossing(np.log(sizes[start]), falls, -np.log(2)), -1, np.log(curves / now)[..., start]
    )
    low, middle, high = ensemble.quantiles(np.where(np.isnan(needed), np.inf, np.exp(needed)), _QUANTILES)
    return {"halving_samples": float(middle), "halving_low": float(low), "halving_high": float(high)}


def _exponents(modes: KernelModes) -> dict[str, float]:
    """Capacity and source with their uncertainties, where the sample is large enough for any."""
    try:
        return asdict(fit_source_capacity(np.asarray(modes.eigenvalues), np.asarray(modes.target_power)))
    except OutsideDomain:
        return {}


def _warn(result: xr.Dataset) -> list[str]:
    warnings = []
    left_out = result["leave_one_out"].values
    by_gcv = left_out[np.argmin(result["gcv"].values)]
    least = result["gcv"].values[np.argmin(left_out)]
    if least < 0.9 * left_out.min():
        warnings.append(
            f"Generalised cross-validation puts the error at {least:.3g}, leave-one-out at {left_out.min():.3g}: some "
            "samples are far from all others, and only the latter is right then."
        )
    if by_gcv > 1.02 * left_out.min():
        warnings.append(f"The ridge that it chooses has an error {by_gcv / left_out.min() - 1:.0%} above the best.")
    return warnings


def _curve_gap(result: xr.Dataset) -> float:
    """Largest distance of the mean measured error of a size from the forecast, relative to the latter."""
    measured = result["measured_error"].groupby(result["part_size"]).mean()
    predicted = interpolate_logs(measured["part_size"].values, result["size"].values, result["predicted_error"].values)
    return float(np.max(np.abs(measured / predicted - 1)))
