"""The gap between the unit that grows first and the rest, for units of the second, third and higher powers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import numerics, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.flows.zhang2026 import _units

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class UnitsStayBehind(Claim):
    """When one quadratic unit is of order 1, all others are still of order epsilon.

    The median over seeds: where two units start out nearly tied, both are large at any epsilon within reach.
    """

    source = Source("zhang2026", "Prop. 5, Eq. 63", "scaling")
    metric, tolerance = max_relative_error("exponent"), 0.02  # measured: 0.003 to 0.007 over five seeds

    coefficients: tuple[float, ...] = (1.0, 0.2, -1.0)  # of y = sum_k c_k x_k^2; S has both signs
    width: int = 20  # H
    seeds: int = 8
    init_scales: tuple[float, ...] = (1e-4, 3e-4, 1e-3)  # epsilon
    learning_rate: float = 0.05
    horizon: float = 0.5  # training time, in units of 1/epsilon for the smallest of them
    large: float = 0.5  # size at which the first unit has grown
    full = dict(seeds=32)

    def predict(self) -> xr.Dataset:
        return observables(exponent=1.0)  # Eq. 63: growth factors of order 1 at any epsilon

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure_rest(self, key, power=2)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        return _draw_rest(ax, prediction, measurement)


class CubicUnitsSeparate(Claim):
    """Cubic units separate too: when one of them is of order 1, all others are still of order epsilon.

    A conjecture of the paper. Gradient descent on this teacher needs a learning rate below 2/312 of the half loss.
    """

    source = Source("zhang2026", "Section 5.2, last paragraph, and Fig. 4G", "scaling")
    metric, tolerance = max_relative_error("exponent"), 0.02  # measured: 0.0007 to 0.006 over eight seeds

    coefficients: tuple[float, ...] = (1.0, 1.0)  # of y = sum_k c_k x_k^3
    width: int = 20  # H
    seeds: int = 8
    init_scales: tuple[float, ...] = (8e-3, 1.3e-2, 2e-2)  # epsilon
    learning_rate: float = 0.003
    horizon: float = 0.015  # training time, in units of 1/epsilon^2 for the smallest of them
    large: float = 0.5  # size at which the first unit has grown
    full = dict(seeds=32)

    def predict(self) -> xr.Dataset:
        return observables(exponent=1.0)  # conjectured: growth factors of order 1 at any epsilon

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure_rest(self, key, power=3)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        return _draw_rest(ax, prediction, measurement)


class HigherPowersSeparateMore(Claim):
    """The higher the power p in v' = v^p, the less the rest has grown when the first unit is large.

    Units on one axis with |u|^2 = p v^2, whose early flow is this one exactly. For Gaussian weights in many directions
    the paper has a conjecture and no formula; nothing is predicted for them here.
    """

    source = Source("zhang2026", "Eq. 16 and Section 5.2, last paragraph", "asymptotic")
    metric, tolerance = max_relative_error("growth"), 0.001  # measured: 0.0002

    powers: tuple[int, ...] = (2, 3, 4)  # p
    ratios: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)  # starts v_i(0) of the rest, in units of the first one's
    init_scales: tuple[float, ...] = (1e-4, 5e-3, 2e-2)  # v(0) of the first unit, for each power
    learning_rates: tuple[float, ...] = (0.02, 2e-3, 2e-4)
    steps: int = 150_000

    def _start(self, scale: float) -> jax.Array:
        import jax.numpy as jnp

        return scale * jnp.array([1.0, *self.ratios])

    def predict(self) -> xr.Dataset:
        grown = [
            theory.flows.amplification_at_blow_up(self._start(scale), power)[1:] / self._start(scale)[1:]
            for power, scale in zip(self.powers, self.init_scales, strict=True)
        ]
        return self._growth(grown)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp

        grown = []
        for power, scale, rate in zip(self.powers, self.init_scales, self.learning_rates, strict=True):
            second = self._start(scale)
            network = _units.layer_of(jnp.sqrt(float(power)) * second[:, None], second, power)
            task = _units.axis_teacher((1.0,), power)
            run = training.gradient_descent(network, task, learning_rate=rate, steps=self.steps, record=2)
            # Once the first unit has learned the task, nothing drives the rest any more.
            grown.append(jnp.where(run.loss[-1] < 1e-6 * run.loss[0], run.network.second[0, 1:] / second[1:], jnp.nan))
        return self._growth(grown)

    def _growth(self, grown: list[jax.Array]) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={
                "power": np.array(self.powers),
                "ratio": ("ratio", self.ratios, {"long_name": "start / first unit's"}),
            },
            growth=(("power", "ratio"), np.stack(grown), {"long_name": "growth factor of the rest"}),
        )


def _measure_rest(claim: UnitsStayBehind | CubicUnitsSeparate, key: jax.Array, power: int) -> xr.Dataset:
    """Size of all but the largest unit when that one is large, for each seed and epsilon, and the median exponent."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    scales, dim = np.array(claim.init_scales), len(claim.coefficients)
    moments = _units.axis_teacher(claim.coefficients, power).moments(numerics.Monomials(dim, power))
    steps = round(claim.horizon / scales.min() ** (power - 1) / claim.learning_rate)
    record = np.unique(np.geomspace(1, steps, 1000).round().astype(int))

    def rest(key, scale):
        run = training.gradient_descent(
            _units.layer_of(*_units.draw_weights(key, claim.width, dim, scale), power),
            moments,
            learning_rate=claim.learning_rate,
            steps=steps,
            record=record,
            observables={"size": lambda network: jnp.sort(_units.unit_sizes(network))},
        )
        sizes = run.observables["size"]
        reached = sizes[jnp.argmax(sizes[:, -1] > claim.large)]
        return jnp.where(sizes[-1, -1] > claim.large, jnp.linalg.norm(reached[:-1]), jnp.nan)

    over_scales = jax.vmap(rest, (None, 0))
    rests = np.asarray(
        jax.jit(jax.vmap(over_scales, (0, None)))(jax.random.split(key, claim.seeds), jnp.asarray(scales))
    )
    slopes = np.polyfit(np.log(scales), np.log(rests).T, 1)[0]
    return observables(
        coords={"init_scale": scales},
        exponent=np.median(slopes),
        rest=(("seed", "init_scale"), rests),
    )


def _draw_rest(ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
    import numpy as np

    from solvable.report.figures import PALETTE

    scales, rests = measurement["init_scale"].values, measurement["rest"].values
    middle = np.exp(np.mean(np.log(rests / scales)))
    line = ax.loglog(
        scales, middle * scales ** prediction["exponent"].item(), color=PALETTE[0], label=r"$\propto \epsilon$, theory"
    )
    markers = ax.loglog(scales, rests.T, "o", ms=5, mfc="none", color=PALETTE[1])
    markers[0].set_label("measured, each seed")
    ax.set(xlabel=r"initial scale $\epsilon$", ylabel="size of all other units")
    ax.legend(fontsize="small")
    return [*line, *markers]
