r"""Powers of the number of samples by which the error of kernel regression falls, from those of spectrum and target.

Eigenvalues fall as :math:`\lambda_i \sim i^{-a}` (capacity a), the target's power along them as
:math:`v_i^2 \sim i^{-(1 + 2 a r)}` (source r). Errors are mean squared errors without a half and without the labels'
noise; the ridge delta is that of the sum over samples, so that delta/n belongs to their mean.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from solvable.errors import OutsideDomain, check_non_negative, is_concrete
from solvable.theory.kernel.checks import Numbers


class RegressionRegime(eqx.Module):
    r"""Which of two errors leads, what is unlearned of the target or what is learned of the noise, and as what power.

    The excess error is the larger of :math:`n^{-\text{target\_exponent}}` and
    :math:`\sigma^2 n^{-\text{noise\_exponent}}`, up to factors of order one.

    Attributes
    ----------
    target_exponent, noise_exponent
        The powers of both errors, shape (*batch); a noise_exponent of 0 is a plateau.
    crossover
        Number of samples at which both are as large, shape (*batch). Where ``target_exponent`` is the larger, the noise
        leads beyond it (inf without noise); elsewhere below it (0 without noise).
    log_noise
        ln sigma^2, -inf without noise, shape (*batch).
    unridged
        Whether the ridge is too small to matter, shape (*batch).

    References
    ----------
    cui2023, regression regimes.
    """

    target_exponent: Float[Array, "*batch"]
    noise_exponent: Float[Array, "*batch"]
    crossover: Float[Array, "*batch"]
    log_noise: Float[Array, "*batch"]
    unridged: Bool[Array, "*batch"]

    def is_noisy(self, num_samples: Numbers = np.inf) -> Bool[Array, "*batch"]:
        """Whether noise leads at n samples; after ever more of them unless given. Raises nothing.

        References: cui2023.
        """
        growth = self.target_exponent - self.noise_exponent
        # 0 times the logarithm of infinity is 0 here: both fall alike.
        gained = jnp.where(growth == 0, 0, growth * jnp.log(jnp.where(growth == 0, 1, num_samples)))
        return (self.log_noise > -jnp.inf) & (self.log_noise + gained > 0)

    def exponent(self, num_samples: Numbers = np.inf) -> Float[Array, "*batch"]:
        """The power of 1/n with which the excess error falls there. Raises nothing.

        References: cui2023.
        """
        return jnp.where(self.is_noisy(num_samples), self.noise_exponent, self.target_exponent)

    def name(self, num_samples: Numbers = np.inf) -> np.ndarray | str:
        """The colour of the regime in the paper's phase diagram, a word or words of shape (*batch); not under ``jit``.

        Without an effective ridge it is green (the target leads) or red (noise: a plateau); with one, blue (the target)
        or orange (noise). Raises nothing. References: cui2023.
        """
        noisy, unridged = np.asarray(self.is_noisy(num_samples)), np.asarray(self.unridged)
        return np.where(noisy, np.where(unridged, "red", "orange"), np.where(unridged, "green", "blue"))[()]


def noise_free_exponent(capacity: Numbers, source: Numbers) -> Float[Array, "..."]:
    r"""The power :math:`2 a \min(r, 1)` of 1/n with which the error falls without noise and ridge.

    Parameters
    ----------
    capacity, source
        a > 1 and r > 0, numbers or arrays that broadcast; inf stands for faster decay than any power.

    Raises
    ------
    OutsideDomain
        A capacity of at most 1, where the kernel has no trace, or a source of at most 0, where the target has no power.

    Notes
    -----
    The local exponent converges slowly near r = 1, where logarithms appear. In the letters of wei2022's law,
    :math:`v_i^2 \sim i^{-(1+s)}`: s = 2 a r, and the exponent is min(s, 2 a).

    References
    ----------
    wei2022, scaling law; cui2023, green regime.
    """
    return _exponents(*_check(capacity, source))[0]


def noisy_exponent(capacity: Numbers, source: Numbers) -> Float[Array, "..."]:
    r"""The power :math:`m/(1 + m)`, m = 2 a min(r, 1), of 1/n with which the error falls with noise at the best ridge.

    Parameters
    ----------
    capacity, source
        As for ``noise_free_exponent``.

    Raises
    ------
    OutsideDomain
        As ``noise_free_exponent``.

    References
    ----------
    wei2022, scaling law; caponnetto2007, Theorem 1 [their b is a, their c is 2 r]; cui2023.
    """
    return _exponents(*_check(capacity, source))[1]


def best_ridge_exponent(capacity: Numbers, source: Numbers) -> Float[Array, "..."]:
    r"""The power :math:`a/(1 + 2 a \min(r, 1))` of 1/n with which the best ridge falls, delta/n, where there is noise.

    Parameters
    ----------
    capacity, source
        As for ``noise_free_exponent``.

    Raises
    ------
    OutsideDomain
        As ``noise_free_exponent``.

    References
    ----------
    caponnetto2007, Theorem 1; cui2023, crossover of the regimes; wei2022.
    """
    return _exponents(*_check(capacity, source))[2]


def max_margin_exponent(capacity: Numbers, source: Numbers) -> Float[Array, "..."]:
    r"""The power :math:`a s/(1 + a s)`, s = min(r, 1/2), of 1/n with which the max-margin classifier's error falls.

    Parameters
    ----------
    capacity, source
        As for ``noise_free_exponent``; labels are the target's sign.

    Raises
    ------
    OutsideDomain
        As ``noise_free_exponent``.

    Notes
    -----
    Of the classification error, not of a squared one. Never below ``ridge_classifier_exponent``. Within 0.02 of the
    local exponent of ``max_margin_risk`` from 1000 samples on, except near r = 1/2, where logarithms appear.

    References
    ----------
    cui2023, max-margin rate.
    """
    return _classification_exponents(*_check(capacity, source))[0]


def ridge_classifier_exponent(capacity: Numbers, source: Numbers) -> Float[Array, "..."]:
    r"""The power :math:`a s/(1 + 2 a s)`, s = min(r, 1), of 1/n with which the best ridge classifier's error falls.

    Parameters
    ----------
    capacity, source
        As for ``max_margin_exponent``.

    Raises
    ------
    OutsideDomain
        As ``noise_free_exponent``.

    Notes
    -----
    Half of ``noisy_exponent``: to least squares a sign is its field with noise, and the error is an angle.

    References
    ----------
    cui2023, ridge classification at optimal regularisation.
    """
    return _classification_exponents(*_check(capacity, source))[1]


def regression_regime(
    capacity: Numbers, source: Numbers, ridge_exponent: Numbers, *, noise: Numbers = 0.0
) -> RegressionRegime:
    r"""The regime of kernel regression at the ridge :math:`\delta/n = n^{-\ell}`: exponents, colour and crossover.

    .. math:: \text{excess} \sim \max\!\big(n^{-2 \min(\ell, a) \min(r, 1)},\ \sigma^2 n^{-\max(1 - \ell/a,\,0)}\big)

    Parameters
    ----------
    capacity, source
        a and r, as for ``noise_free_exponent``.
    ridge_exponent
        l >= 0; inf for no ridge.
    noise
        Variance sigma^2 of the labels' noise, at least 0.

    Raises
    ------
    OutsideDomain
        As ``noise_free_exponent``; a negative ``ridge_exponent`` or noise.

    Notes
    -----
    The noise takes over as n grows where l exceeds ``best_ridge_exponent``. The plateau without ridge is
    sigma^2 (a - 1); other factors of order one are left out here and are in ``kernel_risk``.

    References
    ----------
    cui2023, regression regimes and their crossovers.
    """
    capacity, source = _check(capacity, source)
    _check_above("ridge_exponent", ridge_exponent, 0, strictly=False)
    check_non_negative("noise", noise)
    return _regime(capacity, source, ridge_exponent, noise)


@jax.jit
def _exponents(capacity, source) -> tuple[Array, Array, Array]:
    capped = jnp.minimum(source, 1.0)
    free = 2 * capacity * capped
    # Reciprocals, which have a value at infinite capacity.
    return free, 1 / (1 + 1 / free), 1 / (1 / capacity + 2 * capped)


@jax.jit
def _classification_exponents(capacity, source) -> tuple[Array, Array]:
    margin = capacity * jnp.minimum(source, 0.5)
    return 1 / (1 + 1 / margin), _exponents(capacity, source)[1] / 2


@jax.jit
def _regime(capacity, source, ridge_exponent, noise) -> RegressionRegime:
    reached = jnp.minimum(ridge_exponent, capacity)
    target = 2 * reached * jnp.minimum(source, 1.0)
    # A finite rank, which infinite capacity stands for, learns ever less noise without any ridge too.
    finite = jnp.isfinite(capacity)
    kept = jnp.where(finite, 1 - reached / capacity, 1.0)
    log_noise = jnp.log(jnp.asarray(noise, kept.dtype))
    growth = target - kept
    log_crossover = jnp.where(
        growth == 0, -jnp.sign(log_noise) * jnp.inf, -log_noise / jnp.where(growth == 0, 1, growth)
    )
    crossover = jnp.exp(jnp.where(log_noise == 0, 0, log_crossover))
    parts = jnp.broadcast_arrays(target, kept, crossover, log_noise, finite & (ridge_exponent >= capacity))
    return RegressionRegime(*parts)


def _check(capacity: Numbers, source: Numbers) -> tuple[Numbers, Numbers]:
    _check_above("capacity", capacity, 1)
    _check_above("source", source, 0)
    return capacity, source


def _check_above(name: str, value: Numbers, least: float, *, strictly: bool = True) -> None:
    """Raise OutsideDomain for values at or below ``least``, or below it, and for NaN; inf is allowed."""
    if is_concrete(value) and not np.all(np.asarray(value) > least if strictly else np.asarray(value) >= least):
        bound = f"above {least}" if strictly else f"at least {least}"
        raise OutsideDomain(f"`{name}` is {value}; it must be {bound}, each of an array; inf is allowed.")
