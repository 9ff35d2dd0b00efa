"""The end-to-end map of a deep linear network from a balanced start, on inputs of any covariance."""

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain
from solvable.tasks import Moments
from solvable.theory.linear.riccati import check_times

_MOST_STEPS = 1_000_000


def end_to_end_velocity(
    weights: Float[Array, "output_dim input_dim"], descent: Float[Array, "output_dim input_dim"], depth: float
) -> Float[Array, "output_dim input_dim"]:
    r"""Velocity of the product of D balanced layers under gradient flow.

    .. math:: \dot W = \sum_{j=1}^{D} [W W^\top]^{\frac{D-j}{D}}\,G\,[W^\top W]^{\frac{j-1}{D}}

    Parameters
    ----------
    weights
        W = W_D ... W_1.
    descent
        G, minus the gradient of the loss with respect to W.
    depth
        D, weight layers, a whole number of at least 1; at 1 this is G.

    Raises
    ------
    OutsideDomain
        A depth below 1, or not whole.

    Notes
    -----
    Needs no singular values that differ: powers are taken through the singular value decomposition, 0 to the power 0
    being the identity.

    References
    ----------
    arora2018, Theorem 1.
    """
    if depth != int(depth) or depth < 1:
        raise OutsideDomain(f"`depth` is {depth}; it must be a whole number of weight layers of at least 1.")
    if depth == 1:
        return descent
    depth = int(depth)
    left, sizes, right = jnp.linalg.svd(weights, full_matrices=False)
    outer = sizes ** (2 - 2 / depth)
    velocity = (left * outer[None, :]) @ (left.T @ descent) + (descent @ right.T) @ (outer[:, None] * right)
    inner = left.T @ descent @ right.T
    share = sum(
        (sizes ** (2 * (depth - j) / depth))[:, None] * inner * (sizes ** (2 * (j - 1) / depth))[None, :]
        for j in range(2, depth)
    )
    return velocity + left @ share @ right if depth > 2 else velocity


def end_to_end_path(
    moments: Moments, start: Float[Array, "output_dim input_dim"], times: Float[Array, " record"], depth: int
) -> Float[Array, "record output_dim input_dim"]:
    """The map W(t) of a deep linear network from balanced layers, integrated to a relative accuracy of 1e-8.

    Parameters
    ----------
    moments
        Of targets and inputs; the covariance of inputs may be singular.
    start
        W(0), the product of layers with W_{l+1}^T W_{l+1} = W_l W_l^T. Directions in which it is 0 stay 0 from depth 2.
    times
        Ascending, from 0 on, in units of 1/learning rate on the half mean squared error.
    depth
        Weight layers.

    Raises
    ------
    OutsideDomain
        As ``end_to_end_velocity``, or times that descend or are negative.

    References
    ----------
    arora2018, Theorem 1.
    """
    check_times(times)
    return _integrate(moments, start, times, depth)


@eqx.filter_jit
def _integrate(moments: Moments, start: Array, times: Array, depth: int) -> Array:
    def velocity(time, weights, moments):
        return end_to_end_velocity(weights, moments.sigma_yz - weights @ moments.sigma_zz, depth)

    flow = diffrax.diffeqsolve(
        diffrax.ODETerm(velocity),
        diffrax.Dopri8() if start.dtype == jnp.float64 else diffrax.Dopri5(),
        t0=0.0,
        t1=times[-1],
        dt0=None,
        y0=start,
        args=moments,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=1e-10, atol=1e-13),
        max_steps=_MOST_STEPS,
    )
    assert flow.ys is not None
    return flow.ys
