"""Products of Hermite polynomials: the orthonormal functions of independent standard normal variables."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, is_concrete


def hermite_products(
    points: Float[Array, "num_points dim"], directions: Int[Array, "mode max_level"]
) -> Float[Array, "num_points mode"]:
    r"""Normalised Hermite products at given points, orthonormal where the coordinates are independent N(0, 1).

    .. math:: \phi_a(z) = \prod_i \frac{\mathrm{He}_{a_i}(z_i)}{\sqrt{a_i!}}

    Parameters
    ----------
    points
        z, one a row.
    directions
        Each product as the coordinates that it multiplies, a_i times each i, equal ones side by side and -1 for none:
        (0, 0, 3, -1) is He_2(z_0) He_1(z_3) / sqrt 2.

    Raises
    ------
    OutsideDomain
        A direction that the points do not have.

    References
    ----------
    karkada2025, eigenfunctions.
    """
    # NumPy, so that ``jit`` does not trace the check.
    if is_concrete(directions) and np.max(np.asarray(directions), initial=-1) >= points.shape[1]:
        raise OutsideDomain(
            f"`directions` holds {np.max(np.asarray(directions))}; the points have the directions 0 to "
            f"{points.shape[1] - 1}."
        )
    return _products(points, directions)


@jax.jit
def _products(points: Array, directions: Array) -> Array:
    table = _hermite_table(points.T, directions.shape[1])
    values = jnp.ones((directions.shape[0], points.shape[0]), points.dtype)
    repeats = jnp.zeros(directions.shape[0], directions.dtype)
    for place in range(directions.shape[1]):
        here = directions[:, place]
        before = directions[:, place - 1] if place else jnp.full_like(here, -1)
        repeats = jnp.where(here == before, repeats, 0) + 1
        # A run of equal directions counts once, by its length, where it ends.
        last = directions[:, place + 1] != here if place + 1 < directions.shape[1] else True
        degree = jnp.where((here >= 0) & last, repeats, 0)
        values = values * table[degree, jnp.maximum(here, 0)]
    return values.T


def _hermite_table(values: Array, degree: int) -> Array:
    """He_k/sqrt(k!) of all values for k = 0 ... degree, stacked along a first axis."""
    rows = [jnp.ones_like(values), values][: degree + 1]
    for k in range(1, degree):
        rows.append((values * rows[k] - k**0.5 * rows[k - 1]) / (k + 1) ** 0.5)
    return jnp.stack(rows)
