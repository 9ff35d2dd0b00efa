"""The best that one unit can do where its output is a product of weights: the saddle at which wide layers rest."""

from functools import reduce

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain
from solvable.tasks import Moments

_SWEEPS = 500

Factors = tuple[Float[Array, " _"], ...]


class OneUnitFit(eqx.Module):
    """A fixed point of width one.

    Attributes
    ----------
    loss
        Half mean squared error there.
    coefficients
        The tensor a_1 x a_2 x ... of the targets' coefficients on the features, of the shape asked for.
    factors
        The unit vectors a_m/|a_m|, one a mode of the tensor; each up to its sign.
    """

    loss: Float[Array, ""]
    coefficients: Float[Array, "..."]
    factors: tuple[Float[Array, " _"], ...]


class OuterProduct(eqx.Module):
    """The features of a quadratic unit as a tensor: x x^T row by row, each mixed product twice.

    Raises nothing. References: zhang2026, Eq. 71.
    """

    degree: int = eqx.field(static=True, default=2)

    def __call__(self, inputs: Float[Array, " input_dim"]) -> Float[Array, " size"]:
        return (inputs[:, None] * inputs[None, :]).ravel()


def fit_one_unit(moments: Moments, shape: tuple[int, ...]) -> OneUnitFit:
    r"""The best fit by one unit whose output is linear in each of several weight vectors.

    .. math:: \min_{a_1, \dots, a_m}\ \tfrac12 E\Big(y - \sum_{j \dots k} a_{1j} \cdots a_{mk}\, z_{j \dots k}\Big)^2

    Parameters
    ----------
    moments
        Of the targets and the features z, which are numbered row by row.
    shape
        Lengths of a_1, ..., a_m: (positions, kernel size) for a convolution kernel v u^T that all positions share,
        (D, D) for a quadratic unit v u u^T on x x^T, (D + 1, D + 1, D) for a head of attention with value, key, query.
        Several targets come first: (C, positions, kernel size) for one kernel read by one unit of a linear layer
        above, (C * positions, kernel size) for one kernel read by as many units as it takes.

    Returns
    -------
    OneUnitFit
        The fixed point reached from the direction in which small weights escape.

    Raises
    ------
    OutsideDomain
        Fewer than two vectors, or a shape that does not hold the features of every target.

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
    if moments.sigma_yz.size != int(np.prod(shape)) or len(shape) < 2:
        raise OutsideDomain(
            f"`shape` is {shape} and the moments are of shape {moments.sigma_yz.shape}, {moments.sigma_yz.size} "
            "entries; they must be as many as the product of two lengths or more."
        )
    factors = lax.fori_loop(0, _SWEEPS, lambda _, factors: _sweep(moments, factors), _leading(moments, shape))
    fit = _multiply(factors)
    square = moments.target_power - jnp.sum(fit * (2 * moments.sigma_yz.ravel() - _correlate(moments, fit)))
    directions = tuple(factor / jnp.linalg.norm(factor) for factor in factors)
    return OneUnitFit(jnp.maximum(square, 0) / 2, fit.reshape(shape), directions)


def _multiply(factors: Factors) -> Float[Array, " features"]:
    """The product tensor, row by row."""
    return reduce(lambda left, right: (left[:, None] * right[None, :]).ravel(), factors)


def _correlate(moments: Moments, fit: Float[Array, " features"]) -> Float[Array, " features"]:
    """E[f z^T] of the map with these coefficients, target by target."""
    return (fit.reshape(moments.sigma_yz.shape) @ moments.sigma_zz).ravel()


def _leading(moments: Moments, shape: tuple[int, ...]) -> Factors:
    """Leading vectors of Sigma_yz, mode by mode: what is left after one is the tensor of the others."""
    left, factors = moments.sigma_yz.ravel(), ()
    for size in shape[:-1]:
        outputs, values, inputs = jnp.linalg.svd(left.reshape(size, -1), full_matrices=False)
        factors, left = (*factors, outputs[:, 0]), values[0] * inputs[0]
    return (*factors, left)


def _sweep(moments: Moments, factors: Factors) -> Factors:
    """Least squares for each vector in turn; all but the one just solved for keep norm 1."""
    for mode in range(len(factors)):
        factors = tuple(factor / jnp.linalg.norm(factor) for factor in factors)
        replaced = lambda vector, m=mode: _multiply((*factors[:m], vector, *factors[m + 1 :]))  # noqa: B023, E731
        basis = jax.jacfwd(replaced)(factors[mode])
        curvature = basis.T @ jax.vmap(lambda column: _correlate(moments, column), 1, 1)(basis)
        best = jnp.linalg.solve(curvature, basis.T @ moments.sigma_yz.ravel())
        factors = (*factors[:mode], best, *factors[mode + 1 :])
    return factors
