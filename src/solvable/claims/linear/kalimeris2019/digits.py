"""Networks learn what a linear classifier knows first, and keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, report, tasks, training
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.errors import check_choice

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class TwoPhases(Claim):
    """SGD first learns what a linear classifier explains, then keeps that and goes beyond it.

    Odd and even digits. Compared is, in units of I(L;Y), how far mu_Y(F;L) is from the lesser of I(F;Y) and I(L;Y), its
    bound: 1 + (mu - bound) / I(L;Y), said to be 1. Left out are informations below a tenth of I(L;Y), which are noise,
    and the steps at which F passes L, where the corner of the bound is rounded off by 0.1.
    Breaks as `learning_rate` grows: SGD is then unstable, and forgets.
    """

    source = Source("kalimeris2019", "two phases of learning", "law")
    metric, tolerance = max_relative_error("follows"), 0.09  # measured: 0.02 to 0.065 over five seeds

    kinds: tuple[str, ...] = ("mlp",)  # of networks: "linear", "mlp", "convolution"
    early: tuple[int, ...] = (96, 160)  # steps before F passes L
    late: tuple[int, ...] = (1500, 2000)  # steps after
    learning_rate: float = 0.01
    batch_size: int = 32
    width: int = 100  # of the two hidden layers of the multilayer perceptron
    train_size: int = 3500  # the rest of the 5000 is for testing
    reference_rate: float = 0.05  # learning rate of the linear classifier L, which starts from 0
    reference_steps: int = 3000
    full = dict(kinds=("linear", "mlp", "convolution"), late=(2000, 3000), reference_steps=4000)

    def predict(self) -> xr.Dataset:
        import numpy as np

        return self._label(np.ones((len(self.kinds), len(self.early) + len(self.late))))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np
        import xarray as xr

        curves = xr.concat(self._curves(key), "kind").assign_coords(kind=list(self.kinds))
        bound = np.minimum(curves["learned"], curves["reference"])
        follows = 1 + (curves["correlation"] - bound) / curves["reference"]
        shown = curves.rename(step="moment")
        return self._label(follows.sel(step=[*self.early, *self.late])).merge(shown)

    def _curves(self, key: jax.Array) -> list[xr.Dataset]:
        """Informations of every network along its training."""
        import jax
        import jax.numpy as jnp
        import numpy as np

        digits = tasks.load_digits()
        inputs, labels = digits.inputs.astype(np.float32), digits.labels % 2
        order_key, reference_key, start_key, train_key = jax.random.split(key, 4)
        order = np.asarray(jax.random.permutation(order_key, len(labels)))
        inputs, labels = inputs[order] - inputs.mean(axis=0), labels[order]
        train, test = slice(0, self.train_size), slice(self.train_size, None)
        samples = jnp.asarray(inputs[train]), labels[train], jnp.asarray(inputs[test])

        def scores(network, key, rate, record):
            found = training.train_classifier(
                network,
                *samples,
                key=key,
                batch_size=self.batch_size,
                learning_rate=rate,
                steps=int(record[-1]),
                record=record,
            )
            return np.asarray(found)[:, :, 0]

        zero = networks.LinearMap(jnp.zeros((1, inputs.shape[1]), jnp.float32))
        reference = scores(zero, reference_key, self.reference_rate, np.array([self.reference_steps]))[0]
        moments = np.array(sorted({*self.early, *self.late, *np.geomspace(16, self.late[-1], 9).astype(int).tolist()}))
        curves = []
        for kind in self.kinds:
            found = scores(self._network(kind, start_key, inputs.shape[1]), train_key, self.learning_rate, moments)
            checkpoints = dict(zip(moments.tolist(), found, strict=True))
            curves.append(instruments.information_curves(checkpoints, reference, labels[test]))
        return curves

    def _network(self, kind: str, key: jax.Array, pixels: int):
        import jax.numpy as jnp

        if kind == "linear":
            return networks.LinearMap(jnp.zeros((1, pixels), jnp.float32))
        if kind == "mlp":
            widths = (self.width, self.width)
            return networks.he_network(key, widths=widths, input_dim=pixels, dtype=jnp.float32)
        return networks.small_convolution(key, image_side=round(pixels**0.5), dtype=jnp.float32)

    def validate(self) -> None:
        for kind in self.kinds:
            check_choice("kinds", kind, ("linear", "mlp", "convolution"))

    def _label(self, follows) -> xr.Dataset:
        step = ("step", [*self.early, *self.late], {"long_name": "step", "scale": "log"})
        return observables(coords={"kind": list(self.kinds), "step": step}, follows=(("kind", "step"), follows))

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        shown = measurement.isel(kind=-1).rename(step="compared", moment="step")
        artists = report.draw_information_curves(ax, shown)
        bound = shown[["learned", "reference"]].to_array().min("variable")
        artists += ax.plot(shown["step"], bound, color=PALETTE[1], lw=4, alpha=0.3, label="said of $\\mu_Y$")
        ax.legend(fontsize="small")
        return artists
