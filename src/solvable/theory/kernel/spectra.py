"""Spectra for theories of kernel regression and of linear students: of a covariance, and of fewer levels."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.numerics import clear_rounding


class TeacherSpectrum(eqx.Module):
    """What theory needs to know of features and targets.

    Attributes
    ----------
    eigenvalues
        lambda_i of the features' covariance, largest first, rounding taken off, shape (mode,).
    target_power
        v_i^2 along each, shape (mode,).
    beyond
        Variance of the target that no linear map of the features gives: noise to them.

    References
    ----------
    loureiro2021, population objects.
    """

    eigenvalues: Float[Array, " mode"]
    target_power: Float[Array, " mode"]
    beyond: Float[Array, ""]


class BinnedSpectrum(eqx.Module):
    """A spectrum of few levels in place of many eigenvalues.

    Attributes
    ----------
    eigenvalues, target_power, multiplicities
        Of each level: the mean eigenvalue, the summed power of the target, the number of modes, shape (level,).

    References
    ----------
    cui2023; loureiro2021.
    """

    eigenvalues: Float[Array, " level"]
    target_power: Float[Array, " level"]
    multiplicities: Float[Array, " level"]


@jax.jit
def covariance_spectrum(
    covariance: Float[Array, "features features"], cross: Float[Array, " features"], target_variance: Float[Array, ""]
) -> TeacherSpectrum:
    r"""Eigenvalues of features and the target's power along them, :math:`v_i^2 = (u_i \cdot b)^2/\lambda_i`.

    Parameters
    ----------
    covariance
        Omega = E x x^T of the student's features x, or their average over a pool of data.
    cross
        b = E x t with the target t: a teacher's field, or labels themselves for square loss on real data.
    target_variance
        E t^2.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    For u with E u u^T = Psi, x with E u x^T = Phi and t = theta.u: b = Phi^T theta and E t^2 = theta^T Psi theta. The
    average over a pool describes errors on the pool; those on other samples are larger by what n samples overfit of it.

    References
    ----------
    loureiro2021, population objects and real data.
    """
    values, vectors = jnp.linalg.eigh(covariance)
    values, along = values[::-1], (cross @ vectors)[::-1]
    values = clear_rounding(values, values.size)
    power = jnp.where(values > 0, along**2 / jnp.where(values > 0, values, 1), 0)
    return TeacherSpectrum(values, power, jnp.maximum(target_variance - jnp.sum(power), 0))


def bin_spectrum(
    eigenvalues: Float[Array, " mode"], target_power: Float[Array, " mode"], *, single: int = 300, levels: int = 600
) -> BinnedSpectrum:
    r"""A long spectrum by its leading modes and levels that gather ever more of the others.

    Parameters
    ----------
    eigenvalues, target_power
        lambda_i and v_i^2, any order; not under ``jit``.
    single
        How many of the largest eigenvalues are kept as they are.
    levels
        How many levels, of geometrically growing numbers of modes, hold the rest.

    Returns
    -------
    BinnedSpectrum
        Of the same number of modes, trace and total power; the spectrum itself where it is short.

    Raises
    ------
    OutsideDomain
        Shapes that differ, no levels, traced arrays.

    Notes
    -----
    For a million modes of :math:`i^{-1.5}` kappa and the risk of 100 to 30,000 samples change by less than 1e-6.

    References
    ----------
    cui2023, power laws to a million modes.
    """
    check_count("single", single, at_least=0)
    check_count("levels", levels)
    if not (is_concrete(eigenvalues) and is_concrete(target_power)):
        raise OutsideDomain("`eigenvalues` are traced; how many levels they need is not known under `jit`: bin before.")
    if eigenvalues.shape != target_power.shape:
        raise OutsideDomain(
            f"`eigenvalues` has shape {eigenvalues.shape} and `target_power` {target_power.shape}; each mode has both."
        )
    values, power = np.asarray(eigenvalues), np.asarray(target_power)
    order = np.argsort(-values, kind="stable")
    values, power = values[order], power[order]
    first = min(single, len(values))
    edges = np.unique(np.geomspace(max(first, 1), max(len(values), 1), levels + 1).round().astype(int))
    starts = np.concatenate([np.arange(first), edges[(edges >= first) & (edges < len(values))]])
    starts = np.unique(starts)
    counts = np.diff(np.append(starts, len(values)))
    sums = (np.add.reduceat(part, starts) for part in (values, power))
    mean, total = next(sums) / counts, next(sums)
    dtype = eigenvalues.dtype
    return BinnedSpectrum(*(jnp.asarray(part, dtype) for part in (mean, total, counts)))
