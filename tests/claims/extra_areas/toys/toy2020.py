"""A decaying mode, and claims that go wrong in each of the ways a claim can."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from solvable import errors
from solvable.claims import Claim, Source, fraction_wrong, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr

TIME = {"long_name": "time $t$", "units": "1/rate"}


def _euler(rates: tuple[float, ...], step: float, records: int, skipped: int) -> list[list[float]]:
    return [[(1 - rate * step) ** (skipped * record) for record in range(records)] for rate in rates]


class Decay(Claim):
    """A mode with `rate` $r$ decays as exp(-r t).

    Breaks as `step` grows: Euler's steps lag behind.
    """

    source = Source(paper="toy2020", where="Eq. 1", kind="exact")
    metric, tolerance = max_curve_gap("strength"), 0.02
    full: ClassVar = {"records": 41}
    limit = ("step", (0.1, 0.01, 0.001))

    rates: tuple[float, ...] = (1.0, 0.5)  # of each mode, r > 0
    step: float = 0.01
    records: int = 11  # entries along time
    noise: float = 1e-4
    name: str = "linear"

    def validate(self) -> None:
        errors.check_positive("step", self.step)

    def predict(self) -> xr.Dataset:
        import numpy as np

        times = np.arange(self.records, dtype=float)
        return self._label(times, ("mode", "time"), np.exp(-np.outer(self.rates, times)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp

        curves = jnp.asarray(_euler(self.rates, self.step, self.records, round(1 / self.step)))
        noise = self.noise * jax.random.normal(key, (3, *curves.shape))
        return self._label(jnp.arange(self.records), ("seed", "mode", "time"), curves[None] + noise)

    def _label(self, times, dims, values):
        return observables({"time": ("time", times, TIME)}, strength=(dims, values, {"long_name": "strength"}))


class DecayAsPrinted(Claim):
    """A mode decays as exp(-2 t)."""

    source = Source(paper="toy2020", where="Eq. 2", kind="exact")
    metric, tolerance = max_relative_error("strength"), 0.02
    expected, reason = "fails", "a factor of two was lost in print"

    time: float = 1.0

    def predict(self) -> xr.Dataset:
        import math

        return observables(strength=math.exp(-2 * self.time))

    def measure(self, key: jax.Array) -> xr.Dataset:
        return observables(strength=_euler((1.0,), 0.001, 2, round(self.time * 1000))[0][1])


class Order(Claim):
    """Modes are learned in the order of their rates."""

    source = Source(paper="toy2020", where="Fig. 1", kind="law")
    metric, tolerance = fraction_wrong("order"), 0.1

    rates: tuple[float, ...] = (3.0, 2.0, 1.0)

    def predict(self) -> xr.Dataset:
        return observables({"mode": ["a", "b", "c"]}, order=("mode", [1, 2, 3]))

    def measure(self, key: jax.Array) -> xr.Dataset:
        return observables({"mode": ["a", "b", "c"]}, order=("mode", [1, 2, 3]))


class Explodes(Claim):
    """Training at twice the largest stable rate converges."""

    source = Source(paper="toy2020", where="Thm. 3", kind="asymptotic")
    metric, tolerance = max_relative_error("loss"), 0.02

    bug: bool = False

    def predict(self) -> xr.Dataset:
        return observables(loss=0.0)

    def measure(self, key: jax.Array) -> xr.Dataset:
        if self.bug:
            raise KeyError("loss")
        raise errors.Diverged("The loss is not finite from step 7; use a learning rate below 0.1.", 7)
