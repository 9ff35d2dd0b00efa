r"""How many passes over the data averaged SGD wants, and how its error falls, as powers of the number of samples.

Power laws have the letters of ``scaling``: capacity a and source r of spectrum and target.
"""

import math
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete
from solvable.theory.kernel.checks import Numbers
from solvable.theory.kernel.scaling import noise_free_exponent, noisy_exponent


@dataclass(frozen=True)
class MultipassExponents:
    r"""Powers of the number of samples n for averaged SGD at a constant learning rate on a power-law task.

    Attributes
    ----------
    regime
        ``"easy"``: one pass is enough. ``"hard"``: passes grow with n and the rate is optimal. ``"hardest"``: passes
        grow with n, and the rate is not known to be optimal.
    steps, passes
        The best number of steps grows as n^steps, of passes as n^passes (one less; negative where training should stop
        within the first pass, or take all of it at a learning rate that falls as n^passes).
    rate
        The excess error at the best number of steps falls as n^-rate.
    single_pass
        After one pass at a constant learning rate it falls as n^-single_pass: limited by what is unlearned of the
        target on hard problems, by noise on easy ones.

    References
    ----------
    pillaudvivien2018, Theorem 1.
    """

    regime: Literal["easy", "hard", "hardest"]
    steps: float
    passes: float
    rate: float
    single_pass: float


def multipass_exponents(capacity: float, source: float, *, feature_bound: float | None = None) -> MultipassExponents:
    r"""How many steps and passes of averaged SGD are best, and how its error falls, as powers of samples.

    .. math:: \text{steps} \sim n^{a/(1 + 2 a r)}, \quad \text{excess} \sim n^{-2 a r/(1 + 2 a r)}; \qquad
       \mu a > 1 + 2 a r:\;\; \text{steps} \sim n^{1/\mu}, \quad \text{excess} \sim n^{-2 r/\mu}

    Parameters
    ----------
    capacity
        a > 1, finite.
    source
        r > 0; above 1 as at 1, where averaged iterates gain no more.
    feature_bound
        mu between 1/a and 1: the least for which features are bounded in the norm that weighs eigenvalues by
        lambda^(mu - 1). 1 is always allowed; 1/a, which is taken unless given, holds for bounded eigenfunctions.

    Raises
    ------
    OutsideDomain
        As ``noise_free_exponent``; an infinite capacity, a bound outside its range.

    Notes
    -----
    The boundary of easy and hard is ``single_pass_source``; logarithms of n are left out, of which the hardest regime
    has one: (n ln n)^(1/mu) steps. That regime and the role of mu follow the paper's theorem and have not been checked
    by simulation: Gaussian features do not realise them.

    References
    ----------
    pillaudvivien2018, Theorem 1 [their alpha is a].
    """
    if not 1 < capacity < math.inf:
        raise OutsideDomain(f"`capacity` is {capacity}; it must be finite and above 1.")
    bound = 1 / capacity if feature_bound is None else feature_bound
    if not 1 / capacity <= bound <= 1:
        raise OutsideDomain(f"`feature_bound` is {bound}; it must lie between 1/capacity = {1 / capacity:.4g} and 1.")
    power = float(noise_free_exponent(capacity, source))
    single_pass = min(power / capacity, 1 - 1 / capacity)
    if bound * capacity > 1 + power:
        return MultipassExponents("hardest", 1 / bound, 1 / bound - 1, power / (capacity * bound), single_pass)
    steps = capacity / (1 + power)
    rate = float(noisy_exponent(capacity, source))
    return MultipassExponents("easy" if steps <= 1 else "hard", steps, steps - 1, rate, single_pass)


def best_steps(
    num_samples: Numbers, capacity: float, source: float, *, feature_bound: float | None = None
) -> Float[Array, "..."]:
    """The best number of steps of averaged SGD at a constant learning rate, up to a constant; over n, of passes.

    Parameters
    ----------
    num_samples
        n > 1, a number or an array.
    capacity, source, feature_bound
        As for ``multipass_exponents``.

    Raises
    ------
    OutsideDomain
        As ``multipass_exponents``; at most one sample.

    Notes
    -----
    The constant is of the order of 1/learning rate. Unchecked in the hardest regime.

    References
    ----------
    pillaudvivien2018, Theorem 1.
    """
    if is_concrete(num_samples) and not np.all(np.asarray(num_samples) > 1):
        raise OutsideDomain(f"`num_samples` is {num_samples}; it must be above 1, each of an array.")
    exponents = multipass_exponents(capacity, source, feature_bound=feature_bound)
    samples = jnp.asarray(num_samples, float)
    base = samples * jnp.log(samples) if exponents.regime == "hardest" else samples
    return base**exponents.steps


def single_pass_source(capacity: Numbers) -> Numbers:
    r"""The source :math:`r = (a - 1)/(2 a)` from which on one pass over the data is enough.

    Parameters
    ----------
    capacity
        a > 1, a number or an array.

    Raises
    ------
    OutsideDomain
        A capacity of at most 1.

    References
    ----------
    pillaudvivien2018, easy and hard problems.
    """
    if is_concrete(capacity) and not np.all(np.asarray(capacity) > 1):
        raise OutsideDomain(f"`capacity` is {capacity}; it must be above 1, each of an array.")
    return (1 - 1 / capacity) / 2
