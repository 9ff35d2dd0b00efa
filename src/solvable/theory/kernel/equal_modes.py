"""Learning curves of modes that are all alike, in closed form; and of a level of modes among others far away."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_non_negative, is_concrete

Number = float | Float[Array, "..."]


def equal_modes_ridge(sample_ratio: Number, ridge: Number = 0.0) -> Float[Array, "..."]:
    r"""The effective ridge of N modes of eigenvalue 1/N, times the number of samples.

    .. math:: n \kappa = \tfrac12 \Big[1 + \delta - \alpha + \sqrt{(1 + \delta - \alpha)^2 + 4 \delta \alpha}\Big]

    Parameters
    ----------
    sample_ratio
        alpha = n/N >= 0, a number or an array that broadcasts against the others.
    ridge
        delta >= 0, in units of the kernel's trace.

    Raises
    ------
    OutsideDomain
        A negative ratio or ridge.

    References
    ----------
    canatar2021, white band-limited spectrum [their kappa].
    """
    check_non_negative("sample_ratio", sample_ratio)
    check_non_negative("ridge", ridge)
    return _ridge(*_arrays(sample_ratio, ridge))


def equal_modes_error(sample_ratio: Number, ridge: Number = 0.0, noise: Number = 0.0) -> Float[Array, "..."]:
    r"""Excess error of kernel regression with N equal modes, in units of the target's power: double descent.

    .. math:: \frac{(n\kappa)^2 + \sigma^2 \alpha}{(n \kappa + \alpha)^2 - \alpha}, \qquad
       \delta = 0:\; 1 - \alpha + \frac{\sigma^2 \alpha}{1 - \alpha} \;(\alpha < 1), \quad
       \frac{\sigma^2}{\alpha - 1} \;(\alpha > 1)

    Parameters
    ----------
    sample_ratio, ridge
        alpha = n/N and delta in units of the trace, as for ``equal_modes_ridge``.
    noise
        Variance of the labels' noise, in units of the target's power.

    Returns
    -------
    Array
        Mean squared error without a half, noise of new labels excluded; inf at alpha = 1 with noise and no ridge.

    Raises
    ------
    OutsideDomain
        Anything negative.

    Notes
    -----
    The limit of many modes at a fixed ratio; the relative correction is of order 1/n.

    References
    ----------
    canatar2021, white band-limited spectrum.
    """
    for name, value in (("sample_ratio", sample_ratio), ("ridge", ridge), ("noise", noise)):
        check_non_negative(name, value)
    return _error(*_arrays(sample_ratio, ridge, noise))


def stage_error(
    shares: Float[Array, " level"],
    level_power: Float[Array, " level"],
    stage: int,
    sample_ratio: Number,
    *,
    ridge: Number = 0.0,
    noise: Number = 0.0,
) -> Float[Array, "..."]:
    r"""Excess error while one level is learned, in the limit of levels that are infinitely far apart in size.

    Levels below are learned, levels above act as a ridge and, by their power, as noise:

    .. math:: A_l^2\,\epsilon\Big(\alpha, \frac{\delta + \sum_{k > l} s_k}{s_l},
       \frac{\sigma^2 + \sum_{k > l} A_k^2}{A_l^2}\Big) + \sum_{k > l} A_k^2

    Parameters
    ----------
    shares
        s_k > 0 of each level in the trace: eigenvalue times number of modes N_k.
    level_power
        A_k^2 >= 0 of the target, summed over each level.
    stage
        l, which level is being learned.
    sample_ratio
        alpha = n/N_l.
    ridge
        delta, in the units of the shares.
    noise
        Variance of the labels' noise, in the units of the power.

    Returns
    -------
    Array
        Mean squared error without a half, noise of new labels excluded.

    Raises
    ------
    OutsideDomain
        Shapes that differ, no such level, a level without share, anything negative.

    Notes
    -----
    On the sphere levels are a factor d apart and the correction is of order 1/d: 4 to 10 % at d = 50 for half as many
    samples as modes, 0.02 % for twice as many. ``kernel_risk`` with multiplicities has none.

    References
    ----------
    canatar2021, learning stages of dot-product kernels.
    """
    if shares.shape != level_power.shape:
        raise OutsideDomain(
            f"`shares` has shape {shares.shape} and `level_power` {level_power.shape}; each level has one of both."
        )
    check_count("stage", stage, at_least=0)
    if stage >= shares.size:
        raise OutsideDomain(f"`stage` is {stage}; it must be one of the {shares.size} levels, from 0.")
    if is_concrete(shares) and not float(shares[stage]) > 0:
        raise OutsideDomain(f"`shares` has {float(shares[stage])} at level {stage}; a level to learn needs a share.")
    for name, value in (("sample_ratio", sample_ratio), ("ridge", ridge), ("noise", noise)):
        check_non_negative(name, value)
    return _stage_error(shares, level_power, jnp.asarray(stage), *_arrays(sample_ratio, ridge, noise))


@jax.jit
def _stage_error(shares, power, stage, sample_ratio, ridge, noise):
    above = jnp.arange(shares.size) > stage
    hidden = jnp.sum(jnp.where(above, power, 0))
    acting = (ridge + jnp.sum(jnp.where(above, shares, 0))) / shares[stage]
    return _error(sample_ratio, acting, noise + hidden, power[stage]) + hidden


def _arrays(*values: Number) -> tuple[Array, ...]:
    """All of one shape, in the dtype of the arrays among them."""
    arrays = [value for value in values if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)]
    dtype = jnp.result_type(*arrays) if arrays else jnp.result_type(float)
    return tuple(jnp.broadcast_arrays(*(jnp.asarray(value, dtype) for value in values)))


def _solve(sample_ratio, ridge):
    """n kappa, and n kappa + alpha times its distance from the other root of its equation."""
    difference = 1 + ridge - sample_ratio
    root = jnp.sqrt(difference**2 + 4 * ridge * sample_ratio)
    # The root and the difference cancel where the latter is negative.
    safe = jnp.where(difference < 0, root - difference, 1)
    kappa = jnp.where(difference < 0, 2 * ridge * sample_ratio / safe, (difference + root) / 2)
    return kappa, (kappa + sample_ratio) * root


@jax.jit
def _ridge(sample_ratio, ridge):
    return _solve(sample_ratio, ridge)[0]


@jax.jit
def _error(sample_ratio, ridge, noise, power=1.0):
    # The product is (n kappa + alpha)^2 - alpha, without the cancellation of both.
    kappa, remaining = _solve(sample_ratio, ridge)
    left = kappa**2 * power + noise * sample_ratio
    return jnp.where(left > 0, left / jnp.where(left > 0, remaining, 1), 0)
