"""The data that these claims share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from solvable import tasks

if TYPE_CHECKING:
    import jax


@functools.cache
def centred_digits() -> tasks.Samples:
    """The middle 20 x 20 pixels of 5000 digits, where they vary, of mean 0 and E|x|^2 = 1; even is 1, odd -1."""
    import numpy as np

    digits = tasks.load_digits()
    inputs = digits.inputs.reshape(-1, 28, 28)[:, 4:24, 4:24].reshape(-1, 400)
    inputs = inputs - inputs.mean(axis=0)
    return tasks.make_samples(inputs / np.sqrt((inputs**2).sum(axis=1).mean()), 1.0 - 2 * (digits.labels % 2))


def flat_power_law(input_dim: int, decay: float) -> jax.Array:
    """Variances (i + 6)^-decay of the directions i = 0, 1, ..., of sum 1; the offset keeps many of them large."""
    import jax.numpy as jnp
    import numpy as np

    gammas = (np.arange(input_dim) + 6.0) ** -decay
    return jnp.asarray(gammas / gammas.sum())
