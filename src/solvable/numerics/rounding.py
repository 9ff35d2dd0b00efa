"""Eigenvalues and singular values that are nothing but rounding."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def clear_rounding(values: Float[Array, " mode"], size: int) -> Float[Array, " mode"]:
    """Eigenvalues of a positive semi-definite matrix, or singular values, with those that are rounding put to 0.

    Parameters
    ----------
    values
        In any order.
    size
        The matrix's larger side: rounding is size times eps of the largest value.

    Raises
    ------
    Raises nothing.

    References
    ----------
    None: the rank convention of NumPy's ``matrix_rank``.
    """
    return jnp.where(values > size * jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values)), values, 0)
