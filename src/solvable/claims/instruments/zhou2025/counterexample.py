"""Figure 3: a kernel that keeps turning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments
from solvable.claims import Claim, Source, fraction_wrong, observables
from solvable.claims.instruments.zhou2025._panels import draw_panels
from solvable.claims.instruments.zhou2025._setting import check_steps, follow_kernel, load_images, record_steps
from solvable.errors import check_count

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class NoSecondPhase(Claim):
    """The two phases are not universal: there is training in which the kernel keeps turning throughout.

    The paper does not say how it got there. Here labels are drawn at random, which the network learns one by one. As
    long as it does, the kernel hardly slows (it moves a fifth of its first way in an equal time, or more), and
    ``instruments.find_phases`` finds no second phase. Once every label is known by heart, it comes to rest.
    """

    source = Source("zhou2025", "Fig. 3 and Sec. 5", "law")
    metric = fraction_wrong("keeps_turning", "as_fast")
    tolerance = 0.01  # measured: 0 over eight seeds

    data: str = "digits"  # or "fashion": Fashion-MNIST where it is installed
    steps: int = 1000  # T
    references: tuple[int, ...] = (400, 500, 600)  # tau, where it has rested for long with the right labels
    gap: int = 100  # dt of the kernel's velocity, in steps
    learning_rate: float = 0.05
    batch_size: int = 32
    train_size: int = 1000
    num_probes: int = 20  # n, images of the kernel
    image_side: int = 14
    channels: tuple[int, ...] = (12,)  # of each convolution
    kernel_side: int = 5  # pixels
    widths: tuple[int, ...] = (32,)  # of each dense layer
    seeds: int = 1
    full = dict(
        image_side=28, channels=(6, 16), widths=(120, 84), train_size=4000, num_probes=50, seeds=3, steps=1500,
        learning_rate=0.03, references=(450, 600, 900), gap=150,
    )  # fmt: skip

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

    def validate(self) -> None:
        check_count("gap", self.gap)
        check_count("num_probes", self.num_probes)
        check_steps(self, "references", self.references, up_to=self.steps - self.gap)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        return draw_panels(ax, measurement["distance"], self.references, self.gap)
