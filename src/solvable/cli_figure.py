"""Figures that the command line writes: whole or not at all, in the formats of papers."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from solvable.errors import OutsideDomain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_figure(path: Path) -> None:
    """Refuse, before anything runs, a file that no figure can be written to.

    Raises
    ------
    OutsideDomain
        Another ending than .png, .pdf and .svg; a directory that is not there or not writable.

    References
    ----------
    None.
    """
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise OutsideDomain(f"`--figure {path}` ends in '{path.suffix}'; it must end in .png, .pdf or .svg.")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise OutsideDomain(f"`--figure {path}` cannot be written; name a file in a directory that exists.")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure; a stop on the way leaves what was there.

    Raises
    ------
    OSError
        A full disk, and the like.

    References
    ----------
    None.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        figure.savefig(partial, format=path.suffix[1:], dpi=150)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
