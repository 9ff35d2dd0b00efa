"""Gradient descent and minibatch descent with a fixed learning rate, compiled between recording times."""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Key

from solvable.errors import Diverged, OutsideDomain, check_count, check_positive, is_concrete
from solvable.networks import Network
from solvable.tasks import Samples
from solvable.training.batches import Batches
from solvable.training.objective import (
    Data,
    FeatureLoss,
    Objective,
    Reduction,
    SampleLoss,
    make_objective,
    name_of,
)
from solvable.training.trajectory import Trajectory, observe, wait

Observables = Mapping[str, Callable[[Any], Array]]
Totals = Mapping[str, Callable[[Any, Any], Array]]


def gradient_descent(
    network: Network,
    data: Data,
    *,
    learning_rate: float | Float[Array, ""],
    steps: int,
    record: int | Int[np.ndarray, " record"] = 200,
    observables: Observables | None = None,
    totals: Totals | None = None,
    reduction: Reduction = "auto",
) -> Trajectory:
    r"""Full-batch gradient descent on the half mean squared error, both layers trained.

    .. math:: \theta_{k+1} = \theta_k - \eta\,\nabla L(\theta_k), \qquad L = \tfrac12 E|y - f(x;\theta)|^2

    Parameters
    ----------
    network
        The network at step 0; its dtype is kept.
    data
        ``Samples``, a task (its population, where moments are exact), ``Moments``, or a loss of one's own: a function
        of the network that falls in place of L.
    learning_rate
        eta > 0; may be traced, so that ``vmap`` sweeps it.
    steps
        Number of steps.
    record
        How many evenly spaced records to keep, ends included, or the steps to record at (increasing). Memory grows
        with records, not with steps.
    observables
        Functions of the network recorded beside the loss. The same function objects compile once.
    totals
        Functions of the network before and after a step, recorded beside the loss as their sums over all steps so far.
    reduction
        Which exact form of the data to use; ``"auto"`` takes the cheapest and the trajectory reports it.

    Returns
    -------
    Trajectory
        With ``steps``, ``times = learning_rate * steps`` and ``observables["loss"]``.

    Raises
    ------
    OutsideDomain
        An argument without meaning.
    Diverged
        The loss stopped being finite; names the step. Not raised under ``vmap`` or ``jit``, where it stays NaN.

    References
    ----------
    zhang2026, App. I [their loss has no 1/2: their learning rate 0.01 is 0.02 here].

    Examples
    --------
    >>> trajectory = gradient_descent(network, task, learning_rate=0.02, steps=1000)
    """
    check_positive("learning_rate", learning_rate)
    learning_rate = jnp.asarray(learning_rate, network.first.dtype)
    record_steps = make_record_steps(steps, record)
    objective = make_objective(network, data, reduction)
    observables = dict(observables or {})
    trajectory = _descend(
        network, objective, learning_rate, record_steps, jnp.asarray(steps), tuple(observables.items()), _named(totals)
    )
    locate = lambda refined: _descend(network, objective, learning_rate, refined, refined[-1], (), ())  # noqa: E731
    _refuse_divergence(trajectory, learning_rate, locate)
    return trajectory


def sgd(
    network: Network,
    data: Samples,
    *,
    key: Key[Array, ""],
    batch_size: int,
    learning_rate: float | Float[Array, ""],
    steps: int,
    record: int | Int[np.ndarray, " record"] = 200,
    observables: Observables | None = None,
    totals: Totals | None = None,
    replacement: bool = False,
    reduction: Reduction = "auto",
) -> Trajectory:
    """Minibatch gradient descent: every epoch visits the samples once in a new random order.

    A last batch that would be short is dropped, so that every step sees ``batch_size`` samples.

    Parameters
    ----------
    network, learning_rate, steps, record, observables
        As for ``gradient_descent``; the recorded loss is that of all the samples.
    data
        The data set; samples weigh equally.
    key
        Randomness of the order.
    batch_size
        Samples a step, at most the number of samples.
    totals
        As for ``gradient_descent``.
    replacement
        Whether every step draws its samples anew and independently, so that there are no epochs.
    reduction
        ``"features"`` or ``"samples"`` (moments would need all the data at every step).

    Returns
    -------
    Trajectory
        As from ``gradient_descent``.

    Raises
    ------
    OutsideDomain
        An argument without meaning.
    Diverged
        The loss stopped being finite.

    References
    ----------
    zhang2026, Fig. 3, caption; pesme2021, with replacement.
    """
    check_positive("learning_rate", learning_rate)
    learning_rate = jnp.asarray(learning_rate, network.first.dtype)
    check_count("batch_size", batch_size)
    if not isinstance(data, Samples):
        raise OutsideDomain(f"`data` is a {type(data).__name__}; minibatches need Samples: use `task.sample`.")
    if batch_size > data.num_samples:
        raise OutsideDomain(f"`batch_size` is {batch_size}; it must be at most the {data.num_samples} samples.")
    if is_concrete(data.weights) and not np.allclose(data.weights, np.asarray(data.weights)[0]):
        raise OutsideDomain("the samples of `data` weigh unequally; minibatches need samples of equal weight.")
    record_steps = make_record_steps(steps, record)
    objective = make_objective(network, data, reduction, batch_size)
    assert isinstance(objective, FeatureLoss | SampleLoss)
    observables = dict(observables or {})
    rule = (objective, key, batch_size, replacement, learning_rate)
    run = lambda at, until, watched, summed: _sgd(network, *rule, at, until, watched, summed)  # noqa: E731
    trajectory = run(record_steps, jnp.asarray(steps), tuple(observables.items()), _named(totals))
    _refuse_divergence(trajectory, learning_rate, lambda refined: run(refined, refined[-1], (), ()))
    return trajectory


def make_record_steps(steps: int, record: int | Int[np.ndarray, " record"]) -> Int[Array, " record"]:
    """Steps to record at: evenly spaced from 0 to ``steps``, or those given, checked."""
    check_count("steps", steps)
    if isinstance(record, int):
        check_count("record", record, at_least=2)
        return jnp.asarray(np.unique(np.linspace(0, steps, record).round().astype(int)))
    at = np.asarray(record)
    if (
        at.ndim != 1
        or at.size == 0
        or not np.issubdtype(at.dtype, np.integer)
        or at[0] < 0
        or at[-1] > steps
        or np.any(np.diff(at) <= 0)
    ):
        raise OutsideDomain(
            f"`record` is {record!r}; it must hold increasing whole steps between 0 and `steps` = {steps}."
        )
    return jnp.asarray(at)


def _times(learning_rate, record_steps, dtype):
    return jnp.asarray(learning_rate, dtype) * record_steps.astype(dtype)


def take_step(params, objective, static, learning_rate):
    """The parameters after a step down a loss of the network that they make with ``static``."""
    gradient = jax.grad(lambda p: objective(eqx.combine(p, static)))(params)
    return jax.tree.map(lambda p, g: p - jnp.asarray(learning_rate, p.dtype) * g, params, gradient)


def advance_and_watch(advance, watch, state, record_steps, steps):
    """The state after ``steps``, and what was watched on the way; ``advance(state, done, until)`` is compiled once."""

    def segment(carry, until):
        done, state = carry
        state = advance(state, done, until)
        return (until, state), watch(state)

    (done, state), records = lax.scan(segment, (jnp.zeros_like(record_steps[0]), state), record_steps)
    return advance(state, done, steps.astype(done.dtype)), records


@eqx.filter_jit
def _descend(network, objective: Objective, learning_rate, record_steps, steps, observables, totals) -> Trajectory:
    params, static = eqx.partition(network, eqx.is_inexact_array)

    def step(_, state):
        params, sums = state
        after = take_step(params, objective, static, learning_rate)
        return after, _add(sums, totals, static, params, after)

    def advance(state, done, until):
        return lax.fori_loop(done, until, step, state)

    def watch(state):
        return observe(eqx.combine(state[0], static), objective, dict(observables)) | state[1]

    start = (params, _no_sums(totals, static, params))
    (params, _), records = advance_and_watch(advance, watch, start, record_steps, steps)
    times = _times(learning_rate, record_steps, network.first.dtype)
    return Trajectory(record_steps, times, records, eqx.combine(params, static), name_of(objective))


@eqx.filter_jit
def _sgd(
    network,
    objective: FeatureLoss | SampleLoss,
    key,
    batch_size,
    replacement,
    learning_rate,
    record_steps,
    steps,
    observables,
    totals,
) -> Trajectory:
    params, static = eqx.partition(network, eqx.is_inexact_array)
    batches = Batches(key, objective.targets.shape[0], batch_size, replacement)

    def step(index, state):
        params, sums, order = state
        chosen, order = batches.choose(index, order)
        after = take_step(params, objective.minibatch(chosen), static, learning_rate)
        return after, _add(sums, totals, static, params, after), order

    def advance(state, done, until):
        return lax.fori_loop(done, until, step, state)

    def watch(state):
        return observe(eqx.combine(state[0], static), objective, dict(observables)) | state[1]

    start = (params, _no_sums(totals, static, params), jnp.arange(batches.num_samples))
    (params, *_), records = advance_and_watch(advance, watch, start, record_steps, steps)
    times = _times(learning_rate, record_steps, network.first.dtype)
    return Trajectory(record_steps, times, records, eqx.combine(params, static), name_of(objective))


def _named(totals: Totals | None) -> tuple:
    return tuple((totals or {}).items())


def _add(sums, totals, static, before, after):
    """The sums over steps once a step from ``before`` to ``after`` is taken."""
    networks = eqx.combine(before, static), eqx.combine(after, static)
    return {name: sums[name] + jnp.asarray(f(*networks)) for name, f in totals}


def _no_sums(totals, static, params):
    network = eqx.combine(params, static)
    return {name: jnp.zeros_like(jnp.asarray(f(network, network))) for name, f in totals}


def _refuse_divergence(trajectory: Trajectory, learning_rate, rerun) -> None:
    """Raise Diverged with the very step, found by recording ever more finely around the first bad record."""
    if not is_concrete(trajectory.loss) or bool(np.all(np.isfinite(wait(trajectory).loss))):
        return
    steps, loss = np.asarray(trajectory.steps), np.asarray(trajectory.loss)
    bad = int(np.argmin(np.isfinite(loss)))
    low, high = (int(steps[bad - 1]) if bad else -1), int(steps[bad])
    while high - low > 1:
        between = np.unique(np.linspace(low + 1, high, 20).round().astype(int))
        first = int(np.argmin(np.isfinite(np.asarray(rerun(jnp.asarray(between)).loss))))
        low, high = (int(between[first - 1]) if first else low), int(between[first])
    raise Diverged(
        f"training diverged at step {high}: the loss is not finite with `learning_rate` {float(learning_rate):g}; "
        "use a smaller one.",
        high,
    )
