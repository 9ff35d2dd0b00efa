"""Woodworth, Gunasekar, Lee, Moroshko, Savarese, Golan, Soudry, Srebro (2020), Kernel and rich regimes.

Their loss |X beta - y|^2 is 2 n times ours, which changes times and not where training ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.tasks import Samples


def _samples(claim: Any) -> Samples:
    """Fewer Gaussian samples than dimensions, with a sparse teacher."""
    import numpy as np

    rng = np.random.default_rng(claim.design_seed)
    inputs = rng.normal(size=(claim.num_samples, claim.input_dim))
    return tasks.make_samples(inputs, inputs[:, : len(claim.teacher)] @ np.array(claim.teacher))


def _predict(claim: Any, init_scales: tuple[float, ...]) -> Any:
    """The predictors theory finds from each scale."""
    import jax
    import jax.numpy as jnp

    samples = _samples(claim)

    def find(scale):
        found = theory.linear.flow_interpolator(samples.inputs, samples.targets[:, 0], scale, depth=claim.depth)
        return found.predictor

    return jax.jit(jax.vmap(find))(jnp.asarray(init_scales))


def _curves(claim: Any) -> xr.Dataset:
    """Norms along a range of scales, and the least ones, which vanishing and endless scales have."""
    import numpy as np

    along = np.geomspace(min(claim.init_scales) / 1.5, 1.5 * max(claim.init_scales), 41)
    found = np.asarray(_predict(claim, (*along, 1e-60, 1e6)))
    l1, l2 = np.abs(found).sum(1), np.linalg.norm(found, axis=1)
    return observables(
        coords={"scale": along},
        l1_curve=("scale", l1[:-2]),
        l2_curve=("scale", l2[:-2]),
        l1_least=l1[-2],
        l2_least=l2[-1],
    )


def _measure(claim: Any) -> xr.Dataset:
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    samples = _samples(claim)

    @eqx.filter_jit
    def train(scales):
        def run(scale):
            start = networks.power_difference_start(jnp.full(claim.input_dim, scale), claim.depth)
            return training.gradient_descent(
                start,
                samples,
                learning_rate=claim.learning_rate,
                steps=int(claim.horizon / claim.learning_rate),
                record=2,
            ).network.coefficients()[0]

        return jax.vmap(run)(scales)

    return _label(claim, train(jnp.asarray(claim.init_scales)))


def _label(claim: Any, predictor) -> xr.Dataset:
    import numpy as np

    beta = np.asarray(predictor)
    scale = ("init_scale", claim.init_scales, {"long_name": "initialisation scale $α$", "scale": "log"})
    return observables(
        coords={"init_scale": scale},
        predictor=(("init_scale", "coordinate"), beta, {"long_name": "predictor $β$"}),
        l1=("init_scale", np.abs(beta).sum(1)),
        l2=("init_scale", np.linalg.norm(beta, axis=1)),
    )


def _draw(claim: Any, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
    """Norms in excess of the least ones, which the limits of large and of small scale have."""
    from solvable.report.figures import PALETTE

    artists: list[Artist] = []
    for colour, name in ((PALETTE[0], "l1"), (PALETTE[1], "l2")):
        label, least = rf"$\ell_{name[1]}$ norm", prediction[f"{name}_least"].item()
        line = prediction[f"{name}_curve"] / least - 1
        artists += ax.plot(prediction["scale"], line, color=colour, label=f"{label}, theory")
        excess = measurement[name].values / least - 1
        artists += ax.plot(claim.init_scales, excess, "o", mfc="none", color=colour, label=f"{label}, measured")
    ax.set(xscale="log", xlabel="initialisation scale $α$", ylabel="excess over the least norm")
    ax.legend(fontsize="small")
    return artists


class KernelAndRich(Claim):
    """The initialisation scale alone decides which interpolator training finds, from least l2 to least l1 norm.

    The diagonal network w_+^2 - w_-^2, trained by small steps until it fits. The gap is in units of the first entry.
    Breaks as `learning_rate` grows: steps of finite size shrink the scale while they train.
    """

    source = Source("woodworth2020", "Theorem 1", "exact")
    metric, tolerance = max_curve_gap("predictor"), 0.003  # measured: up to 0.0019, no randomness
    limit = ("learning_rate", (0.03, 0.02))

    init_scales: tuple[float, ...] = (0.02, 0.1, 0.3, 1.0)  # alpha
    teacher: tuple[float, ...] = (1.0, -0.5)  # beta*, zero beyond
    num_samples: int = 10  # n
    input_dim: int = 20  # d
    design_seed: int = 0
    depth: int = 2  # D
    learning_rate: float = 0.02  # eta
    horizon: float = 1500.0  # training time
    full = dict(init_scales=(3e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 1.5), horizon=10_000.0, learning_rate=3e-3)

    def predict(self) -> xr.Dataset:
        return _label(self, _predict(self, self.init_scales)).assign(_curves(self))

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure(self)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        return _draw(self, ax, prediction, measurement)


class DeeperIsRicher(KernelAndRich):
    """A deeper diagonal network is rich at scales at which a shallow one is not yet; still l1 and no sparser.

    The network w_+^D - w_-^D; depth is a parameter.
    Breaks as `learning_rate` grows: the end is that of gradient flow.
    """

    source = Source("woodworth2020", "Theorem 3", "exact")

    init_scales: tuple[float, ...] = (0.15, 0.25, 0.4, 0.8)  # alpha
    depth: int = 3  # D
    full = dict(depth=4, init_scales=(0.2, 0.3, 0.5, 0.8, 1.0), horizon=10_000.0, learning_rate=3e-3)
