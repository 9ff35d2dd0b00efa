"""How much of what a network has learned a simpler classifier explains, from predictions alone."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from solvable.errors import OutsideDomain

_MOST_CELLS = 10_000_000


@dataclasses.dataclass(frozen=True)
class Information:
    """An information in bits and its standard error over draws of the test set.

    References
    ----------
    kalimeris2019; the standard error is that of the mean of the pointwise information.
    """

    bits: float
    error: float


@dataclasses.dataclass(frozen=True)
class PerformanceCorrelation:
    """What a network F and a reference L know of the labels Y, alone and together.

    Attributes
    ----------
    learned, beyond
        I(F;Y) and I(F;Y|L): all that F knows, and what of it L does not explain.
    correlation
        mu_Y(F;L) = learned - beyond; symmetric in F and L, at most either of their informations, may be negative.
    reference, forgotten
        I(L;Y) and I(L;Y|F): what L knows, and what of it F does not.

    References
    ----------
    kalimeris2019, performance correlation.
    """

    learned: Information
    beyond: Information
    correlation: Information
    reference: Information
    forgotten: Information


def performance_correlation(
    predictions: Any, reference: Any, labels: Any, *, correct_bias: bool = True
) -> PerformanceCorrelation:
    r"""The performance correlation of two classifiers on one test set, for any number of classes.

    .. math:: \mu_Y(F; L) = I(F; Y) - I(F; Y | L)

    Parameters
    ----------
    predictions, reference
        Of F and of L on the same test inputs, as NumPy, JAX or PyTorch arrays. Whole numbers, truth values or words,
        (n,), are classes. Floating-point numbers are scores: (n, classes) stand for their largest column, (n,) or
        (n, 1) for class 1 where they are above 0 and class 0 elsewhere.
    labels
        Y, the classes (n,).
    correct_bias
        Take the mean error of the plug-in estimate off (Miller, Madow); the correlation then is the difference of
        corrected values. An information near 0 may come out below 0.

    Raises
    ------
    OutsideDomain
        Arrays of different lengths or of other shapes, scores that are not finite, too many classes for a table.

    Notes
    -----
    The bias is of order classes^3 / (2 n ln 2) for the conditional information; its correction counts the cells of the
    table that occur. Standard errors are of order 1/sqrt(n), 0.01 bits at n = 1500; they do not cover what a random
    network or reference would add, and vanish together with the information, where 1/n remains. Below 0.02 bits a
    ratio of informations says nothing.

    References
    ----------
    kalimeris2019, Definition of mu and its estimate on a test set; Miller (1955) for the bias.
    """
    table = _count(predictions, reference, labels)
    terms = lambda of, and_, given=(): _information(table, of, and_, given, correct_bias)  # noqa: E731
    learned, beyond = terms(0, 2), terms(0, 2, (1,))
    shared = _pointwise(table, 0, 2) - _pointwise(table, 0, 2, (1,))
    correlation = Information(learned.bits - beyond.bits, _standard_error(table, shared))
    return PerformanceCorrelation(learned, beyond, correlation, terms(1, 2), terms(1, 2, (0,)))


def mutual_information(first: Any, second: Any, *, given: Any = None, correct_bias: bool = True) -> Information:
    """I(first; second), or I(first; second | given), in bits.

    Parameters
    ----------
    first, second, given
        Classes or scores, as for ``performance_correlation``.
    correct_bias
        As there.

    Raises
    ------
    OutsideDomain
        As ``performance_correlation``.

    References
    ----------
    kalimeris2019, estimates of information on a test set.
    """
    variables = (first, second) if given is None else (first, second, given)
    return _information(_count(*variables), 0, 1, () if given is None else (2,), correct_bias)


def information_curves(
    checkpoints: Mapping[float, Any], reference: Any, labels: Any, *, correct_bias: bool = True
) -> xr.Dataset:
    """The informations of a network at several times of its training, beside those of a reference.

    Parameters
    ----------
    checkpoints
        Predictions of the network by time or step.
    reference, labels, correct_bias
        As for ``performance_correlation``.

    Returns
    -------
    xr.Dataset
        ``learned``, ``beyond``, ``correlation``, ``reference``, ``forgotten`` in bits along ``step``, and the standard
        error of each as ``<name>_error``. ``report.draw_information_curves`` draws it.

    Raises
    ------
    OutsideDomain
        As ``performance_correlation``, or no checkpoint.

    References
    ----------
    kalimeris2019, figures of the two phases.
    """
    if not checkpoints:
        raise OutsideDomain("`checkpoints` is empty; give predictions at one time at least.")
    found = [
        performance_correlation(predictions, reference, labels, correct_bias=correct_bias)
        for predictions in checkpoints.values()
    ]
    curves = {}
    for field in dataclasses.fields(PerformanceCorrelation):
        values = [getattr(entry, field.name) for entry in found]
        curves[field.name] = ("step", np.array([value.bits for value in values]), {"units": "bits"})
        curves[f"{field.name}_error"] = ("step", np.array([value.error for value in values]), {"units": "bits"})
    return xr.Dataset(curves, coords={"step": np.array(list(checkpoints))})


def _count(*variables: Any) -> np.ndarray:
    """How often each combination of classes occurs."""
    codes = [np.unique(_classes(values), return_inverse=True) for values in variables]
    lengths = {code.size for _, code in codes}
    if len(lengths) > 1 or lengths == {0}:
        raise OutsideDomain(
            f"the arrays hold {', '.join(str(code.size) for _, code in codes)} predictions; they must be of the same "
            "test inputs, one at least."
        )
    shape = tuple(present.size for present, _ in codes)
    if np.prod(shape) > _MOST_CELLS:
        raise OutsideDomain(f"a table of {shape} classes is too large; are scores of one column meant as classes?")
    table = np.zeros(shape, int)
    np.add.at(table, tuple(code for _, code in codes), 1)
    return table


def _classes(values: Any) -> np.ndarray:
    # A PyTorch tensor that still knows its gradient, or lives elsewhere, has to be brought here.
    values = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    floating = values.dtype.kind not in "biuUS"
    if values.ndim not in (1, 2) or (values.ndim == 2 and not floating):
        raise OutsideDomain(
            f"predictions have shape {values.shape} and dtype {values.dtype}; give classes (n,), or scores (n,) or "
            "(n, classes)."
        )
    if not floating:
        return values
    scores = values.astype(np.float64)
    if not np.all(np.isfinite(scores)):
        raise OutsideDomain("predictions hold a score that is not finite; has the network diverged?")
    if scores.ndim == 2 and scores.shape[1] > 1:
        return scores.argmax(axis=1)
    return (scores.reshape(len(scores)) > 0).astype(int)


def _information(table: np.ndarray, of: int, and_: int, given: tuple[int, ...], correct_bias: bool) -> Information:
    total, pointwise = table.sum(), _pointwise(table, of, and_, given)
    bits = float(np.sum(table * pointwise) / total)
    if correct_bias:
        cells = [(np.count_nonzero(_marginal(table, keep)) - 1, sign) for keep, sign in _signs(of, and_, given)]
        bits += sum(sign * count for count, sign in cells) / (2 * total * np.log(2))
    return Information(float(bits), _standard_error(table, pointwise))


def _pointwise(table: np.ndarray, of: int, and_: int, given: tuple[int, ...] = ()) -> np.ndarray:
    """log2 of p(a, b | c) / p(a | c) p(b | c) in every cell that occurs, 0 elsewhere."""
    logs = np.zeros(table.shape)
    for keep, sign in _signs(of, and_, given):
        counts = _marginal(table, keep) / table.sum()
        logs -= sign * np.log2(np.where(counts > 0, counts, 1.0))
    return np.where(table > 0, logs, 0.0)


def _signs(of: int, and_: int, given: tuple[int, ...]) -> list[tuple[tuple[int, ...], int]]:
    """The entropies that make up an information, by their axes, with their signs."""
    alone, other, both = (tuple(sorted((*axes, *given))) for axes in ((of,), (and_,), (of, and_)))
    return [(alone, 1), (other, 1), (both, -1), (given, -1)]


def _marginal(table: np.ndarray, keep: tuple[int, ...]) -> np.ndarray:
    """Counts of a marginal, with axes of length 1 for what is summed."""
    return table.sum(axis=tuple(axis for axis in range(table.ndim) if axis not in keep), keepdims=True)


def _standard_error(table: np.ndarray, pointwise: np.ndarray) -> float:
    """Of the mean over the test set of what every sample adds."""
    shares = table / table.sum()
    mean = np.sum(shares * pointwise)
    return float(np.sqrt(np.sum(shares * (pointwise - mean) ** 2) / table.sum()))
