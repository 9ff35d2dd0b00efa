"""Exact eigenvalues under a density on the circle that repeats an even number of times."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq, fminbound

from solvable.errors import OutsideDomain, check_count, check_positive
from solvable.theory.kernel.circle_waves import RELU_TAIL

_SCAN = 60  # points of the scan for each half turn of the phase


def antiperiodic_eigenvalues(
    lengths: Float[np.ndarray, " region"],
    densities: Float[np.ndarray, " region"],
    num_eigenvalues: int,
    *,
    tail: float = RELU_TAIL,
) -> Float[np.ndarray, " mode"]:
    r"""Eigenvalues of the functions that change sign from each period of the density to the next.

    A density of period pi/m, m = 3, 5, ..., leaves frequencies m, 3m, 5m, ... to themselves, all of them odd. If
    :math:`\lambda_k = c/k^2` there on the uniform circle, then without error

    .. math:: f'' = -\frac{2\pi c\,p}{\lambda} f, \qquad
       \mathrm{tr} \prod_j \begin{pmatrix} \cos w_j l_j & \sin(w_j l_j)/w_j \\ -w_j \sin w_j l_j & \cos w_j l_j
       \end{pmatrix} = -2, \quad w_j^2 = \frac{2\pi c\,p_j}{\lambda}

    Parameters
    ----------
    lengths, densities
        l_j > 0 and p_j > 0 of the arcs of one period; lengths add up to pi/m, masses p_j l_j to 1/(2m).
    num_eigenvalues
        How many, the largest first; they come in pairs around ``local_waves`` of the orders q = m, 3m, ...
    tail
        c; of ``relu_layer_spectrum`` with biases of scale beta it is beta^2/((1 + beta^2) pi^2).

    Raises
    ------
    OutsideDomain
        Lengths and densities that are no period of such a density, no eigenvalues, a tail that is not positive.

    Notes
    -----
    Exact for the kernel of ``numerics.ReluLayerKernel``, whatever beta. In 1/sqrt(lambda) the trace is monotonic
    between extrema at or beyond 2 and -2, so that each of its minima has one root on either side, or is a double root.

    References
    ----------
    basri2020, Proposition on the eigenfunctions [its differential equation, where it is exact].
    """
    lengths, densities = np.asarray(lengths, float), np.asarray(densities, float)
    check_count("num_eigenvalues", num_eigenvalues)
    check_positive("tail", tail)
    _check_period(lengths, densities)
    speeds = np.sqrt(2 * np.pi * tail * densities)
    turn = np.pi / np.sum(speeds * lengths)  # of 1/sqrt(lambda), for half a turn of the phase
    pairs = (num_eigenvalues + 1) // 2
    trace = lambda inverse: _trace(inverse, speeds, lengths)  # noqa: E731
    zeros, reach = np.empty(0), 2 * pairs + 1
    while zeros.size < 2 * pairs:
        scan = np.linspace(0, reach * turn, reach * _SCAN + 1)
        signs = np.sign([trace(place) for place in scan])
        changes = np.flatnonzero(signs[1:] * signs[:-1] <= 0)
        zeros = np.array([brentq(trace, scan[place], scan[place + 1], xtol=1e-15 * turn) for place in changes])
        reach += 1
    roots = np.concatenate([_pair(trace, zeros[2 * pair], zeros[2 * pair + 1]) for pair in range(pairs)])
    return (1 / roots**2)[:num_eigenvalues]


def _pair(trace, low: float, high: float) -> np.ndarray:
    """Where the trace is -2, on both sides of its minimum between two of its zeros."""
    lowest: float = fminbound(trace, low, high, xtol=1e-12 * (high - low))  # pyright: ignore[reportAssignmentType]
    if trace(lowest) >= -2:
        return np.array([lowest, lowest])
    gap = lambda inverse: trace(inverse) + 2  # noqa: E731
    return np.array([brentq(gap, low, lowest, xtol=1e-15 * high), brentq(gap, lowest, high, xtol=1e-15 * high)])


def _trace(inverse: float, speeds: np.ndarray, lengths: np.ndarray) -> float:
    """Of the period's transfer matrix at 1/sqrt(lambda)."""
    product = np.eye(2)
    for speed, length in zip(speeds * inverse, lengths, strict=True):
        # At no frequency the sine over it is the length.
        sine = length * np.sinc(speed * length / np.pi)
        product = np.array([[np.cos(speed * length), sine], [-(speed**2) * sine, np.cos(speed * length)]]) @ product
    return float(np.trace(product))


def _check_period(lengths: np.ndarray, densities: np.ndarray) -> None:
    if lengths.ndim != 1 or lengths.size == 0 or lengths.shape != densities.shape:
        raise OutsideDomain(
            f"`lengths` has shape {lengths.shape} and `densities` {densities.shape}; each arc has both."
        )
    check_positive("lengths", lengths)
    check_positive("densities", densities)
    repeats = np.pi / lengths.sum()
    if abs(repeats - round(repeats)) > 1e-6 or round(repeats) % 2 == 0 or round(repeats) < 3:
        raise OutsideDomain(f"`lengths` add up to pi/{repeats:.6g}; they must add up to pi/3, pi/5, pi/7, ...")
    mass = 2 * round(repeats) * np.sum(lengths * densities)
    if abs(mass - 1) > 1e-6:
        raise OutsideDomain(f"`densities` hold a mass of {mass:.6g} around the circle; it must be 1: divide by it.")
