"""How the learned function's coefficients scatter from one training set to another."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, is_concrete
from solvable.theory.kernel.checks import Numbers
from solvable.theory.kernel.regression import kernel_risk


class CoefficientLaw(eqx.Module):
    r"""Mean and covariance of the learned coefficients, :math:`C_{ij} = \delta_{ij} u_i + s_i s_j`.

    Attributes
    ----------
    mean
        L_i v_i, shape (*batch, mode).
    own
        u_i, scatter of each mode apart, shape (*batch, mode).
    shared
        s_i, scatter that modes which carry target have in common, shape (*batch, mode).

    References
    ----------
    simon2023a, covariance of eigencoefficients.
    """

    mean: Float[Array, "*batch mode"]
    own: Float[Array, "*batch mode"]
    shared: Float[Array, "*batch mode"]

    @property
    def variance(self) -> Float[Array, "*batch mode"]:
        """Of each coefficient. Raises nothing. References: simon2023a."""
        return self.own + self.shared**2

    @property
    def covariance(self) -> Float[Array, "*batch mode mode"]:
        """Of every two coefficients, of as many numbers as modes squared. Raises nothing. References: simon2023a."""
        products = self.shared[..., :, None] * self.shared[..., None, :]
        unit = jnp.eye(self.own.shape[-1], dtype=self.own.dtype)
        return self.own[..., None] * jnp.expand_dims(unit, range(self.own.ndim - 1)) + products


def coefficient_law(
    eigenvalues: Float[Array, " mode"],
    coefficients: Float[Array, " mode"],
    num_samples: Numbers,
    *,
    ridge: Numbers = 0.0,
    noise: Numbers = 0.0,
    kurtosis: float | Float[Array, ""] | Float[Array, " mode"] = 3.0,
) -> CoefficientLaw:
    r"""Law of the learned coefficients :math:`\hat v_i = \langle \phi_i, \hat f \rangle` over training sets.

    .. math:: E \hat v_i = L_i v_i, \qquad \mathrm{Cov}_{ij} = \delta_{ij}
       \frac{\text{test}\,L_i^2 + (m_4 - 3)\,g_i^2}{n} + \frac{E_0}{n}\,g_i g_j, \qquad g_i = L_i (1 - L_i) v_i

    Parameters
    ----------
    eigenvalues, num_samples, ridge, noise
        As for ``kernel_risk``.
    coefficients
        v_i of the target, with their signs.
    kurtosis
        m_4 = E phi_i^4 >= 1 of independent features, one number or one a mode: 3 for normal ones, 1 for signs.

    Returns
    -------
    CoefficientLaw
        At the interpolation threshold the scatter is inf in each mode that is learned at all.

    Raises
    ------
    OutsideDomain
        As ``kernel_risk``; a kurtosis below 1.

    Notes
    -----
    The familiar variance test L_i^2/n is that of modes without target: in a mode that carries target the rest is as
    large, though only a share of order 1/n of the mode's error. The correction to all is of relative order 1/n.

    References
    ----------
    simon2023a, covariance of eigencoefficients [the terms in g are an own derivation].
    """
    if is_concrete(kurtosis) and not np.all(np.asarray(kurtosis) >= 1):
        raise OutsideDomain(f"`kurtosis` is {kurtosis}; it must be at least 1 in each mode, the value of signs.")
    if coefficients.shape != eigenvalues.shape:
        raise OutsideDomain(
            f"`coefficients` has shape {coefficients.shape} and `eigenvalues` {eigenvalues.shape}; each mode has one "
            "of both."
        )
    risk = kernel_risk(eigenvalues, coefficients**2, num_samples, ridge=ridge, noise=noise)
    return _law(risk, coefficients, jnp.asarray(kurtosis, eigenvalues.dtype))


@jax.jit
def _law(risk, coefficients, kurtosis) -> CoefficientLaw:
    learnability = risk.learnability
    samples = risk.num_samples[..., None]
    target = jnp.expand_dims(coefficients, range(risk.test.ndim))
    excess_kurtosis = jnp.broadcast_to(kurtosis - 3, target.shape)
    mean = learnability * target
    gap = mean * (1 - learnability)

    def where_any(part, scale):
        # Nothing times the infinite risk of the threshold is nothing.
        return jnp.where(part != 0, jnp.where(part != 0, part, 1) * scale[..., None], 0)

    own = where_any(learnability**2 / samples, risk.test) + excess_kurtosis * gap**2 / samples
    return CoefficientLaw(mean, own, where_any(gap / jnp.sqrt(samples), jnp.sqrt(risk.overfitting)))
