"""Which of two targets suits a kernel better."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from solvable.numerics import cumulative_power


def is_better_aligned(
    eigenvalues: Float[Array, " mode"], target_power: Float[Array, " mode"], other_power: Float[Array, " mode"]
) -> Bool[Array, ""]:
    r"""Whether a target has at least as much of its power as another in the leading modes, wherever one cuts.

    .. math:: C(\rho) = \sum_{\rho' \le \rho} v_{\rho'}^2 \Big/ \sum_{\rho'} v_{\rho'}^2 \;\ge\; C'(\rho)
       \quad \text{for all } \rho

    Its error without label noise, as a share of its power, is then at most the other's, at every number of samples and
    every ridge.

    Parameters
    ----------
    eigenvalues
        Of the kernel, in any order; or of levels.
    target_power, other_power
        v^2 of both targets, of each mode or summed over each level; at least 0.

    Returns
    -------
    Array
        Cuts between modes of equal eigenvalue do not count. Two targets may each be worse than the other somewhere:
        then which one is learned with less error depends on the number of samples.

    Raises
    ------
    OutsideDomain
        Shapes that differ.

    Notes
    -----
    A consequence of the risk formula, not a limit of its own: its factor and its ridge know nothing of the target, and
    the share of a mode that is left, (1 - L)^2, rises along the order; the rest is summation by parts.

    References
    ----------
    canatar2021, task-model alignment.
    """
    shares = [cumulative_power(eigenvalues, power) for power in (target_power, other_power)]
    return _dominates(eigenvalues, *shares)


@jax.jit
def _dominates(eigenvalues, shares, others):
    values = jnp.sort(eigenvalues, descending=True)
    inside = jnp.append(values[1:] == values[:-1], False)
    # Both sums end at 1, up to rounding.
    return jnp.all(inside | (shares >= others - values.size * jnp.finfo(shares.dtype).eps))
