"""Averages over the angle between two inputs on a sphere."""

from math import ceil

import numpy as np
from scipy.special import roots_legendre


def sphere_rule(input_dim: int, num_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre quadrature in the angle, in which kernels with a kink are smooth: cosines, and weights of sum 1.

    Parameters
    ----------
    input_dim
        d >= 2 of the space around the sphere.
    num_levels
        Degrees of the zonal polynomials that it is to resolve.

    Raises
    ------
    Raises nothing.

    References
    ----------
    canatar2021, dot-product kernels; the formula of Funk and Hecke.
    """
    nodes, weights = roots_legendre(2 * num_levels + 64 + ceil(8 * input_dim**0.5))
    angles = np.pi * (nodes + 1) / 2
    density = weights * np.sin(angles) ** (input_dim - 2)
    return np.cos(angles), density / density.sum()
