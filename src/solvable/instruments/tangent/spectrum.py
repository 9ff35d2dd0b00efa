"""Whether a kernel is what it must be: finite and without negative eigenvalues; and its eigenvalues."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor

from solvable.errors import OutsideDomain, ValidityWarning

# Rows that are mirrored at once.
_STRIPE = 256


def kernel_eigenvalues(kernel: Any) -> Float[np.ndarray, " modes"]:
    """Eigenvalues of a kernel, descending; those below zero are reported, not hidden.

    Parameters
    ----------
    kernel
        (samples, samples), or (samples, samples, output_dim, output_dim) as ``tangent_kernel`` gives it; of NumPy,
        JAX or PyTorch.

    Returns
    -------
    np.ndarray
        samples (x output_dim) eigenvalues, in the kernel's dtype.

    Raises
    ------
    OutsideDomain
        A kernel of another shape, that is not finite, or not symmetric beyond rounding.

    Warns
    -----
    ValidityWarning
        An eigenvalue below zero beyond rounding: the kernel is not one of gradients.

    References
    ----------
    jacot2018, Prop. 2: tangent kernels are positive semi-definite.
    """
    matrix = as_matrix(kernel)
    _check_finite(matrix)
    skew = float(np.abs(matrix - matrix.T).max(initial=0))
    if skew > _rounding(matrix):
        raise OutsideDomain(f"`kernel` is not symmetric: entries differ by up to {skew:.3g} from their mirror images.")
    eigenvalues = np.linalg.eigvalsh(matrix)[::-1]
    _report_negative(eigenvalues, _rounding(matrix))
    return eigenvalues


def report_kernel(kernel: Any, *, square: bool) -> None:
    """Refuse a kernel that is not finite, and warn of one with a negative eigenvalue beyond rounding.

    Parameters
    ----------
    kernel
        As for ``kernel_eigenvalues``; may be rectangular where not ``square``. Where it lies in memory as a matrix that
        may be written to, its lower triangle is worked in and then filled again from the upper one.
    square
        Whether both sides are the same samples.

    Raises
    ------
    OutsideDomain
        Entries that are not finite.

    Warns
    -----
    ValidityWarning
        As ``kernel_eigenvalues``.

    References
    ----------
    jacot2018, Prop. 2.
    """
    if not square:
        _check_finite(to_numpy(kernel))
        return
    matrix = as_matrix(kernel)
    _check_finite(matrix)
    rounding = _rounding(matrix)
    work = np.require(matrix, dtype=np.result_type(matrix, np.float32), requirements=["C", "W"])
    if not _is_positive(work, rounding):
        _report_negative(np.linalg.eigvalsh(work)[::-1], rounding)


def _is_positive(matrix: np.ndarray, raised_by: float) -> bool:
    """Whether a symmetric matrix has a Cholesky factor once its diagonal is raised; it is left as it was.

    The factor takes the place of the lower triangle, which is then filled again from the upper one: no copy is made.
    """
    diagonal = matrix.diagonal().copy()
    matrix[np.diag_indices_from(matrix)] += raised_by
    try:  # in the upper triangle of the transposed matrix, as LAPACK counts rows and columns
        cho_factor(matrix.T, lower=False, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        return False
    else:
        return True
    finally:
        for start in range(0, len(matrix), _STRIPE):
            rows = slice(start, start + _STRIPE)
            corner = matrix[rows, rows]
            corner[...] = np.triu(corner) + np.triu(corner, 1).T
            matrix[rows, :start] = matrix[:start, rows].T
        matrix[np.diag_indices_from(matrix)] = diagonal


def as_matrix(kernel: Any) -> np.ndarray:
    """A kernel of several outputs as one symmetric matrix, samples slowest."""
    array = to_numpy(kernel)
    square = array.ndim in (2, 4) and array.shape[0] == array.shape[1]
    if not square or (array.ndim == 4 and array.shape[2] != array.shape[3]):
        raise OutsideDomain(
            f"`kernel` has shape {array.shape}; it must be (samples, samples) or (samples, samples, outputs, outputs)."
        )
    return array if array.ndim == 2 else array.transpose(0, 2, 1, 3).reshape(len(array) * array.shape[2], -1)


def to_numpy(array: Any) -> np.ndarray:
    """NumPy's view of an array of any of the three libraries."""
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)


def _rounding(matrix: np.ndarray) -> float:
    return 4 * len(matrix) * float(np.finfo(np.result_type(matrix, np.float16)).eps) * float(np.linalg.norm(matrix))


def _check_finite(array: np.ndarray) -> None:
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.sum(array)
    if not np.isfinite(total):  # one number, and only then as many as there are entries
        bad = ~np.isfinite(array)
        if not bad.any():
            return
        raise OutsideDomain(
            f"{int(bad.sum())} of {array.size} entries of the kernel are not finite; the weights, the inputs or the "
            "outputs of the model are not, or overflow in this dtype."
        )


def _report_negative(eigenvalues: np.ndarray, rounding: float) -> None:
    if eigenvalues[-1] < -rounding:
        warnings.warn(
            f"the kernel has an eigenvalue of {eigenvalues[-1]:.3g} beside a largest of {eigenvalues[0]:.3g}; products "
            f"of gradients have none below zero, and rounding explains {rounding:.1g}.",
            ValidityWarning,
            stacklevel=4,
        )
