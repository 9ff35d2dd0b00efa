"""What a finite width adds to the tangent kernel: how far one network is from the limit, and how that falls."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_count, check_non_negative, check_positive
from solvable.numerics import Activation, arc_cosines
from solvable.theory.kernel.dual_activations import correlation, dual_activation, side_slopes
from solvable.theory.kernel.infinite_width import Number


@dataclass(frozen=True)
class WidthExponents:
    """Powers of the width with which departures from the infinite network fall, in the NTK parametrisation.

    Attributes
    ----------
    fluctuation
        Of one network's tangent kernel at the start around the limit.
    motion
        Of what training to the end changes of that kernel, relative to it.
    discrepancy
        Of outputs from those of the network linearised at its start, along training.
    discrepancy_bound
        What is proved of motion and discrepancy: they fall at least so fast.
    prediction
        Of a trained network's outputs, less its initial ones, from regression with the limit's kernel.

    Notes
    -----
    Motion and discrepancy are as measured for smooth activations, at two and three layers. The kernel of one hidden
    layer of ReLU units moves by the power -0.7 of widths 32 to 1024: units that switch add to it.

    References
    ----------
    jacot2018, Theorems 1 and 2; lee2019, Theorem 2.1; arora2019c, Theorem 3.2.
    """

    fluctuation: float = -0.5
    motion: float = -1.0
    discrepancy: float = -1.0
    discrepancy_bound: float = -0.5
    prediction: float = -0.5


def tangent_kernel_variance(
    inputs: Float[Array, "num_samples input_dim"],
    others: Float[Array, "num_others input_dim"] | None = None,
    *,
    width: int,
    activation: Activation,
    weight_variance: Number = 1.0,
    bias_variance: Number = 0.0,
    first_variance: Number | None = None,
    nodes: int = 64,
) -> Float[Array, "num_samples num_others"]:
    r"""Variance over initial weights of each entry of the tangent kernel of one hidden layer, exact at every width.

    .. math:: \text{Var}\,\Theta = \frac{c^2}{n}\Big( E[S^2] + 2 T\,E[S D] + 3 T^2\,E[D^2] - (E[S] + T\,E[D])^2 \Big),
       \quad S = \sigma(u)\sigma(v), \; D = \sigma'(u)\sigma'(v), \; T = \Sigma_1

    A unit adds :math:`\frac cn (S + a^2 T D)` to the kernel, with its weight a in front, so that the means of kernels
    are those of the limit.

    Parameters
    ----------
    inputs, others, activation, weight_variance, first_variance, nodes
        As for ``infinite_width_kernels``, with two layers of weights in the NTK parametrisation.
    width
        n >= 1.
    bias_variance
        beta^2 >= 0.

    Raises
    ------
    OutsideDomain
        Numbers without meaning.

    Warns
    -----
    ValidityWarning
        As ``dual_activation``.

    References
    ----------
    jacot2018, proof of Theorem 1: the law of large numbers over units.
    """
    check_count("width", width)
    check_positive("weight_variance", weight_variance)
    check_non_negative("bias_variance", bias_variance)
    weight, bias = (jnp.asarray(number, inputs.dtype) for number in (weight_variance, bias_variance))
    if first_variance is None:
        first = weight / inputs.shape[1]
    else:
        check_positive("first_variance", first_variance)
        first = jnp.asarray(first_variance, inputs.dtype)
    others = inputs if others is None else others
    return _variance(inputs, others, activation, weight, bias, first, nodes) / width


@eqx.filter_jit
def _variance(inputs, others, activation, weight, bias, first, nodes) -> Array:
    own, other = (first * jnp.sum(rows**2, axis=1) + bias for rows in (inputs, others))
    gaussian = (own[:, None], other[None, :], first * (inputs @ others.T) + bias)
    mean = dual_activation(activation, *gaussian, nodes=nodes)
    moments = _homogeneous_moments if activation.homogeneous else _moments
    values, mixed, slopes = moments(activation, *gaussian, nodes)
    reach = gaussian[2]
    square = values + 2 * reach * mixed + 3 * reach**2 * slopes
    return weight**2 * (square - (mean.values + reach * mean.slopes) ** 2)


def _moments(activation: Activation, own: Array, other: Array, joint: Array, nodes: int) -> tuple[Array, ...]:
    """E[S^2], E[S D] and E[D^2]: duals of squares and products."""

    def with_slope(z):
        return jax.jvp(activation, (z,), (jnp.ones_like(z),))

    powers = (lambda z: activation(z) ** 2, lambda z: activation(z) * with_slope(z)[1], lambda z: with_slope(z)[1] ** 2)
    duals = (dual_activation(Activation("", power), own, other, joint, nodes=nodes) for power in powers)
    return tuple(dual.values for dual in duals)


def _homogeneous_moments(
    activation: Activation, own: Array, other: Array, joint: Array, nodes: int
) -> tuple[Array, ...]:
    """The same of slopes p above and n below 0: sigma sigma' has slopes p^2 and n^2, and sigma'^2 is its slope."""
    del nodes
    above, below = (slope.astype(joint.dtype) for slope in side_slopes(activation))
    scale, cosines = correlation(own, other, joint)
    cosines = jnp.clip(cosines, -1, 1)
    slopes, values = arc_cosines(cosines)
    odd, even = ((above**2 + below**2) / 2) ** 2, ((above**2 - below**2) / 2) ** 2
    # E[u_+^2 v_+^2], and with v for -v.
    same = scale**2 * (3 * cosines * values + (1 - cosines**2) * slopes) / 2
    total = scale**2 * (1 + 2 * cosines**2)  # E[u^2 v^2]
    opposite = total / 2 - same
    square = (above**4 + below**4) * same + 2 * above**2 * below**2 * opposite
    mixed = odd * joint + even * (2 * scale * values - joint)
    return square, mixed, odd + even * (2 * slopes - 1)
