"""The two ways in which a linear neuron can be far from balance: lazy, and rich but late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import theory
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables
from solvable.claims.linear.kunin2024 import _training

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr


class LazyUpstream(Claim):
    """A neuron whose output weight is large learns lazily: its map relaxes to the target at the rate delta.

    Breaks as `target` grows: what there is to learn must be small next to delta.
    """

    source = Source("kunin2024", "upstream initialisation", "asymptotic")
    metric, tolerance = max_curve_gap("missing"), 0.001  # measured: 0.00045
    limit = ("imbalance", (10.0, 100.0, 1000.0))

    imbalance: float = 1000.0  # delta
    first_size: float = 0.5  # |w_0|
    cosine: float = -0.5  # between w_0 and the target
    target: float = 2.0  # b = |beta_*|
    input_dim: int = 5
    step: float = 2e-3  # learning rate times delta
    full = dict(imbalance=10_000.0, step=5e-4)

    def _times(self) -> np.ndarray:
        import numpy as np

        return np.linspace(0, 6 / self.step, 61).round() * self.step / self.imbalance

    def _start(self) -> tuple[np.ndarray, float]:
        return self.first_size * _training.along(self.cosine, self.input_dim), (
            self.imbalance + self.first_size**2
        ) ** 0.5

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        first, second = map(jnp.asarray, self._start())
        target = self.target * jnp.eye(self.input_dim)[0]
        maps = theory.linear.lazy_neuron(
            jnp.asarray(self._times()), second * first, target, jnp.asarray(self.imbalance)
        )
        return self._label(maps)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        first, second = map(jnp.asarray, self._start())
        rate = self.step / self.imbalance
        record = (self._times() / rate).round().astype(int)
        run = _training.train(
            first,
            second,
            self.target,
            learning_rate=rate,
            record=record,
            map=lambda network: network.coefficients()[0],
        )
        return self._label(np.asarray(run.observables["map"]))

    def _label(self, maps) -> xr.Dataset:
        import numpy as np

        # Only where the plane of w and the target lies: the map never leaves it.
        gaps = np.array([self.target, 0.0])[:, None] - np.asarray(maps)[:, :2].T
        time = ("time", self.imbalance * self._times(), {"long_name": "time, in units of 1/δ"})
        return observables(
            coords={"axis": ("axis", ["along", "across"], {"long_name": "direction"}), "time": time},
            missing=(("axis", "time"), gaps, {"long_name": "what is missing, β* − β"}),
        )


class DelayedRich(Claim):
    """A neuron whose input weights are large turns them to the target late, on the time scale of its imbalance.

    Meanwhile the map is the best there is along w. Compared from 10/|delta| on, when the output weight has settled.
    Breaks as `target` grows: what there is to learn must be small next to the imbalance.
    """

    source = Source("kunin2024", "downstream initialisation", "asymptotic")
    metric, tolerance = max_relative_error("cosine"), 0.006  # measured: 0.0044
    limit = ("imbalance", (10.0, 30.0, 100.0))

    imbalance: float = 100.0  # |delta|, of delta < 0
    second: float = 0.5  # a_0
    cosine: float = 0.2  # phi_0, between w_0 and the target
    target: float = 2.0  # b = |beta_*|
    input_dim: int = 5
    step: float = 0.1  # learning rate times |delta|
    full = dict(imbalance=1000.0)

    def _record(self) -> np.ndarray:
        """Steps from 10/|delta| to well after the turn."""
        import numpy as np

        return np.geomspace(10 / self.step, 4 * (self.imbalance / self.target) ** 2 / self.step, 41).round().astype(int)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        times = jnp.asarray(self.step / self.imbalance * self._record())
        start, imbalance, target = map(jnp.asarray, (self.cosine, -self.imbalance, self.target))
        return self._label(theory.linear.delayed_cosine(times, start, imbalance, target))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp

        size = (self.imbalance + self.second**2) ** 0.5
        run = _training.train(
            jnp.asarray(size * _training.along(self.cosine, self.input_dim)),
            jnp.asarray(self.second),
            self.target,
            learning_rate=self.step / self.imbalance,
            record=self._record(),
            cosine=lambda network: network.first[0, 0] / jnp.sqrt(jnp.sum(network.first**2)),
        )
        return self._label(run.observables["cosine"])

    def _label(self, cosine) -> xr.Dataset:
        times = self.step / self.imbalance * self._record()
        time = ("time", times, {"long_name": "time, learning rate × steps", "scale": "log"})
        return observables(
            coords={"time": time}, cosine=("time", cosine, {"long_name": "cosine between w and the target"})
        )
