"""The command line, thin: it reads what was typed, asks the library, prints. Heavy imports wait inside the commands."""

import ast
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from solvable import __version__
from solvable.cli_figure import check_figure, save_figure
from solvable.cli_forecast import forecast
from solvable.errors import Diverged, OutsideDomain

if TYPE_CHECKING:
    from rich.table import Table

    from solvable.claims import Claim, Verdict

app = typer.Typer(
    name="solvable",
    help="Solvable models of deep learning: every theory beside a measurement of the same thing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]

app.command()(forecast)


def main() -> None:
    """Run the command line; a user's mistake is one sentence on standard error and exit status 2."""
    _forgo_shared_threads()
    with _interrupts() as interrupts:
        _run(interrupts)


def _forgo_shared_threads() -> None:
    """Keep the compiler's operations to a thread each, unless the user says otherwise; JAX reads this when it loads.

    On few cores several decompositions in one program may otherwise wait for each other's threads forever.
    """
    given = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in given:
        os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen=false {given}".strip()


def _run(interrupts: list[int]) -> None:
    try:
        code = app(prog_name="solvable", standalone_mode=False)
    except (OutsideDomain, Diverged) as mistake:
        _exit(2, str(mistake))
    except KeyboardInterrupt:
        _exit(130, "interrupted.")
    except Exception as mistake:
        # An interrupt within compiled code may come out as an error of its compiler.
        if interrupts:
            _exit(130, "interrupted.")
        # Typer's own refusals, such as a word where a number is meant, have no public base class of their own.
        if not hasattr(mistake, "format_message"):
            raise
        _exit(2, f"{mistake.format_message().rstrip('.')}.")  # pyright: ignore[reportAttributeAccessIssue]
    # Typer turns an interrupt inside a command into a silent exit status.
    _exit(code or 0, "interrupted." if code == 130 else "")


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """The signals of interruption that came; each raises KeyboardInterrupt, once more where that got lost."""
    seen: list[int] = []
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield seen  # someone else takes them, or they are ignored, as in the background
        return

    def note(number: int, frame: Any) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    def raise_again(lost: Any) -> None:
        if isinstance(lost.exc_value, KeyboardInterrupt):
            # It was raised where nothing may be, such as in a callback of the garbage collector.
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            hook(lost)

    hook, sys.unraisablehook = sys.unraisablehook, raise_again
    signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = hook


def _exit(code: int | str | None, sentence: str) -> NoReturn:
    if sentence:
        print(f"solvable: {sentence}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has left (`| head`): nothing to say, and nothing for the interpreter's own flush to trip over.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if code == 130:
        # A compiled loop may still be running in its own thread; an ordinary exit would wait for it.
        sys.stderr.flush()
        os._exit(130)
    sys.exit(code)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"solvable {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command("list")
def list_claims(
    area: Annotated[str | None, typer.Argument(help="Only this area, such as flows.")] = None,
    as_json: Json = False,
) -> None:
    """Show the catalogue: every claim, what it says and where it is printed."""
    from solvable.claims.catalogue import all_claims, describe

    rows = [describe(claim) for claim in all_claims()]
    areas = sorted({row["area"] for row in rows})
    if area is not None and area not in areas:
        raise OutsideDomain(f"There is no area `{area}`; the areas are: {', '.join(areas)}.")
    rows = [row for row in rows if area in (None, row["area"])]
    if as_json:
        print(json.dumps({"claims": rows}, allow_nan=False))
        return
    from solvable.report.tables import claim_table

    _print_table(claim_table(rows))


@app.command()
def check(
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY", help="paper, paper/Claim or Claim; all claims without one."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Run at the claims' full size.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter; may be repeated.")
    ] = None,
    edge: Annotated[
        str | None,
        typer.Option(metavar="PARAM", help="Push this parameter of one claim until it fails; `auto`: the claim's own."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep data, figure and verdict there.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what --out holds already.")] = False,
    as_json: Json = False,
) -> None:
    """Run claims and judge them. Exit status: 0 all as expected, 1 some not, 2 a mistake in what was typed."""
    overrides = dict(_parse_setting(setting) for setting in settings or ())
    if edge is not None:
        _check_edge(keys or [], edge, as_json, effort="full" if full else "quick", seed=seed, overrides=overrides,
                    out=out, overwrite=overwrite)  # fmt: skip
        return
    from solvable.claims.catalogue import all_claims
    from solvable.claims.runner import check_many

    with _progress() as report:
        evidence = check_many(
            keys or all_claims(),
            effort="full" if full else "quick",
            seed=seed,
            overrides=overrides,
            out=out,
            overwrite=overwrite,
            report=report,
        )
    rows = [produced.verdict.to_row() for produced in evidence]
    ok = all(produced.verdict.as_expected for produced in evidence)
    if as_json:
        print(json.dumps({"ok": ok, "claims": rows}, allow_nan=False))
    else:
        from solvable.report.tables import verdict_table

        _print_table(verdict_table(rows))
    raise typer.Exit(0 if ok else 1)


def _check_edge(keys: list[str], parameter: str, as_json: bool, **how: Any) -> None:
    from solvable.claims.edge import find_edge

    if len(keys) != 1:
        raise OutsideDomain(f"`--edge {parameter}` is sought for one claim, and {len(keys)} are named; name one KEY.")
    with _progress() as report:
        found = find_edge(keys[0], parameter, report=report, **how)
    if as_json:
        print(json.dumps(found.to_row(), allow_nan=False))
        return
    from solvable.report.tables import edge_table

    _print_table(edge_table(found.to_row()))
    print(found.sentence)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="paper, paper/Claim or Claim; or the file of a watched run (.nc).")],
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Run the claim, or read the run, and save its figure (.png, .pdf or .svg)."),
    ] = None,
) -> None:
    """Show what a claim says, where it is printed, and its parameters; or what a watched run shows."""
    if key.endswith(".nc") or Path(key).is_file():
        from solvable.cli_run import show_run

        show_run(key, figure)
        return
    from solvable.claims.catalogue import find

    claims = find(key)
    if figure is not None:
        _check_one(figure, key, len(claims))
        check_figure(figure)
    print("\n\n".join(_describe(claim) for claim in claims))
    if figure is not None:
        from solvable.claims.runner import check as run
        from solvable.report.figures import figure_of

        with _progress() as report:
            report(claims[0], None)
            evidence = run(claims[0])
            report(claims[0], evidence.verdict)
        save_figure(figure_of(evidence), figure)


@app.command()
def cite(key: Annotated[str, typer.Argument(help="paper, paper/Claim or Claim.")]) -> None:
    """Show what to cite, as text and BibTeX, and the claims that rest on it."""
    from solvable.claims.bibliography import cite as look_up

    print(look_up(key))


def _parse_setting(setting: str) -> tuple[str, Any]:
    name, equals, text = setting.partition("=")
    if not (equals and name.isidentifier() and text):
        raise OutsideDomain(f"`--set {setting}` sets nothing; write --set NAME=VALUE, such as --set width=100.")
    try:
        return name, ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return name, text  # a bare word; the claim knows whether a word belongs here


def _describe(claim: "type[Claim]") -> str:
    from solvable.claims.bibliography import cite as look_up
    from solvable.claims.catalogue import comments
    from solvable.claims.known_edges import known_edge

    notes, edge = comments(claim), known_edge(claim)
    effort = [f"--full: {', '.join(f'{name}={value!r}' for name, value in claim.full.items())}"] if claim.full else []
    lines = [
        f"{claim.key} ({claim.area})",
        f"  {claim.says}",
        *(f"  {line}".rstrip() for line in claim.assumes.splitlines()),
        f"  {claim.source.where}, {claim.source.kind}: {look_up(claim.key).paper.citation}",
        f"  expected: {claim.expected}{claim.reason and f', because {claim.reason}'}",
        f"  {claim.metric.name} <= {claim.tolerance:g}",
        "  parameters:",
        *(
            f"    {name} = {value!r}{f'  # {notes[name]}' if name in notes else ''}"
            for name, value in claim.parameters.items()
        ),
        *(f"  {line}" for line in effort),
        *([f"  {_edge_line(edge)} (solvable check {claim.key} --edge auto)"] if edge else []),
        f"  solvable check {claim.key} --out DIR keeps DIR/{claim.area}/{claim.key}/figure.png",
    ]
    return "\n".join(lines)


def _edge_line(edge: dict[str, Any]) -> str:
    fails = "no value in reach fails" if edge["fails_from"] is None else f"fails from {edge['fails_from']:.4g}"
    return f"edge: holds until {edge['parameter']} = {edge['holds_until']:.4g}, {fails}"


def _check_one(figure: Path, key: str, count: int) -> None:
    if count > 1:
        raise OutsideDomain(f"`{key}` names {count} claims and --figure {figure} is one; name one claim, or use --out.")


@contextmanager
def _progress() -> Iterator[Callable[["type[Claim]", "Verdict | None"], None]]:
    """Reports on standard error, a live line on a terminal; whatever else prints is sent there too."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with redirect_stdout(sys.stderr):
        if not console.is_terminal:
            yield lambda claim, verdict: verdict and print(_line(verdict), file=sys.stderr, flush=True)
            return
        with console.status("starting") as status:

            def report(claim: "type[Claim]", verdict: "Verdict | None") -> None:
                status.update(claim.key)
                if verdict:
                    console.print(_line(verdict), markup=False)

            yield report


def _line(verdict: "Verdict") -> str:
    outcome = verdict.reason.partition("\n")[0] or f"error {verdict.error:.3g}, tolerance {verdict.tolerance:g}"
    return f"{verdict.paper}/{verdict.claim} {verdict.verdict}: {outcome} ({verdict.seconds:.1f} s)"


def _print_table(table: "Table") -> None:
    from rich.console import Console

    # Where nobody's terminal sets the width, keep each claim on one line.
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)
