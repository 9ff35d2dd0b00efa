"""The classifier of largest margin, without an offset, by pivoting on its support vectors."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from solvable.errors import OutsideDomain

_PATIENCE = 3


class MaxMarginFit(eqx.Module):
    """The shortest weights of margins y w.x of at least 1.

    Attributes
    ----------
    weights
        w = sum_mu a_mu y_mu x_mu, shape (input_dim,).
    dual_weights
        a >= 0, above 0 at support vectors only, shape (num_samples,).
    smallest_margin
        1 up to rounding.

    References
    ----------
    cui2023, max-margin classifier.
    """

    weights: Float[Array, " input_dim"]
    dual_weights: Float[Array, " num_samples"]
    smallest_margin: Float[Array, ""]


class _State(NamedTuple):
    pivots: Array
    support: Bool[Array, " num_samples"]
    dual: Float[Array, " num_samples"]
    wrong: Bool[Array, " num_samples"]
    fewest: Array
    patience: Array


def max_margin(inputs: Float[Array, "num_samples input_dim"], labels: Float[Array, " num_samples"]) -> MaxMarginFit:
    r"""Minimise :math:`|w|^2/2` with :math:`y_\mu w \cdot x_\mu \ge 1`: a support vector machine with hard margin.

    Parameters
    ----------
    inputs, labels
        One sample a row, at most as many as inputs; labels +1 and -1. ``jax.vmap`` goes over many training sets.

    Raises
    ------
    OutsideDomain
        More samples than inputs, where the dual has more than one solution.

    Notes
    -----
    Block pivoting on the dual :math:`\min_{a \ge 0} a^\top Q a/2 - \sum a`, with :math:`Q = y K y`: samples of a
    negative weight leave the support, samples within the margin enter it, all at once while that makes them fewer and
    one by one where not. Some twenty factorisations of Q.

    References
    ----------
    cui2023; Portugal, Judice, Vicente (1994), A comparison of block pivoting and interior-point algorithms.
    """
    if inputs.shape[0] > inputs.shape[1]:
        raise OutsideDomain(
            f"`inputs` has shape {inputs.shape}; samples must be at most as many as inputs, so that any labels can be "
            "separated: use `logistic_regression` with a small ridge for more."
        )
    return _pivot(inputs, labels)


@jax.jit
def _pivot(inputs: Array, labels: Array) -> MaxMarginFit:
    signed = labels[:, None] * inputs
    gram = signed @ signed.T
    num_samples, dtype = labels.size, inputs.dtype
    order = jnp.arange(num_samples)

    def solve(support):
        both = support[:, None] & support[None, :]
        matrix = jnp.where(both, gram, 0) + jnp.diag(jnp.where(support, 0, 1).astype(dtype))
        dual = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), support.astype(dtype))
        within = gram @ dual < 1 - 10 * num_samples * jnp.finfo(dtype).eps
        return dual, jnp.where(support, dual < 0, within)

    def pivot(state):
        amount = jnp.sum(state.wrong)
        fewer = amount < state.fewest
        patience = jnp.where(fewer, _PATIENCE, jnp.maximum(state.patience - 1, -1))
        last = order == jnp.max(jnp.where(state.wrong, order, -1))
        support = state.support ^ jnp.where(patience >= 0, state.wrong, last)
        return _State(state.pivots + 1, support, *solve(support), jnp.minimum(amount, state.fewest), patience)

    # No support yet, and all samples on the wrong side of its border.
    none = jnp.zeros(num_samples, bool)
    counts = (jnp.asarray(count) for count in (0, num_samples + 1, _PATIENCE))
    start = _State(next(counts), none, none.astype(dtype), ~none, *counts)
    dual = lax.while_loop(lambda state: jnp.any(state.wrong) & (state.pivots < 10 * num_samples), pivot, start).dual
    weights = dual @ signed
    return MaxMarginFit(weights, dual, jnp.min(signed @ weights))
