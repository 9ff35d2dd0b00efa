"""Linear regression on one training set: one factorisation of its inputs, then every ridge and every training time."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_non_negative
from solvable.numerics import clear_rounding, integrated_exponential

Numbers = float | Float[Array, "*batch"]


class Design(eqx.Module):
    r"""Inputs and targets of a training set along the singular vectors of :math:`X = U s V^\top`.

    Attributes
    ----------
    singular_values
        s, largest first, shape (rank,), where rank is the smaller of samples and inputs; rounding is 0.
    right
        V, one direction in input space a row, shape (rank, input_dim).
    targets
        :math:`U^\top y`, shape (rank, output_dim).

    References
    ----------
    hastie2022, minimum-norm and ridge regression; advani2020, gradient flow.
    """

    singular_values: Float[Array, " rank"]
    right: Float[Array, "rank input_dim"]
    targets: Float[Array, "rank output_dim"]

    def ridge_weights(self, ridge: Numbers) -> Float[Array, "*batch output_dim input_dim"]:
        r"""Weights that minimise :math:`\sum_\mu |W x_\mu - y_\mu|^2 + \delta |W|^2`, of least norm at ridge 0.

        Parameters
        ----------
        ridge
            delta >= 0, a number or an array: the axes of an array come first.

        Raises
        ------
        OutsideDomain
            A negative ridge.

        References
        ----------
        hastie2022, ridge and ridgeless least squares [their lambda is delta / n].
        """
        check_non_negative("ridge", ridge)
        ridge = jnp.asarray(ridge, self.singular_values.dtype)[..., None]
        squares = self._squares(ridge)
        return self._weights(self._scale(1 / jnp.where(squares > 0, squares + ridge, 1)))

    def flow_weights(self, time: Numbers) -> Float[Array, "*batch output_dim input_dim"]:
        r"""Weights after gradient flow from 0 on the half sum of squares, :math:`\dot W = (y - W X)^\top X`.

        Parameters
        ----------
        time
            At least 0, a number or an array; on the half mean squared error it is n times longer.

        Raises
        ------
        OutsideDomain
            A negative time.

        References
        ----------
        advani2020, dynamics; pillaudvivien2018, gradient flow.
        """
        check_non_negative("time", time)
        time = jnp.asarray(time, self.singular_values.dtype)[..., None]
        return self._weights(self._scale(integrated_exponential(-self._squares(time), time)))

    def averaged_flow_weights(self, time: Numbers) -> Float[Array, "*batch output_dim input_dim"]:
        """The mean of ``flow_weights`` over all times up to ``time``.

        Raises
        ------
        OutsideDomain
            A negative time.

        References
        ----------
        pillaudvivien2018, averaged iterates.
        """
        check_non_negative("time", time)
        time = jnp.asarray(time, self.singular_values.dtype)[..., None]
        squares = self._squares(time)
        passed = squares * time
        small = passed < 1e-5
        safe = jnp.where(small, 1, passed)
        # (x - 1 + e^-x)/x, which loses all digits for small x.
        share = jnp.where(small, passed / 2 - passed**2 / 6, (safe + jnp.expm1(-safe)) / safe)
        return self._weights(self._scale(share / jnp.where(squares > 0, squares, 1)))

    def _squares(self, batch: Array) -> Array:
        return jnp.expand_dims(self.singular_values**2, range(batch.ndim - 1))

    def _scale(self, shares: Array) -> Array:
        """What is left of the targets along each direction, divided by its singular value."""
        return shares * jnp.expand_dims(self.singular_values, range(shares.ndim - 1))

    def _weights(self, shares: Array) -> Array:
        return jnp.einsum("...r,ro,rd->...od", shares, self.targets, self.right)


@jax.jit
def factor_design(
    inputs: Float[Array, "num_samples input_dim"], targets: Float[Array, "num_samples output_dim"]
) -> Design:
    """The singular value decomposition that all ridges and times share.

    Parameters
    ----------
    inputs, targets
        X and y, one sample a row.

    Raises
    ------
    Raises nothing.

    References
    ----------
    hastie2022.
    """
    left, values, right = jnp.linalg.svd(inputs, full_matrices=False)
    return Design(clear_rounding(values, max(inputs.shape)), right, left.T @ targets)
