"""Pre-training on a prompt, and fine-tuning on it one example at a time."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, check_choice, check_positive
from solvable.tasks import PromptTask


class PromptLoss(eqx.Module):
    """Cross-entropy of the label word among all words, on a fresh batch of a prompt.

    Attributes
    ----------
    task
        Where batches come from.
    batch_size
        Sequences a batch.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    malladi2023, masked language modelling.
    """

    task: PromptTask
    batch_size: int = eqx.field(static=True, default=64)

    def __call__(self, network: Any, key: Array) -> Float[Array, ""]:
        tokens, labels = self.task.sample(key, self.batch_size)
        negative, positive = self.task.label_words
        scores = jax.nn.log_softmax(jax.vmap(network)(tokens))
        return -jnp.mean(jnp.where(labels > 0, scores[:, positive], scores[:, negative]))


def train_one_by_one(
    network: Any,
    read: Callable[[Array], Array],
    inputs: Any,
    labels: Float[Array, " num_samples"],
    observed: Any,
    *,
    order: Int[Array, " steps"],
    learning_rate: float | Float[Array, ""],
    rule: Literal["sgd", "sign"] = "sgd",
) -> Float[Array, "records num_observed"]:
    r"""Outputs along training on the logistic loss by one example a step.

    .. math:: \theta \leftarrow \theta - \eta\,\nabla\ell \;\; \text{or} \;\; \theta - \eta\,\mathrm{sign}\,\nabla\ell,
       \qquad \ell = \ln(1 + e^{-y f})

    Parameters
    ----------
    network
        An Equinox module from one input to its outputs; its floating-point arrays are trained.
    read
        f from these outputs, a number.
    inputs, labels
        Training examples, first axis; labels +1 or -1.
    observed
        Inputs at which f is recorded.
    order
        Which example each step takes.
    learning_rate
        eta > 0.
    rule
        ``"sgd"``, or ``"sign"`` (a sign of 0 is 0), which the first step of Adam is as well.

    Returns
    -------
    Array
        f before the first step, and after each.

    Raises
    ------
    OutsideDomain
        A rate that is not positive, an unknown rule, or labels other than +1 and -1.

    References
    ----------
    malladi2023, Sec. 4, SGD and SignGD of batch size 1.
    """
    check_positive("learning_rate", learning_rate)
    check_choice("rule", rule, ("sgd", "sign"))
    if bool(jnp.any(jnp.abs(labels) != 1)):
        raise OutsideDomain("`labels` must be +1 and -1, one a training example.")
    by_sign = jnp.asarray(rule == "sign")  # an argument, so that both rules are one program
    return _train(network, read, inputs, labels, observed, order, jnp.asarray(learning_rate, labels.dtype), by_sign)


@eqx.filter_jit
def _train(network, read, inputs, labels, observed, order, learning_rate, by_sign) -> Array:
    params, static = eqx.partition(network, eqx.is_inexact_array)
    output = lambda params, x: read(eqx.combine(params, static)(x))  # noqa: E731
    look = lambda params: jax.vmap(lambda x: output(params, x))(observed)  # noqa: E731

    def step(params, chosen):
        x = jax.tree.map(lambda leaf: leaf[chosen], inputs)
        gradient = jax.grad(lambda p: jax.nn.softplus(-labels[chosen] * output(p, x)))(params)
        turned = jax.tree.map(lambda g: jnp.where(by_sign, jnp.sign(g), g), gradient)
        after = jax.tree.map(lambda p, g: p - learning_rate.astype(p.dtype) * g, params, turned)
        return after, look(params)

    last, records = jax.lax.scan(step, params, order)
    return jnp.concatenate([records, look(last)[None]])
