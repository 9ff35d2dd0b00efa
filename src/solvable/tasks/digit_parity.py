"""Even against odd digits: a regression task of real images, for theories that ask for a spectrum only."""

import jax.numpy as jnp
import numpy as np

from solvable.errors import OutsideDomain, check_count, check_positive
from solvable.tasks.images import load_digits
from solvable.tasks.samples import Samples, make_samples


def digit_parity(num_samples: int = 5000, *, mean_square: float = 1.0) -> Samples:
    """Images of handwritten digits with the targets +1 (even) and -1 (odd).

    Parameters
    ----------
    num_samples
        At most 5000; as many of every class, up to one, shuffled the same way every time.
    mean_square
        Mean squared length of the images, after their mean has been taken off.

    Returns
    -------
    Samples
        Inputs (num_samples, 784) and targets (num_samples, 1), in the default floating type.

    Raises
    ------
    OutsideDomain
        More digits than there are; a mean square that is not positive.

    References
    ----------
    jacot2020, experiments on digits; wei2022.
    """
    check_count("num_samples", num_samples)
    check_positive("mean_square", mean_square)
    digits = load_digits()
    if num_samples > len(digits.labels):
        raise OutsideDomain(f"`num_samples` is {num_samples}; it must be at most {len(digits.labels)}.")
    rng = np.random.default_rng(0)
    # One of each class after the other, so that every first part holds all classes.
    turns = np.stack([rng.permutation(np.flatnonzero(digits.labels == label)) for label in digits.classes], axis=1)
    chosen = turns.ravel()[:num_samples]
    inputs = digits.inputs[chosen] - digits.inputs[chosen].mean(0)
    inputs *= np.sqrt(mean_square / np.maximum(np.mean(np.sum(inputs**2, axis=1)), np.finfo(float).tiny))
    dtype = jnp.result_type(float)
    return make_samples(inputs.astype(dtype), np.where(digits.labels[chosen] % 2 == 0, 1, -1).astype(dtype))
