"""How tangent kernels turn: their distances and velocities, and their alignment with the targets."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_positive
from solvable.instruments.kernel_space import kernel_distances
from solvable.instruments.tangent.spectrum import to_numpy
from solvable.numerics import first_crossing


def kernel_distance(first: Any, second: Any, *, centred: bool = False) -> Float[Array, ""]:
    r"""One minus the cosine between two kernels, blind to their scales; 0 for a network that stays lazy.

    .. math:: S = 1 - \frac{\langle K, K' \rangle_F}{\|K\|_F\,\|K'\|_F}

    Parameters
    ----------
    first, second
        Kernels of one shape, of any number of outputs, samples on the first two axes; of JAX, NumPy or PyTorch.
    centred
        Take the means over samples off both sides first: a large mean hides motion.

    Returns
    -------
    Array
        Between 0 and 1 for tangent kernels, accurate for small distances too. Near 0 it is half the square of the
        angle arccos(1 - S) between them.

    Raises
    ------
    OutsideDomain
        Kernels of different shapes.

    References
    ----------
    Fort et al. (2020), kernel distance; zhou2025, Eq. 4; domine2025; kunin2024.
    """
    first, second = _to_jax(first), _to_jax(second)
    if first.shape != second.shape:
        raise OutsideDomain(
            f"the kernels have shapes {first.shape} and {second.shape}; a distance is between kernels on the same "
            "samples and of the same outputs."
        )
    if centred:
        first, second = _centre(first), _centre(second)
    return kernel_distances(jnp.stack([first, second]))[0, 1]


def kernel_velocity(first: Any, second: Any, elapsed: Any, *, centred: bool = False) -> Float[Array, ""]:
    """How fast a kernel turns: the distance between two moments of training over the time between them.

    Parameters
    ----------
    first, second, centred
        As for ``kernel_distance``.
    elapsed
        Time or steps between the two, above 0. A kernel that drifts ballistically has a velocity in proportion to
        this, one that diffuses a constant one, one inside a cone a velocity that falls as its inverse.

    Raises
    ------
    OutsideDomain
        A time that is not above 0; as ``kernel_distance``.

    References
    ----------
    Fort et al. (2020), kernel velocity; zhou2025, Eq. 5.
    """
    check_positive("elapsed", elapsed)
    return kernel_distance(first, second, centred=centred) / elapsed


def kernel_alignment(kernel: Any, targets: Any) -> Float[Array, ""]:
    r"""How far the kernel points along the targets: the cosine between K and y y^T.

    .. math:: A = \frac{y^\top K y}{\|K\|_F\,|y|^2}

    Parameters
    ----------
    kernel
        (num_samples, num_samples) of one output or of their trace, or (num_samples, num_samples, output_dim,
        output_dim).
    targets
        y of one output or of several, (num_samples,) or (num_samples, output_dim). Beside a kernel of one output those
        of several count as y y^T summed over them; beside a full kernel as one vector.

    Returns
    -------
    Array
        Between 0 and 1 for a positive semi-definite kernel; 0 for targets or kernels of zeros.

    Raises
    ------
    OutsideDomain
        Targets of another shape.

    References
    ----------
    atanasov2021, alignment [y_mu = beta . x_mu on inputs that are the axes].
    """
    kernel, targets = _to_jax(kernel), _to_jax(targets)
    columns = targets.reshape(targets.shape[0], -1)
    full = kernel.ndim == 4
    if kernel.shape[0] != len(columns) or (full and kernel.shape[2] != columns.shape[1]):
        raise OutsideDomain(f"`targets` has shape {targets.shape}, which does not go with a kernel of {kernel.shape}.")
    if full:
        return _cosine(kernel, columns[:, None, :, None] * columns[None, :, None, :])
    return _cosine(kernel, columns @ columns.T)


def alignment_at_drop(
    loss: Float[np.ndarray, " record"], alignment: Float[np.ndarray, " record"], share: float
) -> float:
    """The alignment that is reached when the loss has lost a given share of its first value: silent if it is the last.

    Parameters
    ----------
    loss, alignment
        Recorded along one run.
    share
        Between 0 and 1, of the first loss.

    Returns
    -------
    float
        By linear interpolation between records; NaN where the loss never falls as far.

    Raises
    ------
    OutsideDomain
        A share outside 0 to 1, or lengths that differ.

    References
    ----------
    atanasov2021, silent alignment.
    """
    check_positive("share", share)
    if share >= 1 or loss.shape != alignment.shape:
        raise OutsideDomain(
            f"`share` is {share}, for {loss.size} losses and {alignment.size} alignments; it must be below 1, and the "
            "two equally many."
        )
    records = np.arange(loss.size, dtype=float)
    return float(np.interp(first_crossing(records, loss, (1 - share) * float(loss[0])), records, alignment))


def _cosine(first: Array, second: Array) -> Array:
    size = jnp.sqrt(jnp.sum(first**2)) * jnp.sqrt(jnp.sum(second**2))
    return jnp.where(size > 0, jnp.sum(first * second) / jnp.where(size > 0, size, 1), 0)


def _to_jax(array: Any) -> Array:
    return jnp.asarray(to_numpy(array) if hasattr(array, "detach") else array)


def _centre(kernel: Array) -> Array:
    rows = kernel - kernel.mean(axis=0, keepdims=True)
    return rows - rows.mean(axis=1, keepdims=True)
