"""``solvable show RUN``: a watched run in words and in a figure."""

from pathlib import Path

from solvable.cli_figure import check_figure, save_figure


def show_run(path: str, figure: Path | None) -> None:
    """Print what a run shows and write its figure, beside the run unless a file is named.

    Raises
    ------
    OutsideDomain
        A file that is no run; a figure that cannot be written.

    References
    ----------
    None.
    """
    from solvable.report.run_figure import run_figure
    from solvable.watching import describe_run, read_run

    target = Path(path).with_suffix(".png") if figure is None else figure
    run = read_run(path)
    check_figure(target)
    sentences = describe_run(run)
    save_figure(run_figure(run, sentences[1:]), target)
    print("\n".join([f"{Path(path).name}: {sentences[0]}", *sentences[1:], f"Figure: {target}"]))
