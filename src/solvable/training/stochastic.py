"""The regularised loss of a linear network with noisy hidden units: averaged over the noise, or over draws of it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.networks import DeepNetwork, noisy_coefficients, noisy_output_moment
from solvable.tasks import Moments
from solvable.training.objective import moment_loss


class NoisyLoss(eqx.Module):
    r"""The exact average over data and noise, with weight decay.

    .. math:: L = \tfrac12\,E_x E_\epsilon |y - f(x)|^2 + \tfrac12 \sum_l \gamma_l \|W_l\|_F^2

    Attributes
    ----------
    moments
        Of targets and inputs.
    noise
        Variance of the noise behind each hidden layer, mean 1.
    decays
        gamma_l of every layer, from the input up.

    Raises
    ------
    OutsideDomain
        When called: a network that is not linear, or not of so many layers.

    References
    ----------
    ziyin2022, regularised loss of the stochastic network [theirs is twice ours, with the same gammas].
    """

    moments: Moments
    noise: Float[Array, " hidden"]
    decays: Float[Array, " layer"]

    def __call__(self, network: DeepNetwork) -> Float[Array, ""]:
        power = jnp.trace(noisy_output_moment(network, self.moments.sigma_zz, self.noise))
        shared = jnp.sum(network.coefficients() * self.moments.sigma_yz)
        return (self.moments.target_power + power) / 2 - shared + decay_cost(network, self.decays)


class SampledNoiseLoss(eqx.Module):
    """The same loss averaged over given draws of the noise, still exactly over the data.

    Attributes
    ----------
    moments, decays
        As for ``NoisyLoss``.
    factors
        Draws of the noise of each hidden layer, each (draw, width), as from ``networks.draw_dropout``.

    Raises
    ------
    OutsideDomain
        When called: a network that is not linear.

    References
    ----------
    ziyin2022, as for ``NoisyLoss``.
    """

    moments: Moments
    factors: tuple[Float[Array, "draw _"], ...]
    decays: Float[Array, " layer"]

    def __call__(self, network: DeepNetwork) -> Float[Array, ""]:
        draw = lambda factors: moment_loss(noisy_coefficients(network, factors), self.moments)  # noqa: E731
        return jnp.mean(jax.vmap(draw)(self.factors)) + decay_cost(network, self.decays)


def decay_cost(network: DeepNetwork, decays: Float[Array, " layer"]) -> Float[Array, ""]:
    """Half the sum over layers of gamma_l |W_l|^2. Raises nothing. References: ziyin2022, weight decay."""
    costs = [decay * jnp.sum(weights**2) for decay, weights in zip(decays, network.weights, strict=True)]
    return jnp.sum(jnp.stack(costs)) / 2
