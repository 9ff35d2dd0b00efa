"""Targets for which a given network is a fixed point of training."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_non_negative
from solvable.networks.protocol import Network
from solvable.tasks import Samples, make_samples


def plant_fixed_point(
    network: Network,
    inputs: Float[Array, "num_samples ..."],
    key: Key[Array, ""],
    *,
    residual_scale: float | Float[Array, ""] = 1.0,
) -> Samples:
    r"""Samples on which the gradient of the network's loss is zero although its targets are not met.

    .. math:: y_\mu = f(x_\mu) + r_\mu, \qquad \sum_\mu r_\mu \cdot \partial f(x_\mu)/\partial\theta = 0

    Parameters
    ----------
    network
        Any network; it becomes a fixed point, of unknown index.
    inputs
        Shape (num_samples, ...); more entries of all targets together than weights.
    key
        Randomness of the residuals.
    residual_scale
        Root mean square of the residuals, so that the half loss at the point is output_dim residual_scale^2 / 2.

    Returns
    -------
    Samples
        The inputs with targets (num_samples, output_dim), of equal weight.

    Raises
    ------
    OutsideDomain
        No more entries of targets than weights, or a negative scale.

    References
    ----------
    zhang2026, Definition 1 [a fixed point].
    """
    check_non_negative("residual_scale", residual_scale)
    moving, fixed = eqx.partition(network, eqx.is_inexact_array)
    flat, restore = ravel_pytree(moving)
    outputs = lambda flat: jax.vmap(eqx.combine(restore(flat), fixed))(inputs)  # noqa: E731
    values = outputs(flat)
    if values.size <= flat.size:
        raise OutsideDomain(
            f"`inputs` has {inputs.shape[0]} samples with {values.size} targets in all, which {flat.size} weights may "
            "all follow; give more samples than that."
        )
    # An orthonormal basis of where the outputs move to first order, or a little more where weights are redundant.
    reach = jnp.linalg.qr(jax.jacobian(outputs)(flat).reshape(values.size, -1))[0]
    residual = jax.random.normal(key, (values.size,), flat.dtype)
    for _ in range(2):  # once more, because the first projection leaves rounding of the size it takes away
        residual = residual - reach @ (reach.T @ residual)
    size = jnp.sqrt(jnp.mean(residual**2))
    return make_samples(
        inputs, values + (jnp.asarray(residual_scale, flat.dtype) / size * residual).reshape(values.shape)
    )
