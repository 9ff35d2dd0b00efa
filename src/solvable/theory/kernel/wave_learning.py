r"""How a wave is learned on a circle whose arcs hold unlike shares of the data: dense ones first.

Times are those of gradient flow on the half mean squared error; gradient descent on the half sum of squares of n
samples reaches time t at step t/(eta n).
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_non_negative, check_positive, is_concrete
from solvable.theory.kernel.checks import Numbers, floating_dtype
from solvable.theory.kernel.circle_waves import RELU_TAIL, DensityModes


def wave_residual(
    modes: DensityModes, frequency: int, times: Float[Array, " time"], angles: Float[Array, " point"]
) -> Float[Array, "time point"]:
    r"""What is left of the target :math:`\cos \kappa\theta` at each place, of a kernel that starts from 0.

    .. math:: u(t, \theta) = \sum_i e^{-\lambda_i t}\,f_i(\theta) \int p\,f_i \cos\kappa\theta'\,d\theta'

    Parameters
    ----------
    modes
        From ``density_modes``, of more frequencies than kappa.
    frequency
        kappa >= 0.
    times
        t >= 0.
    angles
        Places at which it is wanted.

    Raises
    ------
    OutsideDomain
        A frequency that the modes lack or of which the kernel's eigenvalue is 0, negative times.

    Notes
    -----
    Exact for infinitely wide networks and many samples, up to the cut of the modes.

    References
    ----------
    basri2020, dynamics u <- (I - eta K) u.
    """
    check_count("frequency", frequency, at_least=0)
    top = modes.coefficients.shape[1] // 2
    if frequency > top:
        raise OutsideDomain(f"`frequency` is {frequency}; the modes have waves up to {top}: ask for more of them.")
    if is_concrete(modes.coefficients) and not np.any(np.asarray(modes.coefficients)[:, frequency]):
        raise OutsideDomain(f"`frequency` is {frequency}, which the kernel does not see: its eigenvalue there is 0.")
    check_non_negative("times", times)
    return _residual(modes, frequency, times, angles)


def local_learning_time(
    frequency: Numbers, density: Numbers, residual: Numbers, *, tail: Numbers = RELU_TAIL
) -> Float[Array, "..."]:
    r"""Time until the residual of a wave is down to a share of its start, where inputs have a given density.

    .. math:: t = \frac{\kappa^2 \log(1/\epsilon)}{2 \pi c\,p}, \qquad c = \frac1{2\pi^2}:\;
       \frac{\pi \kappa^2 \log(1/\epsilon)}{p}

    Parameters
    ----------
    frequency
        kappa > 0 of the target cos(kappa theta).
    density
        p >= 0 at the place, a mass for each radian.
    residual
        0 < epsilon <= 1.
    tail
        As for ``local_waves``. All four are numbers or arrays that broadcast.

    Returns
    -------
    Array
        inf where there are no inputs.

    Raises
    ------
    OutsideDomain
        A frequency, residual or tail that is not positive; a negative density, a residual above 1.

    Notes
    -----
    The relative error is of order 1/kappa^2, and larger within a few wavelengths of an arc's ends: 4% at kappa = 8,
    0.3% at 32. The paper has the power, kappa^2/p.

    References
    ----------
    basri2020, theorem on convergence under non-uniform density.
    """
    for name, value in (("frequency", frequency), ("residual", residual), ("tail", tail)):
        check_positive(name, value)
    check_non_negative("density", density)
    if is_concrete(residual) and np.any(np.asarray(residual) > 1):
        raise OutsideDomain(f"`residual` is {residual}; it must be at most 1, the share that is left.")
    dtype = floating_dtype(frequency, density, residual, tail)
    return _learning_time(*(jnp.asarray(each, dtype) for each in (frequency, density, residual, tail)))


@partial(jax.jit, static_argnums=1)
def _residual(modes: DensityModes, frequency: int, times: Array, angles: Array) -> Array:
    along = modes.coefficients[:, frequency]
    # The mean of an eigenfunction times a wave of eigenvalue sum_i lambda_i g_i^2 is lambda g over that.
    overlap = modes.eigenvalues * along / jnp.sum(modes.eigenvalues * along**2) / (2**0.5 if frequency else 1)
    learned = -jnp.expm1(-modes.eigenvalues[None, :] * times[:, None]) * overlap[None, :]
    return jnp.cos(frequency * angles)[None, :] - learned @ modes.evaluate(angles)


@jax.jit
def _learning_time(frequency, density, residual, tail) -> Array:
    passed = density > 0
    rate = 2 * jnp.pi * tail * jnp.where(passed, density, 1) / frequency**2
    return jnp.where(residual == 1, 0, jnp.where(passed, -jnp.log(residual) / rate, jnp.inf))
