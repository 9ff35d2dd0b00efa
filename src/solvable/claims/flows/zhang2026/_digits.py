"""The data of Figure 3 and Table 1: pairs of the digits that need no download."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from solvable import tasks
from solvable.errors import OutsideDomain

if TYPE_CHECKING:
    from solvable.tasks import Moments, Samples
    from solvable.tasks.images import LabelledData


@cache
def _digits() -> LabelledData:
    return tasks.load_digits()


def load_pair(pair: str, num_per_class: int) -> Samples:
    """The first digits of both classes with one-hot targets; ``pair`` is written as in 3/5."""
    classes = [int(digit) for digit in pair.split("/") if digit.isdigit()]
    if len(classes) != 2:
        raise OutsideDomain(f"`pair` is {pair!r}; it must be two digits with a stroke between them, as in '3/5'.")
    data = _digits().select(classes).subset(num_per_class)
    return tasks.make_samples(data.inputs, data.one_hot())


def load_moments(pair: str, num_per_class: int) -> Moments:
    return tasks.sample_moments(load_pair(pair, num_per_class), lambda inputs: inputs)
