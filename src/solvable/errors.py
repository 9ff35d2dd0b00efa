"""What goes wrong, said once: the exceptions of the library and the checks at its public doors.

A message has four parts: what, its value, what is allowed, what to do.
"""

import math
import sys
from collections.abc import Sequence
from typing import Any


class OutsideDomain(ValueError):
    """A request without meaning: the message names the argument, what it was and what would be right."""


class Diverged(ArithmeticError):
    """Training left the finite numbers.

    Attributes
    ----------
    step
        First recorded step (gradient descent) or time (gradient flow) whose loss is not finite.
    """

    def __init__(self, message: str, step: float):
        super().__init__(message)
        self.step = step


class ValidityWarning(UserWarning):
    """A formula used outside its regime; the message says how large its known error is there."""


def is_concrete(value: Any) -> bool:
    """Whether ``value`` has a value to look at now, rather than being a tracer inside ``jit`` or ``vmap``."""
    jax = sys.modules.get("jax")  # not imported here: where JAX is not loaded there are no tracers
    return jax is None or not isinstance(value, jax.core.Tracer)


def check_positive(name: str, value: Any, hint: str = "") -> None:
    """Raise OutsideDomain unless ``value``, or each of an array, is finite and > 0; tracers pass unchecked."""
    if is_concrete(value) and not _least(value) > 0:
        raise OutsideDomain(f"`{name}` is {value}; it must be a finite number above 0{hint and '; ' + hint}.")


def check_non_negative(name: str, value: Any, hint: str = "") -> None:
    """Raise OutsideDomain unless ``value``, or each of an array, is finite and >= 0; tracers pass unchecked."""
    if is_concrete(value) and not _least(value) >= 0:
        raise OutsideDomain(f"`{name}` is {value}; it must be a finite number of at least 0{hint and '; ' + hint}.")


def check_count(name: str, value: Any, *, at_least: int = 1) -> None:
    """Raise OutsideDomain unless ``value`` is a whole number of at least ``at_least``."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < at_least:
        raise OutsideDomain(f"`{name}` is {value}; it must be a whole number of at least {at_least}.")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise OutsideDomain unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise OutsideDomain(f"`{name}` is {value!r}; it must be one of {', '.join(map(repr, choices))}.")


def _least(value: Any) -> float:
    """The smallest of the numbers, NaN where one is not finite; by NumPy, as ``jit`` traces what JAX does."""
    if not getattr(value, "ndim", 0):
        return value if math.isfinite(value) else math.nan
    import numpy as np  # not above: the command line starts without it

    array = np.asarray(value, float)
    return float(np.min(array, initial=np.inf)) if np.all(np.isfinite(array)) else math.nan
