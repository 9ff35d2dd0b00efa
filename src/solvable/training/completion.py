"""The loss of matrix completion: a linear network is asked for some entries of its map."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain
from solvable.networks import DeepNetwork, LinearMap, UnitLayer
from solvable.tasks import MatrixCompletion

LinearNetwork = LinearMap | UnitLayer | DeepNetwork


class CompletionLoss(eqx.Module):
    r"""Half the sum of squares over observed entries, with weight decay.

    .. math:: L = \tfrac12 \sum_{(i,j)\ \mathrm{observed}} (W_{ij} - M_{ij})^2 + \lambda \sum_l \|W_l\|_F^2,
       \qquad W = W_L \cdots W_1

    Give it to ``gradient_descent`` or ``gradient_flow`` in place of data.

    Attributes
    ----------
    task
        M and what is observed.
    ridge
        lambda, without 1/2; may be traced.

    Raises
    ------
    OutsideDomain
        When called: a network whose map is not of the task's shape.

    References
    ----------
    arora2019b, completion loss; li2021a, f(U U^T) of two tied layers [their
    loss of U is half of it, whose flow is the same]; wang2024, regularised loss.
    """

    task: MatrixCompletion
    ridge: float | Float[Array, ""] = 0.0

    def __call__(self, network: LinearNetwork) -> Float[Array, ""]:
        weights = network.coefficients()
        if weights.shape != self.task.shape:
            raise OutsideDomain(
                f"the network's map has shape {weights.shape} and the matrix {self.task.shape}; they must agree."
            )
        cost = jnp.sum(self.task.gradient(weights) ** 2) / 2
        return cost + ridge_cost(network, self.ridge)


def ridge_cost(network: LinearNetwork, ridge: float | Float[Array, ""]) -> Float[Array, ""]:
    """lambda times the sum of all squared weights, without 1/2. Raises nothing. References: wang2024."""
    norms = jnp.stack([jnp.sum(layer**2) for layer in layers_of(network)])
    return jnp.asarray(ridge, norms.dtype) * jnp.sum(norms)


def layers_of(network: LinearNetwork) -> tuple[Float[Array, "_ _"], ...]:
    """All weight matrices, from the input up. Raises nothing. References: none."""
    if isinstance(network, UnitLayer):
        return network.first, network.second
    return network.weights if isinstance(network, DeepNetwork) else (network.first,)
