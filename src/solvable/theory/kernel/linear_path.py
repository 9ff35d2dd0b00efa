r"""Training of a linear model in function space: everything that its kernel says of outputs, at all times at once.

The model is :math:`f(x) = f_0(x) + \nabla f_0(x) \cdot (\theta - \theta_0)` with the kernel
:math:`K = \nabla f_0 \cdot \nabla f_0`, the loss half the *sum* of squares :math:`\frac12 \sum_i |f(x_i) - y_i|^2`.
With half the *mean*, times and learning rates are num_samples times longer. In an eigenvector of K the error left is a
share psi of the initial one; clocks say which. A network in its infinite width is such a model with its tangent kernel.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain
from solvable.numerics import clear_rounding
from solvable.theory.kernel.clocks import Clock


class LinearOutputs(eqx.Module):
    """Outputs of a linear model along training.

    Attributes
    ----------
    train
        On the training inputs, shape (record, num_samples, output_dim).
    test
        On others, shape (record, num_others, output_dim); None without them.

    References
    ----------
    lee2019, Eqs. 8 to 11.
    """

    train: Float[Array, "record num_samples output_dim"]
    test: Float[Array, "record num_others output_dim"] | None


class GaussianOutputs(eqx.Module):
    """The Gaussian law of outputs on new inputs, over initial weights.

    Attributes
    ----------
    mean
        Shape (*record, num_others, output_dim).
    covariance
        Of every output alike, and of no two; shape (*record, num_others, num_others).

    References
    ----------
    lee2019, Corollary 1.
    """

    mean: Float[Array, "*record num_others output_dim"]
    covariance: Float[Array, "*record num_others num_others"]


class StepBounds(eqx.Module):
    r"""Learning rates of gradient descent on half the sum of squares.

    Attributes
    ----------
    critical
        :math:`2/(\lambda_{\min} + \lambda_{\max})`: the fastest in the worst mode; theorems ask for less.
    largest
        :math:`2/\lambda_{\max}`: from here on the linear model diverges; wide networks may still converge.
    contraction
        What a step at the critical rate leaves of the slowest mode.

    References
    ----------
    lee2019, Theorem 2.1.
    """

    critical: Float[Array, ""]
    largest: Float[Array, ""]
    contraction: Float[Array, ""]


def linear_path(
    kernel: Float[Array, "num_samples num_samples"],
    targets: Float[Array, "num_samples output_dim"],
    clock: Clock,
    *,
    start: Float[Array, "num_samples output_dim"] | None = None,
    cross_kernel: Float[Array, "num_others num_samples"] | None = None,
    cross_start: Float[Array, "num_others output_dim"] | None = None,
) -> LinearOutputs:
    r"""Outputs at every record of the clock.

    .. math:: f_t(X) = y + \psi_t(K)\,(f_0(X) - y), \qquad
       f_t(z) = f_0(z) - k(z, X)\,K^{-1} (1 - \psi_t(K))\,(f_0(X) - y)

    Parameters
    ----------
    kernel
        K on the training inputs, symmetric and positive semi-definite, the same for each output. For a kernel between
        outputs too, stack samples and outputs as the rows.
    targets
        y.
    clock
        ``Flow``, ``Descent`` or ``FrictionFlow``.
    start, cross_start
        f_0 on training inputs and others; 0 unless given.
    cross_kernel
        k(z, X), others first.

    Returns
    -------
    LinearOutputs
        Exact for the linear model; eigenvalues within rounding of 0 count as 0, whose errors stay.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit.

    Notes
    -----
    A network of width n is off by O(1/n); see ``WidthExponents``.

    References
    ----------
    lee2019, Eqs. 8 to 11; jacot2018, Theorem 2 and Sec. 5.
    """
    _check_kernel(kernel, targets.shape[0], "targets")
    start = jnp.zeros_like(targets) if start is None else start
    if cross_kernel is None:
        return LinearOutputs(_train_outputs(kernel, targets, clock, start), None)
    _check_cross(cross_kernel, kernel, "cross_kernel")
    if cross_start is None:
        cross_start = jnp.zeros((cross_kernel.shape[0], targets.shape[1]), targets.dtype)
    return LinearOutputs(*_all_outputs(kernel, targets, clock, start, cross_kernel, cross_start))


def ensemble_path(
    kernel: Float[Array, "num_samples num_samples"],
    covariance: Float[Array, "num_samples num_samples"],
    targets: Float[Array, "num_samples output_dim"],
    clock: Clock,
    *,
    cross_kernel: Float[Array, "num_others num_samples"],
    cross_covariance: Float[Array, "num_others num_samples"],
    other_covariance: Float[Array, "num_others num_others"],
) -> GaussianOutputs:
    r"""Mean and covariance over initial weights of the outputs of infinitely wide networks, along training.

    .. math:: A_t = \Theta_z \Theta^{-1} (1 - \psi_t(\Theta)), \quad \text{mean} = A_t y, \quad
       \text{cov} = \Sigma_{zz} + A_t \Sigma A_t^\top - A_t \Sigma_z^\top - \Sigma_z A_t^\top

    Parameters
    ----------
    kernel, cross_kernel
        Theta on the training inputs and of the others with them: ``ntk`` of ``infinite_width_kernels``.
    covariance, cross_covariance, other_covariance
        Sigma, Sigma_z and Sigma_zz: its ``nngp``. With these in place of the kernels too, the last layer alone is
        trained, and ends at ``gaussian_posterior``.
    targets
        y.
    clock
        ``Flow``, ``Descent`` or ``FrictionFlow``.

    Returns
    -------
    GaussianOutputs
        Records first. The end of training, times inf, is a posterior of neither kernel.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit.

    Notes
    -----
    Networks of width n have variances that are off by O(1/n), of either sign.

    References
    ----------
    lee2019, Corollary 1 and Eqs. 14 to 16.
    """
    _check_kernel(kernel, targets.shape[0], "targets")
    _check_kernel(covariance, targets.shape[0], "targets")
    _check_cross(cross_kernel, kernel, "cross_kernel")
    _check_cross(cross_covariance, kernel, "cross_covariance")
    _check_kernel(other_covariance, cross_kernel.shape[0], "rows of `cross_kernel`")
    return _ensemble(kernel, covariance, targets, clock, cross_kernel, cross_covariance, other_covariance)


def gaussian_posterior(
    covariance: Float[Array, "num_samples num_samples"],
    targets: Float[Array, "num_samples output_dim"],
    *,
    cross_covariance: Float[Array, "num_others num_samples"],
    other_covariance: Float[Array, "num_others num_others"],
) -> GaussianOutputs:
    r"""The posterior of a Gaussian process without noise, where networks end whose last layer alone is trained.

    .. math:: \text{mean} = \Sigma_z \Sigma^{-1} y, \quad
       \text{cov} = \Sigma_{zz} - \Sigma_z \Sigma^{-1} \Sigma_z^\top

    Parameters
    ----------
    covariance, targets, cross_covariance, other_covariance
        As for ``ensemble_path``.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit.

    References
    ----------
    lee2019, Sec. 2.3.
    """
    _check_kernel(covariance, targets.shape[0], "targets")
    _check_cross(cross_covariance, covariance, "cross_covariance")
    _check_kernel(other_covariance, cross_covariance.shape[0], "rows of `cross_covariance`")
    return _posterior(covariance, targets, cross_covariance, other_covariance)


def step_bounds(kernel: Float[Array, "num_samples num_samples"]) -> StepBounds:
    """The critical and the largest stable learning rate on half the sum of squares; inf for a kernel of zeros.

    Parameters
    ----------
    kernel
        K, symmetric and positive semi-definite. On half the mean, rates are num_samples times larger.

    Raises
    ------
    OutsideDomain
        A matrix that is not square.

    References
    ----------
    lee2019, Theorem 2.1.
    """
    _check_kernel(kernel, kernel.shape[0], "rows")
    return _bounds(kernel)


def weight_change(
    jacobian: Float[Array, "num_samples parameters"], residual: Float[Array, " num_samples"], clock: Clock
) -> Float[Array, "record parameters"]:
    r"""How far a linear model's weights have moved: :math:`-J^\top K^{-1} (1 - \psi_t(K))\,(f_0 - y)`.

    Parameters
    ----------
    jacobian
        J, derivatives of each training output in each weight.
    residual
        f_0 - y.
    clock
        As for ``linear_path``.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit.

    References
    ----------
    lee2019, Eq. 8.
    """
    if jacobian.shape[0] != residual.size:
        raise OutsideDomain(f"`jacobian` has {jacobian.shape[0]} rows and `residual` {residual.size} entries.")
    return _weights(jacobian, residual, clock)


def weight_distance(
    kernel: Float[Array, "num_samples num_samples"],
    residual: Float[Array, "num_samples output_dim"],
    clock: Clock,
) -> Float[Array, " record"]:
    """The length of ``weight_change``, from the kernel alone; over all outputs, which share no weights that move.

    Parameters
    ----------
    kernel
        K.
    residual
        f_0 - y.
    clock
        As for ``linear_path``.

    Raises
    ------
    OutsideDomain
        Shapes that do not fit.

    References
    ----------
    lee2019, Eq. 8 and Theorem 2.1.
    """
    _check_kernel(kernel, residual.shape[0], "residuals")
    return _distance(kernel, residual, clock)


def _modes(kernel: Array) -> tuple[Array, Array]:
    values, vectors = jnp.linalg.eigh(kernel)
    return clear_rounding(values, values.size), vectors


def _reach(clock: Clock, values: Array) -> Array:
    """(1 - psi)/eigenvalue; what is beyond the kernel's rank moves nothing."""
    return jnp.where(values[None, :] > 0, clock.reach(jnp.where(values > 0, values, 1)), 0)


@jax.jit
def _train_outputs(kernel: Array, targets: Array, clock: Clock, start: Array) -> Array:
    values, vectors = _modes(kernel)
    return _train(values, vectors, targets, clock, start)


def _train(values: Array, vectors: Array, targets: Array, clock: Clock, start: Array) -> Array:
    errors = vectors.T @ (start - targets)
    return targets[None] + jnp.einsum("ik,rk,ko->rio", vectors, clock.remaining(values), errors)


@jax.jit
def _all_outputs(kernel, targets, clock, start, cross_kernel, cross_start) -> tuple[Array, Array]:
    values, vectors = _modes(kernel)
    errors = vectors.T @ (start - targets)
    moved = jnp.einsum("ik,rk,ko->rio", cross_kernel @ vectors, _reach(clock, values), errors)
    return _train(values, vectors, targets, clock, start), cross_start[None] - moved


@jax.jit
def _ensemble(kernel, covariance, targets, clock, cross_kernel, cross_covariance, other_covariance) -> GaussianOutputs:
    values, vectors = _modes(kernel)
    reach, weights = _reach(clock, values), cross_kernel @ vectors
    prior, joint, aims = vectors.T @ covariance @ vectors, cross_covariance @ vectors, vectors.T @ targets

    def at(reach):
        move = weights * reach[None, :]
        shared = move @ joint.T
        return move @ aims, other_covariance + move @ prior @ move.T - shared - shared.T

    return GaussianOutputs(*lax.map(at, reach))


@jax.jit
def _posterior(covariance, targets, cross_covariance, other_covariance) -> GaussianOutputs:
    values, vectors = _modes(covariance)
    inverse = jnp.where(values > 0, 1 / jnp.where(values > 0, values, 1), 0)
    weights = cross_covariance @ vectors
    move = weights * inverse[None, :]
    return GaussianOutputs(move @ (vectors.T @ targets), other_covariance - move @ weights.T)


@jax.jit
def _bounds(kernel: Array) -> StepBounds:
    values = jnp.linalg.eigvalsh(kernel)
    low, high = jnp.maximum(values[0], 0), values[-1]
    return StepBounds(2 / (low + high), 2 / high, jnp.where(high > 0, (high - low) / (high + low), 1))


@jax.jit
def _weights(jacobian: Array, residual: Array, clock: Clock) -> Array:
    values, vectors = _modes(jacobian @ jacobian.T)
    return -(_reach(clock, values) * (vectors.T @ residual)[None, :]) @ (vectors.T @ jacobian)


@jax.jit
def _distance(kernel: Array, residual: Array, clock: Clock) -> Array:
    values, vectors = _modes(kernel)
    power = values * jnp.sum((vectors.T @ residual) ** 2, axis=1)
    return jnp.sqrt(_reach(clock, values) ** 2 @ power)


def _check_kernel(kernel: Array, count: int, of: str) -> None:
    if kernel.shape != (count, count):
        raise OutsideDomain(f"a kernel has shape {kernel.shape} for {count} {of}; it must be square, a row each.")


def _check_cross(cross: Array, kernel: Array, name: str) -> None:
    if cross.shape[1] != kernel.shape[0]:
        raise OutsideDomain(
            f"`{name}` has shape {cross.shape} for {kernel.shape[0]} training samples; it must have a column for each."
        )
