"""Random waves of data, whose linear regression is that of a Gaussian kernel once there are many."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import check_count, check_positive


def random_fourier_features(
    key: Key[Array, ""],
    inputs: Float[Array, "num_samples input_dim"],
    num_features: int,
    *,
    width: float | Float[Array, ""] = 1.0,
) -> Float[Array, "num_samples num_features"]:
    r"""Features :math:`\sqrt{2/N}\,\cos(v \cdot x + b)` of random v and b.

    Parameters
    ----------
    key
        Randomness of v, of entries N(0, 1/width^2), and b, uniform on [0, 2 pi).
    inputs
        One a row.
    num_features
        N.
    width
        Of the Gaussian kernel :math:`\exp(-|x - x'|^2/(2\,\mathrm{width}^2))`, which is their inner product on average;
        may be traced.

    Raises
    ------
    OutsideDomain
        No features, a width that is not positive.

    References
    ----------
    belkin2019, random Fourier features; Rahimi and Recht (2007).
    """
    check_count("num_features", num_features)
    check_positive("width", width)
    key_waves, key_phases = jax.random.split(key)
    dtype = inputs.dtype
    waves = jax.random.normal(key_waves, (inputs.shape[1], num_features), dtype) / jnp.asarray(width, dtype)
    phases = jax.random.uniform(key_phases, (num_features,), dtype, maxval=2 * jnp.pi)
    return jnp.cos(inputs @ waves + phases[None, :]) * (2 / num_features) ** 0.5
