"""How the singular values and singular vectors of a deep linear network's map move under gradient flow."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.theory.linear.depth import Number, check_depth


def singular_value_velocity(
    weights: Float[Array, "output_dim input_dim"], descent: Float[Array, "output_dim input_dim"], depth: Number
) -> Float[Array, " mode"]:
    r"""Velocity of the singular values of the map of D balanced layers: the large ones grow fastest.

    .. math:: \dot s_r = D\,s_r^{2 - 2/D}\;u_r^\top G\,v_r

    Parameters
    ----------
    weights
        W, of any shape and rank.
    descent
        G, minus the gradient with respect to W.
    depth
        D, any real number from 1 on.

    Returns
    -------
    Array
        In descending order of singular value; of a multiple one only the sum over its copies has a meaning.

    Raises
    ------
    OutsideDomain
        A depth below 1.

    References
    ----------
    arora2019b, Theorem 3 [their singular values carry a sign, which they keep].
    """
    check_depth(depth)
    left, sizes, right = jnp.linalg.svd(weights, full_matrices=False)
    return depth * sizes ** (2 - 2 / depth) * jnp.sum(left * (descent @ right.T), axis=0)


def singular_vector_velocity(
    weights: Float[Array, "output_dim input_dim"], descent: Float[Array, "output_dim input_dim"], depth: Number
) -> tuple[Float[Array, "output_dim mode"], Float[Array, "input_dim mode"]]:
    r"""Velocities of the left and right singular vectors of the map of D balanced layers.

    .. math:: \dot U = U \big(F \circ [K S + S K^\top]\big) + (I - U U^\top)\,G V S^{1 - 2/D}, \qquad
       \dot V = V \big(F \circ [K^\top S + S K]\big) + (I - V V^\top)\,G^\top U S^{1 - 2/D}, \qquad K = U^\top G V

    with :math:`F_{r r'} = 1/(s_{r'}^{2/D} - s_r^{2/D})` off the diagonal.

    Parameters
    ----------
    weights, descent, depth
        As for ``singular_value_velocity``.

    Returns
    -------
    tuple of Array
        One column a singular value, in descending order; signs as from ``jnp.linalg.svd``.

    Raises
    ------
    OutsideDomain
        A depth below 1.

    Notes
    -----
    For singular values that differ: vectors of a multiple one are not determined, and turns among them are left out.
    Vectors rest exactly where K is diagonal. Large next to singular values that are close: integrate
    ``end_to_end_velocity`` instead, and read these off.

    References
    ----------
    arora2019b, Lemma 2 [square W; the last terms, for others, are derived here].
    """
    check_depth(depth)
    left, sizes, right = jnp.linalg.svd(weights, full_matrices=False)
    right, powers, inner = right.T, sizes ** (2 / depth), left.T @ descent @ right.T
    same = sizes[None, :] == sizes[:, None]
    inverse = jnp.where(same, 0, 1 / jnp.where(same, 1, powers[None, :] - powers[:, None]))
    outside = jnp.where(sizes > 0, jnp.where(sizes > 0, sizes, 1) ** (1 - 2 / depth), 0)

    def turn(basis: Array, inner: Array, pushed: Array) -> Array:
        within = basis @ (inverse * (inner * sizes[None, :] + sizes[:, None] * inner.T))
        return within + (pushed - basis @ (basis.T @ pushed)) * outside[None, :]

    return turn(left, inner, descent @ right), turn(right, inner.T, descent.T @ left)
