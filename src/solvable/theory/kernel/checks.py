"""What the functions of this room check at their doors: spectra, powers, and numbers that broadcast."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Real

from solvable.errors import OutsideDomain, is_concrete

# One number, or an array of them: arguments of this kind broadcast against each other.
Numbers = float | Real[Array, "..."]


def check_spectrum(eigenvalues: Array, multiplicities: Array | None) -> Array:
    """Multiplicities, ones unless given. Raises OutsideDomain for a spectrum without meaning. References: none."""
    if multiplicities is None:
        multiplicities = jnp.ones_like(eigenvalues)
    if multiplicities.shape != eigenvalues.shape:
        raise OutsideDomain(
            f"`multiplicities` has shape {multiplicities.shape} and `eigenvalues` {eigenvalues.shape}; each eigenvalue "
            "has one."
        )
    for name, values in (("eigenvalues", eigenvalues), ("multiplicities", multiplicities)):
        if is_concrete(values) and not np.all(np.isfinite(values) & (np.asarray(values) >= 0)):
            raise OutsideDomain(f"`{name}` must be finite numbers of at least 0; put rounding below 0 to 0.")
    return multiplicities


def check_power(target_power: Array, eigenvalues: Array) -> None:
    """Raises OutsideDomain unless each eigenvalue has a power of at least 0. References: none."""
    if target_power.shape != eigenvalues.shape or (is_concrete(target_power) and np.any(np.asarray(target_power) < 0)):
        raise OutsideDomain(
            f"`target_power` has shape {target_power.shape}; it must hold one number of at least 0 for each of the "
            f"{eigenvalues.size} eigenvalues: squared coefficients."
        )


def broadcast_numbers(dtype: Any, **numbers: Numbers) -> list[Array]:
    """Arrays of one shape and dtype. Raises OutsideDomain for numbers that do not broadcast. References: none."""
    arrays = [jnp.asarray(number, dtype) for number in numbers.values()]
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        raise OutsideDomain(
            f"{', '.join(f'`{name}`' for name in numbers)} have shapes {', '.join(str(a.shape) for a in arrays)}; they "
            "must broadcast, as single numbers do with everything."
        ) from None
    return [jnp.broadcast_to(array, shape) for array in arrays]


def floating_dtype(*numbers: Numbers) -> Any:
    """The floating dtype in which numbers meet; whole ones take any. Raises nothing. References: none."""
    floats = (number for number in numbers if jnp.issubdtype(jnp.result_type(number), jnp.floating))
    return jnp.result_type(float, *floats)
