"""Items at the leaves of a tree and the properties they share: a semantic hierarchy with known modes."""

from math import prod
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from solvable.errors import OutsideDomain, check_count
from solvable.tasks.samples import Samples, make_samples


class HierarchyModes(NamedTuple):
    """Singular values of a hierarchy and the level of the tree that each tells apart.

    Attributes
    ----------
    singular_values
        Of E[y x^T], descending from level to level, shape (items,).
    levels
        0 for what all items share, l for what tells the branches of one node of level l - 1 apart.

    References
    ----------
    saxe2014, hierarchically structured data.
    """

    singular_values: Float[np.ndarray, " items"]
    levels: Int[np.ndarray, " items"]


def hierarchy(branching: tuple[int, ...] = (2, 2, 2), properties: tuple[int, ...] | None = None) -> Samples:
    """One sample an item: white one-hot inputs, and as targets the properties of all nodes above the item.

    Parameters
    ----------
    branching
        Branches of every node of levels 0, 1, ...; (2, 2, 2) is a binary tree of 8 items.
    properties
        Properties that belong to each node of level 0 (the root, shared by all items), 1, ..., and to each item; 0 for
        none. One for every node if left out.

    Returns
    -------
    Samples
        Inputs sqrt(items) e_i, so that E[x x^T] = I; targets 0 or 1, in order of level.

    Raises
    ------
    OutsideDomain
        No level, a branching below 1, or properties that are not one count a level, or none at all.

    References
    ----------
    saxe2014, hierarchically structured data [there the properties are drawn by a branching diffusion; here every node
    has its own, which gives the same modes without randomness].
    """
    properties = _check_tree(branching, properties)
    items = prod(branching)
    blocks = []
    for level, count in enumerate(properties):
        nodes = prod(branching[:level])
        blocks += [np.kron(np.eye(nodes), np.ones((items // nodes, 1)))] * count
    dtype = jnp.result_type(float)
    return make_samples(
        jnp.asarray(np.sqrt(items) * np.eye(items), dtype), jnp.asarray(np.concatenate(blocks, axis=1), dtype)
    )


def hierarchy_modes(
    branching: tuple[int, ...] = (2, 2, 2), properties: tuple[int, ...] | None = None
) -> HierarchyModes:
    r"""Singular values of a hierarchy in closed form.

    .. math:: s_l^2 = \frac1P \sum_{m \ge l} q_m\,\frac{P}{n_m}, \qquad n_m = \prod_{j < m} b_j

    with n_m the nodes of level m, P the items and q_m the properties of each node; n_l - n_{l-1} modes have s_l.

    Parameters
    ----------
    branching, properties
        b and q as for ``hierarchy``.

    Raises
    ------
    OutsideDomain
        As ``hierarchy``.

    Notes
    -----
    A mode of level l is constant on every node of level l and sums to 0 over the branches of each node above, so that
    it meets the properties of levels m >= l alone. Broader distinctions are carried by more properties: s_l falls.

    References
    ----------
    saxe2014, singular values of hierarchically structured data.
    """
    properties = _check_tree(branching, properties)
    nodes = np.cumprod([1, *branching])
    values = np.sqrt(np.cumsum((np.array(properties) / nodes)[::-1])[::-1])
    levels = np.repeat(np.arange(nodes.size), np.diff(nodes, prepend=0))
    return HierarchyModes(values[levels], levels)


def _check_tree(branching: tuple[int, ...], properties: tuple[int, ...] | None) -> tuple[int, ...]:
    if not branching:
        raise OutsideDomain("`branching` is empty; it must hold the number of branches of at least one level.")
    for branches in branching:
        check_count("branching", branches)
    properties = (1,) * (len(branching) + 1) if properties is None else properties
    for count in properties:
        check_count("properties", count, at_least=0)
    if len(properties) != len(branching) + 1 or not any(properties):
        raise OutsideDomain(
            f"`properties` is {properties}; it must hold one count for the root, each of the {len(branching)} levels "
            "below it, and at least one above 0."
        )
    return tuple(properties)
