"""CIFAR-10 from the binary files that its authors offer; nothing is ever unpickled."""

import os
from pathlib import Path
from typing import Literal

import numpy as np

from solvable.errors import OutsideDomain, check_choice
from solvable.tasks.images import LabelledData

RECORD = 1 + 3 * 32 * 32  # a label, then the pixels: red, green, blue, each row by row
FILES = {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)}


def load_cifar10(directory: str | os.PathLike[str], part: Literal["train", "test"] = "train") -> LabelledData:
    """The 50000 training or 10000 test images of CIFAR-10, ten kinds of things in colour.

    Parameters
    ----------
    directory
        Where the files of the binary version lie, ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``;
        files with fewer images, cut at whole ones, do as well. The Python version, which is pickled, is not read.
    part
        Which of the two.

    Returns
    -------
    LabelledData
        ``inputs`` (images, 3072), values from 0 to 1, to be had as images by ``reshape(-1, 3, 32, 32)``; ``labels``
        from 0 to 9.

    Raises
    ------
    OutsideDomain
        Files that are not there, cannot be read, are cut short or hold other labels; the message names the file.

    References
    ----------
    Krizhevsky (2009), Learning multiple layers of features from tiny images: CIFAR-10, binary version.
    """
    check_choice("part", part, tuple(FILES))
    records = np.concatenate([_read(Path(directory) / name) for name in FILES[part]])
    return LabelledData(records[:, 1:] / 255, records[:, 0], name="cifar-10")


def _read(path: Path) -> np.ndarray:
    if not os.path.isfile(path):
        raise OutsideDomain(
            f"`{path}` is not there; give the directory of the binary version of CIFAR-10, which holds "
            f"{', '.join(FILES['train'])} and {FILES['test'][0]}."
        )
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise OutsideDomain(f"`{path}` cannot be read: {error.strerror}; give a complete, readable file.") from error
    if content.size == 0 or content.size % RECORD:
        raise OutsideDomain(
            f"`{path}` holds {content.size} bytes; it must hold whole images of {RECORD} bytes each: fetch it again."
        )
    records = content.reshape(-1, RECORD)
    if records[:, 0].max() > 9:
        wrong = int(np.argmax(records[:, 0] > 9))
        raise OutsideDomain(
            f"`{path}` holds the label {records[wrong, 0]} for image {wrong} (counted from 0); labels go from 0 to 9: "
            "give the files of CIFAR-10, not of CIFAR-100."
        )
    return records
