"""Exponential relaxation in a form that neither overflows nor loses digits."""

import jax.numpy as jnp
from jaxtyping import Array, Float

# Below this the series, of so many terms, is exact to rounding in float64; it costs less than a second exponential.
_SMALL, _TERMS = 0.5, 15


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
    near = jnp.where(small, exponent, 0.0)
    series = jnp.ones_like(exponent)
    for term in range(_TERMS, 1, -1):
        series = 1 + near / term * series
    return times * jnp.where(small, series, (jnp.exp(safe) - 1) / safe)
