"""Figure 3: pairs of handwritten digits, learned by a linear and by a ReLU network.

The paper trains on all of MNIST; these claims use the 500 digits a class that need no download.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, networks, numerics, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.flows.zhang2026._digits import load_moments, load_pair

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.tasks import Samples
    from solvable.training import Trajectory


class LinearDigits(Claim):
    """In linear networks each drop of the loss is the growth of one singular value; the third stays near 0.

    One network, minibatches and all, against the narrow network that it effectively is. Drops are read where the loss
    passes 3/4 and 1/4 of its start, the plateau half way between them, the growth of a singular value where it passes
    half of its last value. The plateau lies above the saddle (0.507 for 3/5): it is passed before small
    eigenvalues of Sigma_xx have been learned. Measured distance: 0.009 to 0.016 over six seeds.
    """

    source = Source("zhang2026", "Fig. 3 (linear network)", "asymptotic")
    metric, tolerance = max_relative_error("drop_step", "growth_step", "strength", "plateau"), 0.03

    pair: str = "3/5"
    num_per_class: int = 500
    width: int = 100  # H
    init_scale: float = 1e-6  # epsilon
    batch_size: int = 64
    learning_rate: float = 0.02  # twice the paper's
    steps: int = 720
    full = dict(width=1000, steps=1500)

    def _record(self) -> np.ndarray:
        import numpy as np

        return np.arange(0, self.steps + 1, 6)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        forecast = theory.flows.narrow_network_forecast(
            theory.flows.diagonalise(load_moments(self.pair, self.num_per_class)),
            width=self.width,
            init_scale=self.init_scale,
            learning_rate=self.learning_rate,
            record_steps=jnp.asarray(self._record()),
        )
        return self._label(forecast.loss, forecast.strengths)

    def measure(self, key: jax.Array) -> xr.Dataset:
        samples = load_pair(self.pair, self.num_per_class)
        strengths = {"strength": lambda network: instruments.top_singular_values(network.first, 3)}
        run = _train(self, samples, numerics.activations.identity, key, self._record(), strengths)
        return self._label(run.loss, run.observables["strength"])

    def _label(self, loss, strengths) -> xr.Dataset:
        import numpy as np

        steps = self._record().astype(float)
        loss, strengths = 2 * np.asarray(loss), np.asarray(strengths)
        drops = [numerics.first_crossing(steps, loss, share * loss[0]) for share in (0.75, 0.25)]
        growth = [numerics.first_crossing(steps, curve, curve[-1] / 2) for curve in strengths[:, :2].T]
        words = {"long_name": "loss, singular value"}
        return observables(
            coords={"step": ("step", steps, {"long_name": "gradient step"})},
            drop_step=("stage", drops),
            growth_step=("stage", growth),
            strength=("stage", strengths[-1, :2]),
            plateau=np.interp(np.mean(drops), steps, loss),
            loss=("step", loss, words),
            strengths=(("step", "mode"), strengths),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        names = ("loss", "1st singular value", "2nd singular value", "3rd singular value")
        theory_curves, curves = (
            [side["loss"].values, *side["strengths"].values.T] for side in (prediction, measurement)
        )
        steps, artists = prediction["step"].values, []
        for colour, curve in zip(("black", *PALETTE), theory_curves, strict=False):
            artists += ax.plot(steps, curve, color=colour, lw=1)
        for colour, curve, name in zip(("black", *PALETTE), curves, names, strict=False):
            artists += ax.plot(steps[::3], curve[::3], "o", ms=4, mfc="none", color=colour, label=name)
        ax.set(xlabel="gradient step", ylabel="loss $E|y - f|^2$; singular values of $U$")
        ax.legend(fontsize="small", title=f"digits {self.pair} (line: theory)", loc="upper right")
        return artists


class ReLUDigitsFirstDrop(Claim):
    """ReLU networks leave zero along one ray, and the first drop of the loss is that of a single unit.

    Compared until the first plateau, of which the second ray's growth is the end. Predicted from the rays that trial
    weights of unit variance settle on. Training is noisy: batches of 64 and one draw of the weights.
    """

    source = Source("zhang2026", "Fig. 3 (ReLU network)", "asymptotic")
    metric, tolerance = max_relative_error("drop_step", "plateau"), 0.03  # measured: 0.0005 to 0.010

    pair: str = "3/5"
    num_per_class: int = 100
    width: int = 100  # H
    init_scale: float = 1e-6  # epsilon
    batch_size: int = 64
    learning_rate: float = 0.02  # twice the paper's
    steps: int = 160  # the first plateau is reached, and none of the pairs has left it
    trial_units: int = 100  # of the prediction
    data_seed: int = 0  # of the trial units' weights
    full = dict(num_per_class=500, width=1000, trial_units=400)

    def _record(self) -> np.ndarray:
        import numpy as np

        return np.arange(0, self.steps + 1, 2)

    def predict(self) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        samples = load_pair(self.pair, self.num_per_class)
        key_first, key_second = jax.random.split(jax.random.key(self.data_seed))
        rays = theory.flows.settle_on_rays(
            samples,
            jax.random.normal(key_first, (self.trial_units, samples.inputs.shape[1])),
            jax.random.normal(key_second, (samples.targets.shape[1], self.trial_units)),
            log_growth=-np.log(self.init_scale),
        )
        forecast = theory.flows.single_ray_forecast(
            samples,
            rays,
            width=self.width,
            init_scale=self.init_scale,
            learning_rate=self.learning_rate,
            record_steps=jnp.asarray(self._record()),
        )
        return self._label(forecast.loss)

    def measure(self, key: jax.Array) -> xr.Dataset:
        samples = load_pair(self.pair, self.num_per_class)
        return self._label(_train(self, samples, numerics.activations.relu, key, self._record(), {}).loss)

    def _label(self, loss) -> xr.Dataset:
        import numpy as np

        steps, loss = self._record().astype(float), 2 * np.asarray(loss)
        return observables(
            coords={"step": ("step", steps, {"long_name": "gradient step"})},
            drop_step=numerics.first_crossing(steps, loss, 0.75 * loss[0]),
            plateau=loss[-1],
            loss=("step", loss, {"long_name": "loss, $E|y - f|^2$"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        return draw_default(ax, prediction, measurement, "loss")


def _train(claim, samples: Samples, activation, key: jax.Array, record, watched) -> Trajectory:
    import jax

    key_start, key_order = jax.random.split(key)
    unit = networks.Neuron(activation)
    network = networks.initialise_for(unit, samples, key_start, width=claim.width, init_scale=claim.init_scale)
    return training.sgd(
        network,
        samples,
        key=key_order,
        batch_size=claim.batch_size,
        learning_rate=claim.learning_rate,
        steps=claim.steps,
        record=record,
        observables=watched,
    )
