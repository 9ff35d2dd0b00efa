"""``solvable forecast``: the main job from the command line."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solvable.cli_kernel import kernel_summary, show_kernel

if TYPE_CHECKING:
    import xarray as xr

_DEFAULT_OUT = "solvable-forecast"
_DEFAULT_CLASSES = (3, 5)
# Options about data and output; all others are settings of the forecast, by the same names.
_NO_SETTINGS = ("data", "classes", "out", "overwrite", "as_json")

Model = Annotated[str, typer.Option(help="linear, relu, diagonal, quadratic, attention, deep-linear or kernel.")]
TestShare = Annotated[
    float | None,
    typer.Option(help="Share of samples to test on, for deep-linear and kernel.", show_default="0, or 0.2 for kernel"),
]
KernelWidth = Annotated[
    float, typer.Option(help="Of rbf and laplace, in root mean square lengths of the centred inputs.")
]
Ridge = Annotated[
    str, typer.Option(metavar="auto|NUMBER", help="Of the sum over samples, for kernel; auto chooses the best.")
]


def forecast(
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="A .npz, .csv or IDX (.gz) file; built-in digits without it.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Classes to tell apart, such as 3,5.", show_default="3,5; all for kernel")
    ] = None,
    model: Model = "linear",
    width: Annotated[int | None, typer.Option(help="Hidden units.", show_default="by model")] = None,
    init_scale: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of the initial weights.",
            show_default="by model",
        ),
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="On the half mean squared error.")] = 0.02,
    steps: Annotated[int | None, typer.Option(help="Gradient steps.", show_default="as many as needed")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples a step.", show_default="all")] = None,
    train: Annotated[bool, typer.Option("--train/--no-train", help="Train, or forecast only.")] = True,
    seeds: Annotated[int, typer.Option(help="Networks to train, all at once.")] = 1,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    context_length: Annotated[int, typer.Option(help="Examples in a sequence, for attention.")] = 31,
    depth: Annotated[int, typer.Option(help="Weight layers, for deep-linear.")] = 2,
    components: Annotated[
        int | None, typer.Option(help="Leading components of the inputs to keep, for deep-linear.", show_default="all")
    ] = None,
    whiten: Annotated[bool, typer.Option("--whiten", help="Whiten the inputs, for deep-linear.")] = False,
    label_noise: Annotated[float, typer.Option(help="Share of labels made wrong, for deep-linear and kernel.")] = 0.0,
    test_share: TestShare = None,
    kernel: Annotated[str, typer.Option(help="rbf, laplace, relu-ntk or linear, for kernel.")] = "rbf",
    kernel_width: KernelWidth = 1.0,
    ridge: Ridge = "auto",
    out: Annotated[Path | None, typer.Option(metavar="DIR", show_default=f"a new {_DEFAULT_OUT}")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what --out holds already.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")
    ] = False,
) -> None:
    """Say how training will go on DATA (which stages, when, at what loss), train, and show both.

    With --model kernel: how the test error falls with the number of samples, and which ridge is best.
    """
    settings = {name: value for name, value in locals().items() if name not in _NO_SETTINGS}
    from rich.console import Console

    from solvable.forecasting import read_classes, read_ridge
    from solvable.report.publish import check_destination, publish

    settings["ridge"] = read_ridge(ridge)
    chosen = read_classes(classes)
    target = out if out is not None else _fresh(Path(_DEFAULT_OUT))
    check_destination(target, overwrite)
    with Console(stderr=True).status("forecasting and training" if train else "forecasting"):
        result = _run(data, chosen, settings)
    with publish(target, overwrite=overwrite) as fresh:
        files = _write(result, fresh, target)
    if as_json:
        print(json.dumps(summary(result, files), allow_nan=False))
    else:
        _show(result, files)


def _run(data: str | None, classes: tuple[Any, ...] | None, settings: dict[str, Any]) -> "xr.Dataset":
    from solvable import tasks
    from solvable.forecasting import forecast as run
    from solvable.forecasting import make_settings

    make_settings(settings)  # refuses a mistake before a file is read
    labelled = tasks.load_digits() if data is None else tasks.load_data(data)
    if not classes and data is None and settings["model"] != "kernel":
        classes = _DEFAULT_CLASSES
    return run(labelled, classes=classes, **settings)


def _fresh(path: Path) -> Path:
    """``path``, or the first of ``path-2``, ``path-3``, ... that does not exist."""
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def _write(result: "xr.Dataset", directory: Path, target: Path) -> list[str]:
    from solvable.report.forecast_figure import forecast_figure
    from solvable.report.kernel_figure import kernel_figure

    result.to_netcdf(directory / "forecast.nc", engine="h5netcdf")
    draw = kernel_figure if result.attrs["model"] == "kernel" else forecast_figure
    draw(result).savefig(directory / "forecast.png", dpi=150)
    files = [str(target / name) for name in ("forecast.png", "forecast.nc", "forecast.json")]
    text = json.dumps(summary(result, files), indent=2, allow_nan=False)
    (directory / "forecast.json").write_text(text + "\n", encoding="utf-8")
    return files


def summary(result: "xr.Dataset", files: list[str]) -> dict[str, Any]:
    """What ``forecast --json`` prints: plain values, None where nothing was predicted or measured.

    Parameters
    ----------
    result
        From ``solvable.forecast``.
    files
        What was written.

    Raises
    ------
    KeyError
        A data set that is no forecast.

    References
    ----------
    None.
    """
    common = {
        "model": result.attrs["model"],
        "engine": result.attrs["engine"],
        "warnings": json.loads(result.attrs["warnings"]),
        "settings": json.loads(result.attrs["settings"]),
        "loss": result.attrs["loss"],
    }
    if result.attrs["model"] == "kernel":
        return {**common, **kernel_summary(result), "files": files}
    return {
        **common,
        "steps": int(result["step"].values[-1]),
        "stages": stage_rows(result),
        "curve_gap": result.attrs.get("curve_gap"),
        "best_step": result.attrs.get("best_step"),
        "measured_best_step": result.attrs.get("measured_best_step"),
        "files": files,
    }


def stage_rows(result: "xr.Dataset") -> list[dict[str, Any]]:
    """One row a stage, predicted beside measured (mean and standard deviation over seeds).

    Parameters
    ----------
    result
        From ``solvable.forecast``.

    Raises
    ------
    KeyError
        A data set that is no forecast.

    References
    ----------
    None.
    """
    import numpy as np

    predicted = result.sizes["stage"]
    measured = result.sizes.get("stage_measured", 0)
    rows = []
    for stage in range(max(predicted, measured)):
        row: dict[str, Any] = {"stage": stage + 1}
        for name, variable in (
            ("predicted_step", "predicted_step"),
            ("predicted_loss", "predicted_stage_loss"),
            ("level", "level"),
            ("singular_value", "singular_value"),
            ("scatter", "scatter"),
        ):
            row[name] = float(result[variable][stage]) if stage < predicted else None
        row["learned"] = str(result["learned"].values[stage]) if stage < predicted else None
        for name, variable in (("measured_step", "measured_step"), ("measured_loss", "measured_stage_loss")):
            seeds = result[variable].values[:, stage] if stage < measured else np.array([])
            seeds = seeds[np.isfinite(seeds)]
            row[name] = float(seeds.mean()) if seeds.size else None
            row[f"{name}_std"] = float(seeds.std()) if seeds.size > 1 else None
        rows.append(row)
    return rows


def _describe_network(settings: dict[str, Any]) -> str:
    if settings["model"] == "diagonal":
        return f"Diagonal network, one unit an input, from weights √2·{settings['init_scale']:g} and 0"
    if settings["model"] == "attention":
        return f"{settings['width']} linear attention heads, weights from N(0, {settings['init_scale']:g}²)"
    if settings["model"] == "deep-linear":
        start = f", each of singular values {settings['init_scale']:.3g} along the data's modes"
        return f"{settings['depth']} linear layer(s), width {settings['width']}{start if settings['depth'] > 1 else ''}"
    return (
        f"Two-layer {settings['model']} network, width {settings['width']}, weights from N(0, "
        f"{settings['init_scale']:g}²)"
    )


def _show(result: "xr.Dataset", files: list[str]) -> None:
    from rich.console import Console

    if result.attrs["model"] == "kernel":
        show_kernel(result, files)
        return

    from solvable.report.tables import stage_table

    console = Console(highlight=False)
    settings = json.loads(result.attrs["settings"])
    console.print(
        f"{_describe_network(settings)}, learning rate {settings['learning_rate']:g}, "
        f"{int(result['step'].values[-1])} steps of {settings['batch_size'] or 'all'} samples.",
        markup=False,
    )
    console.print(f"Engine: {result.attrs['engine']}. Loss: {result.attrs['loss']}.", markup=False)
    console.print(stage_table(stage_rows(result)))
    for warning in json.loads(result.attrs["warnings"]):
        console.print(f"Warning: {warning}", markup=False)
    gap = result.attrs.get("curve_gap", math.nan)
    if math.isfinite(gap):
        console.print(f"Largest distance of the training curve from the forecast: {gap:.1%} of the initial loss.")
    if "measured_best_step" in result.attrs or "best_step" in result.attrs:
        known = lambda name: f"{result.attrs[name]:.0f}" if name in result.attrs else "unknown"  # noqa: E731
        console.print(
            f"Best step to stop at by the test loss: forecast {known('best_step')}, measured "
            f"{known('measured_best_step')}.",
            markup=False,
        )
    console.print(f"Figure and data: {', '.join(files)}", markup=False, soft_wrap=True)
