"""Averaged stochastic gradient descent for least squares: many passes over one training set at a constant step."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Key

from solvable.errors import OutsideDomain, check_positive


class AveragedSgd(eqx.Module):
    r"""Weights along stochastic gradient descent.

    Attributes
    ----------
    steps
        At which they are recorded, shape (record,).
    weights
        The iterates, shape (record, output_dim, input_dim).
    averages
        The mean of all iterates up to each, the start left out, same shape.

    References
    ----------
    pillaudvivien2018.
    """

    steps: Int[Array, " record"]
    weights: Float[Array, "record output_dim input_dim"]
    averages: Float[Array, "record output_dim input_dim"]


def averaged_sgd(
    key: Key[Array, ""],
    inputs: Float[Array, "num_samples input_dim"],
    targets: Float[Array, "num_samples output_dim"],
    *,
    learning_rate: float | Float[Array, ""],
    record: Sequence[int] | Int[np.ndarray, " record"],
) -> AveragedSgd:
    r"""Stochastic gradient descent from 0 on the half squared error of one sample a step, drawn with replacement.

    .. math:: W_t = W_{t-1} + \eta\,(y_{i(t)} - W_{t-1} x_{i(t)})\,x_{i(t)}^\top

    Parameters
    ----------
    key
        Randomness of the order of samples.
    inputs, targets
        X and y, one sample a row.
    learning_rate
        eta > 0; may be traced. Steady below 2 over the largest squared norm of an input.
    record
        Steps at which to record, at least 1 and increasing; the last is where training ends. n steps are one pass.

    Raises
    ------
    OutsideDomain
        A learning rate that is not positive; steps to record that do not increase from 1 or more.

    References
    ----------
    pillaudvivien2018, Eq. (1).
    """
    check_positive("learning_rate", learning_rate)
    steps = np.asarray(record)
    if steps.ndim != 1 or not steps.size or steps[0] < 1 or np.any(np.diff(steps) < 1):
        raise OutsideDomain(f"`record` is {record}; it must hold increasing steps of at least 1.")
    return _descend(key, inputs, targets, jnp.asarray(learning_rate, inputs.dtype), tuple(steps.tolist()))


@eqx.filter_jit
def _descend(key, inputs, targets, learning_rate, record: tuple[int, ...]) -> AveragedSgd:
    drawn = jax.random.randint(key, (record[-1],), 0, inputs.shape[0])

    def step(place, state):
        weights, total = state
        sample = drawn[place]
        errors = targets[sample] - weights @ inputs[sample]
        weights = weights + learning_rate * errors[:, None] * inputs[sample][None, :]
        return weights, total + weights

    def segment(state, ends):
        state = lax.fori_loop(ends[0], ends[1], step, state)
        return state, (state[0], state[1] / ends[1].astype(inputs.dtype))

    start = jnp.zeros((targets.shape[1], inputs.shape[1]), inputs.dtype)
    steps = jnp.asarray(record)
    ends = jnp.stack([jnp.asarray((0, *record[:-1])), steps], axis=1)
    return AveragedSgd(steps, *lax.scan(segment, (start, start), ends)[1])
