"""The diagonal network u v on its way from one saddle to the next, at any size of its start."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from solvable.errors import OutsideDomain, check_positive
from solvable.tasks import Moments


@dataclass(frozen=True)
class DiagonalPath:
    """The flow of u v from u = alpha sqrt2, v = 0.

    Attributes
    ----------
    strength
        beta = u v, shape (record, input_dim).
    accumulated
        s = -(integral of the gradient) / ln(1/alpha), shape (record, input_dim).
    loss
        Half mean squared error, shape (record,).
    """

    strength: Float[np.ndarray, "record input_dim"]
    accumulated: Float[np.ndarray, "record input_dim"]
    loss: Float[np.ndarray, " record"]


def diagonal_path(moments: Moments, log_scale: float, times: Float[np.ndarray, " record"]) -> DiagonalPath:
    r"""The whole path of the diagonal network u v, for starts as small as e^(-10 000).

    .. math:: \frac{ds}{d\tau} = E[(y - \beta.x)\,x], \qquad
       \beta = \alpha^2 \sinh(2 s \ln(1/\alpha)), \qquad \tau = \frac{t}{\ln(1/\alpha)}

    Parameters
    ----------
    moments
        Of one target y and the inputs x; any correlation, degenerate or not.
    log_scale
        ln(1/alpha), above 0.
    times
        tau of the records, increasing, in units of ln(1/alpha) of gradient-flow time on the half loss.

    Raises
    ------
    OutsideDomain
        More than one output, a scale of 1 or above, times that do not increase or that were not reached.

    Notes
    -----
    Exact at every alpha. As alpha goes to 0 it becomes the staircase of ``flows.diagonal_stages``; the time of a drop
    is off by c / ln(1/alpha), c being constant but as large as gradients are weak (up to 300 met): two scales and
    ``numerics.two_scale_limit`` remove it. SciPy's LSODA in float64; not traceable.

    References
    ----------
    pesme2023, mirror flow.
    """
    from scipy.integrate import solve_ivp

    check_positive("log_scale", log_scale, "alpha must be below 1")
    if moments.sigma_yz.shape[0] != 1:
        raise OutsideDomain(f"`moments` has {moments.sigma_yz.shape[0]} outputs; this network makes one.")
    at = np.asarray(times, float)
    if at.ndim != 1 or at.size == 0 or at[0] < 0 or np.any(np.diff(at) <= 0):
        raise OutsideDomain(f"`times` is {times!r}; it must hold increasing times of at least 0.")
    correlation = np.asarray(moments.sigma_yz[0], float)
    covariance = np.asarray(moments.sigma_zz, float)
    # No trial step of the solver may overflow: strengths beyond this are none of a converging flow.
    most = np.log(1e3 * (1 + np.abs(np.linalg.lstsq(covariance, correlation, rcond=None)[0]).max()))

    def powers(dual):
        size = np.abs(dual)
        return np.exp(np.minimum(2 * log_scale * (size - 1), most)), np.exp(-2 * log_scale * (size + 1))

    def strength(dual):
        up, down = powers(dual)
        return np.sign(dual) * (up - down) / 2

    flow = solve_ivp(
        lambda time, dual: correlation - covariance @ strength(dual),
        (0, at[-1]),
        np.zeros_like(correlation),
        method="LSODA",
        jac=lambda time, dual: -covariance * log_scale * sum(powers(dual)),
        t_eval=at,
        rtol=1e-9,
        atol=1e-10 / log_scale,
        max_step=max(at[-1], 1e-300) / 500,
    )
    if flow.y.shape[1] != at.size:
        raise OutsideDomain(f"`times` go to {at[-1]:g}; the solver stopped before ({flow.message}); use fewer.")
    along = strength(flow.y.T)
    square = float(moments.target_power) - along @ correlation - np.sum((correlation - along @ covariance) * along, 1)
    return DiagonalPath(along, flow.y.T, np.maximum(square, 0) / 2)
