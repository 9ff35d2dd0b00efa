"""The matrix Riccati flow of Q Q^T, which solves a two-layer linear network on white inputs from any balanced start."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_factor, solve_triangular
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete
from solvable.numerics import integrated_exponential

# Growth exponent of one step: the closed form over long times silently loses its weaker modes to the strongest.
_LARGEST_EXPONENT = 4.0


def riccati_flow(
    drift: Float[Array, "size size"], start: Float[Array, "size width"], times: Float[Array, " record"]
) -> Float[Array, "record size width"]:
    r"""A factor Q(t) of the solution Q Q^T of a matrix Riccati flow.

    .. math:: \dot Q = F Q - \tfrac12 Q Q^\top Q, \qquad Q Q^\top(t) = e^{Ft} Q_0 \Big[I +
       Q_0^\top \int_0^t e^{2Fs}\,ds\,Q_0\Big]^{-1} Q_0^\top e^{Ft}

    Parameters
    ----------
    drift
        F, symmetric.
    start
        Q_0; its width may be smaller or larger than its size.
    times
        Ascending, from 0 on.

    Returns
    -------
    Array
        Q(t) up to a rotation from the right, Q O with O orthogonal: of it, only Q Q^T has a meaning.

    Raises
    ------
    OutsideDomain
        Times that descend or are negative.

    Notes
    -----
    Exact at any time: the formula is applied in steps of growth exponent 4 at most. Eigenvalues of F may be 0.

    References
    ----------
    fukumizu1998 [F of two blocks]; domine2025, Theorem 4.3; tarmoun2021, symmetric factorisation [F = Y, Q = sqrt2 U].
    """
    check_times(times)
    rates, basis = jnp.linalg.eigh(drift)
    fastest = jnp.maximum(jnp.max(jnp.abs(rates)), jnp.finfo(drift.dtype).tiny)

    def advance(factor: Array, span: Array) -> tuple[Array, Array]:
        count = jnp.maximum(jnp.ceil(span * fastest / _LARGEST_EXPONENT), 1).astype(int)
        step = span / count.astype(span.dtype)
        growth, weight = jnp.exp(rates * step)[:, None], integrated_exponential(2 * rates, step)[:, None]
        factor = jax.lax.fori_loop(0, count, lambda _, value: _step(value, growth, weight), factor)
        return factor, factor

    spans = jnp.diff(times, prepend=jnp.zeros(1, times.dtype))
    return basis[None] @ jax.lax.scan(advance, basis.T @ start, spans)[1]


def _step(factor: Array, growth: Array, weight: Array) -> Array:
    bracket = jnp.eye(factor.shape[1], dtype=factor.dtype) + factor.T @ (weight * factor)
    root, _ = cho_factor(bracket, lower=True)
    return solve_triangular(root, (growth * factor).T, lower=True).T


class TwoLayerPath(eqx.Module):
    """A two-layer linear network along its flow, as far as the task can see it.

    Attributes
    ----------
    map
        W_2 W_1, shape (record, output_dim, input_dim).
    first_gram
        W_1^T W_1, shape (record, input_dim, input_dim): how similarly it represents inputs.
    second_gram
        W_2 W_2^T, shape (record, output_dim, output_dim).
    """

    map: Float[Array, "record output_dim input_dim"]
    first_gram: Float[Array, "record input_dim input_dim"]
    second_gram: Float[Array, "record output_dim output_dim"]


def two_layer_path(
    correlation: Float[Array, "output_dim input_dim"],
    first: Float[Array, "width input_dim"],
    second: Float[Array, "output_dim width"],
    times: Float[Array, " record"],
    *,
    imbalance: float | Float[Array, ""] = 0.0,
) -> TwoLayerPath:
    r"""The exact flow of y = W_2 W_1 x on white inputs from W_2^T W_2 - W_1 W_1^T = lambda I.

    Parameters
    ----------
    correlation
        Sigma_yx = E[y x^T], with E[x x^T] = I; of any rank.
    first, second
        W_1 and W_2 at the start; bottlenecks and any shapes are allowed, and no alignment with the task is needed.
    times
        Ascending, from 0 on, in units of 1/learning rate on the half mean squared error.
    imbalance
        lambda, of either sign; may be traced.

    Raises
    ------
    OutsideDomain
        Times that descend or are negative.

    Notes
    -----
    Exact for lambda-balanced weights. For small random ones of scale sigma, use lambda = 0: the error is of order
    sigma^2. In a square network with lambda = 0 the sign of det W_2 W_1 is conserved: where it is not that of the task,
    the flow ends on a saddle, which rounding leaves after t of about 30 over the smallest singular value.

    References
    ----------
    domine2025, Theorem 4.3; lambda = 0: fukumizu1998, braun2022.
    """
    inputs, outputs = first.shape[1], second.shape[0]
    sides = jnp.concatenate([-jnp.ones(inputs, first.dtype), jnp.ones(outputs, first.dtype)])
    drift = jnp.diag(sides * imbalance / 2)
    drift = drift.at[inputs:, :inputs].set(correlation).at[:inputs, inputs:].set(correlation.T)
    factor = riccati_flow(drift, jnp.concatenate([first.T, second]), times)
    below, above = factor[:, :inputs], factor[:, inputs:]
    return TwoLayerPath(above @ below.mT, below @ below.mT, above @ above.mT)


def check_times(times: Array) -> None:
    """Times ascend, from 0 on; tracers pass unchecked. Raises OutsideDomain otherwise. References: none."""
    if is_concrete(times) and np.any(np.diff(times, prepend=0) < 0):  # NumPy, so that ``jit`` does not trace the check
        raise OutsideDomain(f"`times` is {times}; it must ascend, from 0 on.")
