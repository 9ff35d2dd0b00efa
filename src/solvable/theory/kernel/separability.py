"""How many samples a linear classifier can separate when a part of the teacher is out of its sight."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import ndtr
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete

_STEPS = 100
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)
_REACH = 9.0


def separable_samples(num_modes: float | Float[Array, ""], seen_share: float | Float[Array, ""]) -> Float[Array, ""]:
    r"""Below how many samples, labelled by a teacher's sign, some linear classifier makes no error on them.

    .. math:: n = \frac{p}{\min_\tau E\,(\xi - \tau u)_+^2}, \qquad u = y g

    Parameters
    ----------
    num_modes
        p > 0, features that the classifier sees; their covariance plays no part.
    seen_share
        Share s of the teacher's variance along them, from 0 to 1: g is their part of its field, of unit variance,
        and y the sign of :math:`\sqrt{s}\,g + \sqrt{1 - s}\,g'`.

    Returns
    -------
    Array
        2 p where nothing is seen, infinite where all is; sharp for many modes.

    Raises
    ------
    OutsideDomain
        No modes, or a share that is none.

    References
    ----------
    Candes and Sur (2020), The phase transition for the existence of the maximum likelihood estimate, Theorem 1; where
    the max-margin classifier of cui2023 ends.
    """
    if is_concrete(num_modes) and not num_modes > 0:
        raise OutsideDomain(f"`num_modes` is {num_modes}; it must be above 0.")
    if is_concrete(seen_share) and not 0 <= seen_share <= 1:
        raise OutsideDomain(f"`seen_share` is {seen_share}; it must be from 0 to 1.")
    return _threshold(num_modes, seen_share)


@jax.jit
def _threshold(num_modes, seen_share) -> Array:
    share = jnp.asarray(seen_share, jnp.result_type(float))
    hidden = jnp.sqrt(1 - share)
    # Of u the density is 2 phi(u) Phi(u sqrt(s)/hidden): to the left it dies off within `hidden`.
    nodes, weights = (jnp.asarray(part, share.dtype) for part in ((1 + _NODES) / 2, _WEIGHTS / 2))
    reaches = _REACH * jnp.stack([jnp.ones_like(share), -hidden])[:, None]
    points = reaches * nodes[None, :]
    turn = jnp.where(
        hidden > 0, points * jnp.sqrt(share) / jnp.where(hidden > 0, hidden, 1), jnp.sign(points) * jnp.inf
    )
    density = 2 * norm.pdf(points) * ndtr(turn) * weights[None, :] * jnp.abs(reaches)

    def lost(tau):
        shift = -tau * points
        return jnp.sum(density * ((1 + shift**2) * ndtr(shift) + shift * norm.pdf(shift)))

    def newton(_, tau):
        # E (xi - tau u)_+^2 is convex, and flatter the further out: from 0 on, steps never go too far.
        return tau - jax.grad(lost)(tau) / jax.grad(jax.grad(lost))(tau)

    tau = lax.fori_loop(0, _STEPS, newton, jnp.zeros_like(share))
    return jnp.where(hidden > 0, num_modes / lost(tau), jnp.inf)
