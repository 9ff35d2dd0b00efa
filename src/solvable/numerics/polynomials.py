"""Monomials as feature maps: what a polynomial network reads off its input."""

from itertools import combinations_with_replacement
from math import factorial

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# On the CPU a call of a matrix product costs more than a small product: below so many multiplications one fused
# multiply-and-sum is quicker (0.8 us against 2.0 us a gradient step of a 50-unit network), and over so few terms plain
# additions, which also run along the batch under vmap.
_SMALL_PRODUCT, _FEW_TERMS = 4096, 4


def contract(left: Float[Array, "rows inner"], right: Float[Array, "inner columns"]) -> Float[Array, "rows columns"]:
    """Matrix product that XLA may fuse into its neighbours when it is small. Raises nothing."""
    if left.shape[0] * right.shape[0] * right.shape[1] > _SMALL_PRODUCT:
        return left @ right
    if left.shape[1] <= _FEW_TERMS:
        return sum(
            (left[:, term, None] * right[None, term, :] for term in range(1, left.shape[1])),
            start=left[:, 0, None] * right[None, 0, :],
        )
    return jnp.sum(left[:, :, None] * right[None, :, :], axis=1)


class Monomials(eqx.Module):
    """All distinct monomials of one degree in the entries of a vector, as a feature map.

    Attributes
    ----------
    input_dim
        Number of entries of the vector.
    degree
        Degree p of every monomial; 1 gives the vector itself.
    """

    input_dim: int = eqx.field(static=True)
    degree: int = eqx.field(static=True)

    @property
    def factors(self) -> np.ndarray:
        """Which entries each monomial multiplies, shape (size, degree)."""
        return np.array(list(combinations_with_replacement(range(self.input_dim), self.degree)))

    @property
    def multiplicities(self) -> np.ndarray:
        """How often each monomial occurs in the p-fold product, shape (size,): p! / prod_j n_j!."""
        counts = [np.unique(row, return_counts=True)[1] for row in self.factors]
        return np.array([factorial(self.degree) / np.prod([factorial(int(n)) for n in row]) for row in counts])

    def __call__(self, inputs: Float[Array, " input_dim"]) -> Float[Array, " size"]:
        if self.degree == 1:
            return inputs
        return jnp.prod(inputs[self.factors], axis=1)

    def coefficients(
        self, first: Float[Array, "width input_dim"], second: Float[Array, "output_dim width"]
    ) -> Float[Array, "output_dim size"]:
        """Coefficients of sum_i v_i (u_i . x)^p on these monomials."""
        if self.degree == 1:
            return contract(second, first)
        products = jnp.prod(first[:, self.factors], axis=2)
        return contract(second, products) * jnp.asarray(self.multiplicities, first.dtype)[None, :]
