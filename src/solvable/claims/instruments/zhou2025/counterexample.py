"""Figure 3: a kernel that keeps turning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments
from solvable.claims import Source, fraction_wrong, observables
from solvable.claims.instruments.zhou2025._setting import follow_kernel, load_images, record_steps
from solvable.claims.instruments.zhou2025.cone import ConeEffect

if TYPE_CHECKING:
    import jax
    import xarray as xr


class NoSecondPhase(ConeEffect):
    """The two phases are not universal: there is training in which the kernel keeps turning throughout.

    The paper does not say how it got there. Here labels are drawn at random, which the network learns one by one. As
    long as it does, the kernel hardly slows (it moves a fifth of its first way in an equal time, or more), and
    ``instruments.find_phases`` finds no second phase. Once every label is known by heart, it comes to rest.
    """

    source = Source("zhou2025", "Fig. 3 and Sec. 5", "law")
    metric = fraction_wrong("keeps_turning", "as_fast")
    tolerance = 0.01  # measured: 0 over eight seeds

    def predict(self) -> xr.Dataset:
        return observables(keeps_turning=1.0, as_fast=1.0)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        record = record_steps(self)
        labels = load_images(self.data, self.image_side, self.train_size)[1]
        drawn = np.random.default_rng(0).permutation(labels)
        distances = follow_kernel(self, drawn, record, key)
        starts, motion = instruments.adjacent_distances(record, distances, self.gap)
        later = motion[np.searchsorted(starts, self.references)]
        return observables(
            {"since": record, "step": ("step", record, {"long_name": "step"})},
            keeps_turning=float(instruments.find_phases(record, distances).kind == "no second phase"),
            as_fast=float(motion[0] < 5 * later.mean()),
            distance=(("since", "step"), distances),
        )
