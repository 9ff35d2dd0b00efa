"""From saddle to saddle: dormant units race for the utility that is left, and the active ones use it up.

A unit of f = sum_i f_i(x; theta_i), homogeneous of degree kappa in its weights, that is still small does not feel the
other small ones. Its *utility* U(theta) = E[f_i(x; theta) . r], with r the residual of the active units, makes it grow,

    d|theta|/dt = kappa |theta|^(kappa - 1) U(theta / |theta|),

until it is no longer small. Then the active units minimise the loss, which takes no time by comparison, and the race
goes on under the new residual from where it stood. What a unit is, and how the active ones rest, is a *setting*.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from solvable.errors import OutsideDomain, check_count, check_positive


@dataclass(frozen=True)
class Saddle:
    """Where the active units rest, and how far the dormant ones have come.

    Attributes
    ----------
    loss
        Half mean squared error.
    strength
        What each unit adds to the map, in the coordinates of its setting, shape (unit,); 0 while it is dormant.
    utility
        Utility of each dormant unit at norm 1, E[f_i . r], shape (dormant,).
    accumulated
        The growth of each dormant unit so far as a share of what makes it active, shape (dormant,).
    unit
        The unit whose activation led here; -1 where all are dormant.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    kunin2025, alternating gradient flows.
    """

    loss: float
    strength: Float[np.ndarray, " unit"]
    utility: Float[np.ndarray, " dormant"]
    accumulated: Float[np.ndarray, " dormant"]
    unit: int = -1


State = TypeVar("State", bound=Saddle)


@runtime_checkable
class Setting(Protocol[State]):
    """What the algorithm asks of a network on a task; its saddles may hold more than ``Saddle`` does."""

    @property
    def degree(self) -> int:
        """kappa, degree of homogeneity of a unit in its weights."""
        ...

    def start(self) -> State:
        """All units dormant."""
        ...

    def wait(self, saddle: State) -> tuple[float, State]:
        """Time until the next unit is active, in units of ``stage_time_unit``, and the race at that time; or inf."""
        ...

    def descend(self, saddle: State) -> State:
        """Where the active units rest once ``saddle.unit`` is one of them."""
        ...


@dataclass(frozen=True)
class SaddlePath:
    """The saddles that training from small weights visits, in order; ``stage`` 0 is the start.

    Attributes
    ----------
    times
        When each saddle is reached, shape (stage,), in units of ``stage_time_unit``: log(1/alpha) for kappa = 2,
        alpha^(2 - kappa) above. The first is 0.
    loss
        Half mean squared error there, shape (stage,), descending.
    units
        The unit whose activation leads there, shape (stage,); -1 at the start.
    saddles
        Everything known of each of them.
    degree
        kappa.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    kunin2025, alternating gradient flows.
    """

    times: Float[np.ndarray, " stage"]
    loss: Float[np.ndarray, " stage"]
    units: Int[np.ndarray, " stage"]
    saddles: tuple[Saddle, ...]
    degree: int

    def flow_times(self, init_scale: float) -> Float[np.ndarray, " stage"]:
        """Gradient-flow times of the half loss for units that start at norm ``init_scale``, alpha.

        Raises OutsideDomain for a scale outside (0, 1). References: kunin2025, activation times.
        """
        return self.times * stage_time_unit(self.degree, init_scale)


def alternate(setting: Setting[State], holds: Callable[[State, float], bool] | None = None) -> SaddlePath:
    """The path of training from vanishing weights, saddle by saddle.

    Parameters
    ----------
    setting
        A network on a task, such as ``SignedModes`` or ``LinearLayer``.
    holds
        Whether to go on from a saddle, given it and the wait there, in units of ``stage_time_unit``; left out, always.

    Returns
    -------
    SaddlePath
        Until no dormant unit has any utility left, an activation no longer lowers the loss, or ``holds`` is False.

    Raises
    ------
    OutsideDomain
        Whatever the setting refuses; nothing of its own.

    Notes
    -----
    The limit of small weights. Times are approached as 1/log(1/alpha) for kappa = 2, and as alpha for kappa = 3 once
    units are aligned: those that are not lose a factor of order 1 there, which ``activation_times`` follows.

    References
    ----------
    kunin2025, alternating gradient flows (utility maximisation, cost minimisation, and the loop of the two).
    """
    saddle, time = setting.start(), 0.0
    path = [(time, saddle)]
    while True:
        wait, ready = setting.wait(saddle)
        if not math.isfinite(wait) or (holds is not None and not holds(saddle, wait)):
            break
        after = setting.descend(ready)
        if not after.loss < saddle.loss:
            break
        saddle, time = after, time + wait
        path.append((time, saddle))
    times, saddles = zip(*path, strict=True)
    return SaddlePath(
        np.array(times),
        np.array([saddle.loss for saddle in saddles]),
        np.array([saddle.unit for saddle in saddles]),
        saddles,
        setting.degree,
    )


def stage_time_unit(degree: int, init_scale: float) -> float:
    """The gradient-flow time that stages last from units of norm alpha: log(1/alpha), or alpha^(2 - kappa).

    Parameters
    ----------
    degree
        kappa, at least 2.
    init_scale
        alpha, between 0 and 1.

    Raises
    ------
    OutsideDomain
        A degree below 2, or a scale outside (0, 1), from which nothing is small.

    References
    ----------
    kunin2025, activation times.
    """
    check_count("degree", degree, at_least=2)
    check_positive("init_scale", init_scale)
    if init_scale >= 1:
        raise OutsideDomain(
            f"`init_scale` is {init_scale}; stages are told apart for norms well below 1; use a smaller one."
        )
    return math.log(1 / init_scale) if degree == 2 else init_scale ** (2 - degree)


def accumulation_rate(degree: int) -> int:
    """Share of the threshold that a unit gains in a time unit, per utility: 2 for kappa = 2, kappa (kappa - 2) above.

    Raises OutsideDomain for a degree below 2. References: kunin2025, activation times.
    """
    check_count("degree", degree, at_least=2)
    return 2 if degree == 2 else degree * (degree - 2)
