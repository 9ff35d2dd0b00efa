"""What every forecast by saddles shares: which of them are stages, when, and the plateaus in between."""

from dataclasses import dataclass

import numpy as np

from solvable.forecasting.prediction import FEWEST_STEPS, MOST_STEPS, record_steps, round_up_steps
from solvable.forecasting.settings import Settings
from solvable.theory.flows import SaddlePath

# A stage lowers the loss by at least this share of the initial one, as where stages are measured.
DROP = 0.01
# Around a stage, within this share of its time, the loss is on its way from one level to the next.
_ON_ITS_WAY = 0.1


@dataclass(frozen=True)
class Staircase:
    """A path of saddles on the axis of gradient steps.

    Attributes
    ----------
    path
        From theory.
    at_steps
        The step at which each saddle is reached, shape (stage,); the first is 0.
    large
        The saddles that are stages: those whose loss is lower by more than ``DROP``.
    doubt
        Steps by which each saddle may come earlier or later, shape (stage,).
    """

    path: SaddlePath
    at_steps: np.ndarray
    large: np.ndarray
    doubt: np.ndarray

    def record(self, settings: Settings) -> np.ndarray:
        """The steps to record at: half as long again as the last stage takes, or what was asked for."""
        last = float(self.at_steps[self.large[-1]]) if self.large.size else FEWEST_STEPS
        return np.asarray(
            record_steps(settings.steps or min(max(round_up_steps(1.5 * last), FEWEST_STEPS), MOST_STEPS))
        )

    def loss(self, steps: np.ndarray) -> np.ndarray:
        """The level at each step; NaN where the loss is between two."""
        at, doubt = self.at_steps[self.large], self.doubt[self.large]
        near = np.any(np.abs(steps[:, None] - at[None, :]) < np.maximum(_ON_ITS_WAY * at, doubt)[None, :], axis=1)
        return np.where(near, np.nan, self.path.loss[self.places(steps)])

    def places(self, steps: np.ndarray) -> np.ndarray:
        """The saddle that training is at, at each step."""
        return np.searchsorted(self.at_steps, steps, side="right") - 1

    def stages(self, steps: np.ndarray) -> list[int]:
        """The stages that these steps reach."""
        return [int(stage) for stage in self.large if self.at_steps[stage] < steps[-1]]


def make_staircase(
    path: SaddlePath, flow_times: np.ndarray, learning_rate: float, doubt: np.ndarray | None = None
) -> Staircase:
    """The staircase of a path whose saddles are reached at these gradient-flow times, give or take ``doubt``."""
    large = np.flatnonzero(-np.diff(path.loss) > DROP * path.loss[0]) + 1
    doubt = np.zeros_like(flow_times) if doubt is None else doubt
    return Staircase(path, flow_times / learning_rate, large, doubt / learning_rate)
