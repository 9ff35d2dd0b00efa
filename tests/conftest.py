"""The whole suite runs in float64, with strict promotion, checked shapes, and every warning an error."""

import jax
import matplotlib as mpl
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
mpl.use("Agg")

# Shapes and dtypes are checked in every room that has array types; claims and the forecast hold labelled data.
_ROOMS = ("numerics", "tasks", "networks", "training", "theory", "instruments")
install_import_hook([f"solvable.{room}" for room in _ROOMS], "checked_types.checked")
