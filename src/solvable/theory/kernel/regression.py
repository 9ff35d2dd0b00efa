"""Kernel ridge regression from the kernel's spectrum: which modes are learned from n samples, and the risk.

All errors are mean squared errors without a half. The ridge is that of the sum over samples,
:math:`\\sum_\\mu (f(x_\\mu) - y_\\mu)^2 + \\delta\\,\\|f\\|^2`: with the mean over samples it is n times smaller.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_non_negative, check_positive
from solvable.theory.kernel.checks import Numbers, broadcast_numbers, check_power, check_spectrum
from solvable.theory.kernel.ridge_equation import map_over, solve_ridge


class KernelRisk(eqx.Module):
    r"""What kernel ridge regression learns from n samples, mode by mode, on average over training sets.

    Attributes
    ----------
    eigenvalues, target_power, multiplicities
        Of the kernel and the target, shape (mode,).
    num_samples
        n, shape (*batch).
    effective_ridge
        kappa, below which eigenvalues are hardly learned, shape (*batch), as all that follows.
    overfitting
        :math:`E_0 = n/(n - \sum_i L_i^2)`, by which all error is larger than that of infinitely many samples at ridge
        kappa; inf at the interpolation threshold, where the risk diverges.
    test
        Mean squared error on new samples, noise of their labels included.
    train
        Mean squared error on the training set.
    excess
        ``test`` without the noise of the labels: the sum of ``mode_error``.

    References
    ----------
    simon2023a; canatar2021 [their kappa is n times ours; their E_g is ``excess``].
    """

    eigenvalues: Float[Array, " mode"]
    target_power: Float[Array, " mode"]
    multiplicities: Float[Array, " mode"]
    num_samples: Float[Array, "*batch"]
    effective_ridge: Float[Array, "*batch"]
    overfitting: Float[Array, "*batch"]
    test: Float[Array, "*batch"]
    train: Float[Array, "*batch"]
    excess: Float[Array, "*batch"]

    @property
    def learnability(self) -> Float[Array, "*batch mode"]:
        r""":math:`L_i = \lambda_i/(\lambda_i + \kappa)`, the mean learned share of each mode. Raises nothing.

        References: simon2023a.
        """
        return _learnability(*_by_mode(self.eigenvalues, self.effective_ridge))

    @property
    def mode_error(self) -> Float[Array, "*batch mode"]:
        r""":math:`E(\hat v_i - v_i)^2` of each mode, or of each level summed over its modes. Raises nothing.

        References: canatar2021, mode errors; simon2023a.
        """
        learnability = self.learnability
        power, spread = _by_mode(self.target_power, self.test / self.num_samples)
        multiplicities = jnp.expand_dims(self.multiplicities, range(self.test.ndim))
        # A mode of which nothing is learned has no variance, where the risk diverges too.
        variance = jnp.where(learnability > 0, spread, 0) * multiplicities * learnability**2
        return (1 - learnability) ** 2 * power + variance


def effective_ridge(
    eigenvalues: Float[Array, " mode"],
    num_samples: Numbers,
    *,
    ridge: Numbers = 0.0,
    multiplicities: Float[Array, " mode"] | None = None,
) -> Float[Array, "*batch"]:
    r"""The ridge kappa that infinitely many samples would need to learn as little as n samples do.

    .. math:: \sum_i \frac{m_i \lambda_i}{\lambda_i + \kappa} + \frac{\delta}{\kappa} = n

    Parameters
    ----------
    eigenvalues
        lambda_i >= 0 of the kernel with respect to the law of inputs, in any order.
    num_samples
        n > 0, any real number or an array of them; may be traced.
    ridge
        delta >= 0, a number or an array, which broadcasts against ``num_samples``; may be traced.
    multiplicities
        m_i >= 0, how many modes share each eigenvalue; ones unless given.

    Returns
    -------
    Array
        kappa >= 0: 0 without ridge for at least as many samples as modes. Differentiable, by the implicit function
        theorem. In the eigenvalues' dtype: kappa goes down to 1e-18 for steep spectra, which want float64.

    Raises
    ------
    OutsideDomain
        Negative or infinite eigenvalues or ridge, no samples, shapes that do not fit.

    Notes
    -----
    Newton's method on the logarithms, kept inside a bracket: about ten steps for any spectrum, to rounding. A truncated
    spectrum leaves out the trace of its tail, which acts as a ridge: add it to ``ridge``.

    References
    ----------
    simon2023a, implicit equation for kappa; jacot2020, signal capture threshold; wei2022.
    """
    multiplicities = check_spectrum(eigenvalues, multiplicities)
    samples, delta = check_numbers(eigenvalues, num_samples=num_samples, ridge=ridge)
    return solve_ridge(eigenvalues, multiplicities, samples, delta)


def kernel_risk(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Numbers,
    *,
    ridge: Numbers = 0.0,
    noise: Numbers = 0.0,
    multiplicities: Float[Array, " mode"] | None = None,
) -> KernelRisk:
    r"""Train and test error of kernel ridge regression, from spectrum and target (the omniscient risk estimate).

    .. math:: \text{test} = E_0 \Big(\sum_i (1 - L_i)^2\,v_i^2 + \sigma^2\Big), \qquad
       \text{train} = \Big(\frac{\delta}{n \kappa}\Big)^2 \text{test}

    Parameters
    ----------
    eigenvalues, num_samples, ridge, multiplicities
        As for ``effective_ridge``. Linear regression has the eigenvalues of the inputs' covariance.
    target_power
        v_i^2, the squared coefficient of the target along each orthonormal eigenfunction; of a level, summed over its
        modes. In linear regression lambda_i beta_i^2.
    noise
        Variance sigma^2 of the labels' noise, a number or an array as ``ridge``. Power outside the span of the
        eigenfunctions acts as noise: add it, and the excess then does not hold it.

    Raises
    ------
    OutsideDomain
        As ``effective_ridge``; power or noise that is negative.

    Notes
    -----
    Exact in the limit of many samples and modes; the relative correction is of order 1/n for features that are nearly
    Gaussian, and one training set fluctuates by more. Along modes of eigenvalue 0 nothing is learned.

    References
    ----------
    simon2023a, test and train error; canatar2021, Eq. (4); hastie2022, Theorem 5; jacot2020, Theorem 6.
    """
    multiplicities = check_spectrum(eigenvalues, multiplicities)
    check_power(target_power, eigenvalues)
    numbers = check_numbers(eigenvalues, num_samples=num_samples, ridge=ridge, noise=noise)
    return _risk(eigenvalues, multiplicities, target_power, *numbers)


@jax.jit
def _risk(eigenvalues, multiplicities, power, samples, ridge, noise) -> KernelRisk:
    kappa = solve_ridge(eigenvalues, multiplicities, samples, ridge)

    def sums(kappa):
        learnability = _learnability(eigenvalues, kappa)
        return jnp.sum(multiplicities * learnability**2), jnp.sum((1 - learnability) ** 2 * power)

    learned, unlearned = map_over(sums, kappa, eigenvalues.size)
    remaining = samples - learned
    # At the threshold rounding leaves a remainder of either sign.
    below = remaining > samples * jnp.finfo(samples.dtype).eps * 8
    overfitting = jnp.where(below, samples / remaining, jnp.inf)
    # Not the test error minus the noise, in which a small excess would drown. Nothing to fit is fitted exactly.
    fault = samples * unlearned + learned * noise
    excess = jnp.where(fault > 0, jnp.where(below, fault / remaining, jnp.inf), 0)
    test = excess + noise
    # Without ridge, training error is left only where modes are fewer than samples.
    modes = jnp.sum(jnp.where(eigenvalues > 0, multiplicities, 0))
    kept = jnp.where(ridge > 0, ridge / (samples * jnp.where(kappa > 0, kappa, 1)), jnp.maximum(1 - modes / samples, 0))
    train = jnp.where(kept > 0, kept**2 * jnp.where(kept > 0, test, 1), 0)
    return KernelRisk(eigenvalues, power, multiplicities, samples, kappa, overfitting, test, train, excess)


def _learnability(eigenvalues: Array, kappa: Array) -> Array:
    """lambda/(lambda + kappa), where kappa = 0 learns every mode but those of eigenvalue 0."""
    total = eigenvalues + kappa
    return jnp.where(total > 0, eigenvalues / jnp.where(total > 0, total, 1), 0)


def _by_mode(modes: Array, batch: Array) -> tuple[Array, Array]:
    """Both with all axes: those of the batch, then the modes."""
    return jnp.expand_dims(modes, range(batch.ndim)), batch[..., None]


def check_numbers(eigenvalues: Array, **numbers: Numbers) -> list[Array]:
    """Samples, ridge, noise as arrays of one shape. Raises OutsideDomain for what has no meaning. References: none."""
    for name, value in numbers.items():
        (check_positive if name == "num_samples" else check_non_negative)(name, value)
    return broadcast_numbers(eigenvalues.dtype, **numbers)
