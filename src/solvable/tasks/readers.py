"""Labelled data from files: .npz, .csv and IDX, each checked before anything is believed. Nothing is ever unpickled."""

import csv
import gzip
import io
import itertools
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from solvable.errors import OutsideDomain
from solvable.tasks.images import LabelledData

if TYPE_CHECKING:
    from solvable.tasks.samples import Samples

INPUT_NAMES = ("inputs", "X", "x", "data", "images", "x_train")
LABEL_NAMES = ("labels", "y", "Y", "targets", "y_train")
LABEL_COLUMNS = ("label", "class", "target", "y")
IDX_TYPES = {b"\x08": "u1", b"\x09": "i1", b"\x0b": ">i2", b"\x0c": ">i4", b"\x0d": ">f4", b"\x0e": ">f8"}
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it

Arrays = tuple[np.ndarray, np.ndarray]


def load_labelled(path: str | os.PathLike[str]) -> LabelledData:
    """The user's own inputs and labels, read according to the ending of the file's name.

    Parameters
    ----------
    path
        ``.npz``: an array called inputs, X, x, data, images or x_train, and one called labels, y, Y, targets
        or y_train; the numbers are taken as they are.
        ``.csv``, ``.csv.gz``: commas, UTF-8, one sample a line, with or without a line of column names. The
        labels are the column called label, class, target or y (in any case), else the last one.
        IDX, ``*-images-idx3-ubyte`` or the same with ``.gz``: the labels file ``*-labels-idx1-ubyte[.gz]``
        must lie beside it. Bytes are divided by 255, other numbers taken as they are.

    Returns
    -------
    LabelledData
        Named as the file; images are flattened row by row.

    Raises
    ------
    OutsideDomain
        Any other ending; a file that is missing, unreadable, cut short, damaged or not what its ending says;
        entries that are not finite numbers. The message names the file and what was found.

    References
    ----------
    LeCun, Cortes, Burges, the MNIST database: the IDX format (magic number, big-endian shape, values).
    """
    inputs, labels = _read(Path(path))
    return LabelledData(inputs, labels, name=Path(path).name)


def load_data(path: str | os.PathLike[str]) -> "LabelledData | Samples":
    """The user's own inputs with classes or, where these are no classes, with targets of a regression.

    Parameters
    ----------
    path
        As for ``load_labelled``. Numbers that are not all whole, or several of them a sample, are targets.

    Raises
    ------
    OutsideDomain
        As ``load_labelled``.

    References
    ----------
    None.
    """
    inputs, targets = _read(Path(path))
    if targets.dtype.kind != "f" or (targets.ndim == 1 and not np.any(targets % 1)):
        return LabelledData(inputs, targets, name=Path(path).name)
    from solvable.tasks.samples import make_samples  # not above: reading files needs no JAX

    return make_samples(inputs.astype(np.float64), targets.astype(np.float64))


def _read(path: Path) -> Arrays:
    reader = _choose_reader(path)
    if not os.path.isfile(path):
        raise OutsideDomain(f"`{path}` is {'a directory' if os.path.isdir(path) else 'not there'}; give a file.")
    inputs, labels = reader(path)
    return inputs.reshape(_flat_shape(inputs)), labels


def load_fashion_mnist(directory: str | os.PathLike[str] | None = None) -> LabelledData:
    """The 60000 training images of Fashion-MNIST, ten kinds of clothing.

    Parameters
    ----------
    directory
        Where ``train-images-idx3-ubyte.gz`` and ``train-labels-idx1-ubyte.gz`` lie; left out, where the Debian
        package ``dataset-fashion-mnist`` installs them.

    Returns
    -------
    LabelledData
        ``inputs`` (60000, 784), 28 x 28 pixels row by row, grey values from 0 to 1; ``labels`` 0 to 9.

    Raises
    ------
    OutsideDomain
        The files are not there, or damaged.

    References
    ----------
    Xiao, Rasul, Vollgraf (2017), Fashion-MNIST.
    """
    images = Path(directory or FASHION_MNIST) / "train-images-idx3-ubyte.gz"
    if not os.path.isfile(images):
        raise OutsideDomain(
            f"`{images}` is not there; install the Debian package dataset-fashion-mnist, "
            "or pass the `directory` that holds the four files of Fashion-MNIST."
        )
    inputs, labels = _read_idx_pair(images)
    return LabelledData(inputs.reshape(_flat_shape(inputs)), labels, name="fashion-mnist")


def _choose_reader(path: Path) -> Callable[[Path], Arrays]:
    name = path.name.lower()
    if name.endswith(".npz"):
        return _read_npz
    if name.endswith((".csv", ".csv.gz")):
        return _read_csv
    if name.endswith((".gz", "-ubyte")):
        return _read_idx_pair
    raise OutsideDomain(
        f"`{path}` ends in none of .npz, .csv, .csv.gz, -idx3-ubyte, -idx3-ubyte.gz, which are what is read; "
        "nothing is ever unpickled, so save arrays with `numpy.savez(path, inputs=..., labels=...)`."
    )


def _flat_shape(inputs: np.ndarray) -> tuple[int, ...]:
    return inputs.shape if inputs.ndim < 2 else (inputs.shape[0], math.prod(inputs.shape[1:]))


def _read_bytes(path: Path) -> bytes:
    """The content of a file, decompressed when its name ends in .gz."""
    try:
        return gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise OutsideDomain(f"`{path}` cannot be read: {_say(error)}; give a complete, readable file.") from error


def _say(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def _read_npz(path: Path) -> Arrays:
    # A damaged archive fails in a dozen ways (zipfile, zlib, struct, tokenize, ...): whichever it is, it is the file.
    try:
        zipfile.ZipFile(path).close()  # first, because `load` takes what is no archive for a pickle and says so
        with np.load(path, allow_pickle=False) as archive:
            inputs, labels = (_find_name(names, archive.files) for names in (INPUT_NAMES, LABEL_NAMES))
            if inputs and labels:
                return np.asarray(archive[inputs]), np.asarray(archive[labels])
            held = ", ".join(archive.files)
    except Exception as error:
        raise OutsideDomain(
            f"`{path}` cannot be read: {_say(error)}; it must be a whole archive of plain arrays of numbers or words, "
            "as nothing is ever unpickled."
        ) from error
    raise OutsideDomain(
        f"`{path}` holds the arrays {held or 'none'}; it must hold one of {', '.join(INPUT_NAMES)} "
        f"and one of {', '.join(LABEL_NAMES)}."
    )


def _find_name(wanted: tuple[str, ...], present: list[str]) -> str | None:
    return next((name for name in wanted if name in present), None)


def _read_csv(path: Path) -> Arrays:
    rows = _split_lines(path)
    start = next(rows, (0, []))
    names = [cell.strip() for cell in start[1]]
    if len(names) < 2:
        raise OutsideDomain(f"`{path}` does not start with two columns; give inputs and a label with commas between.")
    column, has_names = _find_label_column(names)
    if has_names and "" in names:
        raise OutsideDomain(f"`{path}` has a column without a name; it may be a saved row index: leave it out.")
    lines, inputs, labels = [], [], []
    for line, cells in rows if has_names else itertools.chain([start], rows):
        if len(cells) != len(names):
            raise OutsideDomain(f"`{path}`, line {line}, has {len(cells)} columns; the first line has {len(names)}.")
        labels.append(cells.pop(column).strip())
        inputs.append(_read_numbers(cells, f"`{path}`, line {line},"))
        lines.append(line)
    if not lines:
        raise OutsideDomain(f"`{path}` holds column names and no sample; give at least one line of numbers.")
    if has_names and names[column] in labels:
        raise OutsideDomain(
            f"`{path}` starts with a line that may be names or a sample, as {names[column]!r} in it is a label "
            "further down too; put a line of column names first."
        )
    return np.stack(inputs), _read_classes(labels, lines, path)


def _split_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers, counted from 1, and cells of the lines that are not blank."""
    try:
        text = _read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OutsideDomain(f"`{path}` is not text: byte {error.start} is not UTF-8; save it as UTF-8.") from error
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        for cells in rows:
            if cells:
                yield rows.line_num, cells
    except csv.Error as error:
        raise OutsideDomain(f"`{path}`, line {rows.line_num}, is not CSV: {error}; mend that line.") from error


def _find_label_column(names: list[str]) -> tuple[int, bool]:
    """Position of the labels, and whether the first line holds names rather than a sample."""
    lowered = [name.lower() for name in names]
    named = _find_name(LABEL_COLUMNS, lowered)
    if named is not None:
        return lowered.index(named), True
    return len(names) - 1, not any(map(_is_number, names))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_numbers(cells: list[str], where: str) -> np.ndarray:
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError as error:
        word = next(cell for cell in cells if not _is_number(cell))
        raise OutsideDomain(f"{where} holds {word[:40]!r} among the inputs; they must be numbers.") from error


def _read_classes(labels: list[str], lines: list[int], path: Path) -> np.ndarray:
    """Numbers if all labels are, words if none is: one stray word would silently be one more class."""
    numeric = [_is_number(label) for label in labels]
    if all(numeric):
        return np.array([float(label) for label in labels])
    if any(numeric) or "" in labels:
        stray = labels.index("") if "" in labels else numeric.index(False)
        raise OutsideDomain(
            f"`{path}`, line {lines[stray]}, has the label {labels[stray][:40]!r}; "
            "labels must be all numbers or all words, and none left out."
        )
    return np.array(labels)


def _read_idx_pair(path: Path) -> Arrays:
    if "images" not in path.name:
        partner = path.name.replace("labels", "images").replace("idx1", "idx3")
        hint = f"give the images file, {partner}" if partner != path.name else "rename it to *-images-idx3-ubyte"
        raise OutsideDomain(f"`{path}` is not named as a file of images in IDX format; {hint}.")
    images = _read_idx(path)
    if images.ndim < 2:
        raise OutsideDomain(f"`{path}` holds one axis of {images.size} values; images have two axes or more.")
    labels = _read_idx(_find_labels_file(path))
    return images / 255 if images.dtype == np.uint8 else images, labels


def _find_labels_file(path: Path) -> Path:
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    other = name.removesuffix(".gz") if name.endswith(".gz") else name + ".gz"
    for candidate in (path.with_name(name), path.with_name(other)):
        if os.path.isfile(candidate):
            return candidate
    raise OutsideDomain(f"`{path}` has no labels beside it; put `{name}` or `{other}` into the same directory.")


def _read_idx(path: Path) -> np.ndarray:
    content = _read_bytes(path)
    num_axes = content[3] if len(content) > 3 else 0
    start = 4 + 4 * num_axes
    if content[:2] != b"\0\0" or content[2:3] not in IDX_TYPES or not 1 <= num_axes <= 4 or len(content) < start:
        raise OutsideDomain(
            f"`{path}` starts with the bytes [{content[:4].hex(' ')}]; a whole IDX header is two zero bytes, "
            "a type from 08 to 0e, the number of axes from 1 to 4, and their lengths."
        )
    dtype = np.dtype(IDX_TYPES[content[2:3]])
    shape = struct.unpack_from(f">{num_axes}I", content, 4)
    promised = start + math.prod(shape) * dtype.itemsize
    if len(content) != promised or 0 in shape:
        raise OutsideDomain(
            f"`{path}` holds {len(content)} bytes where its header promises {promised} (shape {shape} of {dtype}); "
            "it must not be empty, cut short or damaged: fetch it again."
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape)
