r"""Least squares on some of the features that a target depends on, at every finite size: double descent, exactly.

Inputs are x ~ N(0, I) in D dimensions, :math:`y = x \cdot \beta + \epsilon`; a set T of p features is used, C are the
others, and the weights on T are those of least squares, of least norm where p > n. Errors are mean squared, without a
half and with the noise of new labels.
"""

from functools import partial
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_choice, check_count, check_non_negative, check_positive, is_concrete
from solvable.theory.kernel.checks import Numbers, floating_dtype


class SubsetRisk(eqx.Module):
    r"""Averages over inputs and noise; every array has shape (*batch).

    Attributes
    ----------
    test
        Mean squared error on new samples, noise of their labels included.
    train
        Mean squared error on the training set.
    weight_norm
        :math:`E|\hat\beta|^2` of the learned weights.

    References
    ----------
    belkin2019, risk and norm against the number of features.
    """

    test: Float[Array, "*batch"]
    train: Float[Array, "*batch"]
    weight_norm: Float[Array, "*batch"]


def subset_risk(
    num_samples: Numbers,
    num_features: Numbers,
    *,
    chosen_power: Numbers,
    missed_power: Numbers = 0.0,
    noise: Numbers = 0.0,
) -> SubsetRisk:
    r"""Risk of least squares on p features, exact for every n and p.

    .. math:: p < n - 1:\; \tau^2 \Big(1 + \frac{p}{n - p - 1}\Big), \qquad
       p > n + 1:\; |\beta_T|^2 \Big(1 - \frac np\Big) + \tau^2 \Big(1 + \frac{n}{p - n - 1}\Big), \qquad
       \tau^2 = |\beta_C|^2 + \sigma^2

    Parameters
    ----------
    num_samples, num_features
        n > 0 and p >= 0.
    chosen_power, missed_power
        :math:`|\beta_T|^2` along the p features and :math:`|\beta_C|^2` along the others, which act as noise;
        ``chosen_power`` of the function of that name gives both.
    noise
        sigma^2 >= 0. All five are numbers or arrays that broadcast.

    Returns
    -------
    SubsetRisk
        Test error and norm are inf for n - 1 <= p <= n + 1, unless all is seen without noise; the cusp of one is that
        of the other. The training error is :math:`\tau^2 (1 - p/n)`, 0 from p = n on.

    Raises
    ------
    OutsideDomain
        No samples, negative features, power or noise.

    Notes
    -----
    Exact for Gaussian inputs, of mean over draws, whose variance is infinite for :math:`|p - n| \le 3`. At a fixed
    ratio p/n its limit is ``isotropic_risk`` with signal :math:`|\beta_T|^2` and unseen :math:`|\beta_C|^2`. As p grows
    at fixed power the test error goes back to that of predicting 0.

    References
    ----------
    belkin2019, double descent; its exactly solved version is Belkin, Hsu, Xu (2020), Two models of double descent for
    weak features, Theorem 1.
    """
    check_positive("num_samples", num_samples)
    numbers = dict(num_features=num_features, chosen_power=chosen_power, missed_power=missed_power, noise=noise)
    for name, value in numbers.items():
        check_non_negative(name, value)
    dtype = floating_dtype(num_samples, *numbers.values())
    return _risk(*(jnp.asarray(each, dtype) for each in (num_samples, *numbers.values())))


class ChosenPower(eqx.Module):
    r"""Power of a target in the features that are used, and in the others, shape (*batch).

    Attributes
    ----------
    chosen, missed
        :math:`|\beta_T|^2` and :math:`|\beta_C|^2`.

    References
    ----------
    belkin2019, choice of features.
    """

    chosen: Float[Array, "*batch"]
    missed: Float[Array, "*batch"]


def chosen_power(
    coefficients: Float[Array, " feature"],
    num_features: Numbers,
    *,
    choice: Literal["random", "largest"] = "random",
) -> ChosenPower:
    r"""How much of a target p of its D features hold, chosen blindly or in the best order.

    Parameters
    ----------
    coefficients
        beta, shape (feature,).
    num_features
        0 <= p <= D, a number or an array.
    choice
        ``"random"``: a share p/D of the power, on average; ``"largest"``: the prescient order, of falling coefficients,
        between whole numbers linear.

    Raises
    ------
    OutsideDomain
        More features than there are, another choice.

    References
    ----------
    belkin2019, random and prescient choice of features.
    """
    check_choice("choice", choice, ("random", "largest"))
    check_non_negative("num_features", num_features)
    if is_concrete(num_features) and np.any(np.asarray(num_features) > coefficients.size):
        raise OutsideDomain(f"`num_features` is {num_features}; it must be at most {coefficients.size}, all there are.")
    return _chosen(coefficients, jnp.asarray(num_features, coefficients.dtype), choice == "largest")


def second_descent_ratio(num_samples: Numbers, num_features: Numbers) -> Float[Array, "..."]:
    r"""Signal-to-noise ratio from which all D features, in no order, beat every smaller number of them, D/(D - n - 1).

    Parameters
    ----------
    num_samples, num_features
        n > 0 and D > 0, numbers or arrays.

    Returns
    -------
    Array
        Of :math:`|\beta|^2/\sigma^2`; inf for D <= n + 1, where there is no second descent. Below it to predict 0 is
        best: up to the interpolation threshold further random features only add to the error.

    Raises
    ------
    OutsideDomain
        No samples or features.

    References
    ----------
    belkin2019, overparametrised against underparametrised models [by comparison of the risks at p = 0 and p = D].
    """
    check_positive("num_samples", num_samples)
    check_positive("num_features", num_features)
    dtype = floating_dtype(num_samples, num_features)
    samples, features = jnp.asarray(num_samples, dtype), jnp.asarray(num_features, dtype)
    return _descent_ratio(samples, features)


def interpolation_threshold(num_samples: int, num_outputs: int = 1) -> int:
    r"""Number of trained parameters n K from which a model of K outputs can fit n samples, and where its error peaks.

    A linear model of N features has N K of them: its peak is at N = n features, whatever the number of classes. A
    network's is near n K.

    Parameters
    ----------
    num_samples, num_outputs
        n and K.

    Raises
    ------
    OutsideDomain
        No samples or outputs.

    References
    ----------
    belkin2019, random Fourier features and fully connected networks.
    """
    check_count("num_samples", num_samples)
    check_count("num_outputs", num_outputs)
    return num_samples * num_outputs


@jax.jit
def _risk(samples, features, chosen, missed, noise) -> SubsetRisk:
    unseen = missed + noise
    few = features < samples
    # Degrees of freedom to spare on either side; what is fitted of the unseen part is a share of it.
    spare = jnp.abs(samples - features) - 1
    used = jnp.minimum(samples, features)
    fitted = jnp.where(unseen > 0, jnp.where(spare > 0, unseen * used / jnp.where(spare > 0, spare, 1), jnp.inf), 0)
    share = jnp.where(few, 1, samples / jnp.where(few, 1, features))
    test = chosen * (1 - share) + unseen + fitted
    train = unseen * jnp.maximum(1 - features / samples, 0)
    return SubsetRisk(*jnp.broadcast_arrays(test, train, chosen * share + fitted))


@jax.jit
def _descent_ratio(samples: Array, features: Array) -> Array:
    spare = features - samples - 1
    return jnp.where(spare > 0, features / jnp.where(spare > 0, spare, 1), jnp.inf)


@partial(jax.jit, static_argnums=2)
def _chosen(coefficients: Array, num_features: Array, largest: bool) -> ChosenPower:
    squares = coefficients**2
    total = jnp.sum(squares)
    if largest:
        held = jnp.append(jnp.zeros(1, squares.dtype), jnp.cumsum(jnp.sort(squares)[::-1]))
        chosen = jnp.interp(num_features, jnp.arange(held.size, dtype=held.dtype), held)
    else:
        chosen = total * num_features / squares.size
    return ChosenPower(chosen, jnp.maximum(total - chosen, 0))
