"""Modular addition on a template: the sum of two shifts, written as a shifted vector."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete
from solvable.tasks.samples import Samples, make_samples


def modular_addition(template: Float[Array, " p"]) -> Samples:
    """All p^2 pairs (a, b): inputs are the template shifted by a and by b, the target is shifted by a + b.

    Parameters
    ----------
    template
        x in R^p; shifts are cyclic, (a x)_j = x_(j - a).

    Returns
    -------
    Samples
        Inputs (p^2, 2p), a x before b x, and targets (p^2, p), b running faster than a.

    Raises
    ------
    OutsideDomain
        A template that is empty, or not finite.

    References
    ----------
    kunin2025, modular addition.
    """
    size = template.size
    shifts = jnp.arange(size)
    shifted = template[(shifts[None, :] - shifts[:, None]) % max(size, 1)]
    first, second = jnp.repeat(shifts, size), jnp.tile(shifts, size)
    return make_samples(
        jnp.concatenate([shifted[first], shifted[second]], axis=1), shifted[(first + second) % max(size, 1)]
    )


def wave_template(magnitudes: Float[Array, " frequency"]) -> Float[Array, " p"]:
    """The even template of mean 0 with given Fourier magnitudes, of odd length p = 2 frequencies + 1.

    Parameters
    ----------
    magnitudes
        |x_k| of x_k = sum_j x_j e^(-2 pi i jk/p) for k = 1, ..., (p - 1)/2; not negative.

    Raises
    ------
    OutsideDomain
        No magnitude, or a negative one.

    References
    ----------
    kunin2025, modular addition.
    """
    if magnitudes.size == 0 or (is_concrete(magnitudes) and not jnp.all(magnitudes >= 0)):
        raise OutsideDomain(f"`magnitudes` is {magnitudes}; it must hold at least one number, all of at least 0.")
    waves, places = jnp.arange(1, magnitudes.size + 1), jnp.arange(2 * magnitudes.size + 1)
    # Whole turns are taken off before the angle, which keeps all its digits.
    turns = (waves[:, None] * places[None, :]) % places.size
    angles = 2 * jnp.pi * turns.astype(magnitudes.dtype) / places.size
    return 2 * magnitudes @ jnp.cos(angles) / places.size
