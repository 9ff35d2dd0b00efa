"""Which units of a layer can go, and how the others take over: the core, on plain arrays."""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Vector = Float[np.ndarray, " width"]
Points = Float[np.ndarray, "width n_u"]
Indices = Int[np.ndarray, " width"]
Flags = Bool[np.ndarray, " width"]


@dataclass(frozen=True)
class Units:
    """The units of a layer, f(z) = sum_i phi(z; u_i) v_i, with the symmetries of phi.

    Attributes
    ----------
    incoming
        u_i, one unit a row, (width, n_u); a bias is its last entry.
    outgoing
        v_i, one unit a column, (n_v, width).
    degree
        p where phi(z; c u) = c^p phi(z; u) for every c > 0; None otherwise.
    parity
        +1 or -1 where phi(z; -u) = parity phi(z; u); 0 otherwise.
    constants, to_constant
        The number that unit i can be replaced by, and how far u_i is from the weights of a unit that is this number;
        infinite where there is none. (width,) each.
    free
        Whether every u makes a unit, so that units can be averaged; else only the u_i that are there can stay.
    rounding
        Relative spacing of the floating type in which the weights are stored.
    """

    incoming: Points
    outgoing: Float[np.ndarray, "n_v width"]
    degree: int | None
    parity: int
    constants: Vector
    to_constant: Vector
    free: bool
    rounding: float

    @property
    def linear(self) -> bool:
        """Whether every combination of units is a unit: a function of degree 1 that is odd is linear."""
        return self.free and self.degree == 1 and self.parity == -1


@dataclass(frozen=True)
class Merging:
    """The units that are left and what became of the others.

    Attributes
    ----------
    incoming
        Weights of the new units, (new, n_u).
    unit_map
        phi(z; u_i) becomes sum_k unit_map[k, i] phi(z; incoming_k) + constants_i, (new, width).
    constants
        Zero for units that did not become a constant, (width,).
    leaders
        The strongest old unit in each new one, (new,); -1 for linear units, which all mix.
    cost
        sum_i |v_i| |delta u_i| with delta u_i how far unit i moved; for degree p of units rescaled to |u_i| = 1.
    """

    incoming: Float[np.ndarray, "new n_u"]
    unit_map: Float[np.ndarray, "new width"]
    constants: Vector
    leaders: Int[np.ndarray, " new"]
    cost: float


def merge_units(units: Units, tolerance: float) -> Merging:
    """The fewest units found at a cost of at most ``tolerance`` times the layer's strength sum_i |v_i| |u_i|^p.

    Every unit has a nearest stronger one, and a price for moving onto it or onto a constant. The cheapest units move,
    each to the unit that is left at the end of its chain, as many as the tolerance pays for: density-peak clustering
    with strength for density. Linear units give their map's singular directions instead.

    References
    ----------
    zhang2026, App. F.3; Rodriguez, Laio (2014), Clustering by fast search and find of density peaks, Science 344:1492.
    """
    return _factorise(units, tolerance) if units.linear else _Candidates.rank(units).merge(tolerance)


def _factorise(units: Units, tolerance: float) -> Merging:
    """Linear units: the leading singular directions of the map V U, balanced between the layers."""
    _, values, rows = np.linalg.svd(units.outgoing @ units.incoming, full_matrices=False)
    tails = np.append(np.cumsum(values[::-1])[::-1], 0.0)  # tails[r] is what rank r leaves out
    budget = max(tolerance, units.rounding * sum(rows.shape)) * tails[0]
    rank = max(int(np.argmax(tails <= budget)), 1)
    width = units.incoming.shape[0]
    if rank >= width:
        return Merging(units.incoming, np.eye(width), np.zeros(width), np.arange(width), 0.0)
    roots, rows = np.sqrt(values[:rank, None]), rows[:rank]
    unit_map = rows @ units.incoming.T / np.where(roots > 0, roots, 1)
    return Merging(roots * rows, unit_map, np.zeros(width), np.full(rank, -1), float(tails[rank]))


@dataclass(frozen=True)
class _Candidates:
    """Units in comparable form: homogeneous ones at |u| = 1, what they lose there gained by their load |v|."""

    units: Units
    scales: Vector
    points: Points
    loads: Vector
    constant_costs: Vector
    neighbours: Indices

    @classmethod
    def rank(cls, units: Units) -> "_Candidates":
        norms = np.linalg.norm(units.incoming, axis=1)
        scales = np.ones_like(norms) if units.degree is None else np.where(norms > 0, norms, 1)
        points = units.incoming / scales[:, None]
        loads = np.linalg.norm(units.outgoing, axis=0) * scales ** (units.degree or 0)
        # A unit without load becomes a constant for nothing, even where no constant is near.
        constant_costs = loads * np.where(loads > 0, units.to_constant / scales, 0)
        return cls(units, scales, points, loads, constant_costs, _nearest_stronger(points, loads, units.parity != 0))

    def merge(self, tolerance: float) -> Merging:
        to_neighbour, _ = self._distances(self.points[self.neighbours])
        alone = self.neighbours == np.arange(self.loads.size)
        costs = np.minimum(np.where(alone, np.inf, self.loads * to_neighbour), self.constant_costs)
        order = np.argsort(costs, kind="stable")
        strength = np.sum(self.loads * np.linalg.norm(self.points, axis=1))
        budget = max(tolerance, 32 * self.units.rounding) * strength
        # Costs need not grow evenly, but the count at which bisection ends was tried and kept the budget, or is 0.
        count = bisect_right(range(1, order.size), budget, key=lambda count: self._move(order[:count]).cost)
        return self._build(self._move(order[:count]))

    def _distances(self, others: Points) -> tuple[Vector, Vector]:
        """Row by row |point - s other| and s: +1 or, where parity allows and it is nearer, -1."""
        opposite = (self.units.parity != 0) & (np.einsum("ij,ij->i", self.points, others) < 0)
        signs = np.where(opposite, -1.0, 1.0)
        return np.linalg.norm(self.points - signs[:, None] * others, axis=1), signs

    def _move(self, removed: Int[np.ndarray, " removed"]) -> "_Move":
        """Send each removed unit to the kept one at the end of its chain of neighbours, or to its constant."""
        parents = np.arange(self.loads.size)
        parents[removed] = self.neighbours[removed]
        roots = parents[parents]
        while (roots != parents).any():
            parents, roots = roots, roots[roots]
        gone = np.zeros(self.loads.size, bool)
        gone[removed] = True
        distances, signs = self._distances(self.points[roots])
        # The strongest unit of all heads every chain that no kept one ends; if it goes, it can only be a constant.
        constant = gone & (gone[roots] | (self.constant_costs <= self.loads * distances))
        centres = self._centres(roots, np.where(constant, 0, signs)) if self.units.free else self.points
        shifts = self.loads * np.linalg.norm(self.points - signs[:, None] * centres[roots], axis=1)
        return _Move(roots, signs, constant, centres, float(np.sum(np.where(constant, self.constant_costs, shifts))))

    def _centres(self, roots: Indices, signs: Vector) -> Points:
        """At each root the average of its units weighted by load, which cancels the change to first order."""
        sums, totals = np.zeros_like(self.points), np.bincount(roots, self.loads * np.abs(signs), roots.size)
        np.add.at(sums, roots, (self.loads * signs)[:, None] * self.points)
        return np.where(totals[:, None] > 0, sums / np.where(totals > 0, totals, 1)[:, None], self.points)

    def _build(self, move: "_Move") -> Merging:
        members = np.flatnonzero(~move.constant)
        leaders, group = np.unique(move.roots[members], return_inverse=True)
        incoming = move.centres[leaders] * self.scales[leaders, None]
        untouched = np.bincount(group, minlength=leaders.size) == 1
        incoming[untouched] = self.units.incoming[leaders[untouched]]  # to the last bit
        factors = np.where(move.signs < 0, self.units.parity, 1.0)
        factors *= (self.scales / self.scales[move.roots]) ** (self.units.degree or 0)
        unit_map = np.zeros((leaders.size, self.loads.size))
        unit_map[group, members] = factors[members]
        constants = np.where(move.constant, self.units.constants, 0)
        return Merging(incoming, unit_map, constants, leaders, move.cost)


@dataclass(frozen=True)
class _Move:
    """Where each unit goes: to the centre at its root with a sign, or to a constant; and what it costs."""

    roots: Indices
    signs: Vector
    constant: Flags
    centres: Points
    cost: float


def _nearest_stronger(points: Points, loads: Vector, either_sign: bool, block: int = 512) -> Indices:
    """For each unit the nearest one of larger load; the strongest is its own. Of pairs, only blocks are in memory."""
    order = np.argsort(-loads, kind="stable")
    ranked = points[order]
    squares = np.einsum("ij,ij->i", ranked, ranked)
    nearest = np.zeros_like(order)
    for start in range(0, order.size, block):
        stop = min(start + block, order.size)
        products = ranked[start:stop] @ ranked[:stop].T
        # |a - b|^2 without |a|^2; rounding at the level of sqrt(eps) decides between neighbours that near only.
        gaps = squares[None, :stop] - 2 * (np.abs(products) if either_sign else products)
        gaps[np.arange(stop)[None, :] >= np.arange(start, stop)[:, None]] = np.inf
        nearest[start:stop] = np.argmin(gaps, axis=1)
    neighbours = np.empty_like(order)
    neighbours[order] = order[nearest]
    return neighbours
