"""The best that one unit can do where its output is a product of weights: the first saddle of shared or tensor weights."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain
from solvable.tasks import Moments

_SWEEPS = 500


class OneUnitFit(eqx.Module):
    """A fixed point of width one.

    Attributes
    ----------
    loss
        Half mean squared error there.
    coefficients
        The tensor a_1 x a_2 x ... on the features, of the shape asked for.
    factors
        The unit vectors a_m/|a_m|, one a mode of the tensor; each up to its sign.
    """

    loss: Float[Array, ""]
    coefficients: Float[Array, "..."]
    factors: tuple[Float[Array, " _"], ...]


def fit_one_unit(moments: Moments, shape: tuple[int, ...]) -> OneUnitFit:
    r"""The best fit of a scalar target by one unit whose output is linear in each of several weight vectors.

    .. math:: \min_{a_1, \dots, a_m}\ \tfrac12 E\Big(y - \sum_{j \dots k} a_{1j} \cdots a_{mk}\, z_{j \dots k}\Big)^2

    Parameters
    ----------
    moments
        Of one target and the features z, which are numbered row by row as a tensor of this shape.
    shape
        Lengths of a_1, ..., a_m: (positions, kernel size) for a convolution kernel v u^T that all positions share,
        (D, D) for a quadratic unit v u u^T on x x^T, (D + 1, D + 1, D) for a head of attention with value, key, query.

    Returns
    -------
    OneUnitFit
        The fixed point reached from the direction in which small weights escape.

    Raises
    ------
    OutsideDomain
        Several targets, fewer than two vectors, or a shape that does not hold the features.

    Notes
    -----
    Lemma 6 does not apply where one weight serves several features. There is no closed form: least squares for one
    vector after the other, 500 times, started at the leading vectors of Sigma_yz. Where several fits are almost equally
    good (isotropic inputs), training may pause at any of them.

    References
    ----------
    zhang2026, Theorem 1 (ii) and Eqs. 66, 69, 71 [the width-1 fixed point that is embedded]; weighted low-rank
    approximation by alternating least squares.
    """
    if moments.sigma_yz.shape != (1, int(np.prod(shape))) or len(shape) < 2:
        raise OutsideDomain(
            f"`shape` is {shape} and the moments are of shape {moments.sigma_yz.shape}; they must be of one target and "
            f"{int(np.prod(shape))} features, the product of two lengths or more."
        )
    correlation = moments.sigma_yz.reshape(shape)
    second = moments.sigma_zz.reshape(shape + shape)

    def sweep(_, factors):
        for mode in range(len(factors)):
            others = factors[:mode] + factors[mode + 1 :]
            target = _contract(correlation, mode, others)
            normal = jnp.stack([_contract(row, mode, others) for row in _rows(second, mode, others)])
            factors = (*factors[:mode], jnp.linalg.solve(normal, target), *factors[mode + 1 :])
            factors = _balance(factors) if mode < len(factors) - 1 else factors
        return factors

    factors = lax.fori_loop(0, _SWEEPS, sweep, _leading_factors(correlation))
    fit = factors[0]
    for factor in factors[1:]:
        fit = fit[..., None] * factor
    flat = fit.reshape(1, -1)
    residual = moments.target_power - jnp.sum(flat * (2 * moments.sigma_yz - flat @ moments.sigma_zz))
    return OneUnitFit(jnp.maximum(residual, 0) / 2, fit, tuple(f / jnp.linalg.norm(f) for f in factors))
