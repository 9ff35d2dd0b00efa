"""What merging must know of an activation function: its symmetries and its steepest slope."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from solvable.errors import OutsideDomain, check_choice
from solvable.numerics import Activation, activations

Values = Float[np.ndarray, "*shape"]


@dataclass(frozen=True)
class Nonlinearity:
    """An activation function sigma and its symmetries.

    Attributes
    ----------
    function
        sigma, entrywise on NumPy arrays.
    degree
        p where sigma(c z) = c^p sigma(z) for every c > 0; None otherwise.
    parity
        +1 where sigma(-z) = sigma(z), -1 where sigma(-z) = -sigma(z); 0 otherwise. Degree 1 and parity -1 is linear.
    slope
        The largest |sigma'| on [-reach, reach], or a number above it; infinite where nothing is known.
    """

    function: Callable[[Values], Values]
    degree: int | None = None
    parity: int = 0
    slope: Callable[[float], float] = lambda reach: math.inf

    @property
    def vanishes(self) -> bool:
        """Whether sigma(0) = 0."""
        return not self.function(np.zeros(1)).any()


def power(degree: int) -> Nonlinearity:
    """What is known of z^p, p >= 1."""
    return Nonlinearity(lambda z: z**degree, degree, (-1) ** degree, lambda reach: degree * reach ** (degree - 1))


def _bounded(value: float) -> Callable[[float], float]:
    return lambda reach: value


# name: the functions of that name, degree, parity, slope. Slopes are rounded up: gelu 1.1290, silu 1.0999,
# z tanh z 1.1997, and z^2/cosh^2 z stays below 0.4393.
_KNOWN: dict[str, tuple[tuple[Callable, ...], int | None, int, Callable[[float], float]]] = {
    "relu": ((jax.nn.relu,), 1, 0, _bounded(1.0)),
    "leaky_relu": ((jax.nn.leaky_relu,), 1, 0, _bounded(1.0)),
    "abs": ((jnp.abs, jnp.absolute), 1, 1, _bounded(1.0)),
    "tanh": ((jnp.tanh, jax.nn.tanh, jax.lax.tanh), None, -1, _bounded(1.0)),
    "sin": ((jnp.sin, jax.lax.sin), None, -1, _bounded(1.0)),
    "sigmoid": ((jax.nn.sigmoid,), None, 0, _bounded(0.25)),
    "softplus": ((jax.nn.softplus,), None, 0, _bounded(1.0)),
    "elu": ((jax.nn.elu,), None, 0, _bounded(1.0)),
    "gelu": ((jax.nn.gelu,), None, 0, _bounded(1.13)),
    "silu": ((jax.nn.silu, jax.nn.swish), None, 0, _bounded(1.1)),
    "z_tanh": ((activations.z_tanh.function,), None, 1, _bounded(1.2)),
    "z_sin": ((activations.z_sin.function,), None, 1, lambda reach: 1 + reach),
    "z_squared_tanh": ((activations.z_squared_tanh.function,), None, -1, lambda reach: 2 * reach + 0.44),
    "log_cosh": ((activations.log_cosh.function,), None, 1, _bounded(1.0)),
}
_POWERS = {"identity": 1, "square": 2, "cube": 3}


def find_nonlinearity(activation: Any) -> Nonlinearity:
    """What is known of an activation, given by name, as a JAX function or as an ``Activation``.

    Raises
    ------
    OutsideDomain
        None, or a name that is not in the table. A function that is not there has no symmetry and no known slope.
    """
    if activation is None:
        raise OutsideDomain("`activation` is missing; name what acts between the two layers, such as 'relu'.")
    if isinstance(activation, Activation) and activation.degree is not None:
        return power(activation.degree)
    if isinstance(activation, str):
        check_choice("activation", activation, (*_POWERS, *_KNOWN))
        if activation in _POWERS:
            return power(_POWERS[activation])
        return _describe(activation)
    function = activation.function if isinstance(activation, Activation) else activation
    for name, (functions, *_) in _KNOWN.items():
        if any(function is known for known in functions):
            return _describe(name)
    on_numpy = _on_numpy(function)
    if isinstance(activation, Activation) and activation.homogeneous:  # two straight lines through 0
        steepest = float(np.abs(on_numpy(np.array([1.0, -1.0]))).max())
        return Nonlinearity(on_numpy, 1, 0, _bounded(steepest))
    return Nonlinearity(on_numpy)


def _describe(name: str) -> Nonlinearity:
    functions, degree, parity, slope = _KNOWN[name]
    return Nonlinearity(_on_numpy(functions[0]), degree, parity, slope)


def _on_numpy(function: Callable) -> Callable[[Values], Values]:
    """The function for float64 NumPy arrays; it computes in JAX's default floating type."""
    return lambda values: np.asarray(function(jnp.asarray(values, jnp.result_type(float))), dtype=np.float64)
