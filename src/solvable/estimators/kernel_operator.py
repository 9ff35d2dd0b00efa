"""Eigenvalues of a kernel's integral operator: on samples, and by quadrature where it is a product over coordinates."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, check_count, check_non_negative
from solvable.numerics import Kernel, gram_matrix


def product_kernel_eigenvalues(
    kernel: Kernel,
    variances: Float[Array, " direction"],
    directions: Int[np.ndarray, "mode level"],
    *,
    num_nodes: int = 64,
) -> Float[Array, " mode"]:
    r"""Eigenvalues on independent Gaussian coordinates, of a kernel that is the product of itself in each of them.

    .. math:: \lambda_a = \prod_i \lambda^{(i)}_{a_i}, \qquad
       \sum_j w_j\,k(\sqrt{\gamma_i} z_m, \sqrt{\gamma_i} z_j)\,\phi(z_j) = \lambda^{(i)} \phi(z_m)

    Parameters
    ----------
    kernel
        Such as the Gaussian one, or exp(x.x'); its value at inner product and lengths 0 is 1.
    variances
        gamma_i >= 0 of the coordinates.
    directions
        Each eigenfunction as the coordinates it varies along: (0, 0, 3) has the third eigenvalue along coordinate 0 and
        the second along coordinate 3, and the first along all others; -1 is none.
    num_nodes
        Gauss-Hermite nodes along each coordinate. Enough for variances of up to a few squared widths of the kernel.

    Raises
    ------
    OutsideDomain
        Negative variances, a direction that they lack, fewer nodes than levels.

    Notes
    -----
    Rounding is 1e-16 of the largest eigenvalue along each coordinate.

    References
    ----------
    karkada2025, eigenvalues of the Gaussian kernel on Gaussian data.
    """
    check_non_negative("variances", variances)
    check_count("num_nodes", num_nodes, at_least=directions.shape[1] + 1)
    if directions.size and directions.max() >= len(variances):
        raise OutsideDomain(f"`directions` holds {directions.max()}; there are {len(variances)} variances, from 0 on.")
    nodes, weights = np.polynomial.hermite_e.hermegauss(num_nodes)
    # Half the weight on either side keeps the matrix symmetric.
    shares = np.sqrt(weights / weights.sum())
    counts = (directions[:, :, None] == np.arange(len(variances))).sum(1)
    nodes, shares = (jnp.asarray(each, variances.dtype) for each in (nodes, shares))
    return _eigenvalues(kernel, variances, nodes, shares, jnp.asarray(counts))


def sample_kernel_eigenvalues(
    kernel: Kernel, inputs: Float[Array, "num_samples input_dim"], num_modes: int
) -> Float[np.ndarray, " mode"]:
    """Leading eigenvalues of the kernel matrix, divided by the number of samples, to 1e-5.

    Parameters
    ----------
    kernel
        Of ``solvable.numerics``, or any function of inner product and squared lengths.
    inputs
        Samples, one a row.
    num_modes
        How many, fewer than samples.

    Raises
    ------
    OutsideDomain
        No modes, or as many as samples.

    Notes
    -----
    Those of the law of inputs are lower: by a share of about the trace that follows an eigenvalue, over n times it.

    References
    ----------
    SciPy's ``eigsh``, a Lanczos method.
    """
    from scipy.sparse.linalg import eigsh

    check_count("num_modes", num_modes)
    check_count("num_samples", len(inputs), at_least=num_modes + 1)
    matrix = np.asarray(gram_matrix(kernel, inputs))
    # A start of its own would be drawn at random, unseeded.
    start = np.ones(len(matrix), matrix.dtype)
    found = eigsh(matrix, k=num_modes, which="LA", tol=1e-5, v0=start, return_eigenvectors=False)  # pyright: ignore[reportArgumentType]
    return np.sort(found)[::-1] / len(matrix)


@eqx.filter_jit
def _eigenvalues(kernel: Kernel, variances: Array, nodes: Array, shares: Array, counts: Array) -> Array:
    squares = variances[:, None] * nodes[None, :] ** 2
    inner = variances[:, None, None] * nodes[None, :, None] * nodes[None, None, :]
    matrices = kernel(inner, squares[:, :, None], squares[:, None, :])
    spectra = jnp.linalg.eigvalsh(matrices * shares[None, :, None] * shares[None, None, :])[:, ::-1]
    return jnp.prod(spectra[jnp.arange(len(variances))[None, :], counts], axis=1)
