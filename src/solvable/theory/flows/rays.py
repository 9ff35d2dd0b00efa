"""ReLU units: the directions that small weights align with, and the first escape from zero.

Near zero a unit of f = sum_i v_i relu(u_i . x) does not feel the others,

    v' = E[y relu(u . x)],   u' = E[1(u . x > 0) x (y . v)],

and both sides are homogeneous: directions evolve by themselves and settle on *rays* that grow exponentially. What
comes after the first escape depends on how rays interact, for which there is no general theory: this module ends there.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from solvable.errors import check_count, check_positive
from solvable.numerics import follow_top_eigenvector
from solvable.tasks import Samples

# Heun's method at this growth a step has a relative error of about 1e-4 a unit of log growth.
_GROWTH_A_STEP = 0.05
_MOST_STEPS = 20_000


class Rays(eqx.Module):
    """Directions a set of trial units settles on, fastest first; rows past the last distinct ray are 0.

    Attributes
    ----------
    rates
        Growth rate s of each ray in inverse gradient-flow time, shape (ray,).
    inputs, outputs
        Unit vectors r and q with u proportional to r and v to q, shapes (ray, input_dim) and (ray, output_dim).
    strength
        Mean over all trial units of c^2, where a unit on the ray grows as (v, u) = c e^{s t} (q, r), for trial
        weights of variance 1: 1/2 where every unit takes part as in a linear network. Shape (ray,).
    """

    rates: Float[Array, " ray"]
    inputs: Float[Array, "ray input_dim"]
    outputs: Float[Array, "ray output_dim"]
    strength: Float[Array, " ray"]


def early_velocity(samples: Samples, first: Float[Array, "width input_dim"], second: Float[Array, "output_dim width"]):
    """Velocity (u', v') of small weights, each unit by itself.

    Parameters
    ----------
    samples
        The data.
    first, second
        u_i and v_i; only their directions matter up to scale.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, Appendix C (ReLU activation function); boursier2022, early alignment.
    """
    hidden = samples.inputs @ first.T
    pull = samples.weights[:, None] * samples.targets
    active = (hidden > 0).astype(hidden.dtype)
    return (active * (pull @ second)).T @ samples.inputs, pull.T @ (hidden * active)


@eqx.filter_jit
def settle_on_rays(
    samples: Samples,
    first: Float[Array, "width input_dim"],
    second: Float[Array, "output_dim width"],
    *,
    log_growth: float | Float[Array, ""],
) -> Rays:
    """Where trial units of unit variance settle by the time the largest has grown to e^log_growth.

    Parameters
    ----------
    samples
        The data.
    first, second
        Trial weights, shapes (width, input_dim) and (output_dim, width), drawn as the network's but with variance 1.
    log_growth
        ln(1/epsilon) for a network with weights of size epsilon: its early phase lasts that long.

    Raises
    ------
    OutsideDomain
        ``log_growth`` not positive.

    Notes
    -----
    Units within cosine 0.99 of a faster ray, on both sides, count as settled on it. The rate of a ray is that of its
    own direction; strength includes units still on their way.

    References
    ----------
    zhang2026, Appendix C; boursier2022, Theorem on early alignment (|D_+|, |D_-| are rates of rays).
    """
    check_positive("log_growth", log_growth)
    tick = _GROWTH_A_STEP / _rate_bound(samples)

    def step(state):
        first, second, log_size, time = state
        first_dot, second_dot = early_velocity(samples, first, second)
        middle = early_velocity(samples, first + tick * first_dot, second + tick * second_dot)
        first = first + tick / 2 * (first_dot + middle[0])
        second = second + tick / 2 * (second_dot + middle[1])
        size = jnp.sqrt(jnp.sum(first**2, axis=1) + jnp.sum(second**2, axis=0))
        size = jnp.where(size > 0, size, 1)
        return first / size[:, None], second / size[None, :], log_size + jnp.log(size), time + tick

    def unfinished(state):
        return (jnp.max(state[2]) < log_growth) & (state[3] < _MOST_STEPS * tick)

    start = (first, second, jnp.zeros(first.shape[0], first.dtype), jnp.zeros((), first.dtype))
    return _collect(samples, *lax.while_loop(unfinished, step, start))


def _rate_bound(samples: Samples) -> Float[Array, ""]:
    """No ray grows faster than sqrt(E|y|^2 lambda_max), by Cauchy-Schwarz; lambda_max of E[x x^T] from below."""
    direction = samples.weights @ samples.inputs + jnp.finfo(samples.inputs.dtype).eps
    direction = lax.fori_loop(0, 20, lambda _, x: _normalise(_multiply(samples, x)), _normalise(direction))
    power = jnp.sum(samples.weights[:, None] * samples.targets**2)
    return jnp.sqrt(power * jnp.sum(direction * _multiply(samples, direction)))


def _multiply(samples: Samples, direction: Float[Array, " input_dim"]) -> Float[Array, " input_dim"]:
    return (samples.weights * (samples.inputs @ direction)) @ samples.inputs


def _normalise(vector: Float[Array, " dim"]) -> Float[Array, " dim"]:
    return vector / jnp.maximum(jnp.linalg.norm(vector), jnp.finfo(vector.dtype).tiny)


def _unit_rates(first, second, first_dot, second_dot):
    """Instantaneous growth rate of each unit's norm."""
    power = jnp.sum(first**2, axis=1) + jnp.sum(second**2, axis=0)
    work = jnp.sum(first * first_dot, axis=1) + jnp.sum(second * second_dot, axis=0)
    return work / jnp.where(power > 0, power, 1)


def _collect(samples, first, second, log_size, time, most: int = 8) -> Rays:
    rates = _unit_rates(first, second, *early_velocity(samples, first, second))
    unit_first = first / jnp.maximum(jnp.linalg.norm(first, axis=1, keepdims=True), jnp.finfo(first.dtype).tiny)
    unit_second = second / jnp.maximum(jnp.linalg.norm(second, axis=0, keepdims=True), jnp.finfo(first.dtype).tiny)

    def pick(free, _):
        leader = jnp.argmax(jnp.where(free, rates, -jnp.inf))
        near = (unit_first @ unit_first[leader] > 0.99) & (unit_second.T @ unit_second[:, leader] > 0.99)
        members = free & (near | (jnp.arange(free.size) == leader))
        # |theta|^2 = 2 c^2 e^{2 s t}: the ray's own rate undoes the growth since time 0.
        strength = jnp.where(members, jnp.exp(2 * (log_size - rates[leader] * time)) / 2, 0)
        real = free[leader] & (rates[leader] > 0)
        ray = (
            jnp.where(real, rates[leader], 0),
            jnp.where(real, unit_first[leader], 0),
            jnp.where(real, unit_second[:, leader], 0),
            jnp.where(real, jnp.mean(strength), 0),
        )
        return free & ~members, ray

    _, rays = lax.scan(pick, jnp.ones(rates.size, bool), length=most)
    return Rays(*rays)


class RayForecast(eqx.Module):
    """Forecast of the first escape; the axis ``record`` follows ``steps``.

    Attributes
    ----------
    steps
        Gradient steps, shape (record,).
    loss
        Half mean squared error, shape (record,).
    sharpness
        Largest eigenvalue of the Hessian that a fitted map would have at these weights, shape (record,); gradient
        descent is stable while it stays below 2 / learning_rate.
    """

    steps: Int[Array, " record"]
    loss: Float[Array, " record"]
    sharpness: Float[Array, " record"]


def single_ray_forecast(
    samples: Samples,
    rays: Rays,
    *,
    width: int,
    init_scale: float | Float[Array, ""],
    learning_rate: float | Float[Array, ""],
    record_steps: Int[Array, " record"],
) -> RayForecast:
    """Loss while the fastest ray escapes alone: ``ray_forecast`` with that ray only.

    Parameters
    ----------
    samples, rays, width, init_scale, learning_rate, record_steps
        As for ``ray_forecast``.

    Raises
    ------
    OutsideDomain
        As ``ray_forecast``.

    Notes
    -----
    Valid until a second ray grows; its end is the width-1 saddle the network passes first.

    References
    ----------
    zhang2026, Theorem 3 (iii): proportional units are an invariant manifold.
    """
    fastest = jax.tree.map(lambda values: values[:1], rays)
    rule = {"init_scale": init_scale, "learning_rate": learning_rate, "record_steps": record_steps}
    return ray_forecast(samples, fastest, width=width, **rule)


@eqx.filter_jit
def ray_forecast(
    samples: Samples,
    rays: Rays,
    *,
    width: int,
    init_scale: float | Float[Array, ""],
    learning_rate: float | Float[Array, ""],
    record_steps: Int[Array, " record"],
) -> RayForecast:
    r"""Loss while the first rays escape: that of a narrow ReLU network with one unit on each.

    All units on a ray act as one, with :math:`v = a\,q,\ u = a\,r,\ a^2 = H\varepsilon^2\,\mathrm{strength}`.

    Parameters
    ----------
    samples
        The data.
    rays
        From ``settle_on_rays``.
    width, init_scale, learning_rate
        Of the network to forecast.
    record_steps
        Steps to report, increasing.

    Raises
    ------
    OutsideDomain
        A width, scale or rate that is not positive.

    Notes
    -----
    Exact in the limit of small weights for units that have settled. Rays of nearly equal rate, such as r and -r where
    inputs are symmetric, escape together and need each other here. After the first escape units that have not grown
    turn towards the residual one by one, for which one unit a ray is no stand-in.

    References
    ----------
    zhang2026, Theorem 3 (iii): proportional units are an invariant manifold.
    """
    check_count("width", width)
    check_positive("init_scale", init_scale)
    check_positive("learning_rate", learning_rate)
    dtype = samples.inputs.dtype
    rate = jnp.asarray(learning_rate, dtype)
    amplitudes = jnp.asarray(init_scale, dtype) * jnp.sqrt(width * rays.strength)[:, None]

    def outputs(weights):
        first, second = weights
        return jnp.maximum(samples.inputs @ first.T, 0) @ second

    def loss(weights):
        return jnp.sum(samples.weights[:, None] * (samples.targets - outputs(weights)) ** 2) / 2

    def step(_, weights):
        return jax.tree.map(lambda w, g: w - rate * g, weights, jax.grad(loss)(weights))

    def segment(carry, until):
        done, weights, steepest = carry
        weights = lax.fori_loop(done, until, step, weights)
        steepest, sharpness = _sharpness(outputs, weights, samples.weights, steepest)
        return (until, weights, steepest), (loss(weights), sharpness)

    start = (amplitudes * rays.inputs, amplitudes * rays.outputs)
    carry = (jnp.zeros_like(record_steps[0]), start, samples.targets)
    _, (losses, sharpness) = lax.scan(segment, carry, record_steps)
    return RayForecast(record_steps, losses, sharpness)


def _sharpness(
    outputs, weights, shares: Float[Array, " num_samples"], steepest: Float[Array, "num_samples output_dim"]
):
    """Top eigenvector and eigenvalue of the tangent kernel, averaged over samples: the Hessian of a fitted map.

    Followed from the previous record's vector, which has hardly moved.
    """
    _, push = jax.linearize(outputs, weights)
    pull = jax.linear_transpose(push, weights)
    root = jnp.sqrt(shares)[:, None]

    def multiply(x):
        return root * push(*pull(root * x))

    return follow_top_eigenvector(multiply, steepest)
