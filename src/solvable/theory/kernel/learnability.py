"""The budget of learnability: n samples learn n modes' worth, shared out among all modes by their eigenvalues."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_non_negative, is_concrete
from solvable.theory.kernel.checks import check_spectrum
from solvable.theory.kernel.regression import KernelRisk

Number = float | Float[Array, ""]


@jax.jit
def total_learnability(risk: KernelRisk) -> Float[Array, "*batch"]:
    r"""The sum of all modes' learnabilities, :math:`\sum_i m_i L_i = n - \delta/\kappa`.

    Parameters
    ----------
    risk
        From ``kernel_risk``.

    Returns
    -------
    Array
        At ridge 0 the number of samples, or of modes if those are fewer; below it with a ridge. Without ridge it is the
        same number for every training set, whose samples differ, not just the mean over them.

    Raises
    ------
    Raises nothing.

    References
    ----------
    simon2023a, conservation of learnability.
    """
    return jnp.sum(risk.learnability * jnp.expand_dims(risk.multiplicities, range(risk.test.ndim)), axis=-1)


@jax.jit
def target_learnability(risk: KernelRisk) -> Float[Array, "*batch"]:
    r"""Mean overlap of the learned function with the target, :math:`\sum_i v_i^2 L_i / \sum_i v_i^2`.

    Parameters
    ----------
    risk
        From ``kernel_risk``, of a target that is not 0.

    Returns
    -------
    Array
        <f, f-hat>/<f, f>, between 0 and 1; not one less the error, and not R^2. NaN-free: 0 for a target of 0.

    Raises
    ------
    Raises nothing.

    References
    ----------
    simon2023a, learnability of a function.
    """
    power = risk.target_power
    total = jnp.sum(power)
    return risk.learnability @ power / jnp.where(total > 0, total, 1)


@jax.jit
def lone_mode_error(risk: KernelRisk) -> Float[Array, "*batch mode"]:
    r"""Error on a target along one mode alone, without noise, as a share of its power: :math:`E_0 (1 - L_i)^2`.

    Parameters
    ----------
    risk
        From ``kernel_risk`` with any target.

    Returns
    -------
    Array
        Above 1 where learning does worse than to predict 0, as it does for modes of small eigenvalue; inf at the
        interpolation threshold.

    Raises
    ------
    Raises nothing.

    References
    ----------
    simon2023a, modes of low learnability.
    """
    left = (1 - risk.learnability) ** 2
    return jnp.where(left > 0, risk.overfitting[..., None] * jnp.where(left > 0, left, 1), 0)


def misled_threshold(
    eigenvalues: Float[Array, " mode"], *, ridge: Number = 0.0, multiplicities: Float[Array, " mode"] | None = None
) -> Float[Array, ""]:
    r"""The eigenvalue below which the first samples make the error on a mode worse.

    .. math:: \lambda_i < \frac{\sum_j m_j \lambda_j^2}{2 (\sum_j m_j \lambda_j + \delta)}
       \iff \frac{d}{dn} E_0 (1 - L_i)^2 \Big|_{n = 0} > 0

    Parameters
    ----------
    eigenvalues
        lambda_i >= 0.
    ridge
        delta >= 0, may be traced.
    multiplicities
        m_i >= 0, ones unless given.

    Raises
    ------
    OutsideDomain
        Negative eigenvalues or ridge, shapes that do not fit, a spectrum that is 0.

    Notes
    -----
    An expansion of the risk formula at small n, of a target along the mode alone and without noise. The formula itself
    is a limit of many samples; measured at n = 3 it is within 1 %.

    References
    ----------
    simon2023a, modes of low learnability [own expansion].
    """
    multiplicities = check_spectrum(eigenvalues, multiplicities)
    check_non_negative("ridge", ridge)
    if is_concrete(eigenvalues) and not np.any(np.asarray(eigenvalues) * np.asarray(multiplicities) > 0):
        raise OutsideDomain("`eigenvalues` are all 0: such a kernel learns nothing; give one that is not.")
    return _threshold(eigenvalues, multiplicities, jnp.asarray(ridge, eigenvalues.dtype))


@jax.jit
def _threshold(eigenvalues, multiplicities, ridge):
    return jnp.sum(multiplicities * eigenvalues**2) / (2 * (jnp.sum(multiplicities * eigenvalues) + ridge))


def distinct_samples(num_samples: int, num_points: int) -> float:
    r"""Mean number of different points among independent draws from finitely many, :math:`M (1 - (1 - 1/M)^n)`.

    Without ridge the learnabilities of a training set add up to this number, where points repeat.

    Parameters
    ----------
    num_samples
        n >= 0.
    num_points
        M >= 1, all equally likely.

    Raises
    ------
    OutsideDomain
        Numbers without meaning.

    References
    ----------
    simon2023a, conservation of learnability on a finite domain.
    """
    check_count("num_samples", num_samples, at_least=0)
    check_count("num_points", num_points)
    return num_points * (1 - (1 - 1 / num_points) ** num_samples)
