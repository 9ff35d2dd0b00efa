"""Lee, Xiao, Schoenholz, Bahri, Novak, Sohl-Dickstein, Pennington (2019), Wide networks evolve as linear models.

Their loss is half the sum over samples here and in theory, half the mean in training: learning rates there are
num_samples times larger, so that the steps are the same. Their networks have erf units and weights of variance 1.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_INPUTS = ((1.0, 0.2), (-0.5, 1.0), (0.3, -1.2), (-1.0, -0.4))
_TARGETS = (1.0, -1.0, 0.5, 0.2)
_OTHERS = ((0.6, 0.6), (-1.2, 0.5), (0.1, -0.3))


def _arrays() -> tuple[jax.Array, jax.Array, jax.Array]:
    """Training inputs and targets, and the other inputs."""
    import jax.numpy as jnp

    return jnp.asarray(_INPUTS), jnp.asarray(_TARGETS)[:, None], jnp.asarray(_OTHERS)


def _kernels(claim: Any, inputs: jax.Array, others: jax.Array | None = None) -> Any:
    return theory.kernel.infinite_width_kernels(
        inputs,
        others,
        depth=claim.depth,
        activation=getattr(numerics.activations, claim.activation),
        weight_variance=claim.weight_variance,
        bias_variance=claim.bias_scale**2,
    )


def _network(claim: Any, key: jax.Array, width: int) -> networks.FullyConnected:
    return networks.initialise_fully_connected(
        key,
        widths=(width,) * (claim.depth - 1),
        input_dim=2,
        activation=getattr(numerics.activations, claim.activation),
        weight_variance=claim.weight_variance,
        bias_variance=claim.bias_scale**2,
    )


class EnsembleInTime(Claim):
    """Outputs of an ensemble of wide networks are Gaussian at all times, with mean and variance in closed form.

    Compared are the means on new inputs and the average of the variances there, after steps of gradient descent.
    """

    source = Source("lee2019", "Corollary 1, Eqs. 14 and 15", "asymptotic")
    metric, tolerance = max_curve_gap("mean", "variance", over="mean"), 0.07  # measured: 0.023 to 0.064 over 6 seeds
    limit = ("width", (2, 16, 128))

    width: int = 128  # n of the hidden layers
    depth: int = 2  # layers of weights
    weight_variance: float = 1.5  # sigma_w^2
    bias_scale: float = 0.2  # sigma_b
    activation: str = "erf"  # sigma, of ``numerics.activations``
    rate: float = 0.05  # learning rate on half the sum of squares
    target_scale: float = 2.0
    steps: tuple[int, ...] = (2, 5, 10, 20, 40)
    draws: int = 3000
    full = dict(depth=3, width=256, draws=2000, steps=(2, 5, 10, 20, 30, 60))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        inputs, targets, others = _arrays()
        targets = self.target_scale * targets
        own, cross, among = _kernels(self, inputs), _kernels(self, others, inputs), _kernels(self, others)
        law = theory.kernel.ensemble_path(
            own.ntk,
            own.nngp,
            targets,
            theory.kernel.Descent(jnp.asarray(self.steps), self.rate),
            cross_kernel=cross.ntk,
            cross_covariance=cross.nngp,
            other_covariance=among.nngp,
        )
        return self._label(law.mean[:, :, 0], jnp.diagonal(law.covariance, axis1=1, axis2=2))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        inputs, targets, others = _arrays()
        samples, record = tasks.make_samples(inputs, self.target_scale * targets), np.sort(self.steps)

        def train(key):
            return training.gradient_descent(
                _network(self, key, self.width),
                samples,
                learning_rate=self.rate * len(inputs),
                steps=int(record[-1]),
                record=record,
                observables={"outputs": lambda network: jax.vmap(network)(others)[:, 0]},
            ).observables["outputs"]

        @jax.jit
        def run(keys):
            outputs = jax.lax.map(train, keys, batch_size=250)
            return jnp.mean(outputs, axis=0), jnp.var(outputs, axis=0, ddof=1)

        return self._label(*run(jax.random.split(key, self.draws)))

    def _label(self, mean: Any, variance: Any) -> xr.Dataset:
        import numpy as np

        steps, points = np.sort(self.steps), list(range(len(_OTHERS)))
        # Means run backwards: curves are compared in units of their first entry, and means start at 0.
        return observables(
            coords={"step": ("step", steps), "step_back": ("step_back", steps[::-1]), "point": ("point", points)},
            mean=(("point", "step_back"), np.asarray(mean)[::-1].T, {"long_name": "mean output on new inputs"}),
            variance=("step", np.asarray(variance).mean(axis=1), {"long_name": "variance, mean over inputs"}),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import PALETTE

        artists: list[Artist] = []
        for colour, point in zip(PALETTE, prediction["point"].values, strict=False):
            theirs, ours = (side["mean"].sel(point=point) for side in (prediction, measurement))
            label = f"mean at $({_OTHERS[int(point)][0]:g}, {_OTHERS[int(point)][1]:g})$"
            artists += ax.plot(theirs["step_back"], theirs, color=colour, label=label)
            artists += ax.plot(ours["step_back"], ours, "o", mfc="none", color=colour)
        artists += ax.plot(prediction["step"], prediction["variance"], "--", color="0.3", label="variance, average")
        artists += ax.plot(measurement["step"], measurement["variance"], "s", mfc="none", color="0.3")
        ax.set(xlabel="step of gradient descent", ylabel="output on new inputs")
        ax.legend(fontsize="small", title="theory: lines, measured: markers", title_fontsize="small")
        return artists


class FollowsItsLinearisation(Claim):
    """A wide network stays by its own linearisation, the closer the wider: as 1/width, not the bound's square root.

    Observed is the largest distance along training, a root mean square over training and new inputs.
    Networks start from outputs of 0, by subtraction, which halves the scatter between them.
    """

    source = Source("lee2019", "Theorem 2.1, Figs. 1 and S6", "scaling")
    metric, tolerance = max_relative_error("exponent"), 0.055  # measured: up to 0.035 over 6 seeds

    widths: tuple[int, ...] = (256, 2048)  # n
    depth: int = 2  # layers of weights
    weight_variance: float = 1.5  # sigma_w^2
    bias_scale: float = 0.2  # sigma_b
    rate: float = 0.2  # learning rate on half the sum of squares
    target_scale: float = 1.0
    steps: int = 15
    activation: str = "tanh"  # sigma, of ``numerics.activations``
    draws: int = 300
    full = dict(depth=3, widths=(64, 128, 256, 512), draws=100)

    def predict(self) -> xr.Dataset:
        return observables(exponent=theory.kernel.WidthExponents().discrepancy)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        inputs, targets, others = _arrays()
        samples = tasks.make_samples(inputs, self.target_scale * targets)
        points = jnp.concatenate([inputs, others])

        def train(network):
            return training.gradient_descent(
                network,
                samples,
                learning_rate=self.rate * len(inputs),
                steps=self.steps,
                record=6,
                observables={"outputs": lambda trained: jax.vmap(trained)(points)},
            ).observables["outputs"]

        def apart(key, width):
            network = networks.centre(_network(self, key, width))
            return jnp.max(jnp.sqrt(jnp.mean((train(network) - train(networks.linearise(network))) ** 2, axis=(1, 2))))

        keys = jax.random.split(key, self.draws)
        runs = [jax.jit(jax.vmap(apart, (0, None)), static_argnums=1)(keys, width) for width in self.widths]
        distances = np.stack(runs, axis=1)
        exponent = np.polyfit(np.log(self.widths), np.log(distances.mean(axis=0)), 1)[0]
        words = {"long_name": "largest distance from the linearisation", "scale": "log"}
        return observables(
            coords={"width": ("width", list(self.widths), {"long_name": "width $n$", "scale": "log"})},
            exponent=exponent,
            distance=(("seed", "width"), distances, words),
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        import numpy as np

        from solvable.report.figures import PALETTE

        widths, distances = np.array(self.widths), measurement["distance"].values
        mean, error = distances.mean(axis=0), distances.std(axis=0) / self.draws**0.5
        artists: list[Artist] = []
        exponents = {
            "measured law": float(prediction["exponent"]),
            "bound": theory.kernel.WidthExponents().discrepancy_bound,
        }
        for colour, (name, exponent) in zip(PALETTE, exponents.items(), strict=False):
            line = mean[0] * (widths / widths[0]) ** exponent
            artists += ax.plot(widths, line, color=colour, label=f"{name}, $\\propto n^{{{exponent:g}}}$")
        bars = ax.errorbar(
            widths, mean, error, fmt="o", mfc="none", capsize=2, color=PALETTE[0],
            label=f"measured, slope {float(measurement['exponent']):.2f}",
        )  # fmt: skip
        artists += bars.get_children()
        ax.set(xscale="log", yscale="log", xlabel="width $n$", ylabel=measurement["distance"].attrs["long_name"])
        ax.legend(fontsize="small")
        return artists


class MomentumOscillates(Claim):
    """With momentum the outputs of wide networks oscillate as a spring with friction does in each mode.

    Observed is the error on the training inputs, along the targets and averaged over an ensemble. Networks start at
    rest and from outputs of 0, by subtraction.

    Breaks as `time_step` grows: theory's time is continuous.
    """

    source = Source("lee2019", "momentum: the linear model's equation of motion", "asymptotic")
    metric, tolerance = max_curve_gap("error", over="mean"), 0.06  # measured: up to 0.034 over 5 seeds

    width: int = 512  # n of the hidden layers
    depth: int = 2  # layers of weights
    weight_variance: float = 1.5  # sigma_w^2
    bias_scale: float = 0.2  # sigma_b
    activation: str = "erf"  # sigma, of ``numerics.activations``
    friction: float = 0.5  # c
    time_step: float = 0.05  # h
    horizon: float = 8.0  # time
    draws: int = 100
    full = dict(depth=3, time_step=0.04)

    def _record(self) -> np.ndarray:
        import numpy as np

        steps = max(round(self.horizon / self.time_step), 1)
        return np.unique(np.linspace(0, steps, 25).round().astype(int))

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        inputs, targets, _ = _arrays()
        clock = theory.kernel.FrictionFlow(jnp.asarray(self.time_step * self._record()), self.friction)
        return self._label((), theory.kernel.linear_path(_kernels(self, inputs).ntk, targets, clock).train[:, :, 0])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax

        inputs, targets, _ = _arrays()
        samples, record = tasks.make_samples(inputs, targets), self._record()

        def train(key):
            # The half mean square is num_samples times flatter than the half sum, so that time runs slower by its root.
            slower = len(inputs) ** 0.5
            return training.heavy_ball(
                networks.centre(_network(self, key, self.width)),
                samples,
                time_step=self.time_step * slower,
                friction=self.friction / slower,
                steps=int(record[-1]),
                record=record,
                observables={"outputs": lambda network: jax.vmap(network)(inputs)[:, 0]},
            ).observables["outputs"]

        run = jax.jit(lambda keys: jax.lax.map(train, keys, batch_size=50))
        return self._label(("seed",), run(jax.random.split(key, self.draws)))

    def _label(self, lead: tuple[str, ...], outputs: Any) -> xr.Dataset:
        import numpy as np

        targets = np.array(_TARGETS)
        left = 1 - np.asarray(outputs) @ targets / (targets @ targets)
        time = ("time", self.time_step * self._record(), {"long_name": "time, step × number of steps"})
        return observables(
            coords={"time": time}, error=((*lead, "time"), left, {"long_name": "error along the targets, mean"})
        )

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        from solvable.report.figures import draw_default

        ours = measurement.mean("seed")
        artists = draw_default(ax, prediction, ours, "error")
        ax.axhline(0, color="0.7", lw=0.8, zorder=0)
        return artists
