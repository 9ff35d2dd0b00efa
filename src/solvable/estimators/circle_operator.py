"""Eigenvalues of kernels on the circle, as equally spaced points have them."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count
from solvable.numerics import Kernel, gram_matrix
from solvable.tasks import circle_points


@eqx.filter_jit
def circle_kernel_eigenvalues(kernel: Kernel, num_points: int, num_frequencies: int) -> Float[Array, " frequency"]:
    """Eigenvalues of the kernel matrix on equally spaced points of the circle, divided by their number, by frequency.

    Parameters
    ----------
    kernel
        Of ``solvable.numerics``, or any function of inner product and squared lengths.
    num_points
        M. Frequencies k + M, k + 2 M, ... look like k there: eigenvalues that fall as 1/k^2 are too large by a share of
        3.3 (k/M)^2.
    num_frequencies
        How many, from 0 on: up to M/2 + 1.

    Returns
    -------
    Array
        Of cosine and sine alike; frequency 0 has the constant alone.

    Raises
    ------
    OutsideDomain
        No points, more frequencies than they have.

    References
    ----------
    geifman2020 and basri2020, spectrum on the circle.
    """
    check_count("num_points", num_points)
    check_count("num_frequencies", num_frequencies)
    if num_frequencies > num_points // 2 + 1:
        raise OutsideDomain(
            f"`num_frequencies` is {num_frequencies}; {num_points} points have {num_points // 2 + 1}: take more points."
        )
    points = circle_points(num_points)
    # Each row of the matrix is the one above, moved by one: waves are its eigenvectors.
    row = gram_matrix(kernel, points[:1], points)[0]
    return jnp.fft.rfft(row).real[:num_frequencies] / num_points
