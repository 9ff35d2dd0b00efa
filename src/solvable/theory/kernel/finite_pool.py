"""Training sets drawn from a finite pool of data: the error on what was not drawn."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_positive, is_concrete
from solvable.theory.kernel.checks import Numbers


def off_sample_error(
    pool_error: Numbers, train_error: Numbers, num_samples: Numbers, pool_size: Numbers
) -> Float[Array, "..."]:
    r"""Error on the rest of a pool, from that on all of it and that on the part which was trained on.

    .. math:: E_\text{off} = \frac{E_\text{pool} - (n/N)\,E_\text{train}}{1 - n/N}

    Parameters
    ----------
    pool_error
        Mean squared error over all N samples, which is what ``kernel_risk`` gives for the pool's own spectrum.
    train_error
        Over the n that were trained on: ``KernelRisk.train``.
    num_samples, pool_size
        n < N, drawn without replacement. All four are numbers or arrays that broadcast; they may be traced.

    Raises
    ------
    OutsideDomain
        No samples, or as many as the pool holds.

    Notes
    -----
    An identity between averages, exact for measured errors; inf for a diverging one. What a theory says of the pool is
    too low off the training set, by 1 - n/N at small ridge, and this mends it as far as the theory holds on the pool.
    Measured for a Laplace kernel on 90 points in 8 dimensions at n/N = 1/2: to 1% at ridge 0.1, 15% too low at ridge
    1e-3, where the pool's smallest modes count.

    References
    ----------
    wei2022, omniscient estimate on finite data.
    """
    check_positive("num_samples", num_samples)
    numbers = num_samples, pool_size
    if all(map(is_concrete, numbers)) and np.any(np.asarray(num_samples) >= np.asarray(pool_size)):
        raise OutsideDomain(
            f"`num_samples` is {num_samples} of a pool of {pool_size}; it must be below, so that something is left."
        )
    return _off_sample(pool_error, train_error, num_samples, pool_size)


@jax.jit
def _off_sample(pool_error, train_error, num_samples, pool_size) -> Array:
    share = num_samples / pool_size
    return jnp.where(jnp.isinf(pool_error), jnp.inf, (pool_error - share * train_error) / (1 - share))
