"""Invariant manifolds: linear relations among the units of a layer that gradient flow keeps."""

from types import ModuleType

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.networks.unit_view import Layered, get_units, set_units, unit_dependence
from solvable.networks.units import DEPENDENCES, Dependence


class InvariantManifold(eqx.Module):
    r"""The weights for which each removed unit is a fixed combination of the units that are kept.

    .. math:: \theta_r = \sum_j \Gamma_{rj}\,\theta_j, \qquad \theta_i = (u_i, v_i)

    Each relation makes the layer one unit narrower in effect. ``first & second`` is where both hold.

    Attributes
    ----------
    relations
        Gamma, shape (removed, width), zero in the columns of removed units.
    removed
        The units r, one a relation.
    needs
        How phi must depend on u for gradient flow to keep the relations.
    layer
        Hidden layer they are about, from 1.

    Raises
    ------
    OutsideDomain
        On use, a network whose layer has another width.

    References
    ----------
    zhang2026, Theorem 3 and App. F.
    """

    relations: Float[Array, "removed width"]
    removed: tuple[int, ...] = eqx.field(static=True)
    needs: Dependence = eqx.field(static=True)
    layer: int = eqx.field(static=True, default=1)

    @property
    def width(self) -> int:
        """Units of the layer."""
        return self.relations.shape[1]

    @property
    def effective_width(self) -> int:
        """Units that are enough to express the map of any network on the manifold."""
        return self.width - len(self.removed)

    def __and__(self, other: "InvariantManifold") -> "InvariantManifold":
        """Where the relations of both hold; refused where one unit would be removed twice."""
        if (self.width, self.layer) != (other.width, other.layer):
            raise OutsideDomain(
                f"manifolds of layers {self.layer} and {other.layer}, of {self.width} and {other.width} units, do not "
                "meet; join manifolds of one layer."
            )
        if set(self.removed) & set(other.removed):
            unit = min(set(self.removed) & set(other.removed))
            raise OutsideDomain(f"unit {unit} is removed by both manifolds; express another unit in one of them.")
        removed = self.removed + other.removed
        numpy = _numpy_for(self.relations, other.relations)
        mixed = numpy.concatenate([numpy.asarray(self.relations), numpy.asarray(other.relations)])
        kept = np.ones(self.width, mixed.dtype)
        kept[list(removed)] = 0
        # A unit kept by one and removed by the other: theta_R = A theta_R + B theta_K, so Gamma = (1 - A)^-1 B.
        among = np.eye(len(removed), dtype=mixed.dtype) - mixed[:, np.array(removed)]
        if numpy is np and abs(np.linalg.det(among)) < 1e-12:
            raise OutsideDomain(f"the relations that remove units {removed} depend on each other; leave one out.")
        needs = DEPENDENCES[max(map(DEPENDENCES.index, (self.needs, other.needs)))]
        return InvariantManifold(
            jnp.asarray(numpy.linalg.solve(among, mixed * kept[None, :])), removed, needs, self.layer
        )

    def is_kept_by(self, network: Layered) -> bool:
        """Whether gradient flow of this network, on any data, keeps the relations."""
        return DEPENDENCES.index(unit_dependence(network, self.layer)) >= DEPENDENCES.index(self.needs)

    def distance(self, network: Layered) -> Float[Array, ""]:
        """Euclidean distance of the layer's weights (u_i, v_i) from the manifold."""
        return jnp.sqrt(sum(jnp.sum(part**2) for part in self._off(network)))

    def relative_distance(self, network: Layered) -> Float[Array, ""]:
        """The distance as a share of the norm of the layer's weights; 0 where these are all zero."""
        size = jnp.sqrt(sum(jnp.sum(part**2) for part in get_units(network, self.layer)))
        return self.distance(network) / jnp.where(size > 0, size, 1)

    def project(self, network: Layered) -> Layered:
        """The nearest network on the manifold."""
        first, second = get_units(network, self.layer)
        off_first, off_second = self._off(network)
        return set_units(network, first - off_first, second - off_second, self.layer)

    def reduce(self, network: Layered, *, tolerance: float = 1e-9) -> Layered:
        """The network without the removed units, computing the same map.

        Parameters
        ----------
        tolerance
            Largest distance from the manifold, as a share of the norm of the layer's weights.

        Raises
        ------
        OutsideDomain
            Units of another kind than the relations need, or a network off the manifold.

        References
        ----------
        zhang2026, App. F.3, Eq. 28 [v_K <- v_K + Gamma^T v_R].
        """
        if not self.is_kept_by(network):
            raise OutsideDomain(
                f"the units of layer {self.layer} are of the kind {unit_dependence(network, self.layer)!r}; these "
                f"relations narrow layers of the kind {self.needs!r} only."
            )
        first, second = get_units(network, self.layer)
        share = self.relative_distance(network)
        if is_concrete(share) and float(share) > tolerance:
            raise OutsideDomain(
                f"the network is {float(share):.3g} of its weights' norm away from the manifold, more than `tolerance` "
                f"{tolerance:g}; project it first, or use `reduce_width`."
            )
        kept = np.setdiff1d(np.arange(self.width), self.removed)
        folded = second + second[:, np.array(self.removed)] @ self.relations.astype(second.dtype)
        return set_units(network, first[kept], folded[:, kept], self.layer)

    def _off(self, network: Layered) -> tuple[Float[Array, "width n_u"], Float[Array, "n_v width"]]:
        """What the orthogonal projection takes away from u and from v."""
        first, second = get_units(network, self.layer)
        if first.shape[0] != self.width:
            raise OutsideDomain(
                f"layer {self.layer} has {first.shape[0]} units and the manifold {self.width}; they must agree."
            )
        numpy = _numpy_for(self.relations)
        is_removed = np.eye(self.width)[list(self.removed)]
        constraints = numpy.asarray(self.relations) - is_removed.astype(self.relations.dtype)
        basis = jnp.asarray(numpy.linalg.qr(constraints.T)[0], first.dtype)
        return basis @ (basis.T @ first), (second @ basis) @ basis.T


def _numpy_for(*relations: Array) -> ModuleType:
    """NumPy where the numbers are known: relations are small, and compiling operations for them is slow."""
    return np if all(map(is_concrete, relations)) else jnp


def equal_units(width: int, unit: int, other: int, *, layer: int = 1) -> InvariantManifold:
    """Where a unit equals another: theta_i = theta_j. Kept by units of any kind.

    Parameters
    ----------
    width
        Units of the layer.
    unit, other
        The unit i that is removed and the unit j that stays, from 0.
    layer
        Hidden layer, from 1.

    Raises
    ------
    OutsideDomain
        Units that are not there, or the same twice.

    References
    ----------
    zhang2026, Theorem 3 (i).
    """
    return _relate(width, unit, {other: 1.0}, "general", layer)


def zero_unit(width: int, unit: int, *, layer: int = 1) -> InvariantManifold:
    """Where a unit has zero weights. Kept by units that vanish at u = 0.

    Parameters
    ----------
    width, unit, layer
        As for ``equal_units``.

    Raises
    ------
    OutsideDomain
        A unit that is not there.

    References
    ----------
    zhang2026, Theorem 3 (ii).
    """
    return _relate(width, unit, {}, "zero", layer)


def proportional_units(
    width: int, unit: int, other: int, ratio: float | Float[Array, ""], *, layer: int = 1
) -> InvariantManifold:
    """Where a unit is a multiple of another: theta_i = gamma theta_j. Kept by homogeneous units.

    Parameters
    ----------
    width, unit, other, layer
        As for ``equal_units``.
    ratio
        gamma; a negative one is kept by linear units only.

    Raises
    ------
    OutsideDomain
        Units that are not there, or the same twice.

    References
    ----------
    zhang2026, Theorem 3 (iii).
    """
    negative = is_concrete(ratio) and bool(ratio < 0)
    return _relate(width, unit, {other: ratio}, "linear" if negative else "homogeneous", layer)


def dependent_unit(unit: int, coefficients: Float[Array, " width"], *, layer: int = 1) -> InvariantManifold:
    """Where a unit depends linearly on others: theta_i = sum_j gamma_j theta_j. Kept by linear units.

    Parameters
    ----------
    unit, layer
        As for ``equal_units``.
    coefficients
        gamma, shape (width,); its entry for the unit itself must be 0.

    Raises
    ------
    OutsideDomain
        A unit that is not there, or that depends on itself.

    References
    ----------
    zhang2026, Theorem 3 (iv).
    """
    if is_concrete(coefficients) and 0 <= unit < coefficients.shape[0] and coefficients[unit] != 0:
        raise OutsideDomain(f"`coefficients` gives unit {unit} a share of itself, {coefficients[unit]}; it must be 0.")
    manifold = _relate(coefficients.shape[0], unit, {}, "linear", layer)
    return InvariantManifold(coefficients[None, :], manifold.removed, "linear", layer)


def _relate(
    width: int, unit: int, shares: dict[int, float | Array], needs: Dependence, layer: int
) -> InvariantManifold:
    check_count("width", width)
    for index in (unit, *shares):
        check_count("unit", index, at_least=0)
        if index >= width:
            raise OutsideDomain(f"unit {index} is not among the {width} units; they count from 0.")
    if unit in shares:
        raise OutsideDomain(f"unit {unit} is related to itself; name two different units.")
    relation = jnp.zeros((1, width))
    for other, share in shares.items():
        relation = relation.at[0, other].set(jnp.asarray(share, relation.dtype))
    return InvariantManifold(relation, (unit,), needs, layer)
