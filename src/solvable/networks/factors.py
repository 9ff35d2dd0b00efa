"""Balanced layers whose product is a given matrix."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_count
from solvable.networks.aligned import linear_network
from solvable.networks.deep import DeepNetwork
from solvable.networks.layer import UnitLayer
from solvable.networks.linear_map import LinearMap


def balanced_factors(
    weights: Float[Array, "output_dim input_dim"], *, depth: int
) -> LinearMap | UnitLayer | DeepNetwork:
    r"""A linear network of balanced layers that computes a given map.

    .. math:: W_1 = s^{1/L}\,V^\top, \quad W_l = s^{1/L}, \quad W_L = U\,s^{1/L}, \qquad
       W_{l+1}^\top W_{l+1} = W_l W_l^\top, \qquad W = U\,\mathrm{diag}(s)\,V^\top

    Parameters
    ----------
    weights
        W, of any shape and rank.
    depth
        L, weight layers; one is the map itself.

    Returns
    -------
    LinearMap, UnitLayer or DeepNetwork
        Of one layer, two, or more, with as many units in every hidden layer as W has rows or columns, the fewer.

    Raises
    ------
    OutsideDomain
        A depth below 1.

    Notes
    -----
    Balanced layers of the same map differ by rotations of their hidden units, and by units of zero weights; the map's
    gradient flow does not depend on either. A positive semi-definite map of two layers gets W_2 = W_1^T, which
    symmetric gradients keep.

    References
    ----------
    arora2018, balanced initialisation; li2021a [W = U U^T].
    """
    check_count("depth", depth)
    return LinearMap(weights) if depth == 1 else _factorise(weights, depth)


@eqx.filter_jit
def _factorise(weights: Array, depth: int) -> UnitLayer | DeepNetwork:
    left, sizes, right = jnp.linalg.svd(weights, full_matrices=False)
    root = sizes ** (1 / depth)
    return linear_network([root[:, None] * right, *[jnp.diag(root)] * (depth - 2), left * root[None, :]])
