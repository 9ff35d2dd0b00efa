r"""Kernel regression with finitely many random features: two renormalisations of the ridge, by samples and features.

Errors are mean squared errors without a half, and the ridge is that of the sum over samples, as in ``regression``.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_non_negative, is_concrete
from solvable.theory.kernel.checks import Numbers, broadcast_numbers, check_power, check_spectrum
from solvable.theory.kernel.feature_equation import Sizes, solve_feature_ridge
from solvable.theory.kernel.ridge_equation import map_over


class RandomFeatureRisk(eqx.Module):
    r"""What ridge regression on N random features learns from P samples, on average; every array has shape (*batch).

    Attributes
    ----------
    sample_ridge
        kappa_1, the ridge that infinitely many samples would need on the same features.
    effective_ridge
        kappa_2, the one that infinitely many samples and features would need.
    overfitting
        :math:`1/(1 - \gamma_1)`, by which all error is larger than with infinitely many samples at ridge kappa_1; inf
        at the interpolation threshold N = P without ridge.
    test
        Mean squared error on new samples, noise of their labels included.
    train
        Mean squared error on the training set.
    excess
        ``test`` without the noise of the labels.
    ensemble
        Test error of the mean of the predictions that all draws of the features give on one training set.
    feature_variance
        ``test - ensemble``: what the choice of features adds.

    References
    ----------
    atanasov2024, linear random features [their lambda is our ridge over P].
    """

    sample_ridge: Float[Array, "*batch"]
    effective_ridge: Float[Array, "*batch"]
    overfitting: Float[Array, "*batch"]
    test: Float[Array, "*batch"]
    train: Float[Array, "*batch"]
    excess: Float[Array, "*batch"]
    ensemble: Float[Array, "*batch"]
    feature_variance: Float[Array, "*batch"]


def random_feature_risk(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Numbers,
    num_features: Numbers,
    *,
    ridge: Numbers = 0.0,
    noise: Numbers = 0.0,
    multiplicities: Float[Array, " mode"] | None = None,
) -> RandomFeatureRisk:
    r"""Train and test error of ridge regression on Gaussian random projections of a kernel's features.

    .. math:: \kappa_1 = \frac{\delta/P}{1 - z/P}, \quad \kappa_2 = \frac{\kappa_1}{1 - z/N}, \quad
       z = \sum_i m_i L_i, \quad L_i = \frac{\lambda_i}{\lambda_i + \kappa_2}

    .. math:: \text{test} = \frac{\sum_i v_i^2 (1 - L_i)(1 - w L_i) + \sigma^2}{1 - \gamma_1}, \quad
       \gamma_1 = \frac{w\,q + (1 - w)\,z}{P}, \quad w = \frac{N - z}{N - q}, \quad q = \sum_i m_i L_i^2

    Parameters
    ----------
    eigenvalues, target_power, multiplicities
        As for ``kernel_risk``.
    num_samples
        P > 0: any real number, inf, or an array of such; may be traced.
    num_features
        N > 0, alike. At inf this is ``kernel_risk``.
    ridge
        delta >= 0 of the sum over samples. The predictor is :math:`w = F a` with independent entries of F of variance
        1/N, and a minimises :math:`\sum_\mu (w \cdot x_\mu - y_\mu)^2 + \delta |a|^2`.
    noise
        Variance sigma^2 of the labels' noise. These four broadcast, so that whole tables of sizes cost one call.

    Raises
    ------
    OutsideDomain
        What ``kernel_risk`` refuses; no features.

    Notes
    -----
    The limit of many samples, features and modes; corrections are of relative order 1/P and 1/N. Without ridge
    kappa_2 fixes z = min(P, N), and the error diverges at N = P; ridgeless errors near there fluctuate most.
    Differentiable, except with respect to the ridge at ridge 0 and N = P, where kappa_2 moves with its square root.

    References
    ----------
    atanasov2024, linear random features: test and train error, ensembles.
    """
    multiplicities = check_spectrum(eigenvalues, multiplicities)
    check_power(target_power, eigenvalues)
    _check_size("num_samples", num_samples)
    _check_size("num_features", num_features)
    check_non_negative("ridge", ridge)
    check_non_negative("noise", noise)
    numbers = broadcast_numbers(
        eigenvalues.dtype, num_samples=num_samples, num_features=num_features, ridge=ridge, noise=noise
    )
    return _risk(eigenvalues, multiplicities, target_power, *numbers)


def wishart_s_transform(
    argument: float | Float[Array, "*batch"], aspect: float | Float[Array, "*batch"]
) -> float | Float[Array, "*batch"]:
    r"""S-transform :math:`S(t) = 1/(1 + q t)` of a white Wishart matrix of aspect q = variables/samples.

    It renormalises ridges: with df_1 the mean learnability over D modes,
    :math:`\kappa_1 = (\delta/P)\,S(-\mathrm{df}_1)` at q = D/P, and test error is S^2 times train error.

    Parameters
    ----------
    argument
        t.
    aspect
        q >= 0.

    Raises
    ------
    OutsideDomain
        A negative aspect.

    References
    ----------
    atanasov2024, S-transform of the white Wishart ensemble and generalised cross-validation.
    """
    check_non_negative("aspect", aspect)
    return 1 / (1 + aspect * argument)


@jax.jit
def _risk(eigenvalues, multiplicities, power, samples, features, ridge, noise) -> RandomFeatureRisk:
    sizes = Sizes(samples, features, ridge / samples)
    kappa = solve_feature_ridge(eigenvalues, multiplicities, sizes)

    def sums(kappa):
        total = eigenvalues + kappa
        learnability = jnp.where(total > 0, eigenvalues / jnp.where(total > 0, total, 1), 0)
        mixed, left = learnability * (1 - learnability), (1 - learnability) ** 2
        modes = (jnp.sum(multiplicities * learnability), jnp.sum(multiplicities * mixed))
        return *modes, jnp.sum(power * left), jnp.sum(power * mixed)

    learned, spread, bias, mixed = map_over(sums, kappa, eigenvalues.size)
    free = sizes.free_share(learned, kappa)[0]
    by_samples, by_features = (free + learned * (1 / sizes.scarce - 1 / size) for size in (samples, features))
    # w = (N - z)/(N - q); with nothing left of z - q, features add no variance.
    weight = jnp.where(spread > 0, _ratio(by_features, by_features + spread / features), 1)
    remaining = by_samples + weight * spread / samples
    test = _ratio(bias + (1 - weight) * mixed + noise, remaining)
    ensemble = _ratio(bias + noise, by_samples + spread / samples)
    return RandomFeatureRisk(
        sample_ridge=kappa * by_features,
        effective_ridge=kappa,
        overfitting=_ratio(jnp.ones_like(kappa), remaining),
        test=test,
        train=jnp.where(by_samples > 0, by_samples**2 * jnp.where(by_samples > 0, test, 1), 0),
        excess=jnp.maximum(test - noise, 0),
        ensemble=ensemble,
        # Where the error of one draw diverges, so does its variance.
        feature_variance=jnp.where(jnp.isfinite(test), test - jnp.where(jnp.isfinite(test), ensemble, 0), test),
    )


def _ratio(numerator: Array, denominator: Array) -> Array:
    """inf over 0, but 0 of nothing."""
    positive = denominator > 0
    return jnp.where(positive, numerator / jnp.where(positive, denominator, 1), jnp.where(numerator > 0, jnp.inf, 0))


def _check_size(name: str, value: Numbers) -> None:
    if is_concrete(value) and not np.all(np.asarray(value) > 0):
        raise OutsideDomain(f"`{name}` is {value}; it must be above 0, or inf for as many as needed.")
