"""Kernels of descent by gradients and by their signs, of any network."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class GradientKernels(NamedTuple):
    r"""Products of gradients g and of their signs, shape (num_samples, num_others).

    Attributes
    ----------
    sgd
        :math:`g(x) \cdot g(x')`, of gradient descent.
    asymmetric
        :math:`g(x) \cdot \mathrm{sign}\,g(x')`, of descent by signs: x is where the output is read, x' is trained on.
    sign
        :math:`\mathrm{sign}\,g(x) \cdot \mathrm{sign}\,g(x')`, its symmetric stand-in.

    References
    ----------
    malladi2023, Sec. 4.
    """

    sgd: Float[Array, "num_samples num_others"]
    asymmetric: Float[Array, "num_samples num_others"]
    sign: Float[Array, "num_samples num_others"]


@eqx.filter_jit
def gradient_kernels(network: Any, read: Callable[[Array], Array], inputs: Any, others: Any = None) -> GradientKernels:
    """The three kernels of one number read off a network's outputs.

    Parameters
    ----------
    network
        An Equinox module from one input to its outputs; its floating-point arrays are the weights.
    read
        The number, from the outputs of one input.
    inputs
        Where it is read, first axis.
    others
        What is trained on; the inputs unless given.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Holds the gradients of all samples, as signs cannot be taken of products; a sign of 0 is 0.

    References
    ----------
    malladi2023, Sec. 4.
    """
    params, static = eqx.partition(network, eqx.is_inexact_array)
    gradient = jax.grad(lambda params, x: read(eqx.combine(params, static)(x)))
    flat = lambda inputs: [  # noqa: E731
        leaf.reshape(len(leaf), -1) for leaf in jax.tree.leaves(jax.vmap(gradient, (None, 0))(params, inputs))
    ]
    here = flat(inputs)
    there = here if others is None else flat(others)

    def product(left, right) -> Array:
        return jnp.asarray(sum(left(one) @ right(other).T for one, other in zip(here, there, strict=True)))

    same = lambda gradients: gradients  # noqa: E731
    return GradientKernels(product(same, same), product(same, jnp.sign), product(jnp.sign, jnp.sign))
