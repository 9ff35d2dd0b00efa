"""Outputs along training by one example a step, of a network whose gradients stay as they were."""

from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, check_choice, check_positive


def logistic_derivative(outputs: Float[Array, "..."], labels: Float[Array, "..."]) -> Float[Array, "..."]:
    """The derivative -y sigmoid(-y f) of ln(1 + e^(-y f)) by f. Raises nothing. References: malladi2023, Sec. 3."""
    return -labels * jax.nn.sigmoid(-labels * outputs)


def outputs_one_by_one(
    kernel: Float[Array, "num_observed num_samples"],
    training_kernel: Float[Array, "num_samples num_samples"],
    outputs: Float[Array, " num_observed"],
    training_outputs: Float[Array, " num_samples"],
    labels: Float[Array, " num_samples"],
    *,
    order: Int[Array, " steps"],
    learning_rate: float | Float[Array, ""],
    rule: Literal["sgd", "sign"] = "sgd",
    derivative: Callable[[Array, Array], Array] = logistic_derivative,
) -> Float[Array, "records num_observed"]:
    r"""Outputs of a network that is trained on one example after the other, from a frozen kernel.

    .. math:: f_t(x) = f_0(x) - \eta \sum_{s \le t} a_s\,K(x, x_s), \qquad a_s = \chi_s \;\; \text{or} \;\;
       \mathrm{sign}\,\chi_s, \quad \chi_s = \frac{d\ell}{df}(f_{s-1}(x_s), y_s)

    Parameters
    ----------
    kernel, training_kernel
        K between where outputs are observed (first axis) and training examples (second axis), and among the latter:
        products of gradients for ``"sgd"``, of gradients with signs of gradients for ``"sign"``, which is not
        symmetric: the second slot is what is trained on.
    outputs, training_outputs
        f_0 of both.
    labels
        y, one a training example.
    order
        Which example each step takes.
    learning_rate
        eta > 0.
    rule
        Descent by the gradient or by its sign.
    derivative
        chi of an output and a label; that of the logistic loss unless given.

    Returns
    -------
    Array
        f_0 and f after each step, shape (steps + 1, num_observed).

    Raises
    ------
    OutsideDomain
        Kernels that do not fit the outputs, a rate that is not positive, an unknown rule.

    Notes
    -----
    Each step is exact to first order in eta; over many, the error grows in proportion to how far outputs have moved.
    One example a step: the sign of a sum is not the sum of signs. The first step of Adam is one by signs.

    References
    ----------
    malladi2023, Sec. 4, definition of kernel behaviour and the kernels of SGD and SignGD.
    """
    check_positive("learning_rate", learning_rate)
    check_choice("rule", rule, ("sgd", "sign"))
    size = labels.size
    if kernel.shape != (outputs.size, size) or training_kernel.shape != (size, size) or training_outputs.size != size:
        raise OutsideDomain(
            f"`kernel` and `training_kernel` have shapes {kernel.shape} and {training_kernel.shape}; with "
            f"{outputs.size} outputs and {size} labels they must be {(outputs.size, size)} and {(size, size)}."
        )
    by_sign = jnp.asarray(rule == "sign")
    both = jnp.concatenate([kernel, training_kernel])
    start = jnp.concatenate([outputs, training_outputs])
    path = _follow(both, start, labels, order, jnp.asarray(learning_rate, kernel.dtype), by_sign, derivative)
    return path[:, : outputs.size]


@eqx.filter_jit
def _follow(kernel, start, labels, order, learning_rate, by_sign, derivative) -> Array:
    observed = start.size - labels.size

    def step(outputs, chosen):
        push = derivative(outputs[observed + chosen], labels[chosen])
        push = jnp.where(by_sign, jnp.sign(push), push)
        return outputs - learning_rate * push * kernel[:, chosen], outputs

    last, records = jax.lax.scan(step, start, order)
    return jnp.concatenate([records, last[None]])
