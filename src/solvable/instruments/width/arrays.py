"""Weights and data of JAX and NumPy as float64 arrays, and back."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from solvable.errors import OutsideDomain


def to_numpy(array: Any) -> np.ndarray:
    """Weights in float64, or OutsideDomain if they are not real floating numbers."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise OutsideDomain(f"weights have dtype {array.dtype}; they must be real floating numbers.")
    return np.asarray(array, np.float64)


def cast_like(array: np.ndarray, old: Any) -> Any:
    """The array in the library and dtype of another one."""
    return array.astype(old.dtype) if isinstance(old, np.ndarray) else jnp.asarray(array, old.dtype)


def spacing(array: Any) -> float:
    """Relative spacing of the array's floating type."""
    return float(jnp.finfo(array.dtype).eps)


def evaluate_on(data: Any) -> Callable[[Any], np.ndarray]:
    """The function that gives a model's outputs on the data, one sample a row."""

    def evaluate(model: Any) -> np.ndarray:
        outputs = _outputs(model, jnp.asarray(data))
        return np.asarray(outputs, np.float64).reshape(len(outputs), -1)

    return evaluate


@eqx.filter_jit
def _outputs(model: Any, inputs: Any) -> Any:
    return jax.vmap(model)(inputs)
