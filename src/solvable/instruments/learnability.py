"""How much of a target is in what was learned, whatever learned it."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete
from solvable.numerics import cumulative_power as cumulative_power


def measure_learnability(
    outputs: Float[Array, "num_samples target"], targets: Float[Array, "num_samples target"]
) -> Float[Array, " target"]:
    r"""Overlap of predictions with their target, :math:`\langle f, \hat f \rangle / \langle f, f \rangle`.

    Parameters
    ----------
    outputs
        Of any predictor on inputs that stand for the law of inputs: new ones, or all there are. One column a target:
        predictors trained on one eigenfunction each give the learnability mode by mode.
    targets
        f without noise, on the same inputs.

    Returns
    -------
    Array
        1 for what is learned, 0 for what is not; neither R^2 nor one less the error.

    Raises
    ------
    OutsideDomain
        Shapes that differ, a target that is 0 throughout.

    References
    ----------
    simon2023a, learnability.
    """
    if outputs.shape != targets.shape:
        raise OutsideDomain(f"`outputs` has shape {outputs.shape} and `targets` {targets.shape}; they must be alike.")
    if is_concrete(targets) and not np.all(np.any(np.asarray(targets) != 0, axis=0)):
        raise OutsideDomain("`targets` has a column of zeros, of which nothing can be learned; leave it out.")
    return jnp.sum(targets * outputs, axis=0) / jnp.sum(targets**2, axis=0)
