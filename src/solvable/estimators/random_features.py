"""Linear random features: ridge regression on Gaussian projections of the inputs."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative, is_concrete
from solvable.estimators.kernel_ridge import factor_kernel


class RandomFeatureFit(eqx.Module):
    r"""A linear map :math:`w = F a` fitted through random features F.

    Attributes
    ----------
    weights
        w of each output, in the space of the inputs, shape (output_dim, input_dim).
    train
        Mean squared error on the training set, summed over outputs.

    References
    ----------
    atanasov2024, linear random features.
    """

    weights: Float[Array, "output_dim input_dim"]
    train: Float[Array, ""]


def fit_random_features(
    key: Key[Array, ""],
    inputs: Float[Array, "num_samples input_dim"],
    targets: Float[Array, "num_samples output_dim"],
    num_features: int | Int[Array, ""],
    *,
    ridge: float | Float[Array, ""] = 0.0,
    most_features: int | None = None,
) -> RandomFeatureFit:
    r"""Ridge regression on the features :math:`F^\top x`, F of independent normal entries of variance 1/num_features.

    Parameters
    ----------
    key
        Randomness of F; the first features of one key are the same, up to scale, whatever their number.
    inputs, targets
        X and y, one sample a row.
    num_features
        N; may be traced where ``most_features`` is given.
    ridge
        delta >= 0 of :math:`\sum_\mu |a F^\top x_\mu - y_\mu|^2 + \delta |a|^2`; 0 is the minimum of least norm,
        of which directions of singular values below 1e-7 of the largest, in float64, are left out.
    most_features
        Static bound of ``num_features``, so that ``vmap`` takes many numbers of features at once.

    Raises
    ------
    OutsideDomain
        No features or more than ``most_features``, a number that is traced without it, or a negative ridge.

    References
    ----------
    atanasov2024, linear random features [their lambda is ridge / num_samples].
    """
    check_non_negative("ridge", ridge)
    features = _draw_features(key, inputs.shape[1], num_features, most_features, inputs.dtype)
    design = inputs @ features.T
    # By the Gram matrix: a singular value decomposition for each of many draws takes far longer.
    fitted = factor_kernel(design @ design.T, targets).dual_weights(ridge).T @ design
    train = jnp.sum((design @ fitted.T - targets) ** 2) / inputs.shape[0]
    return RandomFeatureFit(fitted @ features, train)


def best_random_features(
    key: Key[Array, ""],
    eigenvalues: Float[Array, " input_dim"],
    coefficients: Float[Array, " input_dim"],
    num_features: int | Int[Array, ""],
    *,
    most_features: int | None = None,
) -> Float[Array, " input_dim"]:
    r"""Weights w = F a of the best map through random features: that of infinitely many samples, without ridge.

    Parameters
    ----------
    key, num_features, most_features
        As for ``fit_random_features``, and the same features.
    eigenvalues, coefficients
        Of a task of independent inputs, as in ``GaussianFeatures``.

    Raises
    ------
    OutsideDomain
        As ``fit_random_features``.

    References
    ----------
    atanasov2024, linear random features in the limit of many samples.
    """
    features = _draw_features(key, eigenvalues.size, num_features, most_features, eigenvalues.dtype)
    seen = features * jnp.sqrt(eigenvalues)[None, :]
    return factor_kernel(seen @ seen.T, (seen @ coefficients)[:, None]).dual_weights(0.0)[:, 0] @ features


def _draw_features(key: Array, input_dim: int, num_features: int | Array, most_features: int | None, dtype) -> Array:
    """F transposed, one feature a row; rows beyond ``num_features`` are 0."""
    if is_concrete(num_features):
        check_count("num_features", num_features)
        if most_features is not None and num_features > most_features:
            raise OutsideDomain(
                f"`num_features` is {num_features}; it must be at most `most_features` = {most_features}: raise that."
            )
    elif most_features is None:
        raise OutsideDomain("`num_features` is traced; give `most_features`, an upper bound, as a plain number.")
    width = int(num_features) if most_features is None else most_features
    # One feature a row, so that another bound leaves the first ones as they are.
    drawn = jax.random.normal(key, (width, input_dim), dtype)
    count = jnp.asarray(num_features, dtype)
    return jnp.where(jnp.arange(width)[:, None] < num_features, drawn / jnp.sqrt(count), 0)
