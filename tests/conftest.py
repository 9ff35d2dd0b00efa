"""The whole suite runs in float64, with strict promotion and every warning an error."""

import jax
import matplotlib as mpl

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
mpl.use("Agg")
