"""Convex losses as the theory of a linear student sees them: through their proximal operators."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_MOST_STEPS = 100


@runtime_checkable
class Loss(Protocol):
    r"""A convex function l(u), of the margin u = y z in classification and of the residual u = y - z in regression.

    ``proximal`` gives :math:`P(u) = \arg\min_r\,(r - u)^2/(2V) + l(r)` at a step V > 0, ``kinks`` the points at which P
    has corners: none where l is smooth. Any object with these three will do; it must be hashable or an Equinox module.

    References
    ----------
    loureiro2021, loss equations.
    """

    def __call__(self, argument: Float[Array, " points"]) -> Float[Array, " points"]: ...

    def proximal(self, point: Float[Array, " points"], step: Float[Array, ""]) -> Float[Array, " points"]: ...

    def kinks(self, step: Float[Array, ""]) -> tuple[float | Float[Array, ""], ...]: ...


class SquareLoss(eqx.Module):
    """l(u) = (u - target)^2 / 2: target 1 for margins, since (1 - y z)^2 = (y - z)^2, and 0 for residuals.

    Raises nothing. References: loureiro2021, square loss.
    """

    target: float

    def __call__(self, argument):
        return (argument - self.target) ** 2 / 2

    def proximal(self, point, step):
        return (point + step * self.target) / (1 + step)

    def kinks(self, step):
        del step
        return ()


class HardMargin(eqx.Module):
    """l(u) = 0 for margins of at least 1, infinite below: of all separating weights the shortest.

    Raises nothing. References: cui2023, max-margin classifier.
    """

    def __call__(self, argument):
        return jnp.zeros_like(argument)  # of what ``proximal`` gives

    def proximal(self, point, step):
        del step
        return jnp.maximum(point, 1)

    def kinks(self, step):
        del step
        return (1.0,)


class SmoothLoss(eqx.Module):
    """Any convex function of one number that has two derivatives; its proximal operator is found by Newton's method.

    Attributes
    ----------
    function
        l, made of JAX operations.

    Notes
    -----
    Newton's method stays inside a bracket: the derivative of a convex function grows, so that the solution lies between
    u and u - V l'(u).

    References
    ----------
    loureiro2021, proximal operator.
    """

    function: Callable[[Array], Array] = eqx.field(static=True)

    def __call__(self, argument):
        return jax.vmap(self.function)(argument)

    def proximal(self, point, step):
        slope = jax.grad(self.function)

        def equation(solution, point, step):
            value, rate = jax.value_and_grad(lambda z: z - point + step * slope(z))(solution)
            return value, value / rate

        def solve(point, step):
            solution = _find_root(lambda z: equation(z, point, step), point, point - step * slope(point))
            solution = lax.stop_gradient(solution)
            # One more step of Newton's to rounding, and one through which the derivative flows.
            for _ in range(2):
                solution = solution - equation(solution, point, step)[1]
            return solution

        return jax.vmap(solve, (0, None))(point, step)

    def kinks(self, step):
        del step
        return ()


@jax.custom_jvp
def _log_one_plus_exp(margin: Array) -> Array:
    return jnp.logaddexp(0, -margin)


@_log_one_plus_exp.defjvp
def _(primals, tangents):
    # Of logaddexp JAX makes derivatives that are long, and these are taken three times.
    (margin,), (moved,) = primals, tangents
    return _log_one_plus_exp(margin), -jax.nn.sigmoid(-margin) * moved


LOGISTIC = SmoothLoss(_log_one_plus_exp)


def _find_root(equation: Callable[[Array], tuple[Array, Array]], start: Array, other: Array) -> Array:
    """About where an increasing function vanishes between two points; it gives its value and Newton's step."""

    def unfinished(state):
        count, solution, _, _, moved = state
        close = jnp.finfo(solution.dtype).eps ** 0.25 * (1 + jnp.abs(solution))
        return (count < _MOST_STEPS) & (jnp.abs(moved) > close)

    def improve(state):
        count, solution, near, far, last = state
        value, step = equation(solution)
        short = value * (other - start) < 0
        near, far = jnp.where(short, solution, near), jnp.where(short, far, solution)
        newton = solution - step
        shrinks = (jnp.abs(step) < jnp.abs(last) / 2) & ((newton - near) * (far - newton) >= 0)
        # Far points may be away by orders of magnitude: between two distances, their geometric mean.
        middle = jnp.sqrt((1 + jnp.abs(near - start)) * (1 + jnp.abs(far - start))) - 1
        moved = jnp.where(shrinks, newton, start + jnp.sign(other - start) * middle)
        return count + 1, moved, near, far, moved - solution

    start, other = lax.stop_gradient((start, other))
    return lax.while_loop(unfinished, improve, (0, start, start, other, jnp.full_like(start, jnp.inf)))[1]
