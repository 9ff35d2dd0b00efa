"""Functions of the angle between two inputs, level by level: on the sphere of any dimension and on the hypercube.

A kernel that depends on the angle alone is a sum over levels k, each the polynomial Q_k of the angle's cosine with
:math:`Q_k(1) = 1` and :math:`N_k` orthonormal functions behind it: :math:`Q_k(\\cos) = \\sum_j \\phi_j \\phi_j' / N_k`.
"""

from collections.abc import Callable
from math import comb

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count

Zonal = Callable[[Float[Array, "*shape"], int, int], Float[Array, "level *shape"]]


def gegenbauer(cosines: Float[Array, "*shape"], input_dim: int, num_levels: int) -> Float[Array, "level *shape"]:
    r"""Zonal polynomials of the sphere, :math:`Q_k(t) = C_k^{(d-2)/2}(t)/C_k^{(d-2)/2}(1)`.

    Parameters
    ----------
    cosines
        t between -1 and 1, of the angle between two inputs.
    input_dim
        d >= 2 of the space around the sphere: Chebyshev polynomials for 2, Legendre for 3.
    num_levels
        How many, from k = 0 on.

    Returns
    -------
    Array
        Levels first. Stable for every k.

    Raises
    ------
    OutsideDomain
        A dimension below 2, no levels.

    References
    ----------
    canatar2021, dot-product kernels on the sphere.
    """
    check_count("input_dim", input_dim, at_least=2)
    check_count("num_levels", num_levels)
    degrees = np.arange(1, num_levels - 1)
    scale = degrees + input_dim - 2
    return _recur(cosines, np.append(1, (degrees + scale) / scale), np.append(0, degrees / scale), num_levels)


def krawtchouk(cosines: Float[Array, "*shape"], input_dim: int, num_levels: int) -> Float[Array, "level *shape"]:
    r"""Zonal polynomials of the hypercube: mean of all parities of degree k of h = d (1 - t)/2 entries that differ.

    .. math:: Q_k = \binom dk^{-1} \sum_j (-1)^j \binom hj \binom{d - h}{k - j}

    Parameters
    ----------
    cosines
        t = x.x'/d of two inputs of entries +1 and -1.
    input_dim
        d >= 1.
    num_levels
        How many, from k = 0 on: up to d + 1, which is all of them.

    Raises
    ------
    OutsideDomain
        A dimension below 1, no levels or more than there are.

    References
    ----------
    simon2023a, kernels on the hypercube.
    """
    check_count("input_dim", input_dim)
    check_count("num_levels", num_levels)
    if num_levels > input_dim + 1:
        raise OutsideDomain(f"`num_levels` is {num_levels}; a hypercube of {input_dim} dimensions has {input_dim + 1}.")
    # Beyond the middle the recursion loses its digits, but there parities are those of the complement, up to a sign.
    half = min(num_levels, input_dim // 2 + 1)
    degrees = np.arange(half - 1)
    scale = input_dim - degrees
    first = _recur(cosines, input_dim / scale, degrees / scale, half)
    differing = jnp.round(input_dim * (1 - cosines) / 2)
    sign = 1 - 2 * jnp.mod(differing, 2)
    mirrored = first[input_dim - np.arange(half, num_levels)]
    return jnp.concatenate([first, sign[None] * mirrored])


def sphere_multiplicities(input_dim: int, num_levels: int) -> np.ndarray:
    """Number N_k of orthonormal functions in each level on the sphere in ``input_dim`` dimensions, shape (num_levels,).

    Parameters
    ----------
    input_dim
        d >= 2 of the space around the sphere.
    num_levels
        How many, from k = 0 on.

    Raises
    ------
    OutsideDomain
        A dimension below 2, no levels, more functions than a float can count.

    References
    ----------
    canatar2021, degeneracy N(d, k).
    """
    check_count("input_dim", input_dim, at_least=2)
    check_count("num_levels", num_levels)
    counts = [comb(degree + input_dim - 1, degree) for degree in range(num_levels)]
    # Polynomials of degree k, less those that hold the radius squared as a factor.
    return _floats([count - before for count, before in zip(counts, [0, 0, *counts], strict=False)])


def gaussian_multiplicities(input_dim: int, num_levels: int) -> np.ndarray:
    """Number of monomials of each degree in ``input_dim`` variables, as floats, shape (num_levels,).

    Raises
    ------
    OutsideDomain
        No dimension or levels, more monomials than a float can count.

    References
    ----------
    canatar2021, Gaussian kernel on Gaussian inputs.
    """
    check_count("input_dim", input_dim)
    check_count("num_levels", num_levels)
    return _floats([comb(degree + input_dim - 1, degree) for degree in range(num_levels)])


def hypercube_multiplicities(input_dim: int) -> np.ndarray:
    """Number of parities of each degree 0 to d, as floats. Raises OutsideDomain for none. Ref.: simon2023a."""
    check_count("input_dim", input_dim)
    return _floats([comb(input_dim, degree) for degree in range(input_dim + 1)])


class LevelKernel(eqx.Module):
    r"""The kernel :math:`k = \sum_k s_k Q_k(\cos)` of given weight in each level.

    Attributes
    ----------
    shares
        s_k >= 0, shape (level,); k(x, x) is their sum, and each of the N_k modes of a level has eigenvalue s_k/N_k.
    input_dim
        d.
    zonal
        ``gegenbauer`` for inputs on a sphere of any radius, ``krawtchouk`` on the hypercube.

    Raises
    ------
    OutsideDomain
        As ``zonal``.

    References
    ----------
    canatar2021 [their eta-bar_k]; simon2023a.
    """

    shares: Float[Array, " level"]
    input_dim: int = eqx.field(static=True)
    zonal: Zonal = eqx.field(static=True, default=gegenbauer)

    def __call__(self, inner, square, other_square):
        cosines = jnp.clip(inner / jnp.sqrt(square * other_square), -1, 1)
        return jnp.tensordot(self.shares, self.zonal(cosines, self.input_dim, self.shares.size), 1)


def _recur(cosines: Array, forward: np.ndarray, back: np.ndarray, num_levels: int) -> Array:
    """Levels Q_0 = 1, Q_{k+1} = forward_k t Q_k - back_k Q_{k-1}."""
    dtype = cosines.dtype
    coefficients = tuple(jnp.asarray(each[: num_levels - 1], dtype) for each in (forward, back))

    def step(pair, coefficient):
        before, now = pair
        following = coefficient[0] * cosines * now - coefficient[1] * before
        return (now, following), following

    one = jnp.ones_like(cosines)
    rest = lax.scan(step, (jnp.zeros_like(cosines), one), coefficients)[1]
    return jnp.concatenate([one[None], rest])


def _floats(counts: list[int]) -> np.ndarray:
    try:
        return np.array([float(count) for count in counts])
    except OverflowError:
        raise OutsideDomain(
            f"The {len(counts)} levels hold more than 1e308 functions; ask for fewer levels or dimensions."
        ) from None
