"""Averages over the eigenvalues of large sample covariances."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import check_positive
from solvable.numerics.quadrature import QuadratureRule

# The angle of an eigenvalue is pi/(1 + e^-w): its two ends are resolved on logarithmic scales.
_LOW, _HIGH, _NODES = -38.0, 14.0, 400


def marchenko_pastur_rule(sample_ratio: float | Float[Array, ""]) -> QuadratureRule:
    r"""Rule for averages over the eigenvalues of :math:`X X^\top`, with N rows and alpha N columns of variance 1/N.

    .. math:: \rho(\lambda) = \frac{\sqrt{(\lambda_+ - \lambda)(\lambda - \lambda_-)}}{2 \pi \lambda}, \qquad
       \lambda_\pm = (\sqrt\alpha \pm 1)^2

    Parameters
    ----------
    sample_ratio
        alpha > 0, columns (samples) over rows (dimensions); may be traced.

    Returns
    -------
    QuadratureRule
        Eigenvalues above 0, increasing; the weights sum to min(1, alpha), what is missing to 1 being the share of
        eigenvalues that are 0. In the dtype of ``sample_ratio``.

    Raises
    ------
    OutsideDomain
        A ratio that is not positive.

    Notes
    -----
    Exact to rounding for functions of log-smooth dependence on lambda, such as e^{-lambda t} for all t up to 1e30: at
    ratio 1 too, where the density has no gap at 0.

    References
    ----------
    advani2020, eigenvalue density; Marchenko and Pastur (1967).
    """
    check_positive("sample_ratio", sample_ratio)
    return _rule(jnp.asarray(sample_ratio, jnp.result_type(sample_ratio)))


@jax.jit
def _rule(ratio: Array) -> QuadratureRule:
    points = jnp.asarray(np.linspace(_LOW, _HIGH, _NODES), ratio.dtype)
    low, high = jax.nn.sigmoid(points), jax.nn.sigmoid(-points)  # shares of pi below and above the angle
    angle = jnp.pi * low
    eigenvalues = (1 - jnp.sqrt(ratio)) ** 2 + 4 * jnp.sqrt(ratio) * jnp.sin(angle / 2) ** 2
    density = 2 * ratio / jnp.pi * jnp.sin(jnp.pi * jnp.minimum(low, high)) ** 2 / eigenvalues
    step = (_HIGH - _LOW) / (_NODES - 1)
    return QuadratureRule(eigenvalues, density * jnp.pi * low * high * step)
