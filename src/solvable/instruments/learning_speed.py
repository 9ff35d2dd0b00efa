"""How strongly each mode of the task is there in a network, and when it was learned."""

import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain
from solvable.networks import Network
from solvable.numerics import first_crossing


def mode_strengths(
    network: Network, left: Float[Array, "output_dim mode"], right: Float[Array, "input_dim mode"]
) -> Float[Array, " mode"]:
    r"""Strength :math:`w_k = U_k^\top W V_k` of each mode in the map W of a linear network.

    Parameters
    ----------
    network
        Any network that is linear in its inputs; W are its ``coefficients``.
    left, right
        Modes as columns: singular vectors of the task.

    Raises
    ------
    OutsideDomain
        Vectors that do not fit the map.

    References
    ----------
    saxe2014, strengths of the input-output map in the task's singular vectors.
    """
    map_ = network.coefficients()
    if map_.shape != (left.shape[0], right.shape[0]):
        raise OutsideDomain(
            f"the network's map has shape {map_.shape}; `left` and `right` are for ({left.shape[0]}, {right.shape[0]})."
        )
    return ((left.T @ map_) * right.T).sum(axis=1)


def half_learning_times(
    times: Float[np.ndarray, " record"],
    strengths: Float[np.ndarray, "record mode"],
    targets: Float[np.ndarray, " _"] | None = None,
) -> Float[np.ndarray, " mode"]:
    """When each mode first reaches half of what it learns, by linear interpolation between records.

    Parameters
    ----------
    times
        Increasing, of the records, in any unit.
    strengths
        Recorded strength of each mode.
    targets
        What each mode learns; its last record if left out.

    Returns
    -------
    Array
        NaN for a mode that never gets there, in the unit of ``times``.

    Raises
    ------
    OutsideDomain
        Numbers of records or modes that differ.

    References
    ----------
    saxe2014, learning time of a mode.
    """
    goals = strengths[-1] if targets is None else targets
    if goals.shape != strengths.shape[1:]:
        raise OutsideDomain(f"`targets` has {goals.size} modes and `strengths` {strengths.shape[1]}; give one a mode.")
    halves = zip(strengths.T, goals, strict=True)
    return np.array([first_crossing(times, strength, float(goal) / 2) for strength, goal in halves])
