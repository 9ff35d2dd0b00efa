"""How the effective ridge of kernel regression is found: Newton's method in logarithms, inside a bracket."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_MOST_STEPS = 200
_LEVELS = 1024  # of the coarser spectrum
# Spectra beyond this are gone through once for each number of samples, rather than all at once in memory.
_LARGE = 8 * _LEVELS


def map_over(function: Callable[..., Any], batch: Any, size: int) -> Any:
    """``function`` of each number of a batch of any shape, one by one where it goes through a large spectrum.

    Raises nothing. References: none.
    """
    leaves = jax.tree.leaves(batch)
    flat = jax.tree.map(jnp.ravel, batch)
    values = lax.map(function, flat) if size > _LARGE else jax.vmap(function)(flat)
    return jax.tree.map(lambda value: value.reshape(leaves[0].shape), values)


@jax.jit
def solve_ridge(
    eigenvalues: Float[Array, " mode"],
    multiplicities: Float[Array, " mode"],
    samples: Float[Array, "*batch"],
    ridge: Float[Array, "*batch"],
) -> Float[Array, "*batch"]:
    """kappa of each number of samples and ridge: 0 where there is no ridge and no fewer samples than modes.

    Raises nothing. References: simon2023a.
    """
    modes = jnp.sum(jnp.where(eigenvalues > 0, multiplicities, 0))
    trace = jnp.sum(multiplicities * eigenvalues)
    levels = lax.stop_gradient(_coarsen(eigenvalues, multiplicities)) if eigenvalues.size > _LARGE else None

    def solve(numbers):
        samples, ridge = numbers
        free = ((ridge > 0) | (modes > samples)) & (ridge + trace > 0)
        # A harmless instance stands in where kappa is 0.
        delta, weights, count = (
            jnp.where(free, value, other) for value, other in ((ridge, 1.0), (1.0, 0.0), (samples, 1.0))
        )
        equation = _Equation(eigenvalues, multiplicities, weights, delta, count)
        rough = _find_log(lax.stop_gradient(equation), levels)
        # One more step of Newton's, through which derivatives flow.
        gap, slope = _gap(equation, rough)
        return jnp.where(free, jnp.exp(rough - gap / lax.stop_gradient(slope)), 0)

    return map_over(solve, (samples, ridge), eigenvalues.size)


class _Equation(NamedTuple):
    """weight sum_i m_i lambda_i/(lambda_i + kappa) + ridge/kappa = samples."""

    eigenvalues: Array
    multiplicities: Array
    weight: Array
    ridge: Array
    samples: Array


def _gap(equation: _Equation, log: Array) -> tuple[Array, Array]:
    """ln(what is learned / n) at kappa = e^log, and its derivative."""
    eigenvalues, multiplicities, weight, ridge, samples = equation
    kappa = jnp.exp(log)
    learnability = eigenvalues / (eigenvalues + kappa)
    taken = multiplicities * learnability
    by_ridge = ridge / kappa
    learned = weight * jnp.sum(taken) + by_ridge
    slope = -(weight * jnp.sum(taken * (1 - learnability)) + by_ridge) / learned
    return jnp.log(learned / samples), slope


def _find_log(equation: _Equation, levels: tuple[Array, Array] | None) -> Array:
    """ln kappa by Newton's method, on large spectra from the solution for a coarser one."""
    if levels is None:
        return _iterate(equation, None)
    coarse = equation._replace(eigenvalues=levels[0], multiplicities=levels[1])
    return _iterate(equation, _iterate(coarse, None))


def _coarsen(eigenvalues: Array, multiplicities: Array) -> tuple[Array, Array]:
    """Some levels in place of the eigenvalues, of the same number of modes and the same trace."""
    weights = jnp.where(eigenvalues > 0, multiplicities, 0)
    logs = jnp.log(jnp.where(weights > 0, eigenvalues, jnp.max(eigenvalues)))
    low, span = jnp.min(logs), jnp.maximum(jnp.ptp(logs), jnp.finfo(logs.dtype).tiny)
    place = jnp.clip((_LEVELS * ((logs - low) / span)).astype(int), 0, _LEVELS - 1)
    modes, trace = (jax.ops.segment_sum(part, place, _LEVELS) for part in (weights, weights * eigenvalues))
    return jnp.where(modes > 0, trace / jnp.where(modes > 0, modes, 1), 0), modes


def _iterate(equation: _Equation, start: Array | None) -> Array:
    eigenvalues, multiplicities, weight, ridge, samples = equation
    positive = (eigenvalues > 0) & (multiplicities > 0)
    modes = weight * jnp.sum(jnp.where(positive, multiplicities, 0))
    least = jnp.min(jnp.where(positive, eigenvalues, jnp.inf))
    surplus = jnp.where(modes > samples, least * (modes - samples) / samples, 0)
    low = jnp.log(jnp.maximum(ridge / samples, surplus))
    high = jnp.log((ridge + weight * jnp.sum(multiplicities * eigenvalues)) / samples)
    return newton_in_bracket(lambda log: _gap(equation, log), low, high, start)


def newton_in_bracket(
    gap: Callable[[Array], tuple[Array, Array]], low: Array, high: Array, start: Array | None = None
) -> Array:
    """Where a falling function of one number is 0, but for a last step, which the caller takes: derivatives flow there.

    ``gap`` gives it and its derivative. Steps of Newton's from ``start``, or from above, each of which tightens
    the bracket, and halves it where it would leave it. Raises nothing. References: none.
    """
    # Convergence is quadratic, and one more step follows.
    close = jnp.sqrt(jnp.finfo(low.dtype).eps)

    def unfinished(state):
        count, _, low, high, step = state
        return (count < _MOST_STEPS) & (jnp.abs(step) > close) & (high - low > close)

    def improve(state):
        count, place, low, high, _ = state
        value, slope = gap(place)
        low, high = jnp.where(value > 0, place, low), jnp.where(value > 0, high, place)
        step = -value / slope
        inside = (place + step >= low) & (place + step <= high)
        step = jnp.where(inside, step, (low + high) / 2 - place)
        return count + 1, place + step, low, high, step

    place = high if start is None else jnp.clip(start, low, high)
    return lax.while_loop(unfinished, improve, (0, place, low, high, jnp.full_like(low, jnp.inf)))[1]
