"""One step on one example and what it does to another: log-probabilities of a softmax under fine-tuning."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_choice, check_positive, is_concrete


@jax.jit
def log_probability_change(
    observed_probabilities: Float[Array, "*positions labels"],
    kernel: Float[Array, "*positions labels sources labels"],
    residuals: Float[Array, "sources labels"],
    learning_rate: float | Float[Array, ""],
) -> Float[Array, "*positions labels"]:
    r"""First-order change of the log-probabilities of one example by a gradient step on others.

    .. math:: \Delta \ln \pi(\cdot|x_o, l) = -\eta\,A_l \sum_m K_{lm}\,G_m, \qquad A_l = I - 1\,\pi(\cdot|x_o, l)^\top

    Parameters
    ----------
    observed_probabilities
        pi at the observed example, before the step; leading axes are its positions l where it is a sequence.
    kernel
        K, products of the gradients of the observed logits with those that are trained on, summed over all weights. Its
        last two axes are the places that are trained on, such as the positions m of a response, and their labels.
    residuals
        G, the derivative of the loss by the logits at each of these places: see ``fine_tuning_residual`` and
        ``preference_weights``.
    learning_rate
        eta, negative for a step up the loss.

    Returns
    -------
    Array
        Of the labels, whose probabilities weigh it to 0. What is left out is of second order in eta.

    Raises
    ------
    Raises nothing.

    References
    ----------
    ren2025, Proposition 1, and its form for sequences.
    """
    logits = -jnp.asarray(learning_rate, kernel.dtype) * jnp.einsum("...isj,sj->...i", kernel, residuals)
    return logits - jnp.sum(observed_probabilities * logits, axis=-1, keepdims=True)


def fine_tuning_residual(
    probabilities: Float[Array, "*places labels"], targets: Float[Array, "*places labels"]
) -> Float[Array, "*places labels"]:
    """The derivative of the cross-entropy by the logits: G = pi - e_y.

    Parameters
    ----------
    probabilities
        pi where it is trained.
    targets
        One-hot labels, or any distribution over labels.

    Raises
    ------
    Raises nothing.

    References
    ----------
    ren2025, supervised fine-tuning.
    """
    return probabilities - targets


def preference_weight(
    margin: float | Float[Array, "..."], *, loss: str = "dpo", strength: float = 1.0
) -> Float[Array, "..."]:
    r"""The number in front of both residuals of a preference loss, minus its derivative by the margin.

    .. math:: G_+ = w\,(\pi - e_{y_+}), \quad G_- = w\,(\pi - e_{y_-}), \qquad w = -\frac{dL}{dM}, \quad
       M = \ln\frac{\pi(y_+)}{\pi_\mathrm{ref}(y_+)} - \ln\frac{\pi(y_-)}{\pi_\mathrm{ref}(y_-)}

    Parameters
    ----------
    margin
        M. For ``"slic"`` it is that of the model alone, without the reference.
    loss
        ``"dpo"``, -ln sigmoid(b M), of weight b (1 - sigmoid(b M)); ``"ipo"``, (M - 1/(2 b))^2, of weight
        2 (1/(2 b) - M), which changes sign; ``"slic"``, max(0, b - M), of weight 1 where M < b and 0 beyond.
    strength
        b > 0.

    Returns
    -------
    Array
        w. The change of log-probabilities is that of a step on the chosen response with G_+ and one on the rejected
        with -G_-.

    Raises
    ------
    OutsideDomain
        An unknown loss, a strength that is not positive.

    References
    ----------
    ren2025, DPO and its relatives; Rafailov et al. (2023), Eq. 7; Azar et al. (2023), Eq. 17; Zhao et al. (2023), Eq. 1
    [without regularisation].
    """
    check_choice("loss", loss, ("dpo", "ipo", "slic"))
    check_positive("strength", strength)
    margin = jnp.asarray(margin, jnp.result_type(float))
    if loss == "dpo":
        return strength * jax.nn.sigmoid(-strength * margin)
    return 1 / strength - 2 * margin if loss == "ipo" else (margin < strength).astype(margin.dtype)


@jax.jit
def squeezed_probabilities(
    probabilities: Float[Array, "*batch labels"], labels: Float[Array, "*batch labels"], step: Float[Array, "*batch"]
) -> Float[Array, "*batch labels"]:
    r"""Probabilities after one step that pushes a label down, exactly.

    .. math:: \pi_i' = \frac{\pi_i\,e^{h(\pi_i - 1[i = y])}}{S}, \qquad S = \sum_j \pi_j\,e^{h(\pi_j - 1[j = y])}

    Parameters
    ----------
    probabilities
        pi, of sum 1.
    labels
        One-hot y, the label trained on.
    step
        h = eta k, learning rate times the squared length of the features of a softmax regression (or of any model whose
        kernel on its own example is k times the identity). Positive for a step up -ln pi(y), which pushes y down;
        negative for fine-tuning on y.

    Returns
    -------
    Array
        The pushed label falls and the likeliest other one grows, for every h > 0; of the others the likely gain on the
        unlikely, and those below ``squeezing_threshold`` shrink.

    Raises
    ------
    Raises nothing.

    References
    ----------
    ren2025, squeezing effect.
    """
    return jax.nn.softmax(_pushed(probabilities, labels, step), axis=-1)


@jax.jit
def squeezing_threshold(
    probabilities: Float[Array, "*batch labels"], labels: Float[Array, "*batch labels"], step: Float[Array, "*batch"]
) -> Float[Array, "*batch"]:
    r"""The probability below which labels other than the one pushed down shrink too.

    .. math:: \pi_* = \frac{\ln S}{h} \;\xrightarrow{h \to 0}\; \sum_j \pi_j^2 - \pi_y

    Parameters
    ----------
    probabilities, labels, step
        As for ``squeezed_probabilities``; a step of 0 gives the limit of small ones. For negative steps, fine-tuning on
        y, labels above the threshold shrink.

    Returns
    -------
    Array
        Negative where nothing else shrinks, as for small steps on a label that is the peak: squeezing is what pushing
        down an unlikely label does.

    Raises
    ------
    Raises nothing.

    References
    ----------
    ren2025, squeezing effect.
    """
    limit = _squeezing_drift(probabilities, labels)
    safe = jnp.where(step == 0, 1, step)
    exponent = safe[..., None] * (probabilities - labels)
    # Of small steps the logarithm would keep the rounding of 1 only.
    small = jnp.log1p(jnp.sum(probabilities * jnp.expm1(jnp.where(jnp.abs(exponent) < 1, exponent, 0)), axis=-1))
    large = jax.nn.logsumexp(_pushed(probabilities, labels, safe), axis=-1)
    return jnp.where(step == 0, limit, jnp.where(jnp.abs(safe) < 0.5, small, large) / safe)


@jax.jit
def squeezing_rate(
    probabilities: Float[Array, "*batch labels"], labels: Float[Array, "*batch labels"]
) -> Float[Array, "*batch labels"]:
    r"""The law of many small steps, with time the sum of their h.

    .. math:: \frac{d \ln \pi_i}{dt} = \pi_i - 1[i = y] - \Big(\sum_j \pi_j^2 - \pi_y\Big)

    Parameters
    ----------
    probabilities, labels
        As for ``squeezed_probabilities``.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    The entropy of the labels other than y, renormalised, falls at the covariance of pi and ln pi among them.

    References
    ----------
    ren2025, squeezing effect.
    """
    return probabilities - labels - _squeezing_drift(probabilities, labels)[..., None]


@partial(jax.jit, static_argnames="steps")
def squeezing_path(
    probabilities: Float[Array, "*batch labels"],
    labels: Float[Array, "*batch labels"],
    step: Float[Array, "*batch"],
    steps: int,
) -> Float[Array, "records *batch labels"]:
    """Probabilities before and after each of many steps that push a label down, exactly.

    Parameters
    ----------
    probabilities, labels, step
        As for ``squeezed_probabilities``.
    steps
        How many.

    Returns
    -------
    Array
        Records first, the start among them. In the end the likeliest of the other labels has all.

    Raises
    ------
    Raises nothing.

    References
    ----------
    ren2025, squeezing effect.
    """

    def push(now, _):
        return squeezed_probabilities(now, labels, step), now

    last, records = jax.lax.scan(push, probabilities, length=steps)
    return jnp.concatenate([records, last[None]])


def rest_entropy(
    probabilities: Float[Array, "*batch labels"], labels: Float[Array, "*batch labels"]
) -> Float[Array, "*batch"]:
    """Entropy of the labels other than one, renormalised: it falls with every step that pushes that one down.

    Parameters
    ----------
    probabilities, labels
        As for ``squeezed_probabilities``.

    Returns
    -------
    Array
        In nats; 0 where one label has all of the rest.

    Raises
    ------
    OutsideDomain
        A label that has all of the probability.

    References
    ----------
    ren2025, squeezing effect.
    """
    rest = jnp.where(labels > 0, 0, probabilities)
    total = jnp.sum(rest, axis=-1, keepdims=True)
    if is_concrete(total) and bool(jnp.any(total <= 0)):
        raise OutsideDomain("`probabilities` leaves nothing for the other labels; their distribution has no meaning.")
    return jnp.sum(jax.scipy.special.entr(rest / total), axis=-1)


def _pushed(probabilities: Array, labels: Array, step: Array) -> Array:
    """Logits after the step, up to a constant; -inf for labels of probability 0, which stay."""
    return jnp.log(probabilities) + step[..., None] * (probabilities - labels)


def _squeezing_drift(probabilities: Array, labels: Array) -> Array:
    return jnp.sum(probabilities**2 - labels * probabilities, axis=-1)
