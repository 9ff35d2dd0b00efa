"""Training of classifiers by stochastic gradient descent on the logistic loss, recorded on the way."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from solvable.errors import Diverged, OutsideDomain, check_count, check_non_negative, check_positive, is_concrete
from solvable.networks.batch_norm import BATCH
from solvable.training.batches import Batches
from solvable.training.checkpoints import Checkpoints
from solvable.training.descent import advance_and_watch, make_record_steps

Labels = Int[Array, " num_samples"] | Int[np.ndarray, " num_samples"]


def train_classifier(
    network: Callable[[Array], Array],
    inputs: Float[Array, "num_samples ..."],
    labels: Labels,
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
    rule = Descent(learning_rate, 0.0, Batches(key, len(inputs), batch_size, replacement=True), inputs.dtype)
    check_labels(network, inputs, labels)
    at = make_record_steps(steps, record)
    found = _train(network, (inputs, jnp.asarray(labels)), rule, _Scores(test_inputs), at)
    _refuse_divergence(found, at)
    return found


def record_classifier(
    network: Callable[[Array], Array],
    inputs: Float[Array, "num_samples ..."],
    labels: Labels,
    *,
    key: Key[Array, ""],
    batch_size: int,
    learning_rate: float | Float[Array, ""],
    steps: int,
    record: int | Int[np.ndarray, " record"] = 20,
    momentum: float | Float[Array, ""] = 0.0,
    replacement: bool = False,
) -> Checkpoints:
    r"""A network along its training by SGD on the cross-entropy: the weights themselves at the recorded steps.

    .. math:: v_{k+1} = m\,v_k + \nabla L(\theta_k), \qquad \theta_{k+1} = \theta_k - \eta\,v_{k+1}

    Parameters
    ----------
    network, inputs, labels, batch_size, learning_rate, steps, record
        As for ``train_classifier``; memory grows with records times weights.
    key
        Randomness of the batches.
    momentum
        m, from 0 (plain SGD) to below 1; may be traced.
    replacement
        Whether every step draws its samples anew; otherwise every epoch visits them once in a new random order.

    Returns
    -------
    Checkpoints
        The recorded steps and networks.

    Raises
    ------
    OutsideDomain
        An argument without meaning, labels that the scores do not cover, or batches larger than the data.
    Diverged
        Weights that are not finite; names the first such record.

    References
    ----------
    zhou2025, experiments; Polyak (1964), momentum.
    """
    rule = Descent(learning_rate, momentum, Batches(key, len(inputs), batch_size, replacement), inputs.dtype)
    check_labels(network, inputs, labels)
    at = make_record_steps(steps, record)
    found = _train(network, (inputs, jnp.asarray(labels)), rule, weights_of, at)
    _refuse_divergence(found, at)
    return Checkpoints(at, eqx.combine(found, network))


def cross_entropy(scores: Float[Array, "num_samples scores"], labels: Int[Array, " num_samples"]) -> Float[Array, ""]:
    """Mean of -ln p of the right class: of the softmax of the scores, or of the logistic function of a single one.

    Raises nothing. References: kalimeris2019, logistic loss.
    """
    if scores.shape[1] == 1:
        sign = 1 - 2 * labels.astype(scores.dtype)
        return jnp.mean(jax.nn.softplus(sign * scores[:, 0]))
    right = jnp.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(scores, axis=1) - right)


def accuracy(scores: Float[Array, "num_samples scores"], labels: Int[Array, " num_samples"]) -> Float[Array, ""]:
    """Share of samples whose class is the one of the largest score, or of the sign of a single one.

    Raises nothing. References: none.
    """
    said = scores[:, 0] > 0 if scores.shape[1] == 1 else jnp.argmax(scores, axis=1)
    return jnp.mean((said.astype(labels.dtype) == labels).astype(scores.dtype))


class Descent(eqx.Module):
    """The rule of a step: learning rate, momentum and batches, checked."""

    learning_rate: Float[Array, ""]
    momentum: Float[Array, ""]
    batches: Batches

    def __init__(self, learning_rate, momentum, batches: Batches, dtype):
        check_positive("learning_rate", learning_rate)
        check_non_negative("momentum", momentum)
        if is_concrete(momentum) and momentum >= 1:
            raise OutsideDomain(f"`momentum` is {momentum}; it must be below 1, 0 for plain SGD.")
        check_count("batch_size", batches.batch_size)
        if not batches.replacement and batches.batch_size > batches.num_samples:
            raise OutsideDomain(
                f"`batch_size` is {batches.batch_size}; it must be at most the {batches.num_samples} samples."
            )
        self.learning_rate, self.momentum = jnp.asarray(learning_rate, dtype), jnp.asarray(momentum, dtype)
        self.batches = batches

    def start(self, params: Any, done: Int[Array, ""]) -> tuple:
        """The state before the step ``done``, at rest."""
        return params, jax.tree.map(jnp.zeros_like, params), self.batches.order(done)

    def advance(
        self,
        data: tuple,
        static: Any,
        state: tuple,
        done: Int[Array, ""],
        until: Int[Array, ""],
        prepare: Callable[[Any], Any] = lambda params: params,
    ) -> tuple:
        """The state after the steps from ``done`` to ``until``, ``prepare`` done to the weights before each of them."""
        inputs, labels = data

        def loss(params, chosen):
            # The axis has a name for the layers that normalise by the batch.
            scores = jax.vmap(eqx.combine(params, static), axis_name=BATCH)(inputs[chosen])
            return cross_entropy(scores, labels[chosen])

        def step(index, state):
            params, velocity, order = prepare(state[0]), *state[1:]
            chosen, order = self.batches.choose(index, order)
            velocity = jax.tree.map(
                lambda v, g: self.momentum.astype(v.dtype) * v + g, velocity, jax.grad(loss)(params, chosen)
            )
            params = jax.tree.map(lambda p, v: p - self.learning_rate.astype(p.dtype) * v, params, velocity)
            return params, velocity, order

        return jax.lax.fori_loop(done, until, step, state)


class _Scores(eqx.Module):
    inputs: Float[Array, "num_tests ..."]

    def __call__(self, network: Callable[[Array], Array]) -> Float[Array, "num_tests scores"]:
        return jax.vmap(network, axis_name=BATCH)(self.inputs)


def weights_of(network: Any) -> Any:
    """The network's weights, None in place of what is none. Raises nothing. References: none."""
    return eqx.filter(network, eqx.is_inexact_array)


def check_labels(network: Callable[[Array], Array], inputs: Array, labels: Labels) -> None:
    """Raise OutsideDomain unless the network's scores cover the labels; tracers pass unchecked."""
    scores = eqx.filter_eval_shape(jax.vmap(network, axis_name=BATCH), inputs[:1]).shape[1:]
    largest = max(1, scores[0] - 1) if len(scores) == 1 else -1
    if is_concrete(labels) and (len(scores) != 1 or np.min(labels) < 0 or np.max(labels) > largest):
        raise OutsideDomain(
            f"the network has scores of shape {scores} and `labels` run from {np.min(labels)} to {np.max(labels)}; "
            "give labels 0 and 1 for one score, or 0 to one less than the number of scores."
        )


def _refuse_divergence(found: Any, at: Int[Array, " record"]) -> None:
    leaves = [leaf for leaf in jax.tree.leaves(found) if is_concrete(leaf)]
    finite = np.array([np.isfinite(leaf).reshape(len(at), -1).all(axis=1) for leaf in leaves]).all(axis=0)
    if leaves and not finite.all():
        lost = int(at[int(np.argmin(finite))])
        raise Diverged(f"training diverged by step {lost}: scores are not finite; use a smaller `learning_rate`.", lost)


@eqx.filter_jit
def _train(network: Any, data: tuple, rule: Descent, watch: Callable[[Any], Any], record: Array) -> Any:
    params, static = eqx.partition(network, eqx.is_inexact_array)
    start = rule.start(params, jnp.zeros_like(record[0]))
    advance = lambda state, done, until: rule.advance(data, static, state, done, until)  # noqa: E731
    seen = lambda state: watch(eqx.combine(state[0], static))  # noqa: E731
    return advance_and_watch(advance, seen, start, record, record[-1])[1]
