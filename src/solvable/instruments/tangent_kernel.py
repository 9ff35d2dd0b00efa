"""The tangent kernel of any network, and how it turns: distances, its alignment with the targets."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_positive
from solvable.numerics import first_crossing


def tangent_kernel(
    network: Any, inputs: Float[Array, "num_samples ..."]
) -> Float[Array, "num_samples num_samples output_dim output_dim"]:
    r"""How much a gradient step on one sample's output moves another's: products of gradients in all weights.

    .. math:: K_{\mu\nu ab} = \nabla_\theta f_a(x_\mu) \cdot \nabla_\theta f_b(x_\nu)

    Parameters
    ----------
    network
        An Equinox module that maps one input to an output vector; its floating-point arrays are the weights.
    inputs
        Samples first. For a linear network the identity matrix gives the kernel in input coordinates.

    Returns
    -------
    Array
        Both samples, then both outputs; ``[:, :, 0, 0]`` is the kernel of a network with one output.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Forms the Jacobian: num_samples x output_dim x weights.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), neural tangent kernel; domine2025, Sec. on the kernel.
    """
    weights, static = eqx.partition(network, eqx.is_inexact_array)
    jacobian = jax.vmap(lambda x: jax.jacrev(lambda w: eqx.combine(w, static)(x))(weights))(inputs)
    flat = [leaf.reshape(*leaf.shape[:2], -1) for leaf in jax.tree.leaves(jacobian)]
    return jnp.asarray(sum(jnp.einsum("map,nbp->mnab", leaf, leaf) for leaf in flat))


def kernel_distance(first: Float[Array, "*shape"], second: Float[Array, "*shape"]) -> Float[Array, ""]:
    """One minus the cosine between two kernels, blind to their scales; 0 for a network that stays lazy.

    Parameters
    ----------
    first, second
        Kernels of one shape, of any number of outputs.

    Raises
    ------
    Raises nothing; a kernel of zeros is at distance 1 from all.

    References
    ----------
    Fort et al. (2020), kernel distance; domine2025; kunin2024.
    """
    return 1 - _cosine(first, second)


def kernel_alignment(
    kernel: Float[Array, "num_samples num_samples"], targets: Float[Array, "num_samples *output_dim"]
) -> Float[Array, ""]:
    r"""How far the kernel points along the targets: the cosine between K and y y^T.

    .. math:: A = \frac{y^\top K y}{\|K\|_F\,|y|^2}

    Parameters
    ----------
    kernel
        One output's kernel, (num_samples, num_samples).
    targets
        y of one output or of several, (num_samples,) or (num_samples, output_dim).

    Returns
    -------
    Array
        Between 0 and 1 for a positive semi-definite kernel; 0 for targets or kernels of zeros.

    Raises
    ------
    Raises nothing.

    References
    ----------
    atanasov2021, alignment [y_mu = beta . x_mu on inputs that are the axes].
    """
    columns = targets.reshape(targets.shape[0], -1)
    return _cosine(kernel, columns @ columns.T)


def alignment_at_drop(
    loss: Float[np.ndarray, " record"], alignment: Float[np.ndarray, " record"], share: float
) -> float:
    """The alignment that is reached when the loss has lost a given share of its first value: silent if it is the last.

    Parameters
    ----------
    loss, alignment
        Recorded along one run.
    share
        Between 0 and 1, of the first loss.

    Returns
    -------
    float
        By linear interpolation between records; NaN where the loss never falls as far.

    Raises
    ------
    OutsideDomain
        A share outside 0 to 1, or lengths that differ.

    References
    ----------
    atanasov2021, silent alignment.
    """
    check_positive("share", share)
    if share >= 1 or loss.shape != alignment.shape:
        raise OutsideDomain(
            f"`share` is {share}, for {loss.size} losses and {alignment.size} alignments; it must be below 1, and the "
            "two equally many."
        )
    records = np.arange(loss.size, dtype=float)
    return float(np.interp(first_crossing(records, loss, (1 - share) * float(loss[0])), records, alignment))


def _cosine(first: Array, second: Array) -> Array:
    size = jnp.sqrt(jnp.sum(first**2)) * jnp.sqrt(jnp.sum(second**2))
    return jnp.where(size > 0, jnp.sum(first * second) / jnp.where(size > 0, size, 1), 0)
