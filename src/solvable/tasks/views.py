"""Pairs of views of the same thing: what self-supervised learning sees instead of targets."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative


class ViewPairs(eqx.Module):
    """Pairs (x_i, x'_i) of views, of equal weight.

    Attributes
    ----------
    first, second
        x_i and x'_i, each of shape (num_pairs, input_dim).

    Raises
    ------
    OutsideDomain
        Views of different shapes, or none.

    References
    ----------
    simon2023b, setting.
    """

    first: Float[Array, "num_pairs input_dim"]
    second: Float[Array, "partners input_dim"]

    def __check_init__(self):
        if self.first.shape != self.second.shape or self.first.size == 0:
            raise OutsideDomain(
                f"`first` and `second` have shapes {self.first.shape} and {self.second.shape}; every view has a "
                "partner of its own size, and there is one pair at least."
            )

    @property
    def correlation(self) -> Float[Array, "input_dim input_dim"]:
        """Gamma = (1/2n) sum_i (x_i x'_i^T + x'_i x_i^T): symmetric, its eigenvalues may be negative."""
        product = self.first.T @ self.second
        return (product + product.T) / (2 * self.first.shape[0])

    @property
    def views(self) -> Float[Array, "views input_dim"]:
        """All 2n views, the first ones before their partners."""
        return jnp.concatenate([self.first, self.second])


def pairs_of_correlation(eigenvalues: Float[Array, " input_dim"], *, key: Key[Array, ""] | None = None) -> ViewPairs:
    """As many pairs as inputs, whose Gamma has exactly the given eigenvalues.

    Parameters
    ----------
    eigenvalues
        gamma_j, of either sign: partners are equal where it is positive, opposite where it is negative.
    key
        Turns the eigenvectors at random, uniformly; left out, they are the axes.

    Raises
    ------
    OutsideDomain
        No eigenvalue.

    References
    ----------
    simon2023b, setting: training sees the pairs through Gamma only.
    """
    size = eigenvalues.size
    axes = jnp.eye(size, dtype=eigenvalues.dtype)
    if key is not None:
        axes = jnp.linalg.qr(jax.random.normal(key, (size, size), eigenvalues.dtype))[0]
    views = jnp.sqrt(size * jnp.abs(eigenvalues))[:, None] * axes.T
    return ViewPairs(views, jnp.sign(eigenvalues)[:, None] * views)


def noisy_views(
    key: Key[Array, ""], num_pairs: int, deviations: Float[Array, " input_dim"], noise_std: float
) -> ViewPairs:
    """Gaussian things seen twice, each time with noise of its own.

    Parameters
    ----------
    key
        Randomness of the things and of the noise.
    num_pairs
        n.
    deviations
        Standard deviation of each coordinate of the thing.
    noise_std
        Of every coordinate of a view about it.

    Raises
    ------
    OutsideDomain
        A count below 1, a negative noise.

    References
    ----------
    simon2023b, pairs of views of the same input.
    """
    check_count("num_pairs", num_pairs)
    check_non_negative("noise_std", noise_std)
    things, first, second = jax.random.normal(key, (3, num_pairs, deviations.size), deviations.dtype)
    things = things * deviations[None, :]
    return ViewPairs(things + noise_std * first, things + noise_std * second)
