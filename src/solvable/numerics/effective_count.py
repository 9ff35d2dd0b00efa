"""How many of some weights matter, by their entropy."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def entropy_count(weights: Float[Array, " entry"] | Float[np.ndarray, " entry"]) -> Float[Array, ""]:
    r"""The exponential of the entropy of weights as shares of their sum: as many equal ones would have it.

    .. math:: \exp\Big(-\sum_r p_r \ln p_r\Big), \qquad p_r = w_r \Big/ \sum_q w_q

    Parameters
    ----------
    weights
        w >= 0.

    Returns
    -------
    Array
        Between 1 and the number of weights that are not 0; 0 where all are.

    Raises
    ------
    Raises nothing.

    References
    ----------
    Roy, Vetterli (2007), effective rank [w are singular values]; Hill number of order 1.
    """
    weights = jnp.asarray(weights)
    total = jnp.sum(weights)
    shares = weights / jnp.where(total > 0, total, 1)
    entropy = -jnp.sum(shares * jnp.log(jnp.where(shares > 0, shares, 1)))
    return jnp.where(total > 0, jnp.exp(entropy), 0)
