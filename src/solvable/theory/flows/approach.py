"""How closely training passes a saddle, given how near an invariant manifold it starts."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_non_negative, check_positive, is_concrete


def closest_approach_exponent(
    learned: float | Float[Array, "*batch"],
    following: float | Float[Array, "*batch"],
    *,
    imbalance: float | Float[Array, "*batch"] = 0.0,
) -> Float[Array, "*batch"]:
    r"""Exponent of the smallest distance from the rank-one saddle in the distance epsilon of the start.

    .. math:: \min_t |W(t) - W_1| \propto \varepsilon^{\,2\rho/(\rho + 2 s_2)}, \qquad
        \rho = \sqrt{s_1^2 + \delta^2/4} - \sqrt{s_2^2 + \delta^2/4}

    While the weights in use settle, slowest in direction, as exp(-rho t), the unused ones grow the next mode as
    epsilon^2 exp(2 s_2 t); training is nearest where the two are equal.

    Parameters
    ----------
    learned
        s_1, the mode that the saddle has learned: a singular value of Sigma_yx on white inputs.
    following
        s_2, the next one, positive and below s_1.
    imbalance
        delta = |u|^2 - |v|^2 of the weights in use, which gradient flow keeps. 0 from a start near zero weights, where
        epsilon is the size of all weights and the exponent is 2 (s_1 - s_2)/(s_1 + s_2); otherwise epsilon is the size
        of all other weights.

    Returns
    -------
    Array
        The exponent, between 0 (equal modes: the saddle is never approached) and 2.

    Raises
    ------
    OutsideDomain
        Modes that are not positive, or not in descending order.

    Notes
    -----
    For linear layers on white inputs as epsilon goes to 0; derived here, by linearising about the saddle. A start near
    zero brings the unused weights to epsilon^(1 - s_2/s_1) first, and turned by as much; the exponent is the same.

    References
    ----------
    zhang2026, Section 7, conditions (i) and (ii) [how near is left open]; Theorem 4 for the rest when mode 1 is large.
    """
    for name, value in (("learned", learned), ("following", following)):
        if is_concrete(value) and jnp.ndim(value) == 0:
            check_positive(name, value)
    if is_concrete(learned) and is_concrete(following) and bool(jnp.any(jnp.asarray(learned) < jnp.asarray(following))):
        raise OutsideDomain(f"`following` is {following}; it must be at most `learned` = {learned}.")
    if is_concrete(imbalance) and jnp.ndim(imbalance) == 0:
        check_non_negative("imbalance", abs(imbalance))
    learned, following, half = (jnp.asarray(value, float) for value in (learned, following, imbalance))
    half = half / 2
    rate = jnp.hypot(learned, half) - jnp.hypot(following, half)
    return 2 * rate / (rate + 2 * following)
