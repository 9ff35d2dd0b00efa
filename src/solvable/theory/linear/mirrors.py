"""The mirror map of a diagonal network: the strength that a coordinate reaches under the push of its dual variable."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_NEWTON_STEPS = 9  # quadratic from a start within a factor 2: to rounding in six


class PowerMirror(eqx.Module):
    """beta = B h_D(z), coordinate by coordinate: B = scale, h_2 = 2 sinh z, h_D = (1-z)^(-p) - (1+z)^(-p) for D >= 3.

    Attributes
    ----------
    log_scale
        ln B, shape (input_dim,); B = alpha^D for the network w_+^D - w_-^D from alpha.
    depth
        D, at least 2; p = D/(D - 2).

    Notes
    -----
    Scales enter by their logarithm: nothing underflows where alpha^D does.
    """

    log_scale: Float[Array, " input_dim"]
    depth: int = eqx.field(static=True)

    def strength(self, dual: Float[Array, " input_dim"]) -> tuple[Array, Array]:
        """beta at z, and d beta/dz; as large as numbers go beyond the domain |z| < 1 of D >= 3."""
        size, sign, most = jnp.abs(dual), jnp.sign(dual), 0.4 * jnp.log(jnp.finfo(dual.dtype).max)
        if self.depth == 2:
            up, down, power = size, -size, 0.0
        else:
            ratio = self.depth / (self.depth - 2)
            inside = jnp.minimum(size, 1 - jnp.finfo(dual.dtype).epsneg)
            up, down, power = -ratio * jnp.log1p(-inside), -ratio * jnp.log1p(inside), 1 / ratio
        # Near 0 the two powers cancel.
        near = jnp.exp(self.log_scale) * (jnp.expm1(jnp.minimum(up, 1)) - jnp.expm1(down))
        far = jnp.exp(jnp.minimum(self.log_scale + up, most)) - jnp.exp(self.log_scale + down)
        rising = jnp.exp(jnp.minimum(self.log_scale + (1 + power) * up, most))
        slope = rising + jnp.exp(self.log_scale + (1 + power) * down)
        beyond = (size >= 1) & (self.depth > 2)
        value = jnp.where(beyond, jnp.exp(most), jnp.where(up < 1, near, far))
        return sign * value, slope if self.depth == 2 else slope / power

    def dual(self, strength: Float[Array, " input_dim"]) -> tuple[Array, Array]:
        """z at beta, and d beta/dz there, which keeps its digits where z comes near 1."""
        size, sign = jnp.abs(strength), jnp.sign(strength)
        if self.depth == 2:
            half, scale = size / 2, jnp.exp(self.log_scale)
            positive = jnp.maximum(scale, jnp.finfo(scale.dtype).tiny)
            length = jnp.hypot(half, scale)
            far = jnp.log(jnp.maximum(half + length, jnp.finfo(scale.dtype).tiny)) - self.log_scale
            return sign * jnp.where(half < scale, jnp.arcsinh(jnp.minimum(half / positive, 1)), far), 2 * length
        log_ratio = jnp.log(size) - self.log_scale
        gap, power = _gap_below_one(log_ratio, self.depth / (self.depth - 2)), self.depth / (self.depth - 2)
        near = _near_zero(jnp.exp(jnp.minimum(log_ratio, 1)), power)
        low = log_ratio < 0
        up = jnp.where(low, -jnp.log1p(-near), -jnp.log(gap))
        down = jnp.where(low, -jnp.log1p(near), -jnp.log(2 - gap))
        slope = power * (jnp.exp(self.log_scale + (1 + power) * up) + jnp.exp(self.log_scale + (1 + power) * down))
        return sign * jnp.where(low, near, 1 - gap), slope


def _gap_below_one(log_ratio: Array, power: float) -> Array:
    """v = 1 - z with v^(-p) - (2-v)^(-p) = x, from ln x, by Newton from below, where the function is convex."""

    def step(_, gap: Array) -> Array:
        small = (gap / (2 - gap)) ** power
        misses = 1 - small - jnp.exp(log_ratio + power * jnp.log(gap))
        return gap + misses / (power * (1 / gap + small / (2 - gap)))

    start = jnp.exp(-jnp.logaddexp(log_ratio, jnp.zeros_like(log_ratio)) / power)
    return jax.lax.fori_loop(0, _NEWTON_STEPS, step, start)


def _near_zero(ratio: Array, power: float) -> Array:
    """z with (1-z)^(-p) - (1+z)^(-p) = x for x of order 1 and below, relative to z."""

    def step(_, dual: Array) -> Array:
        up, down = -jnp.log1p(-dual), -jnp.log1p(dual)
        slope = power * (jnp.exp((1 + power) * up) + jnp.exp((1 + power) * down))
        return dual - (jnp.expm1(power * up) - jnp.expm1(power * down) - ratio) / slope

    return jax.lax.fori_loop(0, _NEWTON_STEPS, step, jnp.minimum(ratio / (2 * power), 0.9))
