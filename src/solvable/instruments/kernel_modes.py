"""What a kernel makes of a set of data: its eigenvalues there, and how the targets lie along its eigenfunctions."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.estimators import FactoredKernel, factor_kernel


class KernelModes(eqx.Module):
    """Spectrum of a kernel under the law that gives each of N samples the same weight.

    Attributes
    ----------
    eigenvalues
        lambda_i, of K/N, largest first, rounding taken off, shape (mode,) with as many modes as samples.
    target_power
        v_i^2, squared coefficient of the targets along each orthonormal eigenfunction, summed over outputs; the sum is
        the targets' mean square.

    References
    ----------
    wei2022, spectrum and alignment; canatar2021.
    """

    eigenvalues: Float[Array, " mode"]
    target_power: Float[Array, " mode"]


def kernel_modes(
    gram: Float[Array, "num_samples num_samples"], targets: Float[Array, "targets output_dim"]
) -> KernelModes:
    """Eigenvalues of a kernel and power of the targets along its eigenfunctions, on samples taken for the population.

    Parameters
    ----------
    gram
        K, symmetric and positive semi-definite, of all N samples.
    targets
        y, one row a sample.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit.

    Notes
    -----
    One eigendecomposition, O(N^3). Eigenvalues of few samples are those of more only as long as they are large.

    References
    ----------
    wei2022, omniscient estimate.
    """
    return factored_modes(factor_kernel(gram, targets))


def factored_modes(factored: FactoredKernel) -> KernelModes:
    """The same of samples that have been factored already.

    Parameters
    ----------
    factored
        From ``estimators.factor_kernel``.

    Raises
    ------
    Raises nothing.

    References
    ----------
    wei2022, omniscient estimate.
    """
    size = factored.eigenvalues.size
    return KernelModes(factored.eigenvalues / size, jnp.sum(factored.targets**2, axis=1) / size)
