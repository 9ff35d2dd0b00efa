"""Figure 6: four-layer networks that skip no layer, one or two, from the same random directions at several scales.

The paper gives neither its data nor its scales. Linear networks learn the identity on the correlated inputs of Figure
1B (population); ReLU networks learn two orthogonal points with an output each. The figure is drawn at ``init_scale``,
and escape times are compared at two scales far below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.numerics import Activation
    from solvable.tasks import Moments, Samples

DEPTH = 4
SKIPS = {"no skip": (), "skip 1": ((1, 2),), "skip 2": ((1, 3),)}  # Eq. 18
RATIO = 2.0  # of the two scales at which escape times are compared
FALLEN = 0.1  # share of the initial loss that has gone when a network counts as escaped


class LinearSkips(Claim):
    """A linear network that skips layers leaves zero as if it lacked them, the shallower the sooner.

    The time is epsilon^(2 - L) for effective depth L = 4, 3, and (1/s_1) ln(1/epsilon) for L = 2.
    """

    source = Source("zhang2026", "Fig. 6B and Eq. 18", "scaling")
    metric, tolerance = (
        max_relative_error("exponent", "slope", "place"),
        0.02,
    )  # measured: 0.009 to 0.014 over eight seeds

    width: int = 50  # H, of every hidden layer
    init_scale: float = 0.02  # epsilon of the figure
    small_scales: tuple[float, ...] = (0.004, 0.0005, 1e-5)  # the smaller epsilon of each network's escape times
    learning_rates: tuple[float, ...] = (0.04, 0.02, 0.002)
    steps: tuple[int, ...] = (9000, 6000, 5000)

    def _moments(self) -> Moments:
        import jax.numpy as jnp

        task = tasks.linear_teacher(jnp.eye(2), jnp.array([[1.0, 1.0], [1.0, 4.0]]))
        return task.moments(numerics.Monomials(2, 1))

    def predict(self) -> xr.Dataset:
        return _predict(theory.flows.greedy_fixed_points(self._moments()).escape_rate[0])

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure(self, numerics.activations.identity, self._moments(), key)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        return _draw(ax, prediction, measurement)


class ReluSkips(Claim):
    """A ReLU network that skips layers leaves zero as if it lacked them, the shallower the sooner.

    As for linear networks, with the rate of the fastest ray in place of s_1.
    """

    source = Source("zhang2026", "Fig. 6C", "scaling")
    metric, tolerance = (
        max_relative_error("exponent", "slope", "place"),
        0.02,
    )  # measured: 0.007 to 0.013 over eight seeds

    width: int = 50  # H, of every hidden layer
    init_scale: float = 0.02  # epsilon of the figure
    small_scales: tuple[float, ...] = (0.008, 0.0005, 1e-5)  # the smaller epsilon of each network's escape times
    learning_rates: tuple[float, ...] = (0.1, 0.1, 0.005)
    steps: tuple[int, ...] = (7000, 7000, 3000)

    def _samples(self) -> Samples:
        import jax.numpy as jnp

        return tasks.make_samples(tasks.orthogonal_pair().inputs, jnp.eye(2))

    def predict(self) -> xr.Dataset:
        import jax

        first, second = jax.random.normal(jax.random.key(0), (2, 512, 2))
        rays = theory.flows.settle_on_rays(self._samples(), first, second.T, log_growth=20.0)
        return _predict(rays.rates[0])

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure(self, numerics.activations.relu, self._samples(), key)

    def draw(self, ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
        return _draw(ax, prediction, measurement)


def _predict(rate) -> xr.Dataset:
    depths = [theory.flows.effective_depth(DEPTH, skips) for skips in SKIPS.values()]
    exponents = [theory.flows.escape_exponent(depth) for depth in depths]
    return _observables([sorted(depths).index(depth) + 1 for depth in depths], exponents[:2], 1 / rate)


def _observables(place, exponent, slope) -> xr.Dataset:
    names = list(SKIPS)
    return observables(
        coords={"network": names, "power_law": names[:2]},
        place=("network", place, {"long_name": "place in the order of learning"}),
        exponent=("power_law", exponent, {"long_name": "exponent of 1/epsilon in the time of escape"}),
        slope=slope,
    )


def _measure(claim: Any, activation: Activation, data: Moments | Samples, key: jax.Array) -> xr.Dataset:
    """Loss curves, when each network has escaped at each scale, and what follows for the time's dependence on it."""
    import numpy as np

    directions = networks.initialise_deep(
        networks.Neuron(activation),
        key,
        widths=(claim.width,) * (DEPTH - 1),
        input_shape=(2,),
        output_dim=2,
        activation=activation,
        init_scale=1.0,
    )
    scales = np.array([(claim.init_scale, RATIO * small, small) for small in claim.small_scales])
    settings = zip(SKIPS.values(), scales, claim.learning_rates, claim.steps, strict=True)
    times, losses = zip(*(_train(directions, data, *setting) for setting in settings), strict=True)
    escapes = np.array([[_fall(t, loss, FALLEN) for loss in runs] for t, runs in zip(times, losses, strict=True)])
    learned = [_fall(t, runs[0], 1 - FALLEN) for t, runs in zip(times, losses, strict=True)]
    exponents = np.log(escapes[:2, 2] / escapes[:2, 1]) / np.log(RATIO)
    slope = (escapes[2, 2] - escapes[2, 1]) / np.log(RATIO)
    found = _observables(1 + np.argsort(np.argsort(learned)), exponents, slope)
    return found.assign(
        observables(
            time=(("network", "record"), times),
            loss=(("network", "record"), [2 * runs[0] for runs in losses]),
            scale=(("network", "run"), scales),
            escape=(("network", "run"), escapes),
        )
    )


def _train(directions, data, skips, scales, learning_rate: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Recording times, and the half loss at each of them from each scale."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    # Half of the records for a linear axis of time, half for a logarithmic one.
    record = np.unique(np.concatenate([np.linspace(0, steps, 1001), np.geomspace(1, steps, 1000)]).round().astype(int))
    record = record[np.linspace(0, record.size - 1, 1200).round().astype(int)]

    def run(scale):
        weights = tuple(scale * layer for layer in directions.weights)
        network = networks.DeepNetwork(weights, directions.unit, directions.activations, skips)
        return training.gradient_descent(network, data, learning_rate=learning_rate, steps=steps, record=record).loss

    return learning_rate * record, np.asarray(jax.jit(jax.vmap(run))(jnp.asarray(scales)))


def _fall(times: np.ndarray, loss: np.ndarray, share: float) -> float:
    """When the loss has fallen by a share of its initial value."""
    return numerics.first_crossing(times, -loss, (share - 1) * loss[0])


def _draw(ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
    """Loss in linear and logarithmic time, and the time of escape against the scale of the initial weights."""
    whole = ax.get_subplotspec()
    if whole is None:
        return _draw_loss(ax, measurement, "linear")
    grid = whole.subgridspec(2, 2, width_ratios=(1.3, 1))
    ax.set_subplotspec(grid[0, 0])
    artists = _draw_loss(ax, measurement, "linear")
    artists += _draw_loss(ax.figure.add_subplot(grid[1, 0]), measurement, "log")
    return artists + _draw_escapes(ax.figure.add_subplot(grid[:, 1]), prediction, measurement)


def _draw_loss(ax: Axes, measurement: xr.Dataset, scale: str) -> list[Artist]:
    from solvable.report.figures import PALETTE

    artists: list[Artist] = []
    slowest = float(measurement["time"].values[0][measurement["loss"].values[0] > 1e-3].max())
    for colour, name in zip(PALETTE, SKIPS, strict=False):
        of_network = measurement.sel(network=name)
        artists += ax.plot(of_network["time"], of_network["loss"], ".", ms=2, color=colour, label=name)
    start = float(measurement["loss"].max())
    xlim = (0, 1.2 * slowest) if scale == "linear" else (0.02, 3 * slowest)
    ax.set(xscale=scale, xlim=xlim, ylim=(-0.05 * start, 1.08 * start), xlabel="time", ylabel="loss, $E|y - f|^2$")
    if scale == "linear":
        ax.legend(fontsize="small", markerscale=4)
    return artists


def _draw_escapes(ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
    import numpy as np

    from solvable.report.figures import PALETTE

    artists: list[Artist] = []
    for colour, name in zip(PALETTE, SKIPS, strict=False):
        scales, times = (measurement[side].sel(network=name).values for side in ("scale", "escape"))
        ratio = np.geomspace(1, scales[0] / scales[-1], 50)
        artists += ax.loglog(scales, times, "o", ms=5, color=colour)
        if name in prediction["power_law"]:
            line = times[-1] * ratio ** -prediction["exponent"].sel(power_law=name).values
        else:
            line = times[-1] - prediction["slope"].values * np.log(ratio)
        shown = line > 0
        artists += ax.plot(scales[-1] * ratio[shown], line[shown], color=colour, lw=1, label="_theory")
    ax.set(xlabel="initial scale, $\\epsilon$", ylabel="time of escape")
    ax.set_title("lines: theory", fontsize="small")
    return artists
