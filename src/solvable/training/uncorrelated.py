"""The half mean squared error on features that are uncorrelated: as cheap as the number of coefficients."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.networks import Network


class UncorrelatedLoss(eqx.Module):
    r"""The loss of f(x) = A z(x) where E[z z^T] is diagonal.

    .. math:: L = L_{\min} + \tfrac12 \sum_k E[z_k^2]\,|A_k - A_k^*|^2

    Give it to ``gradient_descent`` or ``gradient_flow`` in place of data: moments would cost the square of the number
    of features a step.

    Attributes
    ----------
    best
        A^*, the coefficients of least squares, shape (output_dim, features).
    variances
        E[z_k^2], shape (features,).
    floor
        L_min, what no coefficients explain.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    nam2025, multilinear model [z_k is the skill function g_k].
    """

    best: Float[Array, "output_dim features"]
    variances: Float[Array, " features"]
    floor: float | Float[Array, ""] = 0.0

    def __call__(self, network: Network) -> Float[Array, ""]:
        error = network.coefficients() - self.best
        return self.floor + jnp.sum(self.variances[None, :] * error**2) / 2
