"""Losses of joint embedding: views of the same thing should agree, and different things should differ."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.networks import Network
from solvable.tasks import ViewPairs


class CrossCorrelationLoss(eqx.Module):
    r"""The loss of Barlow Twins without mean removal, for any network f.

    .. math:: L = \|C - I\|_F^2, \qquad C = \frac{1}{2n} \sum_i \big(f_i f_i'^\top + f_i' f_i^\top\big)

    Attributes
    ----------
    pairs
        The views.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    simon2023b, Barlow Twins loss [lambda = 1].
    """

    pairs: ViewPairs

    def __call__(self, network: Network) -> Float[Array, ""]:
        embedded = ViewPairs(jax.vmap(network)(self.pairs.first), jax.vmap(network)(self.pairs.second))
        return _distance_from_identity(embedded.correlation)


class LinearCrossCorrelationLoss(eqx.Module):
    """The same loss of a network f(x) = A z(x), from the correlation Gamma of the features: C = A Gamma A^T.

    Attributes
    ----------
    correlation
        Gamma, shape (features, features).

    Raises
    ------
    Nothing of its own.

    References
    ----------
    simon2023b, linear model.
    """

    correlation: Float[Array, "features features"]

    def __call__(self, network: Network) -> Float[Array, ""]:
        return _distance_from_identity(embedding_correlation(network, self.correlation))


def embedding_correlation(
    network: Network, correlation: Float[Array, "features features"]
) -> Float[Array, "output_dim output_dim"]:
    """C = A Gamma A^T, the cross-correlation of the embeddings of two views.

    Parameters
    ----------
    network
        f(x) = A z(x).
    correlation
        Gamma of the features.

    Raises
    ------
    Raises nothing.

    References
    ----------
    simon2023b, linear model.
    """
    coefficients = network.coefficients()
    return coefficients @ correlation @ coefficients.T


def _distance_from_identity(correlation: Float[Array, "output_dim output_dim"]) -> Float[Array, ""]:
    return jnp.sum((correlation - jnp.eye(correlation.shape[0], dtype=correlation.dtype)) ** 2)
