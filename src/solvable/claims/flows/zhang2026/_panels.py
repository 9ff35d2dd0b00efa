"""What the panels of Figures 1, 4 and 5 share: training read at its intermediate plateau and at its end; the figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, tasks, theory, training
from solvable.claims import observables

if TYPE_CHECKING:
    import jax
    import numpy as np
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from solvable.networks import Network, Unit
    from solvable.numerics import Activation
    from solvable.tasks import Moments, Samples, Task

    Counter = Callable[[jax.Array, jax.Array], jax.Array]  # effective width from the weights in and behind units

LARGE = 0.2  # a unit, ray or direction counts from this share of the largest one's strength


def width_two_teacher(activation: Activation, norm: float, data_seed: int, num_samples: int) -> Samples:
    """The task of Figure 4: y = sigma(x_1) + sigma(norm x_2) on white inputs in the plane."""
    import jax.numpy as jnp

    first = jnp.diag(jnp.array([1.0, norm]))
    return draw_samples(tasks.TeacherNetwork(first, jnp.ones((1, 2)), activation, jnp.eye(2)), data_seed, num_samples)


def draw_samples(task: Task, data_seed: int, num_samples: int) -> Samples:
    """The data set of a seed, compiled as a whole, which is quicker than operation by operation."""
    import equinox as eqx
    import jax

    return eqx.filter_jit(lambda task: task.sample(jax.random.key(data_seed), num_samples))(task)


def linear_moments(samples: Samples) -> Moments:
    """Moments of the targets and the inputs themselves."""
    import jax

    return jax.jit(lambda samples: tasks.sample_moments(samples, lambda inputs: inputs))(samples)


def greedy_losses(moments: Moments) -> jax.Array:
    """Half losses of the fixed points of linear units, from rank 0 up."""
    import jax

    return jax.jit(lambda moments: theory.flows.greedy_fixed_points(moments).loss)(moments)


def count_rank(first: jax.Array, second: jax.Array) -> jax.Array:
    """Effective width of units linear in their weights."""
    return instruments.effective_rank(first, threshold=LARGE)


def count_rays(first: jax.Array, second: jax.Array) -> jax.Array:
    """Effective width of ReLU units."""
    return instruments.count_rays(first, second, threshold=LARGE)


def count_units(first: jax.Array, second: jax.Array) -> jax.Array:
    """Effective width of units that grow one at a time."""
    return instruments.active_units(first, second, threshold=LARGE)


def stage_levels(start, plateau, end, *, effective_width: tuple[Any, Any] = (1, 2)) -> xr.Dataset:
    """A prediction from three half losses: levels as the paper prints them, and effective widths at the last two.

    A deep network has one width a hidden layer.
    """
    return _stages([2 * float(loss) for loss in (start, plateau, end)], effective_width)


def one_unit_levels(
    moments: Moments, shape: tuple[int, ...], *, effective_width: tuple[Any, Any] = (1, 2)
) -> xr.Dataset:
    """``stage_levels`` of a network whose first saddle is the best fit by one unit and which ends at least squares."""
    import jax

    ends = greedy_losses(moments)
    saddle = jax.jit(lambda moments: theory.flows.fit_one_unit(moments, shape).loss)(moments)
    return stage_levels(ends[0], saddle, ends[-1], effective_width=effective_width)


def measure_stages(
    claim: Any,
    unit: Unit,
    data: Task | Samples,
    key: jax.Array,
    *,
    effective_width: Counter,
    steps: int | None = None,
    record: int = 1000,
) -> xr.Dataset:
    """``read_stages`` of a two-layer network of the claim's width and scale."""
    import equinox as eqx

    input_shape, output_dim = _sizes(data)
    network = eqx.filter_jit(networks.initialise)(
        unit, key, width=claim.width, input_shape=input_shape, output_dim=output_dim, init_scale=claim.init_scale
    )
    count = lambda network: effective_width(network.first, network.second)  # noqa: E731
    return read_stages(claim, network, data, effective_width=count, steps=steps, record=record)


def measure_deep_stages(
    claim: Any,
    unit: Unit,
    data: Task | Samples,
    key: jax.Array,
    *,
    activation: Activation,
    effective_widths: tuple[Counter, ...],
    **reading: Any,
) -> xr.Dataset:
    """``read_stages`` of a network with as many hidden layers as ``effective_widths``, all of the claim's width."""
    import equinox as eqx
    import jax.numpy as jnp

    input_shape, output_dim = _sizes(data)
    network = eqx.filter_jit(networks.initialise_deep)(
        unit,
        key,
        widths=(claim.width,) * len(effective_widths),
        input_shape=input_shape,
        output_dim=output_dim,
        activation=activation,
        init_scale=claim.init_scale,
    )

    def count(network):
        layers = enumerate(effective_widths, 1)
        return jnp.stack([counter(*networks.get_units(network, layer)) for layer, counter in layers])

    return read_stages(claim, network, data, effective_width=count, **reading)


def _sizes(data: Task | Samples) -> tuple[tuple[int, ...], int]:
    """Shape of one input, and the number of targets."""
    if isinstance(data, tasks.Samples):
        return data.inputs.shape[1:], data.targets.shape[1]
    return data.input_shape, data.second.shape[0] if isinstance(data, tasks.TeacherNetwork) else 1


def read_stages(
    claim: Any,
    network: Network,
    data: Task | Samples,
    *,
    effective_width: Callable[[Any], jax.Array],
    steps: int | None = None,
    record: int = 1000,
    axes: tuple[int, int] = (0, 1),
) -> xr.Dataset:
    """Train; read the loss at the start, at the longest plateau in between and at the end, the weights at the last two.

    A plateau that is passed rather than reached is read at its flattest point. Where there is none, the level is NaN,
    which no prediction matches. Learning rate and, unless given, steps are the claim's; ``axes`` are the entries of the
    first weights to draw.
    """
    import jax
    import numpy as np
    from jax.flatten_util import ravel_pytree

    run = training.gradient_descent(
        network,
        data,
        learning_rate=claim.learning_rate,
        steps=claim.steps if steps is None else steps,
        record=record,
        observables={"weights": _flatten},
    )
    at, loss = np.asarray(run.steps), 2 * np.asarray(run.loss)
    level, step = _find_plateau(at, loss)
    rests = [int(np.argmin(np.abs(at - step))), -1]
    rebuild = ravel_pytree(network)[1]

    def look(weights):
        resting = rebuild(weights)
        return resting.first[:, np.array(axes)], effective_width(resting)

    first, widths = jax.jit(jax.vmap(look))(run.observables["weights"][np.array(rests)])
    found = _stages(np.array([loss[0], level, loss[-1]]), widths)
    return found.merge(curve(at, loss, first))


def _flatten(network: Network) -> jax.Array:
    from jax.flatten_util import ravel_pytree

    return ravel_pytree(network)[0]


def measure_curves(claim: Any, unit: Unit, samples: Samples, key: jax.Array) -> xr.Dataset:
    """Loss curves of ``claim.num_seeds`` networks, trained as the claim's fields say."""
    import jax

    def train(seed):
        network = networks.initialise_for(unit, samples, seed, width=claim.width, init_scale=claim.init_scale)
        return training.gradient_descent(
            network, samples, learning_rate=claim.learning_rate, steps=claim.steps, record=record_steps(claim)
        )

    runs = jax.jit(jax.vmap(train))(jax.random.split(key, claim.num_seeds))
    return label_curves(claim, ("seed", "step"), runs.loss)


def record_steps(claim: Any) -> np.ndarray:
    """Every fifth step."""
    import numpy as np

    return np.arange(0, claim.steps, 5)


def label_curves(claim: Any, dims, half_loss) -> xr.Dataset:
    """Curves at ``record_steps``, as the paper prints their losses."""
    axis = ("step", record_steps(claim), {"long_name": "gradient step"})
    return observables(coords={"step": axis}, loss=(dims, 2 * half_loss, {"long_name": "loss, $E|y - f|^2$"}))


def curve(steps, loss, first) -> xr.Dataset:
    """What ``draw_stages`` draws: the loss at each step, and the first two entries of the weights at rests."""
    return observables(
        coords={"step": ("step", steps, {"long_name": "gradient step"})},
        loss=("step", loss, {"long_name": "loss"}),
        weights=(("rest", "unit", "axis"), first[:, :, :2]),
    )


def draw_stages(ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
    """The paper's panel: loss with its predicted levels, and first-layer weights at the plateau and at the end."""
    import numpy as np

    from solvable.report.figures import PALETTE

    at, loss = measurement["step"].values, measurement["loss"].values
    artists: list[Artist] = [*ax.plot(at, loss, ".", ms=3, color=PALETTE[1], label="measured")]
    for place, level in enumerate(prediction["level"].values if "level" in prediction else ()):
        artists.append(ax.axhline(level, color=PALETTE[0], lw=1, label="_theory" if place else "levels, theory"))
    ax.set(xlabel="gradient step", ylabel="loss, $E|y - f|^2$", ylim=(-0.05 * loss[0], 1.08 * loss[0]))
    ax.locator_params(axis="x", nbins=5)
    ax.legend(fontsize="small", loc="upper right")
    weights = measurement["weights"].values
    reach = 1.15 * np.max(np.abs(weights))
    place_of_all = ax.get_subplotspec()
    if place_of_all is None:
        return artists
    # Places in the layout, not inset axes, which it would cut off.
    grid = place_of_all.subgridspec(2, 2, width_ratios=(2.4, 1))
    ax.set_subplotspec(grid[:, 0])
    for place, rest in enumerate(("plateau", "end")[: len(weights)]):
        inset = ax.figure.add_subplot(grid[place, 1], aspect="equal")
        artists += inset.plot(*weights[place].T, ".", ms=5, color="black", alpha=0.6)
        inset.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
        inset.set_title(f"$u_i$, {rest}{_say_width(measurement, place)}", fontsize="small")
    return artists


def draw_deep_stages(ax: Axes, prediction: xr.Dataset, measurement: xr.Dataset) -> list[Artist]:
    """``draw_stages`` around the transitions: from small weights deep networks spend most of their time before them."""
    import numpy as np

    artists = draw_stages(ax, prediction, measurement)
    at, loss = measurement["step"].values, measurement["loss"].values
    moving = at[(loss < 0.98 * loss[0]) & (loss > loss[-1] + 0.02 * loss[0])]
    room = 0.6 * np.ptp(moving)
    ax.set_xlim(max(moving[0] - room, 0), min(moving[-1] + room, at[-1]))
    return artists


def _say_width(measurement: xr.Dataset, place: int) -> str:
    """Effective width at a rest, of every hidden layer, where it was measured."""
    if "effective_width" not in measurement:
        return ""
    widths = measurement["effective_width"].values[place].ravel()
    return f": width{'s' if widths.size > 1 else ''} {', '.join(f'{width:g}' for width in widths)}"


def _stages(levels, widths) -> xr.Dataset:
    import numpy as np

    return observables(
        coords={"stage": ["start", "plateau", "end"], "rest": ["plateau", "end"]},
        level=("stage", levels, {"long_name": "loss"}),
        effective_width=(("rest", "layer")[: np.ndim(widths)], widths),
    )


def _find_plateau(at: np.ndarray, loss: np.ndarray) -> tuple[float, float]:
    """Level and time of the longest plateau between the first and the last drop."""
    stages = instruments.find_stages(at, loss, min_drop=0.02)
    between = [
        plateau
        for plateau in stages.plateaus
        if plateau.start >= stages.drops[0].end and plateau.end <= stages.drops[-1].start
    ]
    if not between:
        return float("nan"), float("nan")
    longest = max(between, key=lambda plateau: plateau.end - plateau.start)
    return longest.level, longest.time
