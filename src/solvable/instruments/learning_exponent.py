"""The power with which measured errors fall with the number of samples, and how sure it is."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from solvable.errors import OutsideDomain, check_count

_FEWEST_SIZES, _SHORTEST = 3, 4.0  # in a range, and its last size over its first
_BEND = 0.8  # a curve whose last local exponent is below this share of its first runs into a floor

Sizes = Float[np.ndarray, " size"] | Int[np.ndarray, " size"] | Float[Array, " size"] | Int[Array, " size"]


class LearningExponent(NamedTuple):
    r"""A learning curve :math:`\varepsilon(n) = c\,n^{-\alpha} + \varepsilon_\infty` and what is known of its power.

    Attributes
    ----------
    exponent
        alpha.
    interval
        Lower and upper end of what it is for resampled seeds.
    amplitude, floor
        c and epsilon_inf; the floor is 0 where the curve shows none.
    local
        Exponents between neighbouring sizes, of mean logarithms, shape (size - 1,): all equal for a power law.
    windows
        Exponents without floor from each size on, as long as three are left, shape (size - 2,): how much the choice of
        the window matters.

    References
    ----------
    vyas2022, fits of exponents.
    """

    exponent: float
    interval: tuple[float, float]
    amplitude: float
    floor: float
    local: Float[np.ndarray, " pair"]
    windows: Float[np.ndarray, " start"]

    def curve(self, sizes: Sizes) -> Float[np.ndarray, " size"]:
        """Errors of the fit at any sizes, such as larger ones that it has not seen. Raises nothing. Ref.: none."""
        return self.amplitude * np.asarray(sizes, float) ** -self.exponent + self.floor


def learning_exponent(
    sizes: Sizes,
    errors: Float[np.ndarray, "seed size"] | Float[Array, "seed size"],
    key: Key[Array, ""],
    *,
    floor: bool = True,
    confidence: float = 0.95,
    resamples: int = 400,
) -> LearningExponent:
    r"""The exponent of a learning curve by least squares on logarithms, with its interval over seeds.

    Logarithms of errors are averaged over seeds. Where the last local exponent is a fifth below the first, the curve
    has a floor, which would pass for a smaller power: it is fitted too, where there are sizes enough for it.

    Parameters
    ----------
    sizes
        n, increasing, at least three of them and the last at least four times the first.
    errors
        Test errors above 0, of at least two seeds: draws of samples and networks. Not under ``jit``.
    key
        Randomness of the resampling.
    floor
        Whether to look for one; without, several curves of one range are compared as straight lines.
    confidence
        Share of resampled exponents inside the interval.
    resamples
        How many.

    Raises
    ------
    OutsideDomain
        Too few sizes or too short a range to tell a power; one seed; errors that are 0 or not finite; shapes that do
        not fit.

    Notes
    -----
    Three seeds make too narrow an interval; five are better. The exponent is that of this range: ``local`` and
    ``windows`` tell how much it drifts. Two curves are best compared on the same samples.

    References
    ----------
    vyas2022, learning curves; Efron (1979), bootstrap.
    """
    sizes, errors = np.asarray(sizes, float), np.asarray(errors, float)
    _check(sizes, errors, confidence, resamples)
    logs, position = np.log(errors), np.log(sizes)
    mean = logs.mean(axis=0)
    local = -np.diff(mean) / np.diff(position)
    bends = floor and len(sizes) > _FEWEST_SIZES and abs(local[-1]) < _BEND * local[0]
    fit = _fit_floor if bends else _fit_line
    chosen = np.asarray(jax.random.randint(key, (resamples, len(errors)), 0, len(errors)))
    # With few seeds most resamples are the same ones in another order.
    kinds, counts = np.unique(np.sort(chosen, axis=1), axis=0, return_counts=True)
    found = np.repeat([fit(position, logs[kind].mean(axis=0))[0] for kind in kinds], counts)
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    exponent, log_amplitude, level = fit(position, mean)
    starts = range(len(sizes) - _FEWEST_SIZES + 1)
    windows = np.array([_fit_line(position[start:], mean[start:])[0] for start in starts])
    return LearningExponent(exponent, (float(low), float(high)), float(np.exp(log_amplitude)), level, local, windows)


def _check(sizes: np.ndarray, errors: np.ndarray, confidence: float, resamples: int) -> None:
    check_count("resamples", resamples)
    if not 0 < confidence < 1:
        raise OutsideDomain(f"`confidence` is {confidence}; it must be between 0 and 1.")
    if sizes.ndim != 1 or len(sizes) < _FEWEST_SIZES or np.any(np.diff(sizes) <= 0) or sizes[0] <= 0:
        raise OutsideDomain(f"`sizes` is {sizes.tolist()}; it must hold at least {_FEWEST_SIZES}, above 0, increasing.")
    if sizes[-1] < _SHORTEST * sizes[0]:
        raise OutsideDomain(
            f"`sizes` is {sizes.tolist()}, too short a range to tell a power; its last must be at least "
            f"{_SHORTEST:g} times its first."
        )
    if errors.ndim != 2 or errors.shape[1] != len(sizes) or len(errors) < 2:
        raise OutsideDomain(
            f"`errors` has shape {errors.shape}; it must hold at least two seeds, one a row, of {len(sizes)} sizes."
        )
    if not np.all(np.isfinite(errors) & (errors > 0)):
        raise OutsideDomain("`errors` holds a value that is not a finite number above 0; end the range before it.")


def _fit_line(position: np.ndarray, logs: np.ndarray) -> tuple[float, float, float]:
    """Exponent, logarithm of the amplitude and no floor."""
    centred = position - position.mean()
    exponent = -float(centred @ logs / (centred @ centred))
    return exponent, float(logs.mean() + exponent * position.mean()), 0.0


def _fit_floor(position: np.ndarray, logs: np.ndarray) -> tuple[float, float, float]:
    """The same with a floor, from which all errors are away by least squares of logarithms."""
    from scipy.optimize import least_squares

    def model(exponent, log_amplitude, log_floor):
        return np.logaddexp(log_amplitude - exponent * position, log_floor)

    # Half of the smallest error is a floor to start from.
    log_floor = logs.min() - np.log(2)
    exponent, log_amplitude, _ = _fit_line(position, np.log(np.exp(logs) - np.exp(log_floor)))
    start = exponent, log_amplitude, log_floor
    found = least_squares(lambda numbers: model(*numbers) - logs, start, x_scale="jac", max_nfev=200).x
    return float(found[0]), float(found[1]), float(np.exp(found[2]))
