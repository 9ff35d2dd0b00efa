"""Directories of results that appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from solvable.errors import OutsideDomain


@contextmanager
def publish(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """An empty scratch directory that becomes ``target`` when the block ends, and vanishes if it raises.

    Parameters
    ----------
    target
        The directory to make; its parents are made too.
    overwrite
        Replace what is there.

    Raises
    ------
    OutsideDomain
        The target exists and ``overwrite`` is not set, or no directory can be made there.

    References
    ----------
    None.
    """
    check_destination(target, overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Made beside the target, hence on its file system: the last step is one rename, and a stop before it cleans up.
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        fresh, stale = Path(scratch, "fresh"), Path(scratch, "stale")
        fresh.mkdir()
        yield fresh
        if target.exists():
            os.rename(target, stale)
        try:
            os.rename(fresh, target)
        except BaseException:
            if stale.exists():
                os.rename(stale, target)
            raise


def check_destination(target: Path, overwrite: bool) -> None:
    """Refuse, before anything runs, a target that exists already or that cannot be made.

    Raises
    ------
    OutsideDomain
        With the path, and what to do.

    References
    ----------
    None.
    """
    if target.exists() and not overwrite:
        raise OutsideDomain(f"`{target}` exists already; choose another directory, or say --overwrite to replace it.")
    ancestor = next(parent for parent in target.absolute().parents if parent.exists())
    if not ancestor.is_dir() or not os.access(ancestor, os.W_OK):
        raise OutsideDomain(f"`{ancestor}` is no directory that can be written to; choose another for the results.")
