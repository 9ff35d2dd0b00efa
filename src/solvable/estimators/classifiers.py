"""Logistic regression with a ridge, by Newton's method."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import check_positive

_MOST_STEPS = 100
_HALVINGS = 12


class LogisticFit(eqx.Module):
    """Weights of a linear classifier and what is left of its loss.

    Attributes
    ----------
    weights
        w, shape (input_dim,).
    train_loss
        Mean of log(1 + exp(-y w.x)) over the samples, without the ridge.

    References
    ----------
    loureiro2021, logistic regression.
    """

    weights: Float[Array, " input_dim"]
    train_loss: Float[Array, ""]


def logistic_regression(
    inputs: Float[Array, "num_samples input_dim"],
    labels: Float[Array, " num_samples"],
    ridge: float | Float[Array, ""],
) -> LogisticFit:
    r"""The minimum of :math:`\sum_\mu \log(1 + e^{-y_\mu w \cdot x_\mu}) + (\lambda/2)|w|^2`, without an offset.

    Parameters
    ----------
    inputs, labels
        One sample a row; labels +1 and -1.
    ridge
        lambda > 0 of the sum over samples; ``jax.vmap`` goes over many, or over many training sets.

    Raises
    ------
    OutsideDomain
        A ridge that is not positive: separable data have no minimum without.

    Notes
    -----
    Newton's method (iteratively reweighted least squares) to rounding, steps halved until the loss falls.

    References
    ----------
    loureiro2021.
    """
    check_positive("ridge", ridge)
    return _fit(inputs, labels, jnp.asarray(ridge, inputs.dtype))


@jax.jit
def _fit(inputs: Array, labels: Array, ridge: Array) -> LogisticFit:
    signed = labels[:, None] * inputs
    eye = jnp.eye(inputs.shape[1], dtype=inputs.dtype)
    shorter = 0.5 ** jnp.arange(_HALVINGS, dtype=inputs.dtype)

    def total(weights):
        margins = weights @ signed.T
        return jnp.sum(jnp.logaddexp(0, -margins), axis=-1) + ridge / 2 * jnp.sum(weights**2, axis=-1)

    def unfinished(state):
        count, weights, gradient, size = state
        small = jnp.finfo(inputs.dtype).eps ** 0.75 * (ridge * jnp.linalg.norm(weights) + size)
        return (count < _MOST_STEPS) & (jnp.linalg.norm(gradient) > small)

    def differentiate(weights):
        wrong = jax.nn.sigmoid(-(signed @ weights))
        pull = wrong @ signed
        return ridge * weights - pull, jnp.linalg.norm(pull), wrong

    def improve(state):
        count, weights, *_ = state
        gradient, _, wrong = differentiate(weights)
        curvature = (signed.T * (wrong * (1 - wrong))[None, :]) @ signed + ridge * eye
        step = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(curvature), gradient)
        trials = weights[None, :] - shorter[:, None] * step[None, :]
        weights = trials[jnp.argmin(total(trials))]
        return count + 1, weights, *differentiate(weights)[:2]

    start = jnp.zeros(inputs.shape[1], inputs.dtype)
    weights = lax.while_loop(unfinished, improve, (0, start, *differentiate(start)[:2]))[1]
    return LogisticFit(weights, jnp.mean(jnp.logaddexp(0, -(signed @ weights))))
