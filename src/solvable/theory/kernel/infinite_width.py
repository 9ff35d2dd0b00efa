r"""Fully connected networks of infinite width: the Gaussian process that they start as, and their tangent kernel.

Layers are :math:`a_{l+1} = W_l\,\sigma(a_l) + b_l`, :math:`a_1 = W_0 x + b_0`; each of L layers has weights and biases,
and hidden layers are one fewer.
"""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_choice, check_count, check_non_negative, check_positive
from solvable.numerics import Activation
from solvable.theory.kernel.dual_activations import DualActivation, check_resolved, dual_activation, dual_diagonal

Number = float | Float[Array, ""]
Parametrisation = Literal["ntk", "standard"]


class KernelDiagonal(eqx.Module):
    """Both kernels of each input with itself.

    Attributes
    ----------
    nngp, ntk
        As in ``InfiniteWidthKernels``.

    References
    ----------
    jacot2018.
    """

    nngp: Float[Array, " num_samples"]
    ntk: Float[Array, " num_samples"]


class InfiniteWidthKernels(eqx.Module):
    """Two kernels of an infinitely wide network.

    Attributes
    ----------
    nngp
        Sigma, the covariance of one output at the start of training, over initial weights.
    ntk
        Theta, the tangent kernel of one output: the sum over all parameters of products of its derivatives.
    diagonal, other_diagonal
        Of the inputs, and of the others.

    References
    ----------
    jacot2018, Prop. 1 and Theorem 1.
    """

    nngp: Float[Array, "num_samples num_others"]
    ntk: Float[Array, "num_samples num_others"]
    diagonal: KernelDiagonal
    other_diagonal: KernelDiagonal


def infinite_width_kernels(
    inputs: Float[Array, "num_samples input_dim"],
    others: Float[Array, "num_others input_dim"] | None = None,
    *,
    depth: int,
    activation: Activation,
    weight_variance: Number = 1.0,
    bias_variance: Number | None = None,
    first_variance: Number | None = None,
    parametrisation: Parametrisation = "ntk",
    widths: tuple[int, ...] | None = None,
    nodes: int = 64,
) -> InfiniteWidthKernels:
    r"""Covariance and tangent kernel of every input with every other.

    .. math::
       \Sigma_{l+1} = c\,E[\sigma(u)\sigma(v)] + \beta^2, \quad
       \Theta_{l+1} = c\,E[\sigma'(u)\sigma'(v)]\,\Theta_l + \Sigma_{l+1}, \quad (u, v) \sim N(0, \Sigma_l), \qquad
       \Sigma_1 = \Theta_1 = c_0\,x \cdot x' + \beta^2

    Parameters
    ----------
    inputs, others
        x and x', one a row; the inputs themselves unless given.
    depth
        L >= 1, layers of weights; 1 is a linear map.
    activation
        sigma; see ``dual_activation`` for which are closed, and for ``nodes``.
    weight_variance
        c: weights have variance c/width as they act.
    bias_variance
        beta^2 of the biases as they act. None for a network without biases; in the NTK parametrisation 0 is the same.
    first_variance
        c_0: the first layer's weights have this variance as they act; weight_variance/input_dim unless given.
    parametrisation
        ``"ntk"``: trained are parameters of variance 1, with :math:`\sqrt{c/\text{width}}` and beta in front.
        ``"standard"``: trained are weights and biases as they act. The tangent kernel then grows with width,

        .. math:: \Theta_1 = x \cdot x' + 1, \quad
           \Theta_{l+1} = c\,E[\sigma'\sigma']\,\Theta_l + n_l\,E[\sigma\sigma] + 1

        (without biases no 1), so that learning rates fall as 1/width. Biases that start at 0, bias_variance 0, learn.
    widths
        n_l of the hidden layers in the standard parametrisation, depth - 1 of them; else None.
    nodes
        As for ``dual_activation``.

    Raises
    ------
    OutsideDomain
        Numbers without meaning, inputs that do not fit, widths that are missing or for the other parametrisation.

    Warns
    -----
    ValidityWarning
        As ``dual_activation``.

    Notes
    -----
    Exact in the limit of wide hidden layers. One network of width n is off by a relative C/sqrt(n) that averages out
    (on the circle, ReLU, C = 3 at four layers; ``tangent_kernel_variance`` for two); training moves its kernel by 1/n.
    The loss of which :math:`e^{-\Theta t}` is the flow is half the *sum* of squares. Inputs that coincide without being
    one entry of the diagonal are at an angle of rounding, 1e-8, and so is their tangent kernel off.

    References
    ----------
    jacot2018, Prop. 1 and Theorem 1 [beta; c = 1]; lee2019, App. E [sigma_w^2 = c, sigma_b^2 = bias_variance];
    arora2019c, Sec. 3 [c = c_sigma, c_0 = 1, no biases, depth L + 1]. Standard: Sohl-Dickstein, Novak, Schoenholz, Lee
    (2020), as in the neural-tangents library with s = (1, 1).
    """
    check_count("depth", depth)
    check_positive("weight_variance", weight_variance)
    _check(inputs, others, depth, bias_variance, parametrisation, widths)
    dtype, has_biases = inputs.dtype, bias_variance is not None
    weight = jnp.asarray(weight_variance, dtype)
    bias = jnp.asarray(bias_variance if has_biases else 0, dtype)
    if first_variance is not None:
        check_positive("first_variance", first_variance)
        first = jnp.asarray(first_variance, dtype)
    else:
        first = weight / inputs.shape[1]
    if parametrisation == "ntk":
        gains, bias_gain = jnp.concatenate([first[None], jnp.broadcast_to(weight, (depth - 1,))]), bias
    else:
        gains, bias_gain = jnp.asarray([1, *(widths or ())], dtype), jnp.asarray(has_biases, dtype)
    kernels, largest = _kernels(inputs, others, activation, weight, bias, first, gains, bias_gain, nodes)
    check_resolved(activation, nodes, largest)
    return kernels


def is_positive_definite(activation: Activation, depth: int, *, bias_variance: float) -> bool:
    """Whether the tangent kernel's matrix is invertible for any distinct points of any sphere around 0.

    Parameters
    ----------
    activation
        Lipschitz; one of which no ``degree`` is known counts as no polynomial.
    depth
        L >= 1 layers of weights.
    bias_variance
        beta^2 > 0.

    Raises
    ------
    OutsideDomain
        No biases.

    Notes
    -----
    Without biases a kernel may lack all odd or all even levels, as that of odd or even activations and of one hidden
    layer of ReLU units do: ``sphere_spectrum`` tells.

    References
    ----------
    jacot2018, Prop. 2.
    """
    check_count("depth", depth)
    check_positive("bias_variance", bias_variance, "without biases look at the kernel's `sphere_spectrum`")
    return depth >= 2 and activation.degree is None


class _Pair(eqx.Module):
    nngp: Array
    ntk: Array


@eqx.filter_jit
def _kernels(inputs, others, activation, weight, bias, first, gains, bias_gain, nodes):
    """The kernels, and the largest variance that any layer sees."""
    alone = others is None
    others = inputs if alone else others

    def start(inner: Array) -> _Pair:
        return _Pair(first * inner + bias, gains[0] * inner + bias_gain)

    def ascend(pair: _Pair, dual: DualActivation, gain: Array) -> _Pair:
        return _Pair(weight * dual.values + bias, weight * dual.slopes * pair.ntk + gain * dual.values + bias_gain)

    def layer(index, state):
        own, other, joint, largest = state
        rows, columns = own.nngp[:, None], (own if other is None else other).nngp[None, :]
        dual = dual_activation(activation, rows, columns, joint.nngp, nodes=nodes)
        raise_diagonal = lambda pair: ascend(pair, dual_diagonal(activation, pair.nngp, nodes=nodes), gains[index])  # noqa: E731
        for variances in (rows, columns):
            largest = jnp.maximum(largest, jnp.max(variances, initial=0))
        above = None if other is None else raise_diagonal(other)
        return raise_diagonal(own), above, ascend(joint, dual, gains[index]), largest

    other_start = None if alone else start(jnp.sum(others**2, axis=1))
    state = (start(jnp.sum(inputs**2, axis=1)), other_start, start(inputs @ others.T), jnp.zeros_like(bias))
    own, other, joint, largest = lax.fori_loop(1, gains.size, layer, state)
    if alone:
        # Of an input with itself the angle is 0, not a rounding of it.
        joint = jax.tree.map(lambda matrix, diagonal: jnp.fill_diagonal(matrix, diagonal, inplace=False), joint, own)
    diagonals = [KernelDiagonal(pair.nngp, pair.ntk) for pair in (own, own if other is None else other)]
    return InfiniteWidthKernels(joint.nngp, joint.ntk, *diagonals), largest


def _check(inputs, others, depth, bias_variance, parametrisation, widths) -> None:
    if bias_variance is not None:
        check_non_negative("bias_variance", bias_variance)
    check_choice("parametrisation", parametrisation, ("ntk", "standard"))
    if others is not None and others.shape[1] != inputs.shape[1]:
        raise OutsideDomain(
            f"`inputs` have {inputs.shape[1]} entries and `others` {others.shape[1]}; they must have as many."
        )
    if parametrisation == "ntk" and widths is not None:
        raise OutsideDomain(f"`widths` is {widths}; the NTK parametrisation's kernel has none: leave it out.")
    if parametrisation == "standard" and len(widths or ()) != depth - 1:
        raise OutsideDomain(
            f"`widths` is {widths}; in the standard parametrisation it must hold {depth - 1} widths of hidden layers, "
            "with which the tangent kernel grows."
        )
    for width in widths or ():
        check_count("widths", width)
