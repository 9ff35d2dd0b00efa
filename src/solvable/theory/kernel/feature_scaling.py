r"""Powers by which the error of random-feature regression falls with features, and how many features are enough.

The letters are those of ``scaling``: capacity a and source r of spectrum and target. Errors are without noise.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.theory.kernel.checks import Numbers
from solvable.theory.kernel.scaling import noise_free_exponent


def feature_limited_exponent(capacity: Numbers, source: Numbers) -> Float[Array, "..."]:
    r"""The exponent :math:`2 a \min(r, 1/2)` by which noise-free error falls with features where they limit.

    Of the error against N for N << P, against N = P times any constant other than 1, and of the variance that features
    add at a fixed ratio N/P; at fixed P this variance falls as 1/N. Where samples limit, for N >> P, the exponent is
    ``noise_free_exponent``.

    Parameters
    ----------
    capacity, source
        a and r of ``source_capacity``: eigenvalues i^-a and target power i^-(1 + 2 a r).

    Raises
    ------
    OutsideDomain
        As ``noise_free_exponent``.

    Notes
    -----
    Without ridge. Approached slowly near r = 1/2, where a logarithm appears.

    References
    ----------
    atanasov2024, scaling laws of random features.
    """
    return noise_free_exponent(capacity, jnp.minimum(source, 0.5))


def sufficient_features_exponent(capacity: Numbers, source: Numbers) -> Float[Array, "..."]:
    r"""The exponent e of the number of features, :math:`N \sim P^e`, beyond which only samples limit the error.

    .. math:: e = 1 + 2 a\,[\min(r, 1) - \min(r, 1/2)]

    Parameters
    ----------
    capacity, source
        As for ``feature_limited_exponent``.

    Raises
    ------
    OutsideDomain
        As ``noise_free_exponent``.

    Notes
    -----
    Above 1 for r > 1/2: a network wider than its training set is limited by its width all the same, until the variance
    of its features, falling as 1/N, is below the error of infinitely many.

    References
    ----------
    atanasov2024, scaling laws of random features.
    """
    return 1 + noise_free_exponent(capacity, source) - feature_limited_exponent(capacity, source)
