"""The curvature of any loss at a point: products with its Hessian, its extreme eigenvalues, its index.

All functions take ``(loss, params)``: a scalar function and any pytree, whose floating-point arrays are the variables.
For a network on data the loss is ``solvable.training.make_objective(network, data)`` and the network itself the params.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree

from solvable.errors import OutsideDomain, ValidityWarning, check_positive
from solvable.numerics import extreme_eigenvalues

Loss = Callable[[Any], Float[Array, ""]]
# Up to this many parameters the Hessian is formed and all its eigenvalues are known: 2 s, 32 MB each copy.
_DENSE = 2000
# Hessian columns formed at a time.
_COLUMNS = 32


class ExtremeCurvatures(eqx.Module):
    """The lowest and the highest eigenvalues of a Hessian, each counted from the outside in, with multiplicity.

    Raises nothing.

    Attributes
    ----------
    lowest, highest
        Eigenvalues: the lowest ascending, (lowest,), the highest descending, (highest,). Units of loss a squared
        parameter.
    lowest_directions, highest_directions
        Eigenvectors of norm 1 as pytrees like the params, each array with a leading axis along the eigenvalues; None
        in place of what is no variable.
    lowest_errors, highest_errors
        Within so much of each value the Hessian has an eigenvalue, rounding of its products apart.
    converged
        Whether all came within the tolerance.

    References
    ----------
    Parlett (1998), The Symmetric Eigenvalue Problem, Theorem 4.5.1 [residual bound].
    """

    lowest: Float[Array, " lowest"]
    highest: Float[Array, " highest"]
    lowest_directions: PyTree
    highest_directions: PyTree
    lowest_errors: Float[Array, " lowest"]
    highest_errors: Float[Array, " highest"]
    converged: Bool[Array, ""]


def hessian_product(loss: Loss, params: PyTree) -> Callable[[PyTree], PyTree]:
    r"""The linear map :math:`d \mapsto \nabla^2 L\, d`, without the Hessian.

    Parameters
    ----------
    loss
        Scalar function of the params.
    params
        Any pytree, such as a network; its floating-point arrays are the variables.

    Returns
    -------
    Callable
        Takes a direction, a pytree like the params (their arrays count, the rest may be None), and returns one. What
        does not depend on the direction is computed once, here; a product then costs about two gradients or less.

    Raises
    ------
    OutsideDomain
        Params without variables, or of more than one dtype.

    Notes
    -----
    Forward over reverse differentiation. At a kink, such as that of ReLU, it is the Hessian of the piece that the
    derivative chosen by JAX belongs to.

    References
    ----------
    Pearlmutter (1994), Fast exact multiplication by the Hessian.
    """
    _, rebuild = flatten(params)
    product = flat_product(loss, params)
    return lambda direction: eqx.filter(rebuild(product(flatten(direction)[0])), eqx.is_inexact_array)


def extreme_curvatures(
    loss: Loss,
    params: PyTree,
    *,
    lowest: int = 1,
    highest: int = 1,
    tolerance: float | Float[Array, ""] | None = None,
) -> ExtremeCurvatures:
    r"""The lowest and the highest eigenvalues of the Hessian, with directions and error bounds, at any size.

    Parameters
    ----------
    loss, params
        As for ``hessian_product``. A loss that is an Equinox module compiles once for all its data.
    lowest, highest
        How many of each end, from 1 to the number of parameters.
    tolerance
        Largest residual, as a share of the largest absolute eigenvalue; the square root of the machine precision
        unless told.

    Returns
    -------
    ExtremeCurvatures
        In the dtype of the params. The sharpness is ``highest[0]``.

    Raises
    ------
    OutsideDomain
        A count outside its range, a tolerance that is not positive, or params as ``hessian_product`` refuses.

    Notes
    -----
    Restarted Lanczos from a direction that is random and the same at every call; see
    ``numerics.extreme_eigenvalues`` for multiplicities. Memory: 4 (lowest + highest) + 40 vectors like the params.

    References
    ----------
    Ghorbani, Krishnan, Xiao (2019), An investigation into neural net optimization via Hessian eigenvalue density
    [Lanczos on Hessian products].
    """
    if tolerance is not None:
        check_positive("tolerance", tolerance)
        tolerance = jnp.asarray(tolerance)  # so that another value does not compile again
    return _find_extremes(loss, params, lowest, highest, tolerance)


@eqx.filter_jit
def _find_extremes(
    loss: Loss, params: PyTree, lowest: int, highest: int, tolerance: Float[Array, ""] | None
) -> ExtremeCurvatures:
    vector, rebuild = flatten(params)
    start = jax.random.normal(jax.random.key(1), vector.shape, vector.dtype)
    found = extreme_eigenvalues(flat_product(loss, params), start, lowest=lowest, highest=highest, tolerance=tolerance)
    directions = jax.vmap(lambda v: eqx.filter(rebuild(v), eqx.is_inexact_array))
    return ExtremeCurvatures(
        found.lowest,
        found.highest,
        directions(found.lowest_vectors),
        directions(found.highest_vectors),
        found.lowest_errors,
        found.highest_errors,
        found.converged,
    )


def hessian_index(loss: Loss, params: PyTree, *, tolerance: float | None = None) -> int:
    """Number of directions in which the loss curves downwards.

    Parameters
    ----------
    loss, params
        As for ``hessian_product``.
    tolerance
        An eigenvalue is negative below minus this share of the largest absolute one; 1e-6 unless told, or the square
        root of the machine precision where that is more (float32: 3e-4).

    Returns
    -------
    int
        Eigenvalues counted with multiplicity.

    Raises
    ------
    OutsideDomain
        A tolerance outside (0, 1), a loss or gradient that is not finite, params as ``hessian_product`` refuses.

    Warns
    -----
    ValidityWarning
        Beyond 2000 parameters, where Lanczos has not converged to the tolerance: the index is then a lower bound.

    Notes
    -----
    Exact up to 2000 parameters, by all eigenvalues of the Hessian. Beyond, by Lanczos: 4 of the lowest eigenvalues, and
    four times as many until one is not negative, so that memory and time grow with the index.

    References
    ----------
    Sylvester's law of inertia: the index does not depend on the coordinates.
    """
    check_finite(loss, params)
    return measure_curvature(loss, params, resolve_tolerance(tolerance, params)).index


@dataclass(frozen=True)
class Curvature:
    """What is known of the Hessian: its ends, its index, and below the dense size all its eigenvalues and modes."""

    lowest: float
    highest: float
    index: int
    nullity: int | None = None
    modes: tuple[Array, Array] | None = None

    @property
    def scale(self) -> float:
        return max(abs(self.lowest), abs(self.highest))


def measure_curvature(loss: Loss, params: PyTree, share: float) -> Curvature:
    """The Hessian's ends and index; eigenvalues within ``share`` of the largest absolute one count as zero."""
    size = flatten(params)[0].size
    return _all_curvatures(loss, params, share) if size <= _DENSE else _outer_curvatures(loss, params, share, size)


def _all_curvatures(loss: Loss, params: PyTree, share: float) -> Curvature:
    values, modes = _dense_modes(loss, params)
    eigenvalues = np.asarray(values)
    zero = share * np.max(np.abs(eigenvalues))
    index, nullity = int(np.sum(eigenvalues < -zero)), int(np.sum(np.abs(eigenvalues) <= zero))
    return Curvature(float(eigenvalues[0]), float(eigenvalues[-1]), index, nullity, (values, modes))


def _outer_curvatures(loss: Loss, params: PyTree, share: float, size: int) -> Curvature:
    """More and more of the lowest eigenvalues, until one of them is not negative."""
    count = 4
    while True:
        found = extreme_curvatures(loss, params, lowest=min(count, size), tolerance=share / 2)
        lowest, highest = np.asarray(found.lowest), float(found.highest[0])
        index = int(np.sum(lowest < -share * max(abs(lowest[0]), abs(highest))))
        if index < lowest.size or lowest.size == size:
            break
        count *= 4
    if not found.converged:
        warnings.warn(
            f"the eigenvalues of the Hessian have not converged to `tolerance` {share:g}: its lowest one is known "
            f"within {float(found.lowest_errors[0]):.2g} only and the index {index} is a lower bound; use a larger "
            "tolerance.",
            ValidityWarning,
            stacklevel=4,
        )
    return Curvature(float(lowest[0]), highest, index)


@eqx.filter_jit
def _dense_modes(loss: Loss, params: PyTree) -> tuple[Float[Array, " n"], Float[Array, "n n"]]:
    """All eigenvalues of the Hessian, ascending, and its modes as columns."""
    vector, _ = flatten(params)
    # A few columns at a time: all at once would hold every sample's activations once a parameter.
    columns = lax.map(flat_product(loss, params), jnp.eye(vector.size, dtype=vector.dtype), batch_size=_COLUMNS)
    return jnp.linalg.eigh(columns)


def flatten(params: PyTree) -> tuple[Float[Array, " n"], Callable[[Float[Array, " n"]], PyTree]]:
    """The variables of a pytree as one vector, and the way back; refuses none or mixed ones."""
    moving, fixed = eqx.partition(params, eqx.is_inexact_array)
    dtypes = sorted({str(leaf.dtype) for leaf in jax.tree.leaves(moving)})
    if len(dtypes) != 1 or not dtypes[0].startswith("float"):
        raise OutsideDomain(
            f"`params` holds {' and '.join(dtypes) or 'no floating-point'} arrays; its variables must be real arrays "
            "of one floating-point dtype; convert them first (Python numbers are no variables)."
        )
    vector, unravel = ravel_pytree(moving)
    return vector, lambda vector: eqx.combine(unravel(vector), fixed)


def length(params: PyTree) -> float:
    """The unit of length at a point: its norm, and 1 near the origin, where weights have no scale of their own."""
    return max(1.0, float(jnp.linalg.norm(flatten(params)[0])))


def flat_product(loss: Loss, params: PyTree) -> Callable[[Float[Array, " n"]], Float[Array, " n"]]:
    """The map from a direction to the Hessian times it, both vectors in the order of ``flatten``."""
    vector, rebuild = flatten(params)
    return jax.linearize(jax.grad(lambda vector: loss(rebuild(vector))), vector)[1]


@eqx.filter_jit
def loss_and_gradient(loss: Loss, params: PyTree) -> tuple[Float[Array, ""], Float[Array, " n"]]:
    """The loss and its gradient as one vector, by one compiled evaluation.

    Parameters
    ----------
    loss
        Scalar function of the params, such as ``solvable.training.make_objective(network, data)``.
    params
        Any pytree; its floating-point arrays are the variables.

    Returns
    -------
    tuple of Array
        L, and its derivatives (n,) in the order in which the arrays are flattened.

    Raises
    ------
    OutsideDomain
        Params without variables or of more than one dtype.

    References
    ----------
    None: a derivative.
    """
    vector, rebuild = flatten(params)
    return jax.value_and_grad(lambda vector: loss(rebuild(vector)))(vector)


def check_finite(loss: Loss, params: PyTree) -> tuple[float, Float[Array, " n"]]:
    """The loss and its gradient, refused where they are not finite."""
    value, gradient = loss_and_gradient(loss, params)
    norm = float(jnp.linalg.norm(gradient))
    if not np.isfinite(float(value) + norm):
        raise OutsideDomain(
            f"the loss at `params` is {float(value):g} and its gradient has norm {norm:g}; both must be finite; "
            "measure a point from before the divergence."
        )
    return float(value), gradient


def resolve_tolerance(tolerance: float | None, params: PyTree) -> float:
    """A tolerance that was given, checked, or that of the dtype."""
    if tolerance is None:
        return max(1e-6, float(jnp.finfo(flatten(params)[0].dtype).eps) ** 0.5)
    check_positive("tolerance", tolerance)
    if tolerance >= 1:
        raise OutsideDomain(
            f"`tolerance` is {tolerance}; it is a share of the largest curvature, below 1; 1e-6 is usual."
        )
    return tolerance
