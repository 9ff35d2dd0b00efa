"""Small fixed data sets on which ReLU networks can be solved by hand."""

import jax.numpy as jnp

from solvable.tasks.samples import Samples, make_samples


def orthogonal_pair() -> Samples:
    """Two orthogonal inputs in the plane with targets +1 and -1.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, App. I (Fig. 1D); boursier2022, Fig. 3.
    """
    return make_samples(jnp.array([[1.0, 0.5], [-1.0, 2.0]]), jnp.array([[1.0], [-1.0]]))


def convolution_points() -> Samples:
    """Four inputs along the axes of R^4, with targets of a linear teacher; their second moment is diag(1, 1, 2, 1).

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, App. I (Fig. 1E).
    """
    inputs = jnp.diag(jnp.array([2.0, 2.0, 2.0 * jnp.sqrt(2.0), 2.0]))
    return make_samples(inputs, inputs @ convolution_teacher()[:, None])


def convolution_teacher():
    """The teacher (1, 1, -1, 1)/sqrt 5 of the convolution tasks, shape (4,).

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, App. I (Fig. 1C, E).
    """
    return jnp.array([1.0, 1.0, -1.0, 1.0]) / jnp.sqrt(5.0)
