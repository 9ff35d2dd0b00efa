"""Tables for the terminal, from the same rows that ``--json`` prints."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text


def verdict_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line a claim: error, tolerance, verdict, seconds; what came out against expectation stands out.

    Parameters
    ----------
    rows
        What ``solvable check --json`` lists under ``claims``.

    Raises
    ------
    KeyError
        A row that is not a verdict.

    References
    ----------
    None.
    """
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    table.add_column("claim", overflow="fold")
    for name in ("error", "tolerance"):
        table.add_column(name, justify="right")
    table.add_column("verdict", overflow="fold")
    table.add_column("seconds", justify="right")
    for row in rows:
        error = "none" if row["error"] is None else f"{row['error']:.3g}"
        key = f"{row['paper']}/{row['claim']}"
        table.add_row(key, error, f"{row['tolerance']:g}", _outcome(row), f"{row['seconds']:.1f}")
    return table


def edge_table(row: Mapping[str, Any]) -> Table:
    """One line a run of a search for an edge: the value of the parameter, error, verdict.

    Parameters
    ----------
    row
        What ``solvable check --edge --json`` prints.

    Raises
    ------
    KeyError
        A row that is not an edge's.

    References
    ----------
    None.
    """
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for name in (row["parameter"], "error", "tolerance", "verdict"):
        table.add_column(name, justify="left" if name == "verdict" else "right")
    for run in row["runs"]:
        error = "none" if run["error"] is None else f"{run['error']:.3g}"
        table.add_row(f"{run['value']:.4g}", error, f"{row['tolerance']:g}", run["verdict"])
    return table


def curve_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line a number of samples: the error of kernel regression, forecast and measured.

    Parameters
    ----------
    rows
        What ``solvable forecast --model kernel --json`` lists under ``curve``.

    Raises
    ------
    KeyError
        A row that is not of such a curve.

    References
    ----------
    None.
    """
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("samples", "forecast", "80% interval", "from raw\ncovariance", "measured", "wrong\nclasses"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row['samples']}",
            _number(row["predicted_error"], ".3g"),
            f"{_number(row['predicted_low'], '.3g')}-{_number(row['predicted_high'], '.3g')}",
            _number(row["covariance_error"], ".3g"),
            _number(row["measured_error"], ".3g") + _spread(row["measured_error_std"]),
            _number(row["measured_wrong"], ".1%"),
        )
    return table


def claim_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line a claim: where it is printed, what it says, and whether it is expected to hold.

    Parameters
    ----------
    rows
        What ``solvable list --json`` lists under ``claims``.

    Raises
    ------
    KeyError
        A row that is not a claim's.

    References
    ----------
    None.
    """
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for name in ("area", "claim", "source", "expected", "says"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(
            *map(Text, (row["area"], f"{row['paper']}/{row['claim']}", row["source"], row["expected"], row["says"]))
        )
    return table


def _outcome(row: Mapping[str, Any]) -> Text:
    expected = row["verdict"] == row["expected"] and not row["reason"]
    words = f"{row['verdict']}{', as expected' if expected and row['verdict'] == 'fails' else ''}"
    if row["reason"]:
        words += f": {row['reason'].splitlines()[0]}"
    return Text(words, style="green" if expected else "bold red")


def catalogue_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The catalogue as a Markdown table, for the README.

    Parameters
    ----------
    rows
        What ``solvable list --json`` lists under ``claims``.

    Raises
    ------
    KeyError
        A row that is not a claim.

    References
    ----------
    None.
    """
    lines = ["| claim | says | where | kind | expected |", "|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            _markdown_row(f"`{row['paper']}/{row['claim']}`", row["says"], row["source"], row["kind"], row["expected"])
        )
    return "\n".join(lines)


def _markdown_row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def edges_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Edges of validity as a Markdown table.

    Parameters
    ----------
    rows
        One a claim: ``claim``, ``parameter``, ``from`` (where the search began), ``holds_until``, ``fails_from`` (None
        where nothing failed) and ``remark``.

    Raises
    ------
    KeyError
        A row that is not an edge's.

    References
    ----------
    None.
    """
    lines = ["| claim | parameter | begins at | holds until | fails from | remark |", "|---|---|--:|--:|--:|---|"]
    for row in rows:
        fails = "no value in reach" if row["fails_from"] is None else f"{row['fails_from']:.4g}"
        numbers = (f"{row['from']:.4g}", f"{row['holds_until']:.4g}", fails)
        lines.append(_markdown_row(f"`{row['claim']}`", f"`{row['parameter']}`", *numbers, row["remark"]))
    return "\n".join(lines)


def stage_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line a stage of training: forecast beside measured.

    Parameters
    ----------
    rows
        What ``solvable forecast --json`` lists under ``stages``.

    Raises
    ------
    KeyError
        A row that is not a stage.

    References
    ----------
    None.
    """
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("stage", justify="right", min_width=5)
    table.add_column("learned", overflow="fold", min_width=8)
    for name in ("singular\nvalue", "forecast\nstep", "measured\nstep", "forecast\nloss", "measured\nloss"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row["stage"]),
            Text(row["learned"] or "no forecast"),
            _number(row["singular_value"], ".3g"),
            _with_scatter(row["predicted_step"], row["scatter"]),
            _with_scatter(row["measured_step"], row["measured_step_std"]),
            _number(row["predicted_loss"], ".4f"),
            _number(row["measured_loss"], ".4f"),
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _spread(value: float | None) -> str:
    return "" if value is None else f" ± {value:.2g}"


def _with_scatter(value: float | None, scatter: float | None) -> str:
    return _number(value, ".0f") + ("" if not scatter else f" ± {scatter:{'.1g' if scatter < 1 else '.0f'}}")
