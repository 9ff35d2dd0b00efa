"""Exponential relaxation in a form that neither overflows nor loses digits."""

import jax.numpy as jnp
from jaxtyping import Array, Float

# Below this the series to third order is exact to rounding in float64, and more than that in float32.
_SMALL = 1e-4


def integrated_exponential(rate: Float[Array, "..."], times: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""The integral of exp(rate s) for s from 0 to t; t itself where the rate is 0.

    .. math:: \int_0^t e^{\rho s}\,ds = \frac{e^{\rho t} - 1}{\rho}

    Parameters
    ----------
    rate
        rho, of either sign; overflows to inf where exp(rho t) does.
    times
        t, of a shape that broadcasts with ``rate``.

    Raises
    ------
    Raises nothing.

    References
    ----------
    None: elementary.
    """
    exponent = rate * times
    small = jnp.abs(exponent) < _SMALL
    safe = jnp.where(small, 1.0, exponent)
    series = 1 + exponent / 2 * (1 + exponent / 3 * (1 + exponent / 4))
    return times * jnp.where(small, series, jnp.expm1(safe) / safe)
