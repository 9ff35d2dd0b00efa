"""Equally spaced points on a circle, and the waves on them."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import check_count


def circle_points(num_points: int) -> Float[Array, "point 2"]:
    """Equally spaced points of the unit circle, around it once.

    Raises
    ------
    OutsideDomain
        No points.

    References
    ----------
    simon2023a, unit circle.
    """
    angles = _angles(num_points)
    return jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1), float)


def circle_waves(num_points: int) -> Float[Array, "point wave"]:
    """Orthonormal waves on equally spaced points: the eigenfunctions of all kernels that rotations leave alone.

    Parameters
    ----------
    num_points
        M, which is also the number of waves.

    Returns
    -------
    Array
        The constant, then cosine and sine of each frequency; of M/2, for even M, the cosine alone. Their mean squares
        over the points are 1.

    Raises
    ------
    OutsideDomain
        No points.

    References
    ----------
    simon2023a, unit circle.
    """
    phases = wave_frequencies(num_points)[None, :] * _angles(num_points)[:, None]
    waves = np.where(np.arange(num_points) % 2 == 1, np.cos(phases), np.sin(phases)) * 2**0.5
    waves[:, 0] = 1
    if num_points % 2 == 0:
        waves[:, -1] /= 2**0.5
    return jnp.asarray(waves, float)


def wave_frequencies(num_points: int) -> np.ndarray:
    """Frequency of each wave of ``circle_waves``, shape (num_points,). Raises OutsideDomain for none. Ref.: none."""
    check_count("num_points", num_points)
    return (np.arange(num_points) + 1) // 2


def _angles(num_points: int) -> np.ndarray:
    check_count("num_points", num_points)
    return 2 * np.pi * np.arange(num_points) / num_points
