r"""Learning curves of kernels on a window of sample sizes: the power they look like, and where finite width ends it."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.numerics import Activation, activations
from solvable.theory.kernel.checks import Numbers
from solvable.theory.kernel.regression import kernel_risk


def kernel_exponent(
    eigenvalues: Float[Array, " mode"],
    target_power: Float[Array, " mode"],
    num_samples: Float[Array, " size"],
    *,
    ridge: Numbers = 0.0,
    noise: Numbers = 0.0,
    multiplicities: Float[Array, " mode"] | None = None,
) -> Float[Array, ""]:
    r"""The power of 1/n with which the error of kernel regression falls over a window of sample sizes.

    Minus the slope of the least-squares line through the logarithms of error and size, as one is fitted to a measured
    curve: :math:`\varepsilon(n) \approx c\,n^{-\alpha}`.

    Parameters
    ----------
    eigenvalues, target_power, multiplicities, ridge, noise
        As for ``kernel_risk``; the error is its ``excess``, without the noise of the labels.
    num_samples
        n of the window, at least two sizes that differ; a measured exponent belongs to the same ones.

    Returns
    -------
    Array
        alpha; negative where the error grows, inf where it is 0 within the window.

    Raises
    ------
    OutsideDomain
        As ``kernel_risk``; fewer than two sizes; a window that holds the interpolation threshold, where the error is
        infinite (inf is returned under ``jit``).

    Notes
    -----
    Eigenvalues i^-b and target power i^-a have :math:`\min(a - 1, 2 b)` for ever larger windows: it is
    ``noise_free_exponent`` of capacity b and source (a - 1)/(2 b). The curve of a target of few degrees bends down, so
    that its exponent belongs to the window alone. Features that are not Gaussian raise errors by a few per cent at all
    sizes alike, which leaves the exponent in place.

    References
    ----------
    vyas2022, exponents of learning curves; simon2023a, test error.
    """
    if num_samples.ndim != 1 or (is_concrete(num_samples) and np.unique(np.asarray(num_samples)).size < 2):
        raise OutsideDomain(f"`num_samples` is {num_samples}; it must be a list of at least two different sizes.")
    risk = kernel_risk(eigenvalues, target_power, num_samples, ridge=ridge, noise=noise, multiplicities=multiplicities)
    errors = risk.excess
    if is_concrete(errors) and np.any(np.isinf(np.asarray(errors))):
        raise OutsideDomain(
            f"`num_samples` is {num_samples}; without ridge the error is infinite where samples are as many as modes: "
            "leave this size out."
        )
    return _exponent(num_samples, errors)


def tangent_kernel_rank(
    sizes: tuple[int, ...],
    *,
    activation: Activation = activations.relu,
    bias: bool = True,
    output_bias: bool = True,
) -> int:
    r"""Rank of the tangent kernel of one finite network: the number of its parameters that move its outputs apart.

    Its regression interpolates up to rank/outputs samples, and has a peak of its error there: only to well below it, a
    tenth, are learning curves those of the infinite width.

    Parameters
    ----------
    sizes
        Of input, hidden layers and output: (d, m, ..., o).
    activation
        sigma. Each hidden unit of a homogeneous one takes 1 off the number P of parameters: to scale its weights up and
        those behind it down changes no output. One hidden layer of width m, one output: m (d + 1) of m (d + 2).
    bias, output_bias
        Whether hidden units and outputs have biases.

    Raises
    ------
    OutsideDomain
        Fewer than two sizes; a polynomial activation, whose outputs depend on fewer combinations of parameters.

    Notes
    -----
    Reached by almost all weights with one hidden layer, on samples whose inputs fill the input space, of which each
    unit is on for some and off for others. Else, and in deep ReLU networks, whose units see few regions, it is a bound.

    References
    ----------
    vyas2022, empirical kernels of finite width [P there: its peak is a little below].
    """
    if len(sizes) < 2:
        raise OutsideDomain(f"`sizes` is {sizes}; it must hold at least the sizes of input and output.")
    for size in sizes:
        check_count("sizes", size)
    if len(sizes) > 2 and activation.degree is not None:
        raise OutsideDomain(f"`activation` is {activation.name}, a polynomial; the rank is known for others.")
    weights = sum(below * above for below, above in pairwise(sizes))
    hidden = sum(sizes[1:-1])
    return weights + bias * hidden + output_bias * sizes[-1] - activation.homogeneous * hidden


@jax.jit
def _exponent(sizes: Array, errors: Array) -> Array:
    usable = jnp.all((errors > 0) & jnp.isfinite(errors))
    logs, centred = jnp.log(jnp.where(usable, errors, 1)), jnp.log(sizes) - jnp.mean(jnp.log(sizes))
    return jnp.where(usable, -jnp.sum(centred * logs) / jnp.sum(centred**2), jnp.inf)
