"""Gradient flow: training with an infinitesimal learning rate, by an adaptive Runge-Kutta method."""

from collections.abc import Callable, Mapping
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import Diverged, OutsideDomain, check_positive, is_concrete
from solvable.networks import Network
from solvable.training.objective import Data, Objective, Reduction, make_objective, name_of
from solvable.training.trajectory import Trajectory, observe, wait


def gradient_flow(
    network: Network,
    data: Data,
    *,
    times: Float[np.ndarray, " record"] | Float[Array, " record"],
    relative_tolerance: float = 1e-8,
    absolute_tolerance: float | Float[Array, ""] | None = None,
    max_steps: int = 1_000_000,
    observables: Mapping[str, Callable[[Any], Array]] | None = None,
    reduction: Reduction = "auto",
) -> Trajectory:
    r"""Gradient flow on the half mean squared error, recorded at chosen times.

    .. math:: \dot\theta = -\nabla L(\theta), \qquad L = \tfrac12 E|y - f(x;\theta)|^2

    Parameters
    ----------
    network
        The network at time 0.
    data
        As for ``gradient_descent``.
    times
        Recording times, increasing, not negative; log-spaced times suit long plateaus.
    relative_tolerance, absolute_tolerance
        Error allowed a step. The absolute one must lie far below the initial weights, or the solver steps over the
        escape from the first saddle; left out, it is 1e-6 of their root mean square.
    max_steps
        Solver steps after which the flow is given up.
    observables, reduction
        As for ``gradient_descent``.

    Returns
    -------
    Trajectory
        With ``steps`` None.

    Raises
    ------
    OutsideDomain
        Times that are not increasing, or a tolerance that is not positive.
    Diverged
        The solver gave up; names the first time that was not reached.

    Notes
    -----
    Dormand-Prince 5(4). An adaptive solve costs seconds to compile; ``gradient_descent`` with a small learning
    rate is the faster choice for short runs.

    References
    ----------
    zhang2026, Eq. 3.
    """
    at = np.asarray(times) if is_concrete(times) else None
    if at is not None and (
        at.ndim != 1 or at.size == 0 or at[0] < 0 or not np.all(np.isfinite(at)) or np.any(np.diff(at) <= 0)
    ):
        raise OutsideDomain(f"`times` is {times!r}; it must hold increasing finite times of at least 0.")
    check_positive("relative_tolerance", relative_tolerance)
    objective = make_objective(network, data, reduction)
    if absolute_tolerance is None:
        absolute_tolerance = 1e-6 * jnp.sqrt(jnp.mean(network.first**2) + jnp.finfo(network.first.dtype).tiny)
    check_positive("absolute_tolerance", absolute_tolerance)
    trajectory = _flow(
        network,
        objective,
        jnp.asarray(times, network.first.dtype),
        relative_tolerance,
        absolute_tolerance,
        max_steps,
        tuple((observables or {}).items()),
    )
    if is_concrete(trajectory.loss) and not bool(np.all(np.isfinite(wait(trajectory).loss))):
        lost = float(trajectory.times[int(jnp.argmin(jnp.isfinite(trajectory.loss)))])
        raise Diverged(f"gradient flow did not reach time {lost:g}; raise `max_steps` or the tolerances.", lost)
    return trajectory


@eqx.filter_jit
def _flow(network, objective: Objective, times, rtol, atol, max_steps, observables) -> Trajectory:
    params, static = eqx.partition(network, eqx.is_inexact_array)

    def velocity(time, params, args):
        return jax.tree.map(jnp.negative, jax.grad(lambda p: objective(eqx.combine(p, static)))(params))

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(velocity),
        diffrax.Dopri5(),
        t0=jnp.zeros_like(times[0]),
        t1=times[-1],
        dt0=None,
        y0=params,
        saveat=diffrax.SaveAt(
            subs=[
                diffrax.SubSaveAt(
                    ts=times, fn=lambda t, p, args: observe(eqx.combine(p, static), objective, dict(observables))
                ),
                diffrax.SubSaveAt(t1=True),
            ]
        ),
        stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
        max_steps=max_steps,
        throw=False,
    )
    assert solution.ys is not None
    records, last = solution.ys
    final = jax.tree.map(lambda p: p[-1], last)
    return Trajectory(None, times, records, eqx.combine(final, static), name_of(objective))
