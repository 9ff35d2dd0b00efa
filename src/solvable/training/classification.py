"""Training of classifiers by stochastic gradient descent on the logistic loss, their scores recorded on the way."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from solvable.errors import Diverged, OutsideDomain, check_count, check_positive, is_concrete
from solvable.training.descent import advance_and_watch, make_record_steps, take_step


def train_classifier(
    network: Callable[[Array], Array],
    inputs: Float[Array, "num_samples ..."],
    labels: Int[Array, " num_samples"] | Int[np.ndarray, " num_samples"],
    test_inputs: Float[Array, "num_tests ..."],
    *,
    key: Key[Array, ""],
    batch_size: int,
    learning_rate: float | Float[Array, ""],
    steps: int,
    record: int | Int[np.ndarray, " record"] = 20,
) -> Float[Array, "record num_tests scores"]:
    r"""Scores of a network on test inputs, along its training by SGD on the cross-entropy.

    .. math:: L = -\frac1P \sum_\mu \ln p_{y_\mu}(x_\mu), \qquad
       p = \mathrm{softmax}\,f \quad \text{or, for one score}, \quad p_1 = \frac{1}{1 + e^{-f}}

    Parameters
    ----------
    network
        Any Equinox module that maps one input to its scores: one of them for two classes, or one a class.
    inputs, labels
        Training data; labels are 0, 1, ..., one less than the number of classes.
    test_inputs
        Where scores are recorded.
    key
        Randomness of the batches, drawn with replacement.
    batch_size
        Samples a step.
    learning_rate
        eta > 0; may be traced.
    steps, record
        As for ``gradient_descent``.

    Returns
    -------
    Array
        What ``instruments.performance_correlation`` takes, one entry a record.

    Raises
    ------
    OutsideDomain
        An argument without meaning, or labels that the scores do not cover.
    Diverged
        Scores that are not finite; names the first such record.

    References
    ----------
    kalimeris2019, training of the networks and of the linear classifier.
    """
    check_positive("learning_rate", learning_rate)
    check_count("batch_size", batch_size)
    scores = eqx.filter_eval_shape(network, inputs[0]).shape
    largest = max(1, scores[0] - 1) if len(scores) == 1 else -1
    if len(scores) != 1 or np.min(labels) < 0 or np.max(labels) > largest:
        raise OutsideDomain(
            f"the network has scores of shape {scores} and `labels` run from {np.min(labels)} to {np.max(labels)}; "
            "give labels 0 and 1 for one score, or 0 to one less than the number of scores."
        )
    data = inputs, jnp.asarray(labels), test_inputs
    at = make_record_steps(steps, record)
    found = _train(network, data, key, batch_size, jnp.asarray(learning_rate, inputs.dtype), at)
    if is_concrete(found) and not (finite := np.isfinite(found).all(axis=(1, 2))).all():
        lost = int(at[int(np.argmin(finite))])
        raise Diverged(f"training diverged by step {lost}: scores are not finite; use a smaller `learning_rate`.", lost)
    return found


def cross_entropy(scores: Float[Array, "num_samples scores"], labels: Int[Array, " num_samples"]) -> Float[Array, ""]:
    """Mean of -ln p of the right class: of the softmax of the scores, or of the logistic function of a single one.

    Raises nothing. References: kalimeris2019, logistic loss.
    """
    if scores.shape[1] == 1:
        sign = 1 - 2 * labels.astype(scores.dtype)
        return jnp.mean(jax.nn.softplus(sign * scores[:, 0]))
    right = jnp.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(scores, axis=1) - right)


@eqx.filter_jit
def _train(network: Any, data: tuple, key: Array, batch_size: int, learning_rate: Array, record: Array) -> Array:
    inputs, labels, test_inputs = data
    params, static = eqx.partition(network, eqx.is_inexact_array)

    def step(index, params):
        chosen = jax.random.randint(jax.random.fold_in(key, index), (batch_size,), 0, len(labels))
        sampled = lambda network: cross_entropy(jax.vmap(network)(inputs[chosen]), labels[chosen])  # noqa: E731
        return take_step(params, sampled, static, learning_rate)

    def advance(params, done, until):
        return jax.lax.fori_loop(done, until, step, params)

    def watch(params):
        return jax.vmap(eqx.combine(params, static))(test_inputs)

    return advance_and_watch(advance, watch, params, record, record[-1])[1]
