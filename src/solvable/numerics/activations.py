"""Activation functions with what theory needs to know of them: polynomial degree and order at zero."""

from collections.abc import Callable
from functools import lru_cache

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = Float[Array, "..."]


class Activation(eqx.Module):
    """A function applied entrywise, with its algebra.

    Attributes
    ----------
    name
        How it is written in tables.
    function
        Acts entrywise on arrays of any shape and keeps their dtype.
    degree
        p where the function is exactly z^p (then a network of such units sees data through moments only);
        None otherwise.
    order
        Order of the first term of its Taylor expansion at 0 that does not vanish: 0, 1, 2, ... It decides
        what small weights do first (zhang2026, Section 5): 1 separates directions, 2 and more separate units.
    homogeneous
        Whether sigma(a z) = a sigma(z) for every a >= 0, as for z itself and the rectifier: units on one ray are then
        one unit.
    """

    name: str = eqx.field(static=True)
    function: Callable[[Scalar], Scalar] = eqx.field(static=True)
    degree: int | None = eqx.field(static=True, default=None)
    order: int = eqx.field(static=True, default=1)
    homogeneous: bool = eqx.field(static=True, default=False)

    def __call__(self, inputs: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return self.function(inputs)


def power(degree: int) -> Activation:
    """The activation z^p, p >= 1. Raises nothing. References: zhang2026, Section 5.2, last paragraph."""
    name = {1: "z", 2: "z²", 3: "z³"}.get(degree, f"z^{degree}")
    return Activation(name, lambda z: z**degree, degree, degree, homogeneous=degree == 1)


@lru_cache(maxsize=64)  # one function a slope, so that what was compiled with it is found again
def leaky_relu(slope: float) -> Activation:
    """max(z, 0) + slope min(z, 0): 0 is the rectifier, 1 the identity. Raises nothing. References: none."""
    return Activation(f"leaky relu({slope:g}) z", lambda z: jnp.where(z > 0, z, slope * z), None, 1, homogeneous=True)


identity = power(1)
square = power(2)
cube = power(3)
relu = Activation("relu z", jax.nn.relu, None, 1, homogeneous=True)
sigmoid = Activation("sigmoid z", jax.nn.sigmoid, None, 0)
erf = Activation("erf z", jax.scipy.special.erf, None, 1)
sin = Activation("sin z", jnp.sin, None, 1)
tanh = Activation("tanh z", jnp.tanh, None, 1)
z_tanh = Activation("z tanh z", lambda z: z * jnp.tanh(z), None, 2)
z_sin = Activation("z sin z", lambda z: z * jnp.sin(z), None, 2)
z_squared_tanh = Activation("z² tanh z", lambda z: z**2 * jnp.tanh(z), None, 3)
log_cosh = Activation("ln cosh z", lambda z: jnp.log1p(2 * jnp.sinh(z / 2) ** 2), None, 2)
