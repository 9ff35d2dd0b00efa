"""Settings in which every unit has a mode of its own: diagonal linear, quadratic, attention, modular networks.

The map is linear in the signed strengths b of the modes, f = sum_k b_k z_k(x), each mode has its own units, and the
utility of an aligned unit is proportional to the gradient, U_k = gain_k g_k with g = E[(y - f) z]. The race is then
between fixed directions at constant speed, and the active units rest at least squares with the signs they have.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count
from solvable.tasks import Moments
from solvable.theory.flows.levels import linear_attention_levels
from solvable.theory.flows.next_saddle import Saddle, SaddlePath, accumulation_rate, alternate

# Largest value of v |u|^2, and of v |k| |q|, over weights of total norm 1: each third of the square in one factor.
_BEST_SQUARE, _BEST_TRIPLE = 2 / 27**0.5, 1 / 27**0.5


@dataclass(frozen=True)
class SignedModes:
    """Units that are each on one mode, with a sign.

    Attributes
    ----------
    moments
        Of the target, one output, and of the modes z.
    gain
        Utility of a unit of norm 1 on a mode over the gradient of its strength, shape (mode,); positive.
    degree
        kappa, degree of homogeneity of a unit in its weights.

    Raises
    ------
    OutsideDomain
        More than one output, a gain that is not positive, or a degree below 2.

    Notes
    -----
    Accumulated utility is signed: +1 activates a unit of positive strength, -1 one of negative. A unit whose strength
    falls back to 0 is dormant again and goes on from the threshold, down to the opposite one. Modes that tie are
    active together. NumPy in float64.

    References
    ----------
    kunin2025, diagonal linear networks; pesme2023, Algorithm 1.
    """

    moments: Moments
    gain: Float[Array, " mode"]
    degree: int

    def __post_init__(self) -> None:
        check_count("degree", self.degree, at_least=2)
        if self.moments.sigma_yz.shape[0] != 1:
            raise OutsideDomain(
                f"`moments` has {self.moments.sigma_yz.shape[0]} outputs; the modes make one: take each output alone."
            )
        if self.gain.shape != self.moments.sigma_yz.shape[1:] or not np.all(np.asarray(self.gain) > 0):
            raise OutsideDomain(f"`gain` is {self.gain}; it must hold a number above 0 for each mode.")

    @cached_property
    def _correlation(self) -> np.ndarray:
        return np.asarray(self.moments.sigma_yz[0], float)

    @cached_property
    def _root(self) -> tuple[np.ndarray, np.ndarray]:
        """A and b with |A strength - b|^2 / 2 the loss, up to a constant."""
        variances, basis = np.linalg.eigh(np.asarray(self.moments.sigma_zz, float))
        size = np.sqrt(np.where(variances > self._precision * variances[-1], variances, np.inf))
        root = np.where(np.isfinite(size), size, 0)
        return root[:, None] * basis.T, basis.T @ self._correlation / size

    @property
    def _precision(self) -> float:
        return 1e3 * float(jnp.finfo(self.moments.sigma_zz.dtype).eps)

    def start(self) -> Saddle:
        """All units dormant. Raises nothing. References: as the class."""
        return self._rest(np.zeros_like(self._correlation), np.zeros_like(self._correlation))

    def wait(self, saddle: Saddle) -> tuple[float, Saddle]:
        """The race at constant utility. Raises nothing. References: pesme2023, Algorithm 1, steps (i) to (iii)."""
        rates = accumulation_rate(self.degree) * saddle.utility
        moving = rates != 0
        waits = np.full(rates.shape, np.inf)
        waits[moving] = (np.sign(rates) - saddle.accumulated)[moving] / rates[moving]
        first = int(np.argmin(waits))
        if not np.isfinite(waits[first]):
            return float("inf"), saddle
        arrived = waits <= waits[first] * (1 + self._precision)
        accumulated = np.where(arrived, np.sign(rates), saddle.accumulated + rates * waits[first])
        return float(waits[first]), replace(saddle, accumulated=accumulated, unit=first)

    def descend(self, saddle: Saddle) -> Saddle:
        """Least squares with the active signs. Raises nothing. References: pesme2023, Algorithm 1, step (iv)."""
        from scipy.optimize import nnls

        active = np.abs(saddle.accumulated) == 1
        signs = saddle.accumulated[active]
        matrix, targets = self._root
        strength = np.zeros_like(saddle.strength)
        strength[active] = signs * nnls(matrix[:, active] * signs[None, :], targets)[0]
        return self._rest(strength, saddle.accumulated, saddle.unit)

    def _rest(self, strength: np.ndarray, accumulated: np.ndarray, unit: int = -1) -> Saddle:
        residual = self._correlation - np.asarray(self.moments.sigma_zz, float) @ strength
        negligible = np.abs(residual) <= self._precision * np.max(np.abs(self._correlation))
        gradient = np.where(negligible | (strength != 0), 0, residual)
        square = float(self.moments.target_power) - float(strength @ (self._correlation + residual))
        return Saddle(max(square, 0.0) / 2, strength, np.asarray(self.gain, float) * gradient, accumulated, unit)


def diagonal_stages(moments: Moments) -> SaddlePath:
    r"""Saddles of the diagonal linear network f = sum_i u_i v_i x_i, one coordinate after the other.

    .. math:: S_i = \frac{1}{\log(1/\alpha)} \int_0^t g_i\,dt, \quad g = E[(y - f)\,x], \qquad
       |S_i| < 1 \text{ while } u_i v_i = 0, \quad \text{and } u_i v_i \text{ has the sign of } S_i \text{ otherwise}

    Parameters
    ----------
    moments
        Of one target y and the inputs x, from ``Task.moments`` or ``sample_moments``; any correlation.

    Returns
    -------
    SaddlePath
        ``units`` are coordinates, ``strength`` is u_i v_i, ``accumulated`` is S_i. Coordinates may leave and return.

    Raises
    ------
    OutsideDomain
        More than one output.

    Notes
    -----
    Exact as alpha goes to 0, for u_i(0) = alpha sqrt2 and v_i(0) = 0. The time of a drop differs from ``flow_times``
    by a constant that does not shrink with alpha, so its share shrinks as 1/log(1/alpha); it is largest where
    gradients are weak.

    References
    ----------
    kunin2025, diagonal linear networks; pesme2023, Algorithm 1 and Theorem 2.
    """
    dtype = moments.sigma_yz.dtype
    return alternate(SignedModes(moments, jnp.full(moments.sigma_yz.shape[1], 0.5, dtype), 2))


def attention_stages(eigenvalues: Float[Array, " mode"], context_length: int) -> SaddlePath:
    r"""Saddles of linear attention heads of rank one that learn linear regression in context, head by head.

    .. math:: U_d = \frac{\lambda_d^2}{3\sqrt3}, \qquad t_d = \frac{1}{3 \alpha U_d}
       = \frac{1}{\lambda_d^2 s_0} \text{ for } v = |k| = |q| = s_0, \ \alpha = \sqrt3\,s_0

    Parameters
    ----------
    eigenvalues, context_length
        As in ``linear_attention_levels``.

    Returns
    -------
    SaddlePath
        ``units`` are modes of the inputs, ``strength`` is the coefficient of each in f = beta^T M x_q.

    Raises
    ------
    OutsideDomain
        As ``linear_attention_levels``.

    Notes
    -----
    Times are those of heads that start aligned with their mode, of total norm alpha; ``attention_mode_time`` holds at
    any alpha, ``first_escape_quantile`` for random heads. For X X^T divided by the context length.

    References
    ----------
    kunin2025, linear attention; zhang2025, heads of rank one with separate key and query.
    """
    best = linear_attention_levels(eigenvalues, context_length)
    correlation = eigenvalues**2
    modes = Moments(2 * best.loss[0], correlation[None, :], jnp.diag(correlation / best.strength[-1]))
    return alternate(SignedModes(modes, jnp.full_like(eigenvalues, _BEST_TRIPLE), 3))


def quadratic_stages(eigenvalues: Float[Array, " mode"]) -> SaddlePath:
    r"""Saddles of sum_i v_i (u_i.x)^2 that learns y = x.A x on standard Gaussian inputs, eigenvector by eigenvector.

    .. math:: U_k = \frac{2}{3\sqrt3}\,E[(y - f)\,(e_k.x)^2]

    Parameters
    ----------
    eigenvalues
        Of the symmetric teacher matrix A, any signs and order.

    Returns
    -------
    SaddlePath
        ``units`` are eigenvectors, ``strength`` is the network's matrix on each of them.

    Raises
    ------
    OutsideDomain
        No eigenvalue, or one that is not finite.

    Notes
    -----
    Times are those of units that start aligned and balanced, of total norm alpha: random ones take longer, and with
    eigenvalues of both signs the order depends on which units there are (``blow_up_time`` follows each of them).

    References
    ----------
    kunin2025, activation times for kappa = 3; zhang2026, App. I, Eq. 71 [half of its loss].
    """
    if eigenvalues.ndim != 1 or eigenvalues.size == 0 or not np.all(np.isfinite(eigenvalues)):
        raise OutsideDomain(f"`eigenvalues` is {eigenvalues}; it must be one row of finite numbers.")
    size, dtype = eigenvalues.size, eigenvalues.dtype
    fourth = 2 * jnp.eye(size, dtype=dtype) + jnp.ones((size, size), dtype)
    correlation = fourth @ eigenvalues
    modes = Moments(eigenvalues @ correlation, correlation[None, :], fourth)
    return alternate(SignedModes(modes, jnp.full(size, _BEST_SQUARE, dtype), 3))
