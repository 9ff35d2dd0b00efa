"""Singular values and vectors of a low-rank map seen through noise: spikes that leave a bulk.

The noise is a matrix of independent entries of variance 1/inputs, with outputs/inputs its aspect; divide singular
values of other data by ``noise_std`` = sqrt(inputs x variance of an entry). All formulas are limits of large matrices.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_positive, is_concrete
from solvable.numerics import QuadratureRule

_BISECTIONS = 60


def spike_threshold(aspect: float | Float[Array, ""]) -> float | Float[Array, ""]:
    """The singular value A^(1/4) of the teacher above which the data have a singular value outside the bulk.

    Parameters
    ----------
    aspect
        A = outputs/inputs, above 0.

    Raises
    ------
    OutsideDomain
        An aspect that is not positive.

    References
    ----------
    lampinen2018, phase transition of the singular values.
    """
    check_positive("aspect", aspect)
    return aspect**0.25


def observed_singular_value(teacher: Float[Array, "..."], aspect: float | Float[Array, ""]) -> Float[Array, "..."]:
    r"""Singular value of teacher plus noise, for one of the teacher.

    .. math:: \hat s = \frac{\sqrt{(1 + \bar s^2)(A + \bar s^2)}}{\bar s} \quad (\bar s > A^{1/4}), \qquad
       1 + \sqrt A \text{ below}

    Parameters
    ----------
    teacher
        s of the teacher, at least 0, in units of the noise.
    aspect
        A = outputs/inputs.

    Raises
    ------
    OutsideDomain
        An aspect that is not positive, or a negative singular value.

    Notes
    -----
    A single matrix fluctuates by 1/sqrt(inputs) around it.

    References
    ----------
    lampinen2018, outliers; Benaych-Georges and Nadakuditi (2012).
    """
    above, safe = _split(teacher, aspect)
    return jnp.where(above, jnp.sqrt((1 + safe**2) * (aspect + safe**2)) / safe, 1 + aspect**0.5)


def teacher_singular_value(observed: Float[Array, "..."], aspect: float | Float[Array, ""]) -> Float[Array, "..."]:
    r"""Singular value of the teacher behind one of the data: the inverse map, and 0 for one within the bulk.

    .. math:: \bar s^2 = \tfrac12\big[\hat s^2 - 1 - A + \sqrt{(\hat s^2 - s_+^2)(\hat s^2 - s_-^2)}\big]

    Parameters
    ----------
    observed
        s-hat of the data, at least 0, in units of the noise.
    aspect
        A = outputs/inputs.

    Raises
    ------
    OutsideDomain
        As ``observed_singular_value``.

    References
    ----------
    lampinen2018, inverted.
    """
    outside, root = _outside(observed, aspect)
    return jnp.where(outside, jnp.sqrt(jnp.maximum(observed**2 - 1 - aspect + root, 0) / 2), 0)


def spike_overlaps(
    teacher: Float[Array, "..."], aspect: float | Float[Array, ""]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    r"""Cosines between singular vectors of the teacher and of the data, on the output and on the input side.

    .. math:: |\bar u \cdot \hat u|^2 = \frac{\bar s^4 - A}{\bar s^2 (A + \bar s^2)}, \qquad
       |\bar v \cdot \hat v|^2 = \frac{\bar s^4 - A}{\bar s^2 (1 + \bar s^2)}, \qquad 0 \text{ below } A^{1/4}

    Parameters
    ----------
    teacher
        s of the teacher, at least 0, in units of the noise; singular values differ from each other.
    aspect
        A = outputs/inputs.

    Returns
    -------
    tuple
        Left and right cosine, at least 0; their product is the overlap O that errors depend on.

    Raises
    ------
    OutsideDomain
        As ``observed_singular_value``.

    References
    ----------
    lampinen2018, overlap O of the outliers; Benaych-Georges and Nadakuditi (2012).
    """
    above, safe = _split(teacher, aspect)
    excess = jnp.where(above, jnp.maximum(safe**4 - aspect, 0) / safe**2, 0)
    return jnp.sqrt(excess / (aspect + safe**2)), jnp.sqrt(excess / (1 + safe**2))


def shrunk_singular_value(observed: Float[Array, "..."], aspect: float | Float[Array, ""]) -> Float[Array, "..."]:
    r"""The best singular value to give to a singular vector pair of the data: that of the data, shrunk.

    .. math:: s_\mathrm{opt} = \bar s\,O = \frac{\sqrt{(\hat s^2 - s_+^2)(\hat s^2 - s_-^2)}}{\hat s}, \qquad
       0 \text{ within the bulk}

    Parameters
    ----------
    observed
        s-hat of the data, at least 0, in units of the noise.
    aspect
        A = outputs/inputs.

    Raises
    ------
    OutsideDomain
        As ``observed_singular_value``.

    References
    ----------
    lampinen2018, optimal non-gradient estimator; Gavish and Donoho (2017).
    """
    outside, root = _outside(observed, aspect)
    return jnp.where(outside, root / jnp.where(outside, observed, 1), 0)


def best_error(teacher: Float[Array, " mode"], aspect: float | Float[Array, ""]) -> Float[Array, ""]:
    r"""Squared error of the best shrinkage of the data, as a share of the teacher's power.

    .. math:: \frac{\sum \bar s^2 (1 - O^2)}{\sum \bar s^2}

    Parameters
    ----------
    teacher
        s of the teacher, at least one above 0, in units of the noise.
    aspect
        A = outputs/inputs.

    Raises
    ------
    OutsideDomain
        As ``observed_singular_value``.

    Notes
    -----
    Training from vanishing weights attains it, stopped in time, where all spikes are equal: it is a floor else.

    References
    ----------
    lampinen2018, optimal stopping against the best estimator [one spike: 1 - O^2].
    """
    left, right = spike_overlaps(teacher, aspect)
    return jnp.sum(teacher**2 * (1 - (left * right) ** 2)) / jnp.sum(teacher**2)


def bulk_edges(aspect: float | Float[Array, ""]) -> tuple[float | Float[Array, ""], float | Float[Array, ""]]:
    """Smallest and largest singular value of pure noise, |1 - sqrt A| and 1 + sqrt A; zeros beyond the rank apart.

    Parameters
    ----------
    aspect
        A = outputs/inputs.

    Raises
    ------
    OutsideDomain
        An aspect that is not positive.

    References
    ----------
    lampinen2018, Marchenko-Pastur bulk.
    """
    check_positive("aspect", aspect)
    return abs(1 - aspect**0.5), 1 + aspect**0.5


def bulk_density(values: Float[Array, "..."], aspect: float | Float[Array, ""]) -> Float[Array, "..."]:
    r"""Density of the singular values of noise that are not 0 by shape, of integral 1.

    .. math:: \rho(s) = \frac{\sqrt{(s^2 - s_-^2)(s_+^2 - s^2)}}{\pi\,s\,\min(1, A)}

    Parameters
    ----------
    values
        Singular values s; the density is 0 outside the edges.
    aspect
        A = outputs/inputs.

    Raises
    ------
    OutsideDomain
        An aspect that is not positive.

    References
    ----------
    lampinen2018, bulk [theirs is per output, of integral min(1, 1/A)].
    """
    low, high = bulk_edges(aspect)
    inside = (values > low) & (values < high)
    safe = jnp.where(inside, values, 1)
    square = jnp.where(inside, (safe**2 - low**2) * (high**2 - safe**2), 0)
    return jnp.sqrt(square) / (jnp.pi * safe * jnp.minimum(1.0, aspect))


def bulk_rule(
    aspect: float | Float[Array, ""], top_share: float | Float[Array, ""] = 1.0, num_nodes: int = 200
) -> QuadratureRule:
    """Rule for averages over the largest singular values of noise; its weights sum to their share.

    Parameters
    ----------
    aspect
        A = outputs/inputs.
    top_share
        Share of the singular values that are not 0 by shape, the largest ones, between 0 and 1; may be traced.
    num_nodes
        Static.

    Returns
    -------
    QuadratureRule
        Nodes are singular values, increasing, in the default floating dtype.

    Raises
    ------
    OutsideDomain
        An aspect that is not positive, a share outside 0 to 1, no nodes.

    References
    ----------
    lampinen2018; Gauss-Legendre in the angle of s^2 = 1 + A - 2 sqrt(A) cos(theta), where the density is smooth.
    """
    check_positive("aspect", aspect)
    check_count("num_nodes", num_nodes)
    if is_concrete(top_share) and not 0 <= top_share <= 1:
        raise OutsideDomain(f"`top_share` is {top_share}; it must be a share between 0 and 1.")
    points, weights = (jnp.asarray(each, jnp.result_type(float)) for each in np.polynomial.legendre.leggauss(num_nodes))
    aspect, share = jnp.asarray(aspect, points.dtype), jnp.asarray(top_share, points.dtype)

    def rule(start: Array) -> tuple[Array, Array]:
        half = (jnp.pi - start) / 2
        angles = start + half * (1 + points)
        squares = (1 - jnp.sqrt(aspect)) ** 2 + 4 * jnp.sqrt(aspect) * jnp.sin(angles / 2) ** 2
        density = 2 * jnp.sin(angles) ** 2 / (jnp.pi * squares) * jnp.maximum(1, aspect)
        return jnp.sqrt(squares), half * weights * density

    def halve(_, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = (bracket[0] + bracket[1]) / 2
        heavy = jnp.sum(rule(middle)[1]) > share
        return jnp.where(heavy, middle, bracket[0]), jnp.where(heavy, bracket[1], middle)

    zero = jnp.zeros_like(aspect)
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (zero, zero + jnp.pi))
    return QuadratureRule(*rule(jnp.where(share < 1, (low + high) / 2, 0)))


def _split(teacher: Array, aspect: float | Array) -> tuple[Array, Array]:
    """Which singular values of the teacher are above threshold, and those with 1 in place of the others."""
    threshold = spike_threshold(aspect)
    _check_values("teacher", teacher)
    above = teacher > threshold
    return above, jnp.where(above, teacher, 1)


def _outside(observed: Array, aspect: float | Array) -> tuple[Array, Array]:
    """Which singular values of the data are outside the bulk, and the root that all inverse maps share."""
    low, high = bulk_edges(aspect)
    _check_values("observed", observed)
    outside = observed > high
    return outside, jnp.sqrt(jnp.where(outside, (observed**2 - high**2) * (observed**2 - low**2), 0))


def _check_values(name: str, values: Array) -> None:
    if is_concrete(values) and not np.all(np.asarray(values) >= 0):  # NumPy, so that ``jit`` does not trace the check
        raise OutsideDomain(f"`{name}` is {values}; singular values must be at least 0.")
