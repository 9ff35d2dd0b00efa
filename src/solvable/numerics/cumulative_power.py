"""How much of a target lies in the leading modes of a kernel."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain


def cumulative_power(eigenvalues: Float[Array, " mode"], target_power: Float[Array, " mode"]) -> Float[Array, " mode"]:
    r"""Share of the target's power in the modes of largest eigenvalue, from the largest on.

    .. math:: C(\rho) = \sum_{\rho' \le \rho} v_{\rho'}^2 \Big/ \sum_{\rho'} v_{\rho'}^2

    Parameters
    ----------
    eigenvalues
        Of the kernel, in any order; or of levels.
    target_power
        v^2 of each mode, or summed over each level; at least 0.

    Returns
    -------
    Array
        In order of descending eigenvalue, up to 1. Modes of equal eigenvalue keep their order, which means nothing.

    Raises
    ------
    OutsideDomain
        Shapes that differ.

    References
    ----------
    canatar2021, task-model alignment.
    """
    if eigenvalues.shape != target_power.shape:
        raise OutsideDomain(
            f"`eigenvalues` has shape {eigenvalues.shape} and `target_power` {target_power.shape}; each mode has one "
            "of both."
        )
    return _shares(eigenvalues, target_power)


@jax.jit
def _shares(eigenvalues: Array, power: Array) -> Array:
    sums = jnp.cumsum(power[jnp.argsort(-eigenvalues)])
    return sums / sums[-1]
