"""The end-to-end map of a deep linear network from a balanced start, on any data or any loss of the map."""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_non_negative
from solvable.tasks import Moments
from solvable.theory.linear.riccati import check_times

_MOST_STEPS = 1_000_000
Gradient = Callable[[Float[Array, "output_dim input_dim"]], Float[Array, "output_dim input_dim"]]


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
    depth = whole_depth(depth)
    if depth == 1:
        return descent
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
    data: Moments | Gradient,
    start: Float[Array, "output_dim input_dim"],
    times: Float[Array, " record"],
    depth: int,
    *,
    decay: float | Float[Array, ""] = 0.0,
) -> Float[Array, "record output_dim input_dim"]:
    r"""The map W(t) of a deep linear network from balanced layers, to a relative accuracy of 1e-8 (float32: 1e-4).

    .. math:: \dot W = \sum_{j=1}^{D} [W W^\top]^{\frac{D-j}{D}}\,G\,[W^\top W]^{\frac{j-1}{D}} - D \lambda W

    Parameters
    ----------
    data
        Moments of targets and inputs, whose covariance may be singular, for the half mean squared error; or the
        gradient of any loss of W, a function of W, best a method of an Equinox module: what it holds is then an
        argument of what is compiled.
    start
        W(0), the product of layers with W_{l+1}^T W_{l+1} = W_l W_l^T. Directions in which it is 0 stay 0 from depth 2.
    times
        Ascending, from 0 on, in units of 1/learning rate.
    depth
        D, weight layers.
    decay
        lambda of a penalty (lambda/2) sum_l |W_l|_F^2 on the layers.

    Raises
    ------
    OutsideDomain
        As ``end_to_end_velocity``, times that descend or are negative, a negative decay.

    References
    ----------
    arora2018, Theorem 1; arora2019b and li2021a, other losses of W.
    """
    check_times(times)
    check_non_negative("decay", decay)
    return _integrate(data, start, times, whole_depth(depth), jnp.asarray(decay, start.dtype))


def whole_depth(depth: float) -> int:
    """The depth as a whole number of at least 1. Raises OutsideDomain where it is none. References: none."""
    if depth != int(depth) or depth < 1:
        raise OutsideDomain(f"`depth` is {depth}; it must be a whole number of weight layers of at least 1.")
    return int(depth)


@eqx.filter_jit
def _integrate(data: Moments | Gradient, start: Array, times: Array, depth: int, decay: Array) -> Array:
    def velocity(time, weights, given):
        data, decay = given
        moments = isinstance(data, Moments)
        descent = data.sigma_yz - weights @ data.sigma_zz if moments else -data(weights)
        return end_to_end_velocity(weights, descent, depth) - depth * decay * weights

    double = start.dtype == jnp.float64
    # Far below a small start, or the solver steps over its escape from zero.
    floor = 1e-6 * jnp.max(jnp.abs(start)) + jnp.finfo(start.dtype).tiny
    flow = diffrax.diffeqsolve(
        diffrax.ODETerm(velocity),
        diffrax.Dopri8() if double else diffrax.Dopri5(),
        t0=0.0,
        t1=times[-1],
        dt0=None,
        y0=start,
        args=(data, decay),
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=1e-10 if double else 1e-6, atol=jnp.minimum(1e-13, floor)),
        max_steps=_MOST_STEPS,
    )
    assert flow.ys is not None
    return flow.ys
