r"""How training proceeds in one eigenvector of a kernel: the share :math:`\psi` of the initial error that is left.

Eigenvalues are those of the Hessian of the loss in function space: of the kernel, for half the sum of squares.
"""

import math
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, check_non_negative, check_positive, is_concrete
from solvable.numerics import integrated_exponential


@runtime_checkable
class Clock(Protocol):
    """What ``linear_path`` asks of a way of training; both give one row a record and one column an eigenvalue."""

    def remaining(self, eigenvalues: Float[Array, " mode"]) -> Float[Array, "record mode"]:
        """psi, the error that is left over the initial one."""
        ...

    def reach(self, eigenvalues: Float[Array, " mode"]) -> Float[Array, "record mode"]:
        """(1 - psi)/eigenvalue, how far the dual weights have come; finite at 0 at finite times."""
        ...


class Flow(eqx.Module):
    r"""Gradient flow, :math:`\psi = e^{-\lambda t}`.

    Attributes
    ----------
    times
        t >= 0, shape (record,); inf is the end of training.

    Raises
    ------
    OutsideDomain
        A negative time.

    References
    ----------
    jacot2018, Sec. 5; lee2019, Eq. 9.
    """

    times: Float[Array, " record"]

    def __check_init__(self):
        _check_times(self.times)

    def remaining(self, eigenvalues: Float[Array, " mode"]) -> Float[Array, "record mode"]:
        """psi; 1 where the eigenvalue is 0."""
        rates = eigenvalues[None, :]
        # Zero times infinity is zero here.
        return jnp.where(rates > 0, jnp.exp(-jnp.where(rates > 0, rates, 1) * self.times[:, None]), 1)

    def reach(self, eigenvalues: Float[Array, " mode"]) -> Float[Array, "record mode"]:
        """(1 - psi)/eigenvalue; t where the eigenvalue is 0."""
        rates, times = jnp.broadcast_arrays(eigenvalues[None, :], self.times[:, None])
        ended = jnp.isinf(times)
        return jnp.where(ended, 1 / rates, integrated_exponential(-rates, jnp.where(ended, 0, times)))


class Descent(eqx.Module):
    r"""Gradient descent, :math:`\psi = (1 - \eta\lambda)^k`.

    Where it diverges it stops at the fourth root of the largest number, so that sums and squares of modes are numbers.

    Attributes
    ----------
    steps
        k >= 0, shape (record,).
    learning_rate
        eta > 0, on half the sum of squares. Stable below 2/eigenvalue.

    Raises
    ------
    OutsideDomain
        Negative steps, a learning rate that is not positive.

    References
    ----------
    lee2019, App. on discrete time.
    """

    steps: Int[Array, " record"]
    learning_rate: float | Float[Array, ""]

    def __check_init__(self):
        check_non_negative("steps", self.steps)
        check_positive("learning_rate", self.learning_rate)

    def remaining(self, eigenvalues: Float[Array, " mode"]) -> Float[Array, "record mode"]:
        """psi; 1 where the eigenvalue is 0."""
        sign, log = self._power(eigenvalues)
        return sign * jnp.exp(log)

    def reach(self, eigenvalues: Float[Array, " mode"]) -> Float[Array, "record mode"]:
        """(1 - psi)/eigenvalue; k eta where the eigenvalue is 0."""
        sign, log = self._power(eigenvalues)
        some = eigenvalues[None, :] > 0
        learned = jnp.where(sign > 0, -jnp.expm1(log), 1 + jnp.exp(log))
        flat = (jnp.asarray(self.learning_rate, log.dtype) * self.steps.astype(log.dtype))[:, None]
        return jnp.where(some, learned / jnp.where(some, eigenvalues[None, :], 1), flat)

    def _power(self, eigenvalues: Array) -> tuple[Array, Array]:
        """Sign and logarithm of the power."""
        change = jnp.asarray(self.learning_rate, eigenvalues.dtype) * eigenvalues
        past = change > 1
        log = jnp.where(past, jnp.log(jnp.where(past, change, 2) - 1), jnp.log1p(-jnp.where(past, 0, change)))
        steps = self.steps.astype(eigenvalues.dtype)[:, None]
        odd = (self.steps % 2 == 1)[:, None]
        power = jnp.where(steps > 0, steps * jnp.where(steps > 0, log[None, :], 0), 0)
        most = math.log(jnp.finfo(power.dtype).max) / 4
        return jnp.where(odd & past[None, :], -1.0, 1.0).astype(power.dtype), jnp.minimum(power, most)


class FrictionFlow(eqx.Module):
    r"""Gradient flow with momentum and friction, from rest: :math:`\psi'' + c\,\psi' + \lambda\,\psi = 0`.

    .. math:: \psi = e^{-ct/2} \Big( \cos wt + \frac{c}{2w} \sin wt \Big), \qquad w^2 = \lambda - c^2/4

    Attributes
    ----------
    times
        t >= 0, shape (record,); inf only with friction.
    friction
        c >= 0. Heavy-ball descent with step :math:`h^2` and momentum :math:`1 - c h` takes h of time a step, to O(h).

    Raises
    ------
    OutsideDomain
        A negative time or friction; an endless time without friction, where the error oscillates on.

    Notes
    -----
    Any damping: real exponentials where :math:`c^2 > 4\lambda`. Modes fall fastest at :math:`c = 2\sqrt\lambda`.

    References
    ----------
    lee2019, App. on momentum.
    """

    times: Float[Array, " record"]
    friction: float | Float[Array, ""]

    def __check_init__(self):
        _check_times(self.times)
        check_non_negative("friction", self.friction)
        if is_concrete(self.friction) and self.friction == 0 and is_concrete(self.times):
            check_non_negative("times", self.times, "without friction errors oscillate for ever")

    def remaining(self, eigenvalues: Float[Array, " mode"]) -> Float[Array, "record mode"]:
        """psi; 1 where the eigenvalue is 0."""
        return self._solve(eigenvalues)[0]

    def reach(self, eigenvalues: Float[Array, " mode"]) -> Float[Array, "record mode"]:
        """(1 - psi)/eigenvalue; t/c - (1 - e^{-ct})/c^2 where the eigenvalue is 0, and t^2/2 without friction."""
        return self._solve(eigenvalues)[1]

    def _solve(self, eigenvalues: Array) -> tuple[Array, Array]:
        rates, times = jnp.broadcast_arrays(eigenvalues[None, :], self.times[:, None])
        friction = jnp.asarray(self.friction, eigenvalues.dtype)
        ended, half = jnp.isinf(times), friction / 2
        times = jnp.where(ended, 0, times)
        slow, slow_reach = _overdamped(rates, times, half)
        turns = rates > half**2
        frequency = jnp.sqrt(jnp.where(turns, rates - half**2, 1))
        swing = jnp.exp(-half * times) * (
            jnp.cos(frequency * times) + half * times * jnp.sinc(frequency * times / jnp.pi)
        )
        left = jnp.where(turns, swing, slow)
        reach = jnp.where(turns, (1 - swing) / jnp.where(turns, rates, 1), slow_reach)
        still = rates == 0
        return jnp.where(ended & ~still, 0, left), jnp.where(ended, 1 / rates, reach)


def _overdamped(rates: Array, times: Array, half: Array) -> tuple[Array, Array]:
    """psi and (1 - psi)/rate from exponentials of the two decay rates, which differ by ``gap``."""
    gap = 2 * jnp.sqrt(jnp.maximum(half**2 - rates, 0))
    fast = half + gap / 2
    some = fast > 0
    slow = jnp.where(some, rates / jnp.where(some, fast, 1), 0)
    between = jnp.exp(-slow * times) * integrated_exponential(-gap, times)
    left = (jnp.exp(-slow * times) + jnp.exp(-fast * times)) / 2 + half * between
    reach = (integrated_exponential(-slow, times) - between) / jnp.where(some, fast, 1)
    return left, jnp.where(some, reach, times**2 / 2)


def _check_times(times: Array) -> None:
    if is_concrete(times) and not np.all(np.asarray(times) >= 0):
        raise OutsideDomain(f"`times` holds {np.min(np.asarray(times))}; times must be at least 0.")
