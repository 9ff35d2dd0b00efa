"""Matrix completion: a matrix of which some entries are observed."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from solvable.errors import OutsideDomain, check_count, check_positive, is_concrete


class MatrixCompletion(eqx.Module):
    """A matrix and which of its entries are seen.

    Attributes
    ----------
    target
        M, shape (rows, columns), all of its entries: those not observed serve to judge a completion.
    observed
        Which entries are seen, of the same shape; may be traced.

    Raises
    ------
    OutsideDomain
        Shapes that differ, entries that are not finite, no observed entry.

    References
    ----------
    arora2019b, matrix completion; li2021a; wang2024.
    """

    target: Float[Array, "rows columns"]
    observed: Bool[Array, "_ _"]

    def __check_init__(self):
        if self.target.shape != self.observed.shape:
            raise OutsideDomain(
                f"`target` and `observed` have shapes {self.target.shape} and {self.observed.shape}; they must agree."
            )
        # NumPy, so that ``jit`` does not trace the checks.
        if is_concrete(self.target) and not np.all(np.isfinite(np.asarray(self.target))):
            raise OutsideDomain("`target` holds a value that is not finite; put 0 where an entry is unknown.")
        if is_concrete(self.observed) and not np.any(np.asarray(self.observed)):
            raise OutsideDomain("`observed` is False everywhere; at least one entry must be observed.")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns. Raises nothing. References: none."""
        rows, columns = self.target.shape
        return rows, columns

    def gradient(self, weights: Float[Array, "rows columns"]) -> Float[Array, "rows columns"]:
        """Of half the sum of squares over observed entries: W - M there, 0 elsewhere.

        Raises nothing. References: arora2019b, completion loss.
        """
        return jnp.where(self.observed, weights - self.target, 0)

    def relative_error(self, weights: Float[Array, "rows columns"]) -> Float[Array, ""]:
        """|W - M|_F / |M|_F over all entries, observed or not; inf or NaN for M = 0.

        Raises nothing. References: arora2019b, reconstruction error.
        """
        return jnp.linalg.norm(weights - self.target) / jnp.linalg.norm(self.target)


def low_rank_completion(
    key: Key[Array, ""],
    *,
    shape: tuple[int, int],
    rank: int,
    num_observed: int,
    norm: float | Float[Array, ""] | None = None,
    dtype: jnp.dtype | type | None = None,
) -> MatrixCompletion:
    r"""A random matrix of low rank, of which entries drawn uniformly without replacement are observed.

    .. math:: M = c\,A B^\top, \qquad A_{ir}, B_{jr} \sim N(0, 1), \qquad \|M\|_F = \text{norm}

    Parameters
    ----------
    key
        Randomness of the matrix and of what is observed.
    shape
        Rows and columns.
    rank
        Columns of A and B, from 1 to the smaller side.
    num_observed
        From 1 to all entries.
    norm
        Of the matrix; the square root of its number of entries if left out, so that entries are of size 1.
    dtype
        Of the matrix; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        A count outside of its range, a norm that is not positive.

    References
    ----------
    arora2019b, random completion problems [norm = side of a square matrix].
    """
    rows, columns = shape
    for name, value, most in (("rank", rank, min(shape)), ("num_observed", num_observed, rows * columns)):
        check_count(name, value)
        if value > most:
            raise OutsideDomain(f"`{name}` is {value}; for a matrix of shape {shape} it must be at most {most}.")
    norm = (rows * columns) ** 0.5 if norm is None else norm
    check_positive("norm", norm)
    dtype = jnp.result_type(float) if dtype is None else dtype
    return MatrixCompletion(*_draw_low_rank(key, shape, rank, num_observed, jnp.asarray(norm, dtype)))


def symmetric_completion(
    key: Key[Array, ""],
    *,
    eigenvalues: Float[Array, " rank"],
    dim: int,
    observed_share: float | Float[Array, ""],
) -> MatrixCompletion:
    """A symmetric matrix in random directions: its diagonal is observed, and each pair of other entries by chance.

    Parameters
    ----------
    key
        Randomness of the directions and of what is observed.
    eigenvalues
        Those that are not 0, of either sign, at most ``dim`` of them; their dtype is the task's.
    dim
        Rows and columns.
    observed_share
        Probability with which entries (i, j) and (j, i) are both observed, from 0 to 1.

    Raises
    ------
    OutsideDomain
        More eigenvalues than dimensions, or a share outside 0 to 1.

    References
    ----------
    li2021a, symmetric matrix completion.
    """
    check_count("dim", dim, at_least=eigenvalues.size)
    if is_concrete(observed_share) and not 0 <= observed_share <= 1:
        raise OutsideDomain(f"`observed_share` is {observed_share}; it must be a probability between 0 and 1.")
    return MatrixCompletion(*_draw_symmetric(key, eigenvalues, dim, jnp.asarray(observed_share, eigenvalues.dtype)))


@partial(jax.jit, static_argnums=(1, 2, 3))
def _draw_low_rank(key: Array, shape: tuple[int, int], rank: int, num_observed: int, norm: Array):
    rows, columns = shape
    key_factors, key_observed = jax.random.split(key)
    factors = jax.random.normal(key_factors, (rows + columns, rank), norm.dtype)
    product = factors[:rows] @ factors[rows:].T
    order = jax.random.permutation(key_observed, rows * columns).reshape(shape)
    return norm / jnp.linalg.norm(product) * product, order < num_observed


@partial(jax.jit, static_argnums=2)
def _draw_symmetric(key: Array, eigenvalues: Array, dim: int, observed_share: Array):
    key_basis, key_observed = jax.random.split(key)
    basis = jnp.linalg.qr(jax.random.normal(key_basis, (dim, eigenvalues.size), eigenvalues.dtype))[0]
    product = (basis * eigenvalues[None, :]) @ basis.T
    draws = jnp.triu(jax.random.uniform(key_observed, (dim, dim), eigenvalues.dtype), 1)
    return (product + product.T) / 2, (draws + draws.T < observed_share) | jnp.eye(dim, dtype=bool)
