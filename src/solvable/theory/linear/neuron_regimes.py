"""One linear hidden neuron by norm and angle, and its limits of large imbalance: lazy, and rich but delayed."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_positive


def neuron_velocity(
    strength: Float[Array, "..."],
    cosine: Float[Array, "..."],
    imbalance: Float[Array, "..."],
    target: Float[Array, "..."],
    *,
    first_rate: float = 1.0,
    second_rate: float = 1.0,
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    r"""How the signed size of the map and the direction of w move.

    .. math:: \dot\mu = k\,(\varphi b - \mu), \qquad \dot\varphi = \frac{2\kappa^2 \mu b}{k - \delta}\,(1 - \varphi^2),
       \qquad k = \sqrt{\delta^2 + 4\kappa^2\mu^2}, \quad \kappa^2 = \eta_a \eta_w

    Parameters
    ----------
    strength
        mu = a |w|, of either sign.
    cosine
        phi, between w and the target.
    imbalance
        delta.
    target
        b = |beta_*| >= 0. The four broadcast against each other.
    first_rate, second_rate
        eta_w and eta_a.

    Returns
    -------
    tuple
        d mu/dt and d phi/dt. Where w = 0 it has no direction, and the latter is infinite or NaN.

    Raises
    ------
    OutsideDomain
        A rate that is not positive.

    References
    ----------
    kunin2024, dynamics of norm and angle.
    """
    check_positive("first_rate", first_rate)
    check_positive("second_rate", second_rate)
    product = jnp.asarray(first_rate * second_rate, strength.dtype)
    speed = jnp.sqrt(imbalance**2 + 4 * product * strength**2)
    # kappa^2 mu / (k - delta) = (k + delta) / 4 mu, whichever does not cancel.
    turning = jnp.where(
        imbalance > 0, (speed + imbalance) / (2 * strength), 2 * product * strength / (speed - imbalance)
    )
    return speed * (cosine * target - strength), turning * target * (1 - cosine**2)


def lazy_neuron(
    times: Float[Array, " record"],
    start: Float[Array, " input_dim"],
    target: Float[Array, " input_dim"],
    imbalance: Float[Array, ""],
) -> Float[Array, "record input_dim"]:
    r"""The map of a neuron whose a is large: its kernel stays delta I, whatever the rates of the layers.

    .. math:: \beta(t) = \beta_* + (\beta_0 - \beta_*)\,e^{-\delta t}

    Parameters
    ----------
    times
        t >= 0.
    start, target
        beta_0 = a w and beta_*.
    imbalance
        delta > 0, large.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    The limit delta to infinity; the error is of order 1/delta: 0.02, 0.005 and 0.0015 at delta = 10, 100 and 1000 where
    |beta_*| = 2 and |w| = 0.5.

    References
    ----------
    kunin2024, upstream initialisation.
    """
    return target[None, :] + (start - target)[None, :] * jnp.exp(-imbalance * times)[:, None]


def delayed_cosine(
    times: Float[Array, "..."],
    start: Float[Array, "..."],
    imbalance: Float[Array, "..."],
    target: Float[Array, "..."],
    *,
    first_rate: float = 1.0,
    second_rate: float = 1.0,
) -> Float[Array, "..."]:
    r"""How w turns to the target where it is large: late, on the time scale |delta|, with the map ever at its best.

    .. math:: \mu = \varphi b, \qquad
       \varphi^2(t) = \big[1 + (\varphi_0^{-2} - 1)\,e^{-2\kappa^2 b^2 t / |\delta|}\big]^{-1}

    Parameters
    ----------
    times
        t >= 0; later than 1/|delta|, by when the output weight a has settled.
    start
        phi_0, cosine between w and the target at the start, of either sign; 0 stays 0.
    imbalance
        delta < 0, large.
    target
        b = |beta_*|. The four broadcast against each other.
    first_rate, second_rate
        eta_w and eta_a; kappa^2 is their product.

    Raises
    ------
    OutsideDomain
        A rate that is not positive.

    Notes
    -----
    The sign of phi never changes; a takes it over, so that the map points along the target. The limit delta to minus
    infinity: the error is about |delta|^-1.5 at fixed a, 2e-3 at 100 and 4e-5 at 1000 where b = 2.

    References
    ----------
    kunin2024, downstream initialisation, delayed rich.
    """
    check_positive("first_rate", first_rate)
    check_positive("second_rate", second_rate)
    product = jnp.asarray(first_rate * second_rate, start.dtype)
    decay = jnp.exp(-2 * product * target**2 * times / jnp.abs(imbalance))
    size = jnp.sqrt(start**2 + (1 - start**2) * decay)
    return jnp.where(start == 0, 0.0, start / jnp.where(start == 0, 1.0, size))
