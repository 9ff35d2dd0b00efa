"""Which share of each eigenfunction one training set learns."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.estimators.kernel_ridge import factor_kernel


def kernel_learnability(
    gram: Float[Array, "num_samples num_samples"],
    eigenvalues: Float[Array, " mode"],
    features: Float[Array, "num_samples mode"],
    ridge: float | Float[Array, ""] = 0.0,
) -> Float[Array, " mode"]:
    r"""Learnability of each eigenfunction by kernel ridge regression on one training set.

    .. math:: L_i = \langle \phi_i, \hat f_i \rangle = \lambda_i\,\phi_i(X)^\top (K + \delta I)^{-1} \phi_i(X)

    Parameters
    ----------
    gram
        K, kernel of the training inputs.
    eigenvalues, features
        lambda_i of the kernel and phi_i of the training inputs, orthonormal over the law of inputs.
    ridge
        delta >= 0; the limit of small ones at 0.

    Returns
    -------
    Array
        Between 0 and 1. Over all modes of the kernel their sum is tr K (K + delta)^{-1}: the number of different
        samples, at ridge 0 and full rank.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit, a negative ridge.

    References
    ----------
    simon2023a, learnability and its conservation.
    """
    dual = factor_kernel(gram, features).dual_weights(ridge)
    return eigenvalues * jnp.sum(features * dual, axis=0)


def learned_coefficients(
    dual_weights: Float[Array, "num_samples output_dim"],
    eigenvalues: Float[Array, " mode"],
    features: Float[Array, "num_samples mode"],
) -> Float[Array, "output_dim mode"]:
    r"""Coefficients of what kernel regression learned, :math:`\hat v_i = \lambda_i\,\phi_i(X)^\top \alpha`.

    Parameters
    ----------
    dual_weights
        alpha, as from ``FactoredKernel.dual_weights``.
    eigenvalues, features
        As for ``kernel_learnability``.

    Returns
    -------
    Array
        One output a row. The exact error on new inputs is the sum of their squared distances to the target's.

    Raises
    ------
    Raises nothing.

    References
    ----------
    simon2023a, eigencoefficients.
    """
    return (dual_weights.T @ features) * eigenvalues[None, :]
