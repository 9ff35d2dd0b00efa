"""Newton's method for the dual of a diagonal network's interpolation problem, safe at any scale."""

from collections.abc import Callable
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Bool, Float, Int

from solvable.theory.linear.mirrors import PowerMirror

_MOST_STEPS = 1000  # 30 are usual for scales down to 1e-100
_FLOOR = 1e-2  # share of the largest strength up to which a coordinate may jump in one step
# ln B from which tiny scales are approached, the error at which the approach goes on, the steps it waits for that.
_FIRST_LEVEL, _LOOSE, _PATIENCE = -2.0, 1e-3, 15
# Error, as a power of the precision, from which steps that square it are counted down.
_CLOSE = 0.375


class Rest(eqx.Module):
    """Where Newton's method came to rest last on its way to tiny scales: ln of the scale, multiplier, strengths."""

    level: Float[Array, ""]
    nu: Float[Array, " num_samples"]
    fitted: Float[Array, " input_dim"]


class Search(eqx.Module):
    """Where it is now: the same, how long it has been at this level and how far it goes to the next, what is left."""

    now: Rest
    rest: Rest
    stride: Float[Array, ""]
    waited: Int[Array, ""]
    steps: Int[Array, ""]
    left: Int[Array, ""]


class DualProblem(eqx.Module):
    """Find beta = B h_D(weight rows^T nu + shift) with rows beta = coordinates, of order 1; rows may be 0."""

    rows: Float[Array, "num_samples input_dim"]
    coordinates: Float[Array, " num_samples"]
    log_scale: Float[Array, " input_dim"]
    weight: Float[Array, " input_dim"]
    shift: Float[Array, " input_dim"]
    depth: int = eqx.field(static=True)

    @property
    def lowest(self) -> Float[Array, ""]:
        """ln of the least scale."""
        return jnp.min(self.log_scale)

    @property
    def floor(self) -> Float[Array, " input_dim"]:
        """Strengths that count little, of coordinates that the samples see so strongly."""
        seen = jnp.linalg.norm(self.rows, axis=0)
        most = jnp.max(jnp.abs(self.coordinates @ self.rows) * seen)
        return _FLOOR * jnp.where(most > 0, most, 1) / jnp.maximum(seen, jnp.finfo(seen.dtype).eps)

    def start(self) -> Search:
        """The least squares strengths at a moderate scale."""
        level = jnp.maximum(self.lowest, _FIRST_LEVEL)
        rest = Rest(level, self.coordinates, self.coordinates @ self.rows)
        zero = jnp.asarray(0)
        return Search(rest, rest, jnp.full_like(level, 0.7), zero, zero, zero + (2 if self.depth == 2 else 3))

    def unfinished(self, search: Search) -> Bool[Array, ""]:
        return (search.left > 0) & (search.steps < _MOST_STEPS)

    def step(self, search: Search) -> Search:
        """One Newton step, and on to a smaller scale where it has settled, or a shorter way there where it does not."""
        level = search.now.level
        now, dual = self._newton(search.now)
        error = jnp.max(jnp.abs(self._mirror(level).strength(dual)[0] - now.fitted) / self.floor) * _FLOOR
        near, tired = (error < _LOOSE) & (level > self.lowest), search.waited >= _PATIENCE
        rest = _choose(near, now, search.rest)
        growth = jnp.where(near, 1.5, jnp.where(tired, 1 / 3, 1))
        stride = jnp.minimum(growth.astype(level.dtype) * search.stride, 1)
        moves = near | (tired & (rest.level > self.lowest))
        now = _choose(moves, self._onward(rest, stride), now)
        close = (level <= self.lowest) & (error < jnp.finfo(level.dtype).eps ** _CLOSE)
        waited = jnp.where(moves, 0, search.waited + 1)
        return Search(now, rest, stride, waited, search.steps + 1, search.left - close.astype(search.left.dtype))

    def _mirror(self, level: Array) -> PowerMirror:
        """The mirror whose least scale has this logarithm."""
        if self.depth > 2:
            return PowerMirror(self.log_scale + (level - self.lowest), self.depth)
        small = self.log_scale < 0
        share = jnp.where(self.lowest < 0, level / jnp.where(self.lowest < 0, self.lowest, 1), 1)
        return PowerMirror(jnp.where(small, share * self.log_scale, self.log_scale), 2)

    def _onward(self, rest: Rest, stride: Array) -> Rest:
        """The next scale: strengths are powers of it for D >= 3, exponentials of the dual variables at D = 2."""
        if self.depth > 2:
            level = jnp.maximum(rest.level - stride * self.depth / (self.depth - 2), self.lowest)
            return Rest(level, rest.nu, rest.fitted)
        level = jnp.maximum(rest.level * (1 + stride), self.lowest)
        return Rest(level, rest.nu * jnp.where(rest.level < 0, level / rest.level, 1), rest.fitted)

    def _newton(self, now: Rest) -> tuple[Rest, Array]:
        """The multiplier, the strengths on the tangent, which fit the data, and the dual variables."""
        at, strength, slope = self._tangent(now)
        steep = slope * self.weight
        hessian = (self.rows * steep[None, :]) @ self.rows.T
        trace, epsilon = jnp.trace(hessian), jnp.finfo(steep.dtype).eps
        # Directions flatter than rounding move no strength that counts.
        ridge = jnp.where(jnp.all(self.rows == 0, axis=1), 1, epsilon * jnp.where(trace > 0, trace, 1))
        factors = jax.scipy.linalg.lu_factor(hessian + jnp.diag(ridge))
        fitted = strength + slope * (self._dual(now.nu) - at)
        moves = []
        for _ in range(2):  # steep slopes round: what the first misses by that, the second makes up for
            moves.append(jax.scipy.linalg.lu_solve(factors, self.coordinates - self.rows @ fitted))
            fitted = fitted + steep * (moves[-1] @ self.rows)
        nu = now.nu + moves[0]
        return Rest(now.level, nu, fitted), self._dual(nu)

    def _dual(self, nu: Array) -> Array:
        return self.weight * (nu @ self.rows) + self.shift

    def _tangent(self, now: Rest) -> tuple[Array, Array, Array]:
        """Where to linearise the mirror map: dual variables, strengths, slopes.

        At the strength that was fitted where it is large, at the dual variable elsewhere, up to a small strength.
        """
        mirror, dual, floor = self._mirror(now.level), self._dual(now.nu), self.floor
        large = (jnp.sign(now.fitted) == jnp.sign(dual)) & (jnp.abs(now.fitted) > floor)
        most = jnp.where(large, jnp.abs(now.fitted), floor)
        bound, steep = mirror.dual(most)
        capped = large | (jnp.abs(dual) > bound)
        strength, slope = mirror.strength(jnp.where(capped, 0, dual))
        sign = jnp.sign(dual)
        return (
            jnp.where(capped, sign * bound, dual),
            jnp.where(capped, sign * most, strength),
            jnp.where(capped, steep, slope),
        )


def _choose(condition: Array, one: Rest, other: Rest) -> Rest:
    return jax.tree.map(lambda new, old: jnp.where(condition, new, old), one, other)


@cache
def dual_solver(depth: int) -> Callable[..., Float[Array, " input_dim"]]:
    """The solution of a ``DualProblem`` of this depth from its arrays; ``vmap`` runs one after the other.

    Raises nothing; NaN where a thousand steps did not suffice. References: woodworth2020, Theorems 1 and 3.
    """

    @sequential_vmap
    def solve(rows: Array, coordinates: Array, log_scale: Array, weight: Array, shift: Array) -> Array:
        problem = DualProblem(rows, coordinates, log_scale, weight, shift, depth)
        search = jax.lax.while_loop(lambda now: problem.unfinished(now), lambda now: problem.step(now), problem.start())
        return jnp.where(search.left == 0, search.now.fitted, jnp.nan)

    return solve
