"""Fully connected linear networks from saddle to saddle, where directions turn with the residual."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import equinox as eqx
import numpy as np
from jaxtyping import Float

from solvable.tasks import Moments
from solvable.theory.flows.directions import escape_modes
from solvable.theory.flows.fixed_points import FixedPoints, greedy_fixed_points, residual_correlation
from solvable.theory.flows.next_saddle import Saddle, SaddlePath, accumulation_rate, alternate

# A component this small counts as absent: it would cost log(1/overlap), which is nothing next to log(1/alpha).
_NO_OVERLAP = 1e-6
_compiled_residual = eqx.filter_jit(residual_correlation)


@dataclass(frozen=True)
class LinearSaddle(Saddle):
    """A saddle of a linear layer.

    Attributes
    ----------
    directions
        Weights (v, u) of norm 1 along the triplets, as rows, shape (dormant, weights).
    exponents
        Small units are, up to a rotation among units, combinations of sources: source i has a component
        alpha^(1 - exponents_ij) along direction j; shape (source, dormant). ``accumulated`` is the largest of them.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    None: see ``LinearLayer``.
    """

    directions: Float[np.ndarray, "dormant weights"] = field(kw_only=True)
    exponents: Float[np.ndarray, "source dormant"] = field(kw_only=True)


@dataclass(frozen=True)
class LinearLayer:
    """The layer sum_i v_i u_i^T z on moments of targets and features, with more units than modes.

    Attributes
    ----------
    moments
        Of targets and features.

    Raises
    ------
    Nothing of its own.

    Notes
    -----
    Weights (v, u) of small units obey a linear equation with the residual correlation R off the diagonal, and grow or
    decay along its eigenvectors, the singular triplets of R. When a triplet is first to reach norm 1, one combination
    of units becomes active and all others are free of it: of the matrix of small weights what is left is the Schur
    complement. At the next saddle R has turned, and what is left is written in its new triplets. In powers of alpha
    all of this is arithmetic of exponents, with the maximum in place of sums.

    References
    ----------
    kunin2025, fully connected linear networks; zhang2026, Lemma 6 and Eq. 42 (saddles, and R at each of them). The
    carry-over between saddles whose triplets differ is derived here.
    """

    moments: Moments

    @property
    def degree(self) -> int:
        return 2

    @cached_property
    def _points(self) -> FixedPoints:
        return eqx.filter_jit(greedy_fixed_points)(self.moments)

    @cached_property
    def _inputs(self) -> np.ndarray:
        """Features that targets correlate with, as orthonormal rows: residuals have no others."""
        return np.asarray(escape_modes(self.moments.sigma_yz).inputs, float)

    def start(self) -> LinearSaddle:
        """All units dormant. Raises nothing. References: as the class."""
        utility, directions = self._triplets(0)
        return self._rest(0, utility, directions, np.where(np.eye(utility.size) == 1, 0.0, -np.inf))

    def wait(self, saddle: LinearSaddle) -> tuple[float, LinearSaddle]:
        """The race between triplets, and what it leaves of the others. Raises nothing. References: as the class."""
        rates = accumulation_rate(self.degree) * saddle.utility
        growing = rates > _NO_OVERLAP * float(self._points.escape_rate[0])
        if saddle.unit + 1 == self._points.eigenvalues.size or not np.any(growing):
            return float("inf"), saddle
        waits = np.where(growing, (1 - saddle.accumulated) / np.where(growing, rates, 1), np.inf)
        winner = int(np.argmin(waits))
        wait = float(waits[winner])
        grown = saddle.exponents + wait * rates[None, :]
        source = int(np.argmax(grown[:, winner]))
        through_winner = grown[:, [winner]] + grown[[source], :] - grown[source, winner]
        left = np.delete(np.maximum(grown, through_winner), source, axis=0)
        left[:, winner] = -np.inf
        return wait, replace(saddle, exponents=left, accumulated=left.max(axis=0), unit=saddle.unit + 1)

    def descend(self, saddle: LinearSaddle) -> LinearSaddle:
        """The best map of one rank more. Raises nothing. References: zhang2026, Lemma 6; baldi1989."""
        rank = saddle.unit + 1
        utility, directions = self._triplets(rank)
        met = np.where(np.abs(directions @ saddle.directions.T) > _NO_OVERLAP, 0, -np.inf)
        exponents = np.stack([np.max(met + source[None, :], axis=1) for source in saddle.exponents])
        return self._rest(rank, utility, directions, exponents)

    def _triplets(self, rank: int) -> tuple[np.ndarray, np.ndarray]:
        """Utilities, half the singular values with both signs and zeros, and directions (v, u) as rows."""
        residual = _compiled_residual(self.moments, self._points.active[rank])
        residual = np.asarray(residual, float) @ self._inputs.T
        outputs, features = residual.shape
        flow = np.block([[np.zeros((outputs, outputs)), residual], [residual.T, np.zeros((features, features))]])
        rates, vectors = np.linalg.eigh(flow)
        directions = np.hstack([vectors[:outputs].T, vectors[outputs:].T @ self._inputs])
        return rates / accumulation_rate(self.degree), directions

    def _rest(self, rank: int, utility: np.ndarray, directions: np.ndarray, exponents: np.ndarray) -> LinearSaddle:
        strength = np.asarray(self._points.eigenvalues, float) * np.asarray(self._points.active[rank])
        loss, accumulated = float(self._points.loss[rank]), exponents.max(axis=0)
        return LinearSaddle(loss, strength, utility, accumulated, rank - 1, directions=directions, exponents=exponents)


def linear_stages(moments: Moments) -> SaddlePath:
    r"""Saddles of a wide fully connected linear layer from small weights, one rank after the other.

    On white inputs, with s_k the singular values of Sigma_yx,

    .. math:: t_k = \frac{\log(1/\alpha)}{s_k}, \qquad L_{k-1} - L_k = \frac{s_k^2}{2}

    Parameters
    ----------
    moments
        Of targets and features.

    Returns
    -------
    SaddlePath
        ``units`` count modes in the order of ``greedy_fixed_points``, ``strength`` is the power each explains.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Units that start with N(0, epsilon^2) weights act together: alpha = epsilon sqrt(H/2) for H of them. Where inputs
    are not white, triplets turn from saddle to saddle and pass on what they have grown (``LinearLayer``).

    References
    ----------
    kunin2025, fully connected linear networks; gidel2019 (white inputs); zhang2026, Lemma 6.
    """
    return alternate(LinearLayer(moments))
