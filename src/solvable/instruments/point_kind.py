"""What kind of point of a loss this is: a saddle, a minimum, or degenerate."""

from dataclasses import dataclass
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, PyTree

from solvable.instruments.curvature import Loss, check_finite, flatten, length, measure_curvature, resolve_tolerance

Kind = Literal[
    "not a fixed point", "minimum", "maximum", "saddle", "degenerate minimum", "degenerate saddle", "degenerate"
]


# Pairs of directions in which zero modes are tried.
_TRIALS = 32


@dataclass(frozen=True)
class PointKind:
    r"""What kind of point of a loss this is.

    Raises nothing.

    Attributes
    ----------
    kind
        ``"not a fixed point"``: the gradient is too large; the rest describes the curvature there all the same.
        ``"minimum"``, ``"maximum"``: all curvatures are positive, negative.
        ``"saddle"``: some curvatures are negative, not all; gradient flow leaves exponentially.
        ``"degenerate minimum"``: none negative, some zero, and the loss was not seen to fall along any zero mode.
        ``"degenerate saddle"``: none negative, some zero, and the loss falls along a zero mode, at higher order.
        ``"degenerate"``: none negative, some zero; with more than 2000 parameters the zero modes are not tried.
    loss
        L at the point.
    gradient_norm
        Norm of its gradient.
    lowest, highest
        Extreme eigenvalues of the Hessian.
    index
        Number of negative eigenvalues.
    nullity
        Number of zero eigenvalues; None beyond 2000 parameters, where they are not counted.

    References
    ----------
    Zhang, Saxe, Latham (2026), Theorem 1 [embedded fixed points are saddles or degenerate].
    """

    kind: Kind
    loss: float
    gradient_norm: float
    lowest: float
    highest: float
    index: int
    nullity: int | None


def classify_point(loss: Loss, params: PyTree, *, tolerance: float | None = None) -> PointKind:
    r"""Whether a point is a saddle, a minimum, or degenerate.

    Parameters
    ----------
    loss, params
        As for ``hessian_product``.
    tolerance
        Share of the largest absolute eigenvalue :math:`\|H\|` below which an eigenvalue counts as zero, and share of
        :math:`\|H\| \max(1, \|\theta\|)` below which a gradient does: the point is then about so near to a fixed
        point. 1e-6 unless told, or the square root of the machine precision where that is more (float32: 3e-4). Larger
        for points read off a training run; or polish these with ``find_fixed_point``.

    Returns
    -------
    PointKind
        Its attribute ``kind`` says which; not for use inside ``jit``.

    Raises
    ------
    OutsideDomain
        As ``hessian_index``.

    Warns
    -----
    ValidityWarning
        As ``hessian_index``.

    Notes
    -----
    Zero eigenvalues are the rule: every symmetry of a network makes some, and second order cannot tell there. So up to
    2000 parameters the loss is compared with its own value at 32 random combinations of zero modes, both ways, at
    distance tolerance^(1/3) max(1, |theta|), with and without relaxing along all other modes (as symmetries bend). A
    fall is proof of a degenerate saddle, unless a kink lies nearer than that distance; no fall is strong evidence, not
    proof, of a minimum: terms above fourth order, or that fall in a narrow cone only, escape it.

    References
    ----------
    Zhang, Saxe, Latham (2026), Theorem 1.

    Examples
    --------
    >>> classify_point(lambda x: x[0] ** 2 - x[1] ** 2, jnp.zeros(2)).kind
    'saddle'
    """
    value, gradient = check_finite(loss, params)
    share = resolve_tolerance(tolerance, params)
    found = measure_curvature(loss, params, share)
    zero, norm = share * found.scale, float(jnp.linalg.norm(gradient))
    if norm > zero * length(params):
        kind = "not a fixed point"
    elif found.lowest > zero:
        kind = "minimum"
    elif found.highest < -zero:
        kind = "maximum"
    elif found.lowest < -zero:
        kind = "saddle"
    elif found.modes is None:
        kind = "degenerate"
    else:
        falls = _falls(loss, params, *found.modes, jnp.asarray(share, gradient.dtype))
        kind = "degenerate saddle" if falls else "degenerate minimum"
    return PointKind(kind, value, norm, found.lowest, found.highest, found.index, found.nullity)


@eqx.filter_jit
def _falls(
    loss: Loss, params: PyTree, values: Float[Array, " n"], modes: Float[Array, "n n"], share: Float[Array, ""]
) -> Bool[Array, ""]:
    """Whether the loss falls along zero modes by more than the gradient, curvature and rounding that count as zero."""
    point, rebuild = flatten(params)
    evaluate = jax.value_and_grad(lambda vector: loss(rebuild(vector)))
    scale = jnp.max(jnp.abs(values))
    flat = jnp.abs(values) <= share * scale
    stiffness = jnp.where(flat, jnp.inf, values)
    level, gradient = evaluate(point)
    distance = jnp.cbrt(share) * jnp.maximum(1, jnp.linalg.norm(point))
    rounding = 10 * jnp.finfo(point.dtype).eps * jnp.abs(level)

    def fall(move: Float[Array, " n"]) -> Float[Array, ""]:
        bound = share * scale * jnp.sum(move**2) / 2 + rounding
        return loss(rebuild(point + move)) - level - gradient @ move + bound

    def relax(move: Float[Array, " n"]) -> Float[Array, " n"]:
        back = modes @ (((evaluate(point + move)[1] - gradient) @ modes) / stiffness)
        # Never further than the move itself, else this would explore elsewhere.
        return move - back * jnp.minimum(1, distance / jnp.maximum(jnp.linalg.norm(back), distance))

    def lowest(mixture: Float[Array, " n"]) -> Float[Array, ""]:
        direction = modes @ jnp.where(flat, mixture, 0)
        move = distance * direction / jnp.linalg.norm(direction)
        return jnp.minimum(fall(move), fall(relax(move)))

    mixtures = jax.random.normal(jax.random.key(2), (_TRIALS, point.size), point.dtype)
    return jnp.any(lax.map(lowest, jnp.concatenate([mixtures, -mixtures])) < 0)
