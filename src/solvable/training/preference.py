"""The loss of preferring one label to another over a reference model."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class PreferenceLoss(eqx.Module):
    r"""Direct preference optimisation on one pair of labels of one input.

    .. math:: L = -\ln \mathrm{sigmoid}\Big(b\Big[\ln\frac{\pi(y_+)}{\pi(y_-)}
       - \ln\frac{\pi_\mathrm{ref}(y_+)}{\pi_\mathrm{ref}(y_-)}\Big]\Big)

    Give it to ``gradient_descent`` in place of data.

    Attributes
    ----------
    inputs
        x, one input.
    direction
        e_{y_+} - e_{y_-}, or any weights of log-probabilities.
    reference
        Logits of the reference model at x.
    strength
        b > 0.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    Rafailov et al. (2023), Eq. 7; ren2025, DPO.
    """

    inputs: Any
    direction: Float[Array, "*places labels"]
    reference: Float[Array, "*places labels"]
    strength: float

    def __call__(self, network: Any) -> Float[Array, ""]:
        gain = jax.nn.log_softmax(network(self.inputs)) - jax.nn.log_softmax(self.reference)
        return jax.nn.softplus(-self.strength * jnp.sum(self.direction * gain))


class LabelLoss(eqx.Module):
    """Minus the log-probability of a label of one input, times a sign: -1 pushes the label down.

    Attributes
    ----------
    inputs
        x, one input.
    targets
        One-hot label, at each place of a sequence.
    sign
        1 for fine-tuning, -1 for a step up.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    ren2025, supervised fine-tuning and negative gradients.
    """

    inputs: Any
    targets: Float[Array, "*places labels"]
    sign: float | Float[Array, ""] = 1.0

    def __call__(self, network: Any) -> Float[Array, ""]:
        return -self.sign * jnp.sum(self.targets * jax.nn.log_softmax(network(self.inputs)))
