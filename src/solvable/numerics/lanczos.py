"""Extreme eigenvalues of a symmetric matrix that is known by its products with vectors only."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from solvable.errors import OutsideDomain, check_count, check_positive

Product = Callable[[Float[Array, " n"]], Float[Array, " n"]]

# Ritz vectors kept at a restart beyond those asked for, on each side, and the fewest new directions between restarts.
_SPARE, _FEWEST_NEW, _MOST_RESTARTS = 6, 12, 200


class Tridiagonal(eqx.Module):
    r"""What Lanczos steps know of a symmetric matrix: :math:`A Q^T = Q^T T + \beta_m\,q_{m+1} e_m^T`.

    Raises nothing.

    Attributes
    ----------
    diagonal
        :math:`\alpha_1, \ldots, \alpha_m` of T, (steps,).
    off_diagonal
        :math:`\beta_1, \ldots, \beta_m`, (steps,). The first m - 1 are those of T, the last belongs to the remainder;
        0 where the space was exhausted and a fresh direction taken.
    basis
        Orthonormal rows of Q, (steps, n).

    References
    ----------
    Golub, Van Loan (2013), Matrix Computations, Sec. 10.1.
    """

    diagonal: Float[Array, " steps"]
    off_diagonal: Float[Array, " steps"]
    basis: Float[Array, "steps n"]


class ExtremeEigenvalues(eqx.Module):
    """The two ends of a spectrum, each counted from the outside in, with multiplicity.

    Raises nothing.

    Attributes
    ----------
    lowest, highest
        Eigenvalues: the lowest ascending, (lowest,), and the highest descending, (highest,).
    lowest_vectors, highest_vectors
        Their eigenvectors of norm 1, one a row.
    lowest_errors, highest_errors
        Residuals |A x - mu x|: within so much of each value there is an eigenvalue. Where the neighbours are far the
        value is closer still, by the square of the residual over the gap.
    converged
        Whether all residuals, and a search for further copies, came within the tolerance.
    products
        Number of matrix products that it took.

    References
    ----------
    Parlett (1998), The Symmetric Eigenvalue Problem, Theorem 4.5.1 [residual bound].
    """

    lowest: Float[Array, " lowest"]
    highest: Float[Array, " highest"]
    lowest_vectors: Float[Array, "lowest n"]
    highest_vectors: Float[Array, "highest n"]
    lowest_errors: Float[Array, " lowest"]
    highest_errors: Float[Array, " highest"]
    converged: Bool[Array, ""]
    products: Int[Array, ""]


class _Krylov(eqx.Module):
    """Orthonormal rows q_1, ..., q_m and the next one, zero where not built yet; Q A Q^T; beta_m; one random vector."""

    basis: Float[Array, "more n"]
    projected: Float[Array, "steps steps"]
    remainder: Float[Array, ""]
    noise: Float[Array, " n"]

    def fresh_direction(self, seed: Int[Array, ""]) -> Float[Array, " n"]:
        """A random direction orthogonal to the rows, one for each seed up to n."""
        direction = _unit(_orthogonalise(jnp.roll(self.noise, seed), self.basis)[0])
        # Again at norm 1: a direction that was there already leaves rounding only, random as well but not orthogonal.
        return _unit(_orthogonalise(direction, self.basis)[0])


@eqx.filter_jit
def tridiagonalise(matvec: Product, start: Float[Array, " n"], steps: int) -> Tridiagonal:
    """Tridiagonal form of a symmetric matrix on the space that its powers span from one vector.

    Parameters
    ----------
    matvec
        Product with the symmetric matrix A; an Equinox module or a ``jax.tree_util.Partial`` compiles once for all its
        arrays.
    start
        First direction, (n,), of any norm; a random one stands in for zero. Sets the dtype.
    steps
        Products, at most n.

    Returns
    -------
    Tridiagonal
        Orthonormal to rounding: every direction is made orthogonal to all earlier ones, twice. Where the space is
        exhausted a fresh direction goes on, so that n steps always give the whole spectrum with multiplicity.

    Raises
    ------
    OutsideDomain
        Steps outside 1..n.

    References
    ----------
    Golub, Van Loan (2013), Matrix Computations, Algorithm 10.1.1 and Sec. 10.3 [orthogonalisation, restart].
    """
    _check_count("steps", steps, start)
    space = _extend(matvec, _begin(start, steps), jnp.zeros((), jnp.int32))
    off_diagonal = jnp.append(jnp.diagonal(space.projected, 1), space.remainder)
    return Tridiagonal(jnp.diagonal(space.projected), off_diagonal, space.basis[:-1])


def extreme_eigenvalues(
    matvec: Product,
    start: Float[Array, " n"],
    *,
    lowest: int = 1,
    highest: int = 1,
    tolerance: float | Float[Array, ""] | None = None,
) -> ExtremeEigenvalues:
    r"""The lowest and the highest eigenvalues of a symmetric matrix, with multiplicity and error bounds.

    Parameters
    ----------
    matvec
        Product with the symmetric matrix A; as for ``tridiagonalise``.
    start
        First direction, (n,), of any norm, such as a random one, which also stands in for zero. Sets the dtype.
    lowest, highest
        How many eigenvalues of each end, each 1..n; they overlap where their sum exceeds n.
    tolerance
        Largest residual :math:`\|Ax - \mu x\|`, as a share of the largest :math:`|\mu|`; the square root of the
        machine precision unless told, which makes isolated eigenvalues exact to rounding.

    Returns
    -------
    ExtremeEigenvalues
        With ``converged`` False after 200 restarts; the error bounds hold in any case.

    Raises
    ------
    OutsideDomain
        A count outside 1..n, a tolerance that is not positive.

    Notes
    -----
    A single starting vector finds each distinct eigenvalue once. So when all are found they are held fixed and a fresh
    random direction looks for further copies, until it finds none: with probability one no copy is missed, short of
    directions that rounding hides. Memory: about 4 (lowest + highest) + 40 vectors. Eigenvalues crowded at an end take
    many restarts.

    References
    ----------
    Stewart (2001), A Krylov-Schur algorithm for large eigenproblems; Wu, Simon (2000), Thick-restart Lanczos method for
    large symmetric eigenvalue problems. For a symmetric matrix the two agree.
    """
    _check_count("lowest", lowest, start)
    _check_count("highest", highest, start)
    if tolerance is None:
        tolerance = float(jnp.finfo(start.dtype).eps) ** 0.5
    check_positive("tolerance", tolerance)
    search = _Search(matvec, start.size, lowest, highest, jnp.asarray(tolerance, start.dtype))
    return search.run(start)


class _Stage(eqx.Module):
    """A search between two restarts.

    The space to go on from and how many of its rows are set; the wanted Ritz pairs; the values that had converged
    before the last fresh start.
    """

    space: _Krylov
    rows: Int[Array, ""]
    values: Float[Array, " ends"]
    vectors: Float[Array, "ends n"]
    before: Float[Array, " ends"]
    done: Bool[Array, ""]
    restarts: Int[Array, ""]
    products: Int[Array, ""]


class _Search(eqx.Module):
    """Restarted Lanczos: extend the space, keep its outermost Ritz vectors, extend again."""

    matvec: Product
    size: int = eqx.field(static=True)
    lowest: int = eqx.field(static=True)
    highest: int = eqx.field(static=True)
    tolerance: Float[Array, ""]

    @property
    def steps(self) -> int:
        """Directions at most held at a time."""
        kept = self.lowest + self.highest + 2 * _SPARE
        return min(self.size, 2 * kept + _FEWEST_NEW)

    def ends(self, more: int) -> Int[Array, " ends"]:
        """Positions of the wanted Ritz values, and of ``more`` next to them on each side."""
        low, high = (min(count + more, self.steps) for count in (self.lowest, self.highest))
        return jnp.concatenate([jnp.arange(low), jnp.arange(self.steps - high, self.steps)])

    @eqx.filter_jit
    def run(self, start: Float[Array, " n"]) -> ExtremeEigenvalues:
        # Not the bound methods themselves: those are hashed with the arrays they are bound to.
        return self.report(lax.while_loop(lambda s: self.unfinished(s), lambda s: self.advance(s), self.begin(start)))

    def begin(self, start: Float[Array, " n"]) -> _Stage:
        nothing, none = jnp.zeros(self.lowest + self.highest, start.dtype), jnp.zeros((), jnp.int32)
        vectors = jnp.zeros((nothing.size, self.size), start.dtype)
        never = jnp.full_like(nothing, jnp.inf)
        return _Stage(_begin(start, self.steps), none, nothing, vectors, never, jnp.array(False), none, none)

    def unfinished(self, stage: _Stage) -> Bool[Array, ""]:
        return ~stage.done & jnp.isfinite(_largest(stage.values)) & (stage.restarts < _MOST_RESTARTS)

    def advance(self, stage: _Stage) -> _Stage:
        """Extend the space; then restart from its outermost Ritz vectors, where all have converged afresh."""
        space = _extend(self.matvec, stage.space, stage.rows)
        values, mixing = jnp.linalg.eigh(space.projected)
        ends, bound = self.ends(0), self.tolerance * _largest(values)
        # One more on each side than asked for has to converge: the first that may be a further copy.
        converged = jnp.all(jnp.abs(space.remainder * mixing[-1, self.ends(1)]) <= bound)
        unchanged = jnp.all(jnp.abs(values[ends] - stage.before) <= bound)
        done = converged & (unchanged | (self.steps == self.size))

        def keep(kept: Int[Array, " kept"], following: Float[Array, " n"]) -> tuple[_Krylov, Int[Array, ""]]:
            return _restart(space, values[kept], mixing[:, kept], following), jnp.asarray(kept.size, jnp.int32)

        following, rows = lax.cond(
            converged,
            # Only what was asked for is kept: what lies next to it, or a further copy of it, must be found anew.
            lambda: keep(ends, space.fresh_direction(stage.restarts)),
            lambda: keep(self.ends(_SPARE)[: self.steps], space.basis[-1]),
        )
        return _Stage(
            space=following,
            rows=rows,
            values=values[ends],
            vectors=mixing[:, ends].T @ space.basis[:-1],
            before=jnp.where(converged, values[ends], stage.before),
            done=done,
            restarts=stage.restarts + 1,
            products=stage.products + self.steps - stage.rows,
        )

    def report(self, stage: _Stage) -> ExtremeEigenvalues:
        # Measured, not estimated: nothing is then taken on trust from many restarts.
        errors = lax.map(
            lambda pair: jnp.linalg.norm(self.matvec(pair[1]) - pair[0] * pair[1]), (stage.values, stage.vectors)
        )
        low, high = slice(self.lowest), slice(None, self.lowest - 1, -1)
        return ExtremeEigenvalues(
            stage.values[low],
            stage.values[high],
            stage.vectors[low],
            stage.vectors[high],
            errors[low],
            errors[high],
            converged=stage.done,
            products=stage.products + errors.size,
        )


def _begin(start: Float[Array, " n"], steps: int) -> _Krylov:
    # The same at every call: it stands for a direction never seen, not for a sample.
    noise = jax.random.normal(jax.random.key(0), start.shape, start.dtype)
    first = _unit(jnp.where(jnp.any(start), start, noise))
    basis = jnp.zeros((steps + 1, start.size), start.dtype).at[0].set(first)
    return _Krylov(basis, jnp.zeros((steps, steps), start.dtype), jnp.zeros((), start.dtype), noise)


def _restart(
    space: _Krylov, values: Float[Array, " kept"], mixing: Float[Array, "steps kept"], following: Float[Array, " n"]
) -> _Krylov:
    """A space of some Ritz vectors, in which the matrix is diagonal, and the direction to go on with."""
    kept = jnp.arange(len(values))[: len(space.projected)]
    basis = jnp.zeros_like(space.basis).at[kept].set((mixing.T @ space.basis[:-1])[kept])
    basis = basis.at[kept.size].set(_unit(_orthogonalise(following, basis)[0]))
    projected = jnp.zeros_like(space.projected).at[kept, kept].set(values[kept])
    return _Krylov(basis, projected, space.remainder, space.noise)


def _extend(matvec: Product, space: _Krylov, rows: Int[Array, ""]) -> _Krylov:
    """Fill the space from its row ``rows`` on, one product a row."""
    steps = len(space.projected)
    rounding = jnp.asarray(10 * jnp.finfo(space.basis.dtype).eps, space.basis.dtype)

    def step(row: Int[Array, ""], space: _Krylov) -> _Krylov:
        rest, overlaps = _orthogonalise(matvec(space.basis[row]), space.basis)
        size = jnp.linalg.norm(rest)
        exhausted = size <= rounding * jnp.maximum(jnp.max(jnp.abs(overlaps)), _largest(space.projected))
        following = lax.cond(
            exhausted,
            lambda: space.fresh_direction(row),
            lambda: rest / jnp.where(exhausted, 1, size),
        )
        # Once n directions are held, orthogonalising another leaves rounding only.
        following = jnp.where(row + 1 < space.basis.shape[1], following, 0)
        projected = space.projected.at[:, row].set(overlaps[:steps])
        remainder = jnp.where(exhausted, 0, size)
        return _Krylov(space.basis.at[row + 1].set(following), projected, remainder, space.noise)

    space = lax.fori_loop(rows, steps, step, space)
    upper = jnp.triu(space.projected)
    return eqx.tree_at(lambda s: s.projected, space, upper + jnp.triu(upper, 1).T)


def _orthogonalise(vector: Float[Array, " n"], basis: Float[Array, "more n"]):
    """What of a vector is orthogonal to the rows, and its overlaps; twice is enough (Parlett 1998, Sec. 6.9)."""
    overlaps = basis @ vector
    rest = vector - overlaps @ basis
    again = basis @ rest
    return rest - again @ basis, overlaps + again


def _unit(vector: Float[Array, " n"]) -> Float[Array, " n"]:
    norm = jnp.linalg.norm(vector)
    return vector / jnp.where(norm > 0, norm, 1)


def _largest(values: Float[Array, "..."]) -> Float[Array, ""]:
    return jnp.max(jnp.abs(values))


def _check_count(name: str, count: int, start: Float[Array, " n"]) -> None:
    check_count(name, count)
    if count > start.size:
        raise OutsideDomain(f"`{name}` is {count}; a matrix of size {start.size} has at most that many; ask for fewer.")
