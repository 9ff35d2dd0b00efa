"""What depth does at the two ends of training: products of random weights, and the curvature at the solution."""

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_positive, is_concrete
from solvable.theory.linear.depth import check_depth


def lyapunov_exponents(width: int, *, gain: float = 1.0) -> Float[Array, " width"]:
    r"""How fast the singular values of a product of square Gaussian weights grow or shrink with each layer.

    .. math:: \mu_i = \lim_{D \to \infty} \frac{\ln \sigma_i(W_D \cdots W_1)}{D}
       = \tfrac12\Big[\ln\frac{2 g^2}{N} + \psi\Big(\frac{N - i + 1}{2}\Big)\Big]

    with psi the digamma function.

    Parameters
    ----------
    width
        N, of every layer; entries are independent N(0, g^2/N).
    gain
        g > 0.

    Returns
    -------
    Array
        Descending, in the default floating dtype; all are ln g for orthogonal weights of gain g.

    Raises
    ------
    OutsideDomain
        A width below 1, or a gain that is not positive.

    Notes
    -----
    At g = 1 the mean square of a signal is kept and still all exponents are negative: a few directions carry it. One
    draw of D layers scatters around the limit by about sqrt(trigamma/4D), 0.02 at D = 2000.

    References
    ----------
    saxe2014, Gaussian against orthogonal initialisation; Newman (1986), Lyapunov exponents of Gaussian matrices.
    """
    check_count("width", width)
    check_positive("gain", gain)
    halves = jnp.asarray(np.arange(width, 0, -1) / 2, jnp.result_type(float))
    return (jnp.log(2 * gain**2 / width) + digamma(halves)) / 2


def chain_curvature(target: Float[Array, "..."], depth: float) -> Float[Array, "..."]:
    r"""Curvature of the loss across a learned mode of a balanced chain: :math:`D\,s^{2 - 2/D}`.

    Parameters
    ----------
    target
        s > 0.
    depth
        D, weight layers, any real number from 1 on.

    Raises
    ------
    OutsideDomain
        A target that is not positive, or a depth below 1.

    Notes
    -----
    Gradient descent is stable there up to a learning rate of 2 over this. At a learning rate of c over this, a mode
    takes ``depth_time`` times this over c in steps, which stays finite for infinite depth.

    References
    ----------
    saxe2014, optimal learning rates of deep chains, which fall as 1/D.
    """
    check_depth(depth)
    if is_concrete(target) and not np.all(np.asarray(target) > 0):
        raise OutsideDomain(f"`target` is {target}; strengths of a chain must be above 0.")
    return depth * target ** (2 - 2 / depth)
