"""The completion of a matrix of least nuclear norm, with the certificate that no other has less."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_count, check_positive
from solvable.tasks import MatrixCompletion

_BALANCE = 10.0  # ratio of residuals beyond which the penalty changes
_EVERY = 20  # steps between two changes


class NuclearNormCompletion(eqx.Module):
    """A completion and the proof of how good it is.

    Attributes
    ----------
    weights
        W, equal to the matrix on observed entries.
    nuclear_norm
        Sum of its singular values.
    certificate
        Y, 0 off the observed entries, of largest singular value at most 1: every completion has a nuclear norm of at
        least the sum of Y M.
    gap
        The nuclear norm minus that bound, relative to it: 0 for the minimum.
    steps
        Taken.
    """

    weights: Float[Array, "rows columns"]
    nuclear_norm: Float[Array, ""]
    certificate: Float[Array, "rows columns"]
    gap: Float[Array, ""]
    steps: Array


def least_nuclear_norm(
    task: MatrixCompletion, *, tolerance: float = 1e-6, most_steps: int = 20_000
) -> NuclearNormCompletion:
    r"""The completion of least nuclear norm.

    .. math:: \min_W \|W\|_* \;\text{ with } W_{ij} = M_{ij} \text{ where observed}
       \;=\; \max_Y \sum_{\mathrm{observed}} Y_{ij} M_{ij} \;\text{ with } \|Y\|_2 \le 1, \; Y = 0 \text{ elsewhere}

    Parameters
    ----------
    task
        M and what is observed; unobserved entries of M are not looked at.
    tolerance
        Relative gap between the two at which to stop.
    most_steps
        After which to stop whatever the gap, which the result tells.

    Raises
    ------
    OutsideDomain
        A tolerance that is not positive, fewer than one step.

    Notes
    -----
    What two layers from vanishing weights tend to where gradients commute, and deeper ones do not: with scarce data
    they end at lower rank and larger nuclear norm. Alternating directions, one singular value decomposition a step; the
    minimiser need not be unique, its norm is.

    References
    ----------
    arora2019b, minimum nuclear norm; Boyd et al. (2011), Sec. 3.4.1 (adaptive penalty).
    """
    check_positive("tolerance", tolerance)
    check_count("most_steps", most_steps)
    return _solve(task, tolerance, most_steps)


@eqx.filter_jit
def _solve(task: MatrixCompletion, tolerance: float, most_steps: int) -> NuclearNormCompletion:
    seen = jnp.where(task.observed, task.target, 0)
    spread = jnp.linalg.norm(seen, 2)
    zero = jnp.zeros_like(seen)

    def judge(weights: Array, dual: Array) -> tuple[Array, Array, Array]:
        certificate = dual / jnp.maximum(jnp.linalg.norm(dual, 2), 1)
        norm, bound = jnp.sum(jnp.linalg.svdvals(weights)), jnp.sum(certificate * seen)
        return norm, certificate, jnp.where(norm > 0, (norm - bound) / jnp.where(norm > 0, norm, 1), 0)

    def step(state):
        count, weights, dual, shrink, _ = state
        # ``dual`` is Y, so that Y = 0 off the observed entries throughout; ``shrink`` is one over the penalty.
        left, sizes, right = jnp.linalg.svd(weights + shrink * dual, full_matrices=False)
        low = (left * jnp.maximum(sizes - shrink, 0)[None, :]) @ right
        found = jnp.where(task.observed, task.target, low)
        slack = found - low
        moved = found - weights
        primal, drift = jnp.linalg.norm(slack), jnp.linalg.norm(moved)
        dual = dual + slack / shrink
        due = count % _EVERY == _EVERY - 1
        factor = jnp.where(primal > _BALANCE * drift, 0.5, jnp.where(drift > _BALANCE * primal, 2.0, 1.0))
        shrink = shrink * jnp.where(due, factor, 1).astype(shrink.dtype)
        gap = jax.lax.cond(due, lambda: judge(found, dual)[2], lambda: jnp.full_like(spread, jnp.inf))
        return count + 1, found, dual, shrink, gap

    begin = (jnp.zeros((), int), seen, zero, jnp.where(spread > 0, spread, 1) / 2, jnp.full_like(spread, jnp.inf))
    count, weights, dual, _, _ = jax.lax.while_loop(
        lambda state: (state[0] < most_steps) & ~(jnp.abs(state[4]) < tolerance), step, begin
    )
    return NuclearNormCompletion(weights, *judge(weights, dual), count)
