"""Noisy training of one or two weights by the million: chains whose weights may shrink beyond any floating number.

States are logarithms of sizes, so that a collapse to 0 goes on as it should; every step is exact in them.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count

Numbers = float | Float[Array, "..."]


class QuarticLangevin(eqx.Module):
    r"""A step of d theta = (mu - theta^2) theta dt + zeta theta dB, in x = ln|theta|.

    Brownian motion with drift first, then the cubic term, each exact: no size is too large or too small for the step.

    Attributes
    ----------
    drift, noise, time_step
        mu, zeta and dt; they broadcast against the state.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    chen2024, quartic example.
    """

    drift: Numbers
    noise: Numbers
    time_step: float

    def __call__(self, logs: Array, normal: Array) -> Array:
        moved = logs + (self.drift - self.noise**2 / 2) * self.time_step + self.noise * self.time_step**0.5 * normal
        # -ln(1 + 2 dt theta^2) / 2, from the larger of its two terms where theta is large.
        return moved - jnp.logaddexp(0.0, 2 * moved + jnp.log(2 * jnp.asarray(self.time_step, logs.dtype))) / 2


class QuarticSGD(eqx.Module):
    r"""A step of SGD, theta <- theta (1 + eta (mu - theta^2 + sigma xi)), in x = ln|theta|.

    Attributes
    ----------
    drift, noise, learning_rate
        mu, sigma and eta; they broadcast against the state.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    chen2024, quartic example.
    """

    drift: Numbers
    noise: Numbers
    learning_rate: Numbers

    def __call__(self, logs: Array, normal: Array) -> Array:
        slope = self.drift - jnp.exp(2 * logs) + self.noise * normal
        return logs + jnp.log(jnp.abs(1 + self.learning_rate * slope))


class LabelNoiseSGD(eqx.Module):
    r"""A step of SGD for f = w_1 w_2 with labels m + s xi, in x = ln|w_1 + w_2| and ln|w_1 - w_2|.

    .. math:: w_1 \pm w_2 \to (w_1 \pm w_2)\,(1 \pm \eta r), \qquad r = m + s \xi - w_1 w_2

    Attributes
    ----------
    signal, noise_std, learning_rate
        m, s and eta; they broadcast against the state without its first axis, the two logarithms.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    chen2024, sign-invariant set of a neuron.
    """

    signal: Numbers
    noise_std: Numbers
    learning_rate: Numbers

    def __call__(self, logs: Array, normal: Array) -> Array:
        gap = self.learning_rate * (self.signal + self.noise_std * normal - neuron_map(logs))
        return logs + jnp.log(jnp.abs(1 + jnp.stack([gap, -gap])))


def neuron_map(logs: Float[Array, "2 *chain"]) -> Float[Array, "*chain"]:
    """w_1 w_2 from ln|w_1 + w_2| and ln|w_1 - w_2|. Raises nothing. References: chen2024."""
    return (jnp.exp(2 * logs[0]) - jnp.exp(2 * logs[1])) / 4


@eqx.filter_jit
def follow_chains(
    step: Callable[[Array, Array], Array],
    start: Float[Array, "..."],
    key: Key[Array, ""],
    *,
    steps: int,
    record: int = 2,
    shared: int = 0,
) -> Float[Array, "record ..."]:
    """All chains at once, a standard Gaussian for each of them at every step.

    Parameters
    ----------
    step
        From state and noise to the next state, such as ``QuarticSGD``.
    start
        The states at step 0, in the logarithms that ``step`` works in.
    key
        Randomness.
    steps
        Number of steps, a multiple of ``record`` - 1.
    record
        Evenly spaced records, ends included.
    shared
        Leading axes of the state that share their noise: 1 for ``LabelNoiseSGD``.

    Returns
    -------
    Array
        The records; NaN from the step on at which a chain has blown up.

    Raises
    ------
    OutsideDomain
        Steps that records do not divide.

    References
    ----------
    chen2024, simulations.
    """
    check_count("record", record, at_least=2)
    check_count("steps", steps)
    if steps % (record - 1):
        raise OutsideDomain(f"`steps` is {steps}; it must be a multiple of the {record - 1} spans between records.")
    stride = steps // (record - 1)

    def advance(index, state):
        normal = jax.random.normal(jax.random.fold_in(key, index), start.shape[shared:], start.dtype)
        return step(state, normal)

    def segment(state, begin):
        state = jax.lax.fori_loop(begin, begin + stride, advance, state)
        return state, state

    _, records = jax.lax.scan(segment, start, jnp.arange(0, steps, stride))
    return jnp.concatenate([start[None], records])
