"""Which interpolator training picks: gradient flow, descent with small steps, or any run whose steps were recorded.

The network is f(x) = beta.x with beta = w_+^D - w_-^D from w_+ = w_- = alpha, trained on the half mean squared error.
u v from u = a sqrt2, v = 0 at learning rate eta is, step by step, this network: D = 2, alpha = a / sqrt2, rate eta / 2.
"""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import ValidityWarning, check_positive
from solvable.theory.linear.gain import descent_gain, residual_integral
from solvable.theory.linear.interpolator import interpolate, power_interpolator


class Interpolator(eqx.Module):
    """Where training ends.

    Attributes
    ----------
    predictor
        beta.
    effective_scale
        alpha_inf, of each coordinate: the scale from which the flow would end here. At the end of a run it is
        sqrt|w_+ w_-|.
    gain
        ln(alpha^2 / alpha_inf^2), of each coordinate; 0 for the flow.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    even2023, Theorem 1.
    """

    predictor: Float[Array, " input_dim"]
    effective_scale: Float[Array, " input_dim"]
    gain: Float[Array, " input_dim"]


def flow_interpolator(
    inputs: Float[Array, "num_samples input_dim"],
    targets: Float[Array, " num_samples"],
    init_scale: float | Float[Array, ""] | Float[Array, " input_dim"],
    *,
    depth: int = 2,
) -> Interpolator:
    """The predictor that gradient flow from scale alpha ends at, without training.

    Parameters
    ----------
    inputs, targets
        X and y. Where nothing fits y exactly, the flow ends at least squares, and so does this.
    init_scale
        alpha > 0, one number or one a coordinate.
    depth
        D, from 1 on.

    Raises
    ------
    OutsideDomain
        As ``power_interpolator``, which finds it.

    References
    ----------
    woodworth2020, Theorems 1 and 3.
    """
    predictor = power_interpolator(inputs, targets, init_scale, depth)
    scale = jnp.broadcast_to(jnp.asarray(init_scale, predictor.dtype), predictor.shape)
    return Interpolator(predictor, scale, jnp.zeros_like(scale))


def sgd_interpolator(
    inputs: Float[Array, "num_samples input_dim"],
    targets: Float[Array, " num_samples"],
    init_scale: float,
    learning_rate: float,
    *,
    batch_size: int | None = None,
    replacement: bool = True,
) -> Interpolator:
    """The predictor that (stochastic) gradient descent with small steps ends at, at depth 2, without training.

    Parameters
    ----------
    inputs, targets
        X and y; some predictor must fit them.
    init_scale
        alpha > 0.
    learning_rate
        eta > 0, small next to 2 over the sharpness.
    batch_size, replacement
        As in ``descent_gain``; without a batch size, gradient descent on all samples.

    Returns
    -------
    Interpolator
        The hyperbolic interpolator of the scale that the gain leaves.

    Raises
    ------
    OutsideDomain
        As ``residual_integral`` and ``descent_gain``; a learning rate that is not positive.

    Notes
    -----
    Gains are of first order in eta, with errors of order eta relative to them: 1 to 7% for gradient descent at eta =
    0.01 to 0.05. Single runs of SGD scatter about the mean that this gives. A ValidityWarning says where eta exceeds
    2 over the curvature of a batch at the predictor, beyond which no run settles near it. Not traceable; to sweep eta,
    take ``residual_integral`` once.

    References
    ----------
    pesme2021, main theorem and first-order law; even2023, Theorem 1 and gains of small steps.
    """
    check_positive("learning_rate", learning_rate)
    residuals = residual_integral(inputs, targets, init_scale)
    gain = descent_gain(inputs, residuals, learning_rate, batch_size=batch_size, replacement=replacement)
    log_scale = 2 * jnp.log(jnp.asarray(init_scale, inputs.dtype)) - gain
    found = Interpolator(interpolate(inputs, targets, log_scale, 0.0), jnp.exp(log_scale / 2), gain)
    _warn_of_long_steps(inputs, found, learning_rate, batch_size)
    return found


def _warn_of_long_steps(inputs: Array, found: Interpolator, learning_rate: float, batch_size: int | None) -> None:
    """ValidityWarning where a batch is overshot at the predictor: all samples, or one of b that stands alone in it."""
    sharpness = diagonal_sharpness(inputs, found.predictor, found.effective_scale)
    if batch_size is not None:
        alone = jax.vmap(lambda row: diagonal_sharpness(row[None, :], found.predictor, found.effective_scale))(inputs)
        sharpness = jnp.maximum(sharpness, jnp.max(alone) / batch_size)
    longest = 2 / float(sharpness)
    if learning_rate >= longest:
        warnings.warn(
            f"`learning_rate` is {learning_rate:g}, and steps overshoot at this predictor from {longest:.3g} on: "
            "training ends elsewhere or not at all, and the gain is of no known accuracy; take a smaller one.",
            ValidityWarning,
            stacklevel=3,
        )


def recorded_interpolator(
    inputs: Float[Array, "num_samples input_dim"],
    targets: Float[Array, " num_samples"],
    init_scale: float | Float[Array, ""] | Float[Array, " input_dim"],
    *,
    log_first: Float[Array, " input_dim"],
    log_second: Float[Array, " input_dim"],
    drift: Float[Array, " input_dim"],
) -> Interpolator:
    r"""The predictor of a run of any steps and batches that has converged, from what its steps add up to, at depth 2.

    .. math:: \mathrm{gain} = -\sum_k \ln|1 - x_k| - \sum_k \ln|1 + x_k|, \qquad
       \beta = 2 \alpha_\infty^2 \sinh(X^\top \nu + c), \qquad
       c = \sum_k \big(2 x_k + \ln|1 - x_k| - \ln|1 + x_k|\big), \qquad x_k = 2 \eta_k g_k

    Parameters
    ----------
    inputs, targets
        X and y.
    init_scale
        alpha > 0.
    log_first, log_second
        Sums over steps of ln|1 - x| and ln|1 + x|, which are ln|w_+ / alpha| and ln|w_- / alpha| at the end.
        Kept apart: signs may flip and either may be large.
    drift
        Sum over steps of x, g being the batch's gradient with respect to beta, half mean squared error.

    Raises
    ------
    OutsideDomain
        As ``hyperbolic_interpolator``.

    Notes
    -----
    Exact for whatever steps do not diverge, of any size and batch; c is of third order in x.

    References
    ----------
    even2023, Theorem 1 [their alpha is sqrt2 times ours; alpha_+ and alpha_- are alpha_inf e^(+-c/2)].
    """
    gain = -(log_first + log_second)
    log_scale = 2 * jnp.log(jnp.asarray(init_scale, inputs.dtype)) - gain
    predictor = interpolate(inputs, targets, log_scale, 2 * drift + log_first - log_second)
    return Interpolator(predictor, jnp.exp(log_scale / 2), gain)


@jax.jit
def diagonal_sharpness(
    inputs: Float[Array, "num_samples input_dim"],
    predictor: Float[Array, " input_dim"],
    effective_scale: Float[Array, " input_dim"],
) -> Float[Array, ""]:
    r"""Largest curvature of the half mean squared error at an interpolator of depth 2.

    .. math:: S = \lambda_{\max}\Big(\frac1n X\,\mathrm{diag}\big(4 \sqrt{\beta^2 + 4 \alpha_\infty^4}\big) X^\top\Big)

    Parameters
    ----------
    inputs
        X.
    predictor, effective_scale
        beta and alpha_inf, as of an ``Interpolator``.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Gradient descent stays near the flow's interpolator for rates below 2/S of it. Above, up to a largest rate that
    depends on the loss and horizon asked for, it still converges, to where S is just below 2/rate.

    References
    ----------
    even2023, sharpness and edge of stability [theirs, for u v, is half of this].
    """
    weights = 4 * jnp.hypot(predictor, 2 * effective_scale**2)
    return jnp.linalg.eigvalsh((inputs * weights[None, :]) @ inputs.T / inputs.shape[0])[-1]
