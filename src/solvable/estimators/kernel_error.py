"""Test error of kernel ridge regression on given samples."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.estimators.kernel_ridge import factor_kernel
from solvable.numerics import Kernel, gram_matrix
from solvable.tasks import Samples


def kernel_ridge_error(
    kernel: Kernel, train: Samples, test: Samples, ridge: float | Float[Array, ""] = 0.0
) -> Float[Array, " output_dim"]:
    """Mean squared error on test samples after kernel ridge regression on the training samples, without a half.

    Parameters
    ----------
    kernel
        Of ``solvable.numerics``, or any function of inner product and squared lengths.
    train, test
        All samples count alike.
    ridge
        delta >= 0 of the sum over samples.

    Raises
    ------
    OutsideDomain
        A negative ridge.

    References
    ----------
    simon2023a, kernel ridge regression.
    """
    fit = factor_kernel(gram_matrix(kernel, train.inputs), train.targets)
    predicted = gram_matrix(kernel, test.inputs, train.inputs) @ fit.dual_weights(ridge)
    return jnp.mean((predicted - test.targets) ** 2, axis=0)
