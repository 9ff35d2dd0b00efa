r"""Linear regression with as many inputs as samples, or more: bias and variance of least squares at every ridge.

There are p inputs for n samples, at a ratio gamma = p/n that is kept as both grow. Errors are mean squared errors
without a half and without the labels' noise. The ridge is delta/n, that of the mean over samples: n times smaller than
the ridge of ``kernel_risk``.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_non_negative, check_positive, is_concrete
from solvable.theory.kernel.checks import Numbers, check_spectrum
from solvable.theory.kernel.regression import kernel_risk


class LeastSquaresRisk(eqx.Module):
    r"""Mean squared error of a linear map learned from samples, in its three parts; label noise is left out.

    Attributes
    ----------
    bias
        Error of the mean learned map, shape (*batch).
    variance
        What is learned of the noise and of the unseen part of the target, shape (*batch); inf at the interpolation
        threshold.
    unseen
        Power of the target that no linear map of the inputs gives, shape (*batch).

    References
    ----------
    hastie2022, bias and variance [their R is ``excess``].
    """

    bias: Float[Array, "..."]
    variance: Float[Array, "..."]
    unseen: Float[Array, "..."]

    @property
    def excess(self) -> Float[Array, "..."]:
        """The sum of the parts: the test error above the noise of labels. Raises nothing. References: hastie2022."""
        return self.bias + self.variance + self.unseen


def isotropic_risk(
    aspect: Numbers, *, signal: Numbers = 1.0, noise: Numbers = 0.0, unseen: Numbers = 0.0, mean_ridge: Numbers = 0.0
) -> LeastSquaresRisk:
    r"""Risk of regression on white inputs, of the least norm or with a ridge, in closed form.

    .. math:: \text{bias} = \frac{r^2\,(\kappa/(1 + \kappa))^2}{1 - \gamma/(1 + \kappa)^2}, \quad
       \text{variance} = \frac{(\sigma^2 + m^2)\,\gamma/(1 + \kappa)^2}{1 - \gamma/(1 + \kappa)^2}, \quad
       \frac{\gamma}{1 + \kappa} + \frac{\delta/n}{\kappa} = 1

    Without ridge :math:`\kappa = \max(\gamma - 1, 0)`: more inputs than samples leave the bias
    :math:`r^2 (1 - 1/\gamma)` and the variance :math:`\sigma^2/(\gamma - 1)`, fewer no bias and
    :math:`\sigma^2 \gamma/(1 - \gamma)`.

    Parameters
    ----------
    aspect
        gamma = p/n > 0, inputs for each sample.
    signal
        r^2 = \|beta\|^2, power of the target along the inputs.
    noise
        sigma^2, variance of the labels' noise.
    unseen
        m^2, power of the target along further, independent inputs that are not observed: it acts as noise.
    mean_ridge
        delta/n >= 0. All five are numbers or arrays that broadcast; they may be traced.

    Raises
    ------
    OutsideDomain
        A ratio that is not positive; a negative power, noise or ridge.

    Notes
    -----
    Exact as n and p grow at fixed gamma; the correction to the mean is of order 1/n. At gamma = 1 without ridge the
    variance is inf, and close to it single draws scatter as widely as their mean.

    References
    ----------
    hastie2022, Theorem 1 (ridgeless), Theorem 5 and Corollary 5 (ridge) [their lambda is ``mean_ridge``, their
    m(-lambda) is kappa/(lambda (1 + kappa))]; misspecified model with isotropic features.
    """
    check_positive("aspect", aspect)
    for name, value in (("signal", signal), ("noise", noise), ("unseen", unseen), ("mean_ridge", mean_ridge)):
        check_non_negative(name, value)
    return _isotropic(aspect, signal, noise, unseen, mean_ridge)


def best_isotropic_ridge(aspect: Numbers, *, signal: Numbers, noise: Numbers) -> Float[Array, "..."]:
    r"""The ridge delta/n of least risk on white inputs, :math:`\sigma^2 \gamma / r^2`; inf without signal.

    Parameters
    ----------
    aspect, signal, noise
        As for ``isotropic_risk``; unseen power belongs to the noise.

    Raises
    ------
    OutsideDomain
        As ``isotropic_risk``.

    References
    ----------
    hastie2022, optimal ridge.
    """
    check_positive("aspect", aspect)
    check_non_negative("signal", signal)
    check_non_negative("noise", noise)
    return _best_ridge(aspect, signal, noise)


def ridgeless_minimum(signal_to_noise: Numbers) -> Float[Array, "..."]:
    r"""Inputs for each sample, beyond 1, at which least squares on white inputs errs least.

    .. math:: \gamma = \frac{\sqrt{\mathrm{SNR}}}{\sqrt{\mathrm{SNR}} - 1}

    Parameters
    ----------
    signal_to_noise
        SNR = r^2/sigma^2 >= 0, a number or an array.

    Returns
    -------
    Array
        Above 1; inf up to SNR = 1, where the risk only falls towards that of predicting 0, from above. At the minimum
        the risk is sigma^2 (2 sqrt(SNR) - 1). Fewer inputs than samples, gamma < 1, may err less still.

    Raises
    ------
    OutsideDomain
        A negative or infinite ratio.

    References
    ----------
    hastie2022, Sec. on isotropic features, local minimum of the risk.
    """
    check_non_negative("signal_to_noise", signal_to_noise)
    return _minimum(signal_to_noise)


def least_squares_risk(
    eigenvalues: Float[Array, " mode"],
    signal_power: Float[Array, " entries"],
    aspect: Numbers,
    *,
    multiplicities: Float[Array, " mode"] | None = None,
    noise: Numbers = 0.0,
    unseen: Numbers = 0.0,
    mean_ridge: Numbers = 0.0,
) -> LeastSquaresRisk:
    r"""Risk of regression on correlated inputs, of the least norm or with a ridge.

    .. math:: 1 - \frac1\gamma = \sum_i \frac{h_i}{1 + c_0 \gamma s_i}, \qquad \kappa = \frac{1}{c_0 \gamma}

    Parameters
    ----------
    eigenvalues
        s_i >= 0 of the inputs' covariance, with ``multiplicities`` their law H.
    signal_power
        beta_i^2, squared coefficients of the target along the eigenvectors, summed over those of one eigenvalue; their
        sum is r^2, their shares of it the law G.
    aspect, noise, unseen, mean_ridge
        As for ``isotropic_risk``; those that are arrays have one shape.
    multiplicities
        How many inputs share each eigenvalue; only ratios matter, as gamma says how many there are. Ones unless given.

    Raises
    ------
    OutsideDomain
        As ``isotropic_risk`` and ``kernel_risk``.

    Notes
    -----
    ``kernel_risk`` at n = 1/gamma for one input, split into bias and variance. For gamma < 1 without ridge the
    covariance does not matter: no bias, and the variance of white inputs.

    References
    ----------
    hastie2022, Theorem 2 [c_0 is 1/(gamma kappa)] and Theorem 5.
    """
    check_positive("aspect", aspect)
    for name, value in (("noise", noise), ("unseen", unseen), ("mean_ridge", mean_ridge)):
        check_non_negative(name, value)
    check_non_negative("signal_power", signal_power)
    multiplicities = check_spectrum(eigenvalues, multiplicities)
    if signal_power.shape != eigenvalues.shape:
        raise OutsideDomain(
            f"`signal_power` has shape {signal_power.shape} and `eigenvalues` {eigenvalues.shape}; each eigenvalue has "
            "one."
        )
    return _correlated(eigenvalues, signal_power, multiplicities, aspect, noise, unseen, mean_ridge)


def latent_space_risk(
    aspect: Numbers,
    latent_ratio: Numbers,
    *,
    strength: Numbers = 1.0,
    signal: Numbers = 1.0,
    noise: Numbers = 0.0,
    mean_ridge: Numbers = 0.0,
) -> LeastSquaresRisk:
    r"""Risk where d hidden causes z drive both the target and the p inputs, which see each of them the better the more.

    .. math:: x = W z + u, \qquad y = \theta \cdot z + \xi, \qquad W^\top W = \frac{p \mu}{d} I

    Parameters
    ----------
    aspect, noise, mean_ridge
        As for ``isotropic_risk``.
    latent_ratio
        psi = d/p in (0, 1]; at a fixed number of causes d/n it is (d/n)/aspect.
    strength
        mu >= 0, the causes' power in each input; the inputs' own noise u has power 1.
    signal
        \|theta\|^2. All six are numbers or arrays that broadcast; they may be traced.

    Returns
    -------
    LeastSquaresRisk
        ``unseen`` is what the inputs do not tell of z, :math:`|\theta|^2 \psi/(\psi + \mu)`.

    Raises
    ------
    OutsideDomain
        As ``isotropic_risk``; more causes than inputs.

    Notes
    -----
    The inputs' covariance is 1 + mu/psi along d directions, which carry all signal, and 1 along the others. With few
    causes and little noise the least risk is beyond the interpolation threshold, even at infinitely many inputs.

    References
    ----------
    hastie2022, latent space model and its corollary.
    """
    check_positive("aspect", aspect)
    for name, value in (("strength", strength), ("signal", signal), ("noise", noise), ("mean_ridge", mean_ridge)):
        check_non_negative(name, value)
    if is_concrete(latent_ratio) and not np.all((np.asarray(latent_ratio) > 0) & (np.asarray(latent_ratio) <= 1)):
        raise OutsideDomain(
            f"`latent_ratio` is {latent_ratio}; it must be above 0 and at most 1: hidden causes an input."
        )
    return _latent_space(aspect, latent_ratio, strength, signal, noise, mean_ridge)


@jax.jit
def _isotropic(aspect, signal, noise, unseen, mean_ridge) -> LeastSquaresRisk:
    surplus = aspect + mean_ridge - 1
    root = jnp.sqrt(surplus**2 + 4 * mean_ridge)
    # The larger root of kappa^2 - surplus kappa - ridge, without a difference of near numbers on either side.
    kappa = jnp.where(surplus >= 0, (surplus + root) / 2, 2 * mean_ridge / jnp.where(surplus >= 0, 1, root - surplus))
    learned = aspect / (1 + kappa) ** 2
    return LeastSquaresRisk(
        _ratio(signal * (kappa / (1 + kappa)) ** 2, 1 - learned),
        _ratio((noise + unseen) * learned, 1 - learned),
        unseen + jnp.zeros_like(learned),
    )


@jax.jit
def _best_ridge(aspect, signal, noise) -> Array:
    return jnp.where(signal > 0, aspect * noise / jnp.where(signal > 0, signal, 1.0), jnp.inf)


@jax.jit
def _minimum(signal_to_noise) -> Array:
    high = signal_to_noise > 1
    return jnp.where(high, 1 / (1 - 1 / jnp.sqrt(jnp.where(high, signal_to_noise, 4.0))), jnp.inf)


@jax.jit
def _correlated(eigenvalues, signal_power, multiplicities, aspect, noise, unseen, mean_ridge) -> LeastSquaresRisk:
    shares = multiplicities / jnp.sum(multiplicities)
    risk = kernel_risk(
        eigenvalues, eigenvalues * signal_power, 1 / aspect, ridge=mean_ridge / aspect, multiplicities=shares
    )
    # Less exact as the difference of the overfitting from 1, which may be close.
    learned = aspect * jnp.sum(jnp.expand_dims(shares, range(risk.excess.ndim)) * risk.learnability**2, axis=-1)
    fitted = noise + unseen + jnp.zeros_like(risk.excess)
    variance = jnp.where(fitted > 0, jnp.where(fitted > 0, fitted, 1) * learned * risk.overfitting, 0)
    return LeastSquaresRisk(risk.excess, variance, unseen + jnp.zeros_like(risk.excess))


@jax.jit
def _latent_space(aspect, latent_ratio, strength, signal, noise, mean_ridge) -> LeastSquaresRisk:
    def one(aspect, ratio, strength, signal, noise, mean_ridge):
        power = jnp.stack([signal * strength * ratio / (ratio + strength) ** 2, jnp.zeros_like(ratio)])
        return _correlated(
            jnp.stack([1 + strength / ratio, jnp.ones_like(ratio)]),
            power,
            jnp.stack([ratio, 1 - ratio]),
            aspect,
            noise,
            signal * ratio / (ratio + strength),
            mean_ridge,
        )

    parts = jnp.broadcast_arrays(aspect, latent_ratio, strength, signal, noise, mean_ridge)
    flat = [part.astype(jnp.result_type(*parts)).ravel() for part in parts]
    return jax.tree.map(lambda part: part.reshape(parts[0].shape), jax.vmap(one)(*flat))


def _ratio(part: Array, whole: Array) -> Array:
    """part/whole for whole >= 0, up to rounding: inf at 0 where there is something to divide, 0 where not."""
    positive = whole > 4 * jnp.finfo(jnp.result_type(part)).eps
    return jnp.where(positive, part / jnp.where(positive, whole, 1), jnp.where(part > 0, jnp.inf, 0))
