"""Kernel ridge regression on one training set: one factorisation, then every ridge at next to no cost."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_non_negative
from solvable.numerics import clear_rounding, integrated_exponential


class RidgeStatistics(eqx.Module):
    r"""What one training set tells of each ridge without new data, with :math:`A = (K + \delta I)^{-1}`.

    Errors are mean squared, summed over outputs. At ridge 0 each is the limit of small ridges.

    Attributes
    ----------
    effective_ridge
        :math:`1/\mathrm{tr} A`, the estimate of kappa.
    train
        :math:`\delta^2 |A y|^2 / n`.
    gcv
        Generalised cross-validation :math:`n |A y|^2 / (\mathrm{tr} A)^2`, which is also the kernel alignment risk
        estimator (KARE): the test error where all samples are alike; too low where some are far from the others.
    leave_one_out
        Mean of :math:`((A y)_\mu / A_{\mu\mu})^2`: exactly the error on each sample when trained on all others.

    References
    ----------
    jacot2020, KARE; wei2022, GCV.
    """

    effective_ridge: Float[Array, "*ridges"]
    train: Float[Array, "*ridges"]
    gcv: Float[Array, "*ridges"]
    leave_one_out: Float[Array, "*ridges"]


class FactoredKernel(eqx.Module):
    r"""Kernel matrix and targets of a training set in the eigenvectors of :math:`K = U s U^\top`.

    Attributes
    ----------
    eigenvalues
        s, largest first, rounding taken off, shape (num_samples,).
    eigenvectors
        U, one a column, shape (num_samples, num_samples).
    targets
        :math:`U^\top y`, shape (num_samples, output_dim).

    References
    ----------
    jacot2020; wei2022.
    """

    eigenvalues: Float[Array, " num_samples"]
    eigenvectors: Float[Array, "num_samples num_samples"]
    targets: Float[Array, "num_samples output_dim"]

    def dual_weights(self, ridge: float | Float[Array, ""]) -> Float[Array, "num_samples output_dim"]:
        """alpha = (K + delta I)^{-1} y, by the pseudo-inverse at ridge 0; predictions are K(x, X) alpha.

        Raises
        ------
        OutsideDomain
            A negative ridge.

        References
        ----------
        simon2023a, kernel ridge regression.
        """
        check_non_negative("ridge", ridge)
        total = self.eigenvalues + jnp.asarray(ridge, self.eigenvalues.dtype)
        shares = jnp.where(self.eigenvalues > 0, 1 / jnp.where(total > 0, total, 1), 0)
        # Beyond the kernel's rank alpha does not matter to predictions; it is 0 there for every ridge.
        return self.eigenvectors @ (shares[:, None] * self.targets)

    def flow_weights(self, time: float | Float[Array, ""]) -> Float[Array, "num_samples output_dim"]:
        r"""alpha after gradient flow from 0 on half the sum of squares: predictions are K(x, X) alpha.

        .. math:: \alpha(t) = \frac{1 - e^{-K t}}{K}\,y

        Parameters
        ----------
        time
            t >= 0; on the half mean squared error it is num_samples times longer.

        Raises
        ------
        OutsideDomain
            A negative time.

        References
        ----------
        pillaudvivien2018, gradient flow.
        """
        check_non_negative("time", time)
        time = jnp.asarray(time, self.eigenvalues.dtype)
        shares = jnp.where(self.eigenvalues > 0, integrated_exponential(-self.eigenvalues, time), 0)
        return self.eigenvectors @ (shares[:, None] * self.targets)

    def left_out_errors(self, ridge: float | Float[Array, ""]) -> Float[Array, " num_samples"]:
        r"""Squared error on each sample when trained on all others, :math:`((A y)_\mu / A_{\mu\mu})^2`.

        Raises
        ------
        OutsideDomain
            A negative ridge.

        References
        ----------
        jacot2020, leave-one-out.
        """
        check_non_negative("ridge", ridge)
        return _left_out(self, jnp.asarray(ridge, self.eigenvalues.dtype)[None])[:, 0]

    def statistics(self, ridges: float | Float[Array, "*ridges"]) -> RidgeStatistics:
        """Train error, effective ridge and two estimates of the test error, at every ridge.

        Parameters
        ----------
        ridges
            delta >= 0 of the sum over samples; n times lambda where the loss is a mean.

        Raises
        ------
        OutsideDomain
            A negative ridge.

        References
        ----------
        jacot2020, KARE and theta; wei2022, GCV.
        """
        check_non_negative("ridge", ridges)
        ridges = jnp.asarray(ridges, self.eigenvalues.dtype)
        parts = _statistics(self, ridges.ravel())
        return jax.tree.map(lambda part: part.reshape(ridges.shape), parts)


def factor_kernel(
    gram: Float[Array, "num_samples num_samples"], targets: Float[Array, "targets output_dim"]
) -> FactoredKernel:
    """The eigendecomposition that all ridges share.

    Parameters
    ----------
    gram
        K, symmetric and positive semi-definite: kernel of the training inputs.
    targets
        y.

    Returns
    -------
    FactoredKernel
        Eigenvalues below rounding, num_samples eps times the largest, are 0.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit.

    References
    ----------
    wei2022.
    """
    if gram.shape != (targets.shape[0],) * 2:
        raise OutsideDomain(
            f"`gram` has shape {gram.shape} for {targets.shape[0]} targets; it must be square, one row a target."
        )
    return _factor(gram, targets)


@jax.jit
def _factor(gram: Array, targets: Array) -> FactoredKernel:
    values, vectors = jnp.linalg.eigh(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    return FactoredKernel(clear_rounding(values, values.size), vectors, vectors.T @ targets)


@jax.jit
def _statistics(factored: FactoredKernel, ridges: Array) -> RidgeStatistics:
    num_samples = factored.eigenvalues.size
    shares, least = _shares(factored, ridges)
    trace = jnp.sum(shares, axis=0)
    errors = jnp.sum(factored.targets**2, axis=1) @ shares**2
    kept = jnp.where(least > 0, ridges / jnp.where(least > 0, least, 1), 1)
    return RidgeStatistics(
        least / trace,
        kept**2 * errors / num_samples,
        num_samples * errors / trace**2,
        jnp.mean(_left_out(factored, ridges), axis=0),
    )


@jax.jit
def _left_out(factored: FactoredKernel, ridges: Array) -> Array:
    """Squared errors, samples first, then ridges."""
    shares, _ = _shares(factored, ridges)
    own = factored.eigenvectors**2 @ shares
    add = lambda total, column: (total + (factored.eigenvectors @ (shares * column[:, None]) / own) ** 2, None)  # noqa: E731
    return jax.lax.scan(add, jnp.zeros_like(own), factored.targets.T)[0]


def _shares(factored: FactoredKernel, ridges: Array) -> tuple[Array, Array]:
    """A in its eigenvectors up to a factor, and that factor.

    So it is finite at ridge 0 too, where only what is beyond the rank is left, if anything is.
    """
    total = factored.eigenvalues[:, None] + ridges[None, :]
    least = total[-1]
    return jnp.where(total > 0, least[None, :] / jnp.where(total > 0, total, 1), 1), least
