"""Finite steps: gradient descent keeps modes apart exactly, and its times have a closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvable import instruments, theory
from solvable.claims import Claim, Source, max_relative_error, observables
from solvable.claims.linear.gidel2019 import _setting

if TYPE_CHECKING:
    import jax
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class DecoupledDescent(Claim):
    """Gradient descent on a two-layer network is one scalar recursion a mode, whatever the size of its steps.

    Strengths lie between two bounds in closed form, shown in the figure.
    Breaks as `angle` grows: inputs no longer vary along the modes, which then mix.
    """

    source = Source("gidel2019", "discrete dynamics", "exact")
    metric, tolerance = max_relative_error("strength"), 1e-10  # measured: 5e-13

    covariances: tuple[float, ...] = (1.5, 1.0, 0.6, 0.4, 0.2)  # sigma_i
    variances: tuple[float, ...] = (2.0, 1.5, 1.2, 1.0, 0.7, 0.5)  # lambda_i, the modes' first
    output_dim: int = 5
    width: int = 6
    log_scale: float = 6.0  # delta
    learning_rate: float = 0.2  # eta
    steps: int = 300
    angle: float = 0.0  # of the axes along which inputs vary against the modes, in radians
    full = dict(width=40, steps=2000)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        covariances = jnp.asarray(self.covariances)
        variances = jnp.asarray(self.variances[: covariances.size])
        start = jnp.full_like(covariances, np.exp(-2 * self.log_scale))
        strength = theory.linear.two_layer_steps(self.steps, covariances, variances, start, self.learning_rate)
        steps = jnp.arange(self.steps + 1)[:, None]
        given = (covariances[None, :], variances[None, :], start[None, :], self.learning_rate)
        bounds = theory.linear.strength_bounds(steps, *given)
        return self._label(strength, lower=(("step", "mode"), bounds.lower), upper=(("step", "mode"), bounds.upper))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        return self._label(_setting.train(self, np.arange(self.steps + 1), key))

    def _label(self, strength, **more) -> xr.Dataset:
        import numpy as np

        return observables(
            coords={
                "mode": ("mode", self.covariances, {"long_name": "covariance σ"}),
                "step": ("step", np.arange(self.steps + 1), {"long_name": "step"}),
            },
            strength=(("step", "mode"), strength, {"long_name": "mode strength"}),
            **more,
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE, draw_default

        by_mode = [side.transpose("mode", "step") for side in (prediction, measurement)]
        artists = draw_default(ax, by_mode[0], by_mode[1], "strength")
        for colour, place in zip(PALETTE, range(len(self.covariances)), strict=False):
            band = by_mode[0].isel(mode=place)
            artists.append(ax.fill_between(band["step"], band["lower"], band["upper"], color=colour, alpha=0.2))
        return artists


class DiscreteTimes(Claim):
    """With steps of finite size mode i is learned after (delta + ln(sigma/lambda)/2) / ln(1 + eta sigma) of them.

    Not after 1/(eta sigma) delta, which is up to a third too early here; shown dashed in the figure.
    Breaks as `angle` grows: inputs no longer vary along the modes, which then mix.
    """

    source = Source("gidel2019", "discrete dynamics, vanishing initialisation", "asymptotic")
    metric, tolerance = max_relative_error("steps"), 0.006  # measured: 0.0042, half a step
    limit = ("log_scale", (2.0, 6.0, 60.0))

    covariances: tuple[float, ...] = (1.5, 1.0, 0.6)  # sigma_i
    variances: tuple[float, ...] = (2.0, 1.5, 1.2)  # lambda_i
    output_dim: int = 4
    width: int = 5
    log_scale: float = 60.0  # delta
    learning_rate: float = 0.5  # eta
    angle: float = 0.0  # of the axes along which inputs vary against the modes, in radians
    full = dict(width=64)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp
        import numpy as np

        covariances, variances = jnp.asarray(self.covariances), jnp.asarray(self.variances)
        start = jnp.full_like(covariances, np.exp(-2 * self.log_scale))
        steps = theory.linear.learning_steps(covariances, variances, start, self.learning_rate)
        flow = theory.linear.depth_time(variances * start, covariances / 2, covariances, 2) / self.learning_rate
        return self._label(steps, flow=("mode", flow))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        most = int(1.5 * self.log_scale / np.log1p(self.learning_rate * min(self.covariances)) + 10)
        record = np.arange(most)
        strength = np.asarray(_setting.train(self, record, key))
        return self._label(instruments.half_learning_times(record.astype(float), strength))

    def _label(self, steps, **more) -> xr.Dataset:
        mode = ("mode", self.covariances, {"long_name": "covariance $σ$"})
        return observables(coords={"mode": mode}, steps=("mode", steps, {"long_name": "steps to half"}), **more)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE, draw_default

        artists = draw_default(ax, prediction, measurement, "steps")
        artists += ax.plot(prediction["mode"], prediction["flow"], ls="--", color=PALETTE[1], label="gradient flow")
        ax.legend(handles=[artists[0], artists[1], artists[-1]], labels=["theory", "measured", "gradient flow"])
        ax.set_ylim(0, None)
        return artists
