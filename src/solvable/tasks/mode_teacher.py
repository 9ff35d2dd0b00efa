"""A linear teacher given by its modes: which inputs drive which outputs, how strongly, and how much they vary."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count
from solvable.tasks.teachers import TeacherNetwork, linear_teacher


class ModeTeacher(NamedTuple):
    """A linear teacher and its modes.

    Attributes
    ----------
    task
        Gaussian inputs with their linear targets.
    left, right
        U and V, orthonormal columns, one a mode: E[y x^T] = U diag(covariances) V^T.

    References
    ----------
    None: bookkeeping.
    """

    task: TeacherNetwork
    left: Float[Array, "output_dim mode"]
    right: Float[Array, "input_dim mode"]


def mode_teacher(
    *,
    covariances: Float[Array, " mode"],
    variances: Float[Array, " input_dim"],
    output_dim: int,
    angle: float = 0.0,
) -> ModeTeacher:
    r"""A linear teacher on Gaussian inputs with given moments, along axes none of which is that of one input or output.

    .. math:: E[y x^\top] = U\,\mathrm{diag}(\sigma)\,V^\top, \qquad
       E[x x^\top] = R\,\mathrm{diag}(\lambda)\,R^\top, \qquad V = \text{the first columns of } R

    with U and R cosine waves over the outputs and inputs.

    Parameters
    ----------
    covariances
        sigma of each mode, in any order and of either sign; their dtype is the task's.
    variances
        lambda of each input direction, the modes' first; all ones for white inputs. At least as many as modes.
    output_dim
        At least the number of modes.
    angle
        In radians: turns the axes of E[x x^T] against the modes, which it then no longer shares: directions 1 and 2, 3
        and 4, and so on, in their plane. Changes nothing for white inputs.

    Raises
    ------
    OutsideDomain
        Fewer inputs or outputs than modes, or a variance that is not positive.

    References
    ----------
    gidel2019, commuting covariances; saxe2014 [all lambda 1].
    """
    sigma, spread = np.asarray(covariances), np.asarray(variances)
    check_count("output_dim", output_dim, at_least=sigma.size)
    if spread.size < sigma.size:
        raise OutsideDomain(
            f"`variances` has {spread.size} entries; there must be at least one for each of {sigma.size} modes."
        )
    if not np.all(spread > 0):
        raise OutsideDomain(f"`variances` is {spread}; every variance must be above 0.")
    left, basis = _cosines(output_dim)[:, : sigma.size], _cosines(spread.size)
    right, axes = basis[:, : sigma.size], basis @ _turn(spread.size, angle)
    weights = (left * sigma) @ right.T @ (axes / spread) @ axes.T
    covariance = (axes * spread) @ axes.T
    weights, covariance, left, right = (
        jnp.asarray(matrix, covariances.dtype) for matrix in (weights, (covariance + covariance.T) / 2, left, right)
    )
    return ModeTeacher(linear_teacher(weights, covariance), left, right)


def _cosines(size: int) -> np.ndarray:
    """The orthonormal cosine basis (DCT-II), waves as columns."""
    places = np.arange(size)
    waves = np.cos(np.pi / size * (places[:, None] + 0.5) * places[None, :])
    return waves / np.linalg.norm(waves, axis=0)


def _turn(size: int, angle: float) -> np.ndarray:
    """Rotation of neighbouring pairs of axes; a last axis without partner stays."""
    turn = np.eye(size)
    for first in range(0, size - 1, 2):
        cos, sin = np.cos(angle), np.sin(angle)
        turn[first : first + 2, first : first + 2] = [[cos, -sin], [sin, cos]]
    return turn
