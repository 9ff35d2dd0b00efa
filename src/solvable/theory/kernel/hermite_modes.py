"""Eigenvalues and eigenfunctions of a rotation-invariant kernel from the covariance of its inputs: Hermite products."""

from collections.abc import Sequence
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from solvable.errors import OutsideDomain, check_count, check_positive
from solvable.numerics import largest_products


class HermiteModes(eqx.Module):
    r"""The largest eigenvalues of a kernel, each with its Hermite product.

    Attributes
    ----------
    eigenvalues
        :math:`\lambda_a = c_{|a|} \prod_i \gamma_i^{a_i}`, descending, shape (mode,).
    directions
        Each multi-index a as the directions i it holds, a_i times each, larger gamma_i first, then -1, shape (mode,
        max_level): (2, 2, 5, -1) is He_2(z_2) He_1(z_5). All -1 is the constant.

    References
    ----------
    karkada2025, Hermite eigenstructure ansatz.
    """

    eigenvalues: Float[Array, " mode"]
    directions: Int[Array, "mode max_level"]

    @property
    def levels(self) -> Int[Array, " mode"]:
        """|a|, the total degree of each mode. Raises nothing. References: karkada2025."""
        return jnp.sum(self.directions >= 0, axis=1)

    def power_of(self, product: Sequence[int]) -> Float[Array, " mode"]:
        """Target power of one Hermite product: 1 in its mode, 0 in others, all 0 where it is not among the modes.

        Parameters
        ----------
        product
            Its directions, in any order; none for the constant, and -1 is none too.

        Raises
        ------
        Raises nothing.

        References
        ----------
        karkada2025, single-mode targets.
        """
        held = sorted(direction for direction in product if direction >= 0)
        lists = np.sort(np.asarray(self.directions), axis=1)
        short = max(lists.shape[1] - len(held), 0)
        same = len(held) <= lists.shape[1] and np.all(lists == np.array([-1] * short + held), axis=1)
        return jnp.asarray(np.broadcast_to(same, len(lists)), self.eigenvalues.dtype)


def hermite_modes(
    covariance_eigenvalues: Float[Array, " direction"], coefficients: Float[Array, " level"], num_modes: int
) -> HermiteModes:
    r"""The largest eigenvalues of a kernel on data of given covariance, with their eigenfunctions.

    .. math:: \lambda_a = c_{|a|} \prod_i \gamma_i^{a_i}, \qquad
       \phi_a(x) = \prod_i \frac{\mathrm{He}_{a_i}(z_i)}{\sqrt{a_i!}}, \quad z_i = \frac{u_i \cdot x}{\sqrt{\gamma_i}}

    Parameters
    ----------
    covariance_eigenvalues
        gamma_i >= 0, in any order; ``directions`` of the result count in it. Not traced.
    coefficients
        c_l >= 0 of levels 0, 1, ..., from ``level_coefficients`` at q = sum_i gamma_i. Not traced.
    num_modes
        How many; all there are, where they are fewer (gamma_i or c_l of 0 have none).

    Raises
    ------
    OutsideDomain
        No modes, eigenvalues or coefficients that are negative or not finite, or all 0.

    Notes
    -----
    Exact to first order for inputs that are Gaussian with c_{l+1} gamma_1/c_l << 1 and a large effective dimension
    (sum gamma)^2/sum gamma^2: ``gaussian_kernel_log_error`` tells by how much for the Gaussian kernel; on images the
    leading eigenvalues are within a tenth. A million modes take two seconds.

    References
    ----------
    karkada2025, Hermite eigenstructure ansatz.
    """
    check_count("num_modes", num_modes)
    gammas, levels = (np.asarray(values, np.float64) for values in (covariance_eigenvalues, coefficients))
    for name, values in (("covariance_eigenvalues", gammas), ("coefficients", levels)):
        if not (np.all(np.isfinite(values)) and np.all(values >= 0) and np.any(values > 0)):
            raise OutsideDomain(f"`{name}` must be finite numbers of at least 0, and one of them positive.")
    order = np.argsort(-gammas, kind="stable")[: np.count_nonzero(gammas)]
    chosen = largest_products(gammas[order], levels, num_modes)
    directions = np.where(chosen >= 0, order[chosen], -1).astype(np.int32)
    eigenvalues = levels[(directions >= 0).sum(axis=1)] * np.prod(
        np.where(directions >= 0, gammas[directions], 1), axis=1
    )
    # Products in order up to a rounding of their logarithms may have neighbours the wrong way round.
    sort = np.argsort(-eigenvalues, kind="stable")
    return HermiteModes(jnp.asarray(eigenvalues[sort], covariance_eigenvalues.dtype), jnp.asarray(directions[sort]))


def monomial_eigenvalues(
    covariance_eigenvalues: Float[Array, " direction"],
    coefficients: Float[Array, " level"],
    directions: Int[Array, "mode max_level"],
) -> Float[Array, " mode"]:
    r"""Eigenvalues :math:`c_{|a|} \prod_i \gamma_i^{a_i}` of given Hermite products.

    Parameters
    ----------
    covariance_eigenvalues, coefficients
        As for ``hermite_modes``; may be traced.
    directions
        As in ``HermiteModes``.

    Raises
    ------
    OutsideDomain
        Products of a higher degree than there are coefficients.

    References
    ----------
    karkada2025, Hermite eigenstructure ansatz.
    """
    if directions.shape[1] >= coefficients.shape[0]:
        raise OutsideDomain(
            f"`directions` has products of up to {directions.shape[1]} directions; `coefficients` must have levels up "
            f"to that, and ends at {coefficients.shape[0] - 1}."
        )
    return _eigenvalues(covariance_eigenvalues, coefficients, directions)


@jax.jit
def _eigenvalues(gammas: Array, coefficients: Array, directions: Array) -> Array:
    some = directions >= 0
    factors = jnp.where(some, gammas[jnp.maximum(directions, 0)], 1)
    return coefficients[jnp.sum(some, axis=1)] * jnp.prod(factors, axis=1)


def gaussian_kernel_levels(
    covariance_eigenvalues: Float[Array, " direction"], width: float | Float[Array, ""], max_level: int
) -> tuple[Float[Array, " direction"], Float[Array, " level"]]:
    r"""What stands for gamma_i and c_l where inputs are Gaussian and the kernel too: its exact spectrum.

    .. math:: \lambda_a = \prod_i \sqrt{\frac{2 A_i}{S_i}} \Big(\frac{B}{S_i}\Big)^{a_i}, \quad
       A_i = \frac{1}{4 \gamma_i},\; B = \frac{1}{2 s^2},\; S_i = A_i + B + \sqrt{A_i^2 + 2 A_i B}

    Parameters
    ----------
    covariance_eigenvalues
        gamma_i >= 0 of Gaussian inputs.
    width
        s > 0 of the kernel exp(-|x - x'|^2/(2 s^2)).
    max_level
        Highest level l.

    Returns
    -------
    tuple
        Factors B/S_i and equal coefficients lambda_0 of all levels, to be given to ``hermite_modes`` or
        ``monomial_eigenvalues``. Eigenfunctions are Hermite products times a Gaussian, of another width than the data.

    Raises
    ------
    OutsideDomain
        A width that is not positive, a level below 0.

    References
    ----------
    karkada2025, wide-kernel limit; Mehler's formula.
    """
    check_positive("width", width)
    check_count("max_level", max_level, at_least=0)
    return _gaussian_kernel_levels(covariance_eigenvalues, width, max_level)


@partial(jax.jit, static_argnums=2)
def _gaussian_kernel_levels(gammas: Array, width: Array, max_level: int) -> tuple[Array, Array]:
    shape = gammas / width**2
    # Times 2 s^2: A = s^2/(2 gamma), B = 1; all over A, which is infinite where gamma is 0.
    total = 1 + 2 * shape + jnp.sqrt(1 + 4 * shape)
    ground = jnp.exp(jnp.sum(jnp.log(2 / total)) / 2)
    return 2 * shape / total, jnp.broadcast_to(ground, (max_level + 1,))


def gaussian_kernel_log_error(
    covariance_eigenvalues: Float[Array, " direction"],
    width: float | Float[Array, ""],
    directions: Int[Array, "mode max_level"],
) -> Float[Array, " mode"]:
    r"""By how much the ansatz overestimates each eigenvalue, where inputs are Gaussian and the kernel too.

    .. math:: \ln\frac{\lambda_a}{\lambda_a^{\mathrm{exact}}} \simeq
       -\frac{3}{2 s^4} \sum_i \gamma_i^2 + \frac{2}{s^2} \sum_i a_i \gamma_i

    Parameters
    ----------
    covariance_eigenvalues, width
        As for ``gaussian_kernel_levels``.
    directions
        Of the modes, as in ``HermiteModes``.

    Raises
    ------
    OutsideDomain
        A width that is not positive.

    Notes
    -----
    First order in gamma_i/s^2: of the effective dimension 24, s = 1 it says -0.062 for level 0, which is -0.055.

    References
    ----------
    karkada2025, wide-kernel limit [our expansion].
    """
    check_positive("width", width)
    return _gaussian_kernel_log_error(covariance_eigenvalues, width, directions)


@jax.jit
def _gaussian_kernel_log_error(gammas: Array, width: Array, directions: Array) -> Array:
    shape = gammas / width**2
    own = jnp.where(directions >= 0, shape[jnp.maximum(directions, 0)], 0)
    return 2 * jnp.sum(own, axis=1) - 1.5 * jnp.sum(shape**2)
