"""Figure 2: what the moving kernel is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import training
from solvable.claims import Claim, Source, fraction_wrong, observables
from solvable.claims.instruments.zhou2025._setting import check_setting, load_images, make_lenet
from solvable.errors import OutsideDomain

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class SwitchingGain(Claim):
    """Past its first steps, a network ends the better the later its training is linearised; best if never.

    The last of the switches is also compared with training that is linearised from the start on, which does better than
    one that is linearised after a few steps, while the kernel still turns fast. All runs see the same batches; compared
    is the order of the medians over seeds, rank 1 for the lowest accuracy. The switches are far apart, as a test set of
    a thousand images tells no finer order: within the second phase, where the paper finds a gain as well, ours is as
    small as the noise, and the test loss goes up and down.
    """

    source = Source("zhou2025", "Fig. 2", "law")
    metric = fraction_wrong("accuracy_rank", "beats_lazy")
    tolerance = 0.01  # measured: 0 over eight seeds

    data: str = "digits"  # "fashion": Fashion-MNIST where it is installed; or the directory of CIFAR-10's binary files
    steps: int = 300  # T
    switches: tuple[int, ...] = (10, 50, 300)  # t, the last without any linearised training
    learning_rate: float = 0.05
    batch_size: int = 16
    train_size: int = 1000
    image_side: int = 14
    channels: tuple[int, ...] = (12,)  # of each convolution
    kernel_side: int = 5  # pixels
    widths: tuple[int, ...] = (32,)  # of each dense layer
    seeds: int = 1
    full = dict(
        image_side=28, channels=(6, 16), widths=(120, 84), train_size=4000, seeds=3, switches=(10, 50, 400), steps=400
    )

    def predict(self) -> xr.Dataset:
        import numpy as np

        return observables(
            self._coords(), accuracy_rank=("switch", 1.0 + np.arange(len(self.switches))), beats_lazy=1.0
        )

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import numpy as np
        from scipy.stats import rankdata

        images, labels, test_images, test_labels = load_images(self.data, self.image_side, self.train_size)

        def run(key):
            start_key, train_key = jax.random.split(key)
            trained = training.train_then_linearise(
                make_lenet(self, images.shape[1], start_key),
                images,
                labels,
                switches=np.array([0, *self.switches]),
                key=train_key,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                steps=self.steps,
                replacement=True,
            )
            scores = trained.map(lambda network: jax.vmap(network)(test_images))
            judge = lambda scores: (training.accuracy(scores, test_labels), training.cross_entropy(scores, test_labels))  # noqa: E731
            return jax.vmap(judge)(scores)

        keys = jax.random.split(key, self.seeds)
        accuracy, loss = (np.median(part, axis=0) for part in jax.jit(lambda keys: jax.lax.map(run, keys))(keys))
        return observables(
            self._coords() | {"start": [0, *self.switches]},
            accuracy_rank=("switch", rankdata(accuracy[1:])),
            beats_lazy=float(accuracy[-1] > accuracy[0]),
            accuracy=("start", accuracy),
            loss=("start", loss),
        )

    def validate(self) -> None:
        check_setting(self, "switches", self.switches, up_to=self.steps)
        if self.switches[0] == 0:
            raise OutsideDomain(f"`switches` is {self.switches}; leave out 0, which is always there.")

    def _coords(self) -> dict:
        return {"switch": list(self.switches)}

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        losses = ax.twinx()
        for axis, name, style, color in ((ax, "accuracy", "o-", PALETTE[0]), (losses, "loss", "s--", PALETTE[1])):
            artists += axis.plot(measurement["start"], measurement[name], style, color=color)
            axis.set_ylabel(f"test {name} at the end", color=color)
        ax.set_xscale("symlog", linthresh=self.switches[0])
        ax.set_xlabel("linearised from step $t$ on")
        return artists
