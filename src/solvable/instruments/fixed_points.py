"""The fixed point of gradient flow next to a point of a training run, saddles included."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.sparse.linalg import cg
from jaxtyping import Array, Bool, Float, Int, PyTree

from solvable.errors import OutsideDomain, check_count, check_positive
from solvable.instruments.curvature import Loss, check_finite, flat_product, flatten, length
from solvable.numerics import tridiagonalise

# Accuracy of the linear solves: each step reduces the gradient at best by so much, which is enough.
_INNER = 1e-3


class FixedPoint(eqx.Module):
    """Where a search for a fixed point of gradient flow ended.

    Raises nothing.

    Attributes
    ----------
    params
        The point, as the params it started from.
    loss
        L there.
    gradient_norm
        Norm of the gradient there.
    distance
        Norm of the way from the start.
    steps
        Newton steps tried.
    converged
        Whether the gradient came below the tolerance; False where its norm has a local minimum that is not zero.

    References
    ----------
    Fan, Yuan (2005), On the quadratic convergence of the Levenberg-Marquardt method without nonsingularity assumption.
    """

    params: PyTree
    loss: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    distance: Float[Array, ""]
    steps: Int[Array, ""]
    converged: Bool[Array, ""]


def find_fixed_point(loss: Loss, params: PyTree, *, tolerance: float | None = None, max_steps: int = 100) -> FixedPoint:
    r"""The fixed point nearby: :math:`\nabla L = 0` is solved, and L itself is not minimised.

    .. math:: \min_d \|\nabla L + H d\|^2 + \mu\,\|d\|^2, \qquad \mu \propto \|\nabla L\|

    Parameters
    ----------
    loss
        Scalar function of the params, such as ``solvable.training.make_objective(network, data)``.
    params
        Where to start, near a fixed point of any kind: the network on a plateau. Any pytree; its floating-point arrays
        are the variables.
    tolerance
        Gradient norm to reach, as a share of :math:`\|H\| \max(1, \|\theta\|)` at the start, H the Hessian;
        machine precision to the power 3/4 unless told (float64: 2e-12, float32: 6e-6).
    max_steps
        Newton steps at most.

    Returns
    -------
    FixedPoint
        With ``converged`` and ``distance``; not for use inside ``jit``.

    Raises
    ------
    OutsideDomain
        A tolerance or a number of steps that is not positive, a loss or gradient that is not finite at the start,
        params without variables or of more than one dtype; a Hessian that is zero where the gradient is not.

    Notes
    -----
    Levenberg-Marquardt by Hessian products and conjugate gradients on the normal equations, matrix-free at every size:
    solvers that need curvature of one sign would leave a saddle. Steps have no part along zero modes, so that a
    symmetry moves nothing, and shrink until the gradient does fall: the search stays near, and converges quadratically
    also where fixed points form a manifold. Where the Hessian vanishes at the fixed point itself it converges linearly,
    and some degenerate saddles are not reached. The gradient of ReLU networks jumps at kinks: a fixed point on a kink
    is not found. A step costs two products for each distinct absolute eigenvalue at worst.

    References
    ----------
    Fan, Yuan (2005), On the quadratic convergence of the Levenberg-Marquardt method without nonsingularity assumption.

    Examples
    --------
    >>> bool(find_fixed_point(lambda x: x[0] ** 2 - x[1] ** 2, jnp.array([0.1, 0.2])).converged)
    True
    """
    check_count("max_steps", max_steps)
    _, gradient = check_finite(loss, params)
    if tolerance is None:
        tolerance = float(jnp.finfo(gradient.dtype).eps) ** 0.75
    check_positive("tolerance", tolerance)
    stiffness = _stiffness(loss, params)
    if not stiffness > 0 and jnp.any(gradient):
        raise OutsideDomain(
            "the Hessian at `params` is 0 and the gradient is not, so that no step is defined; start elsewhere."
        )
    unit = jnp.asarray(length(params), gradient.dtype)
    return _search(loss, params, stiffness, unit, jnp.asarray(tolerance, unit.dtype), jnp.asarray(max_steps))


@eqx.filter_jit
def _stiffness(loss: Loss, params: PyTree) -> Float[Array, ""]:
    """About the norm of the Hessian, as a scale: from a few Lanczos steps."""
    vector, _ = flatten(params)
    start = jax.random.normal(jax.random.key(1), vector.shape, vector.dtype)
    found = tridiagonalise(flat_product(loss, params), start, min(8, vector.size))
    beside = jnp.diag(found.off_diagonal[:-1], 1)
    return jnp.max(jnp.abs(jnp.linalg.eigvalsh(jnp.diag(found.diagonal) + beside + beside.T)))


class _State(NamedTuple):
    point: Float[Array, " n"]
    gradient: Float[Array, " n"]
    damping: Float[Array, ""]
    steps: Int[Array, ""]


@eqx.filter_jit
def _search(
    loss: Loss,
    params: PyTree,
    stiffness: Float[Array, ""],
    unit: Float[Array, ""],
    tolerance: Float[Array, ""],
    max_steps: Int[Array, ""],
) -> FixedPoint:
    start, rebuild = flatten(params)
    # In units of the largest curvature, so that squares of gradients neither underflow nor overflow.
    stiffness = jnp.where(stiffness > 0, stiffness, 1)
    differentiate = jax.grad(lambda vector: loss(rebuild(vector)) / stiffness)
    target = tolerance * unit

    def step(state: _State) -> _State:
        gradient, product = jax.linearize(differentiate, state.point)
        size = jnp.linalg.norm(gradient)
        move = _damped_solve(product, -gradient, state.damping * size / unit)
        new_gradient = differentiate(state.point + move)
        expected = size**2 - jnp.sum((gradient + product(move)) ** 2)
        gained = size**2 - jnp.sum(new_gradient**2)
        better = (gained > 1e-3 * expected) & (gained > 0)
        damping = jnp.where(
            better, jnp.where(gained > 0.5 * expected, state.damping / 4, state.damping), 4 * state.damping
        )
        return _State(
            jnp.where(better, state.point + move, state.point),
            jnp.where(better, new_gradient, gradient),
            jnp.maximum(damping, 1e-6),
            state.steps + 1,
        )

    def unfinished(state: _State) -> Bool[Array, ""]:
        # So damped, a step is a tiny one down the norm of the gradient; where even that fails, the norm has a minimum.
        return (jnp.linalg.norm(state.gradient) > target) & (state.steps < max_steps) & (state.damping < 1e12)

    begin = _State(start, differentiate(start), jnp.ones((), start.dtype), jnp.zeros_like(max_steps))
    end = lax.while_loop(unfinished, step, begin)
    found, norm = rebuild(end.point), jnp.linalg.norm(end.gradient)
    distance = jnp.linalg.norm(end.point - start)
    return FixedPoint(found, loss(found), norm * stiffness, distance, end.steps, norm <= target)


def _damped_solve(product, right: Float[Array, " n"], damping: Float[Array, ""]) -> Float[Array, " n"]:
    """The minimum over d of |H d - right|^2 + damping |d|^2, by products with the symmetric H."""
    return cg(lambda d: product(product(d)) + damping * d, product(right), tol=_INNER, maxiter=2 * right.size)[0]
