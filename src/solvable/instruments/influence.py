"""What a gradient step on one example will do to another, for any model: products of Jacobians, never a kernel."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Model = Callable[[Any], Float[Array, "*places labels"]]


@eqx.filter_jit
def predict_influence(
    model: Model,
    observed: Any,
    trained: Any,
    residuals: Float[Array, "*places labels"],
    *,
    learning_rate: float | Float[Array, ""] = 1.0,
) -> Float[Array, "*observed labels"]:
    r"""First-order change of the log-probabilities of one example by a step of gradient descent on another.

    .. math:: \Delta \ln \pi(x_o) = -\eta\,A(x_o)\,J(x_o)\,J(x_u)^\top G

    Parameters
    ----------
    model
        An Equinox module from one input to logits, (labels,) or (positions, labels); its floating-point arrays are the
        weights.
    observed
        x_o, one input.
    trained
        x_u, the input that the step is taken on.
    residuals
        G, the derivative of the loss by the logits at x_u, of the shape of the latter.
    learning_rate
        eta, negative for a step up.

    Returns
    -------
    Array
        Of the shape of the logits at x_o. Exact up to second order in eta.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    One product with the transposed Jacobian at x_u and one with the Jacobian at x_o: as much as two gradients, however
    many labels there are.

    References
    ----------
    ren2025, Proposition 1.
    """
    weights, static = eqx.partition(model, eqx.is_inexact_array)
    logits = lambda inputs: lambda weights: eqx.combine(weights, static)(inputs)  # noqa: E731
    (direction,) = jax.vjp(logits(trained), weights)[1](residuals)
    reach = lambda weights: jax.nn.log_softmax(logits(observed)(weights))  # noqa: E731
    change = jax.jvp(reach, (weights,), (direction,))[1]
    return -jnp.asarray(learning_rate, change.dtype) * change


@eqx.filter_jit
def influence_kernel(
    model: Model, observed: Any, trained: Any
) -> Float[Array, "*observed labels places trained_labels"]:
    r"""The tangent kernel between two examples, by positions and labels: :math:`K = J(x_o)\,J(x_u)^\top`.

    Parameters
    ----------
    model, observed, trained
        As for ``predict_influence``.

    Returns
    -------
    Array
        The axes of the logits at x_o, then those of the logits at x_u as places and labels: one place for logits
        (labels,). What ``theory.kernel.log_probability_change`` takes.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    As many products as x_u has logits; for many of them, ``predict_influence``.

    References
    ----------
    ren2025, Proposition 1.
    """
    weights, static = eqx.partition(model, eqx.is_inexact_array)
    logits = lambda inputs: lambda weights: eqx.combine(weights, static)(inputs)  # noqa: E731
    values, pull = jax.vjp(logits(trained), weights)
    _, push = jax.linearize(logits(observed), weights)
    each = jnp.eye(values.size, dtype=values.dtype).reshape(values.size, *values.shape)
    columns = jax.vmap(lambda one: push(pull(one)[0]))(each)
    return jnp.moveaxis(columns, 0, -1).reshape(*columns.shape[1:], -1, values.shape[-1])
