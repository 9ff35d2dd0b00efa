"""What the panels of Figures 1 and 4 share: training read at its intermediate plateau and at its end; the figure."""

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

    from solvable.networks import Unit
    from solvable.numerics import Activation
    from solvable.tasks import Moments, Samples, Task

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


def stage_levels(start, plateau, end, *, effective_width: tuple[int, int] = (1, 2)) -> xr.Dataset:
    """A prediction from three half losses: levels as the paper prints them, and effective widths at the last two."""
    return _stages([2 * float(loss) for loss in (start, plateau, end)], effective_width)


def one_unit_levels(moments: Moments, shape: tuple[int, ...]) -> xr.Dataset:
    """``stage_levels`` of a layer whose first saddle is the best fit by one unit and which ends at least squares."""
    import jax

    ends = greedy_losses(moments)
    saddle = jax.jit(lambda moments: theory.flows.fit_one_unit(moments, shape).loss)(moments)
    return stage_levels(ends[0], saddle, ends[-1])


def measure_stages(
    claim: Any,
    unit: Unit,
    data: Task | Samples,
    key: jax.Array,
    *,
    effective_width: Callable[[jax.Array, jax.Array], jax.Array],
    steps: int | None = None,
    record: int = 1000,
) -> xr.Dataset:
    """Train; read the loss at the start, at the longest plateau in between and at the end, the weights at the last two.

    Width, scale, learning rate and, unless given, steps are the claim's.

    A plateau that is passed rather than reached is read at its flattest point. Where there is none, the level is NaN,
    which no prediction matches. A population has one target.
    """
    import equinox as eqx
    import jax
    import numpy as np

    on_samples = isinstance(data, tasks.Samples)
    network = eqx.filter_jit(networks.initialise)(
        unit,
        key,
        width=claim.width,
        input_shape=data.inputs.shape[1:] if on_samples else data.input_shape,
        output_dim=data.targets.shape[1] if on_samples else 1,
        init_scale=claim.init_scale,
    )
    weights = {"first": lambda network: network.first, "second": lambda network: network.second}
    run = training.gradient_descent(
        network,
        data,
        learning_rate=claim.learning_rate,
        steps=claim.steps if steps is None else steps,
        record=record,
        observables=weights,
    )
    at, loss = np.asarray(run.steps), 2 * np.asarray(run.loss)
    level, step = _find_plateau(at, loss)
    rests = [int(np.argmin(np.abs(at - step))), -1]
    first, second = (np.asarray(run.observables[name])[rests] for name in ("first", "second"))
    found = _stages(np.array([loss[0], level, loss[-1]]), jax.jit(jax.vmap(effective_width))(first, second))
    return found.merge(curve(at, loss, first))


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
    """What ``draw_stages`` draws: the loss at each step, and the first weights (or two entries of them) at rests."""
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
        known = "effective_width" in measurement
        width = f": width {measurement['effective_width'].values[place]:g}" if known else ""
        inset.set_title(f"$u_i$, {rest}{width}", fontsize="small")
    return artists


def _stages(levels, widths) -> xr.Dataset:
    return observables(
        coords={"stage": ["start", "plateau", "end"], "rest": ["plateau", "end"]},
        level=("stage", levels, {"long_name": "loss"}),
        effective_width=("rest", widths),
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
