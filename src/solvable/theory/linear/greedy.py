"""Greedy low-rank learning: the saddles that a symmetric factorisation from vanishing weights passes, rank by rank."""

from collections.abc import Callable

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count

_MOST_STEPS = 1_000_000
_LEAST_GROWTH = 1e-4  # of the first growth rate: what is left of it at an exact fit is rounding
_HELD = 1e-6  # of the largest eigenvalue of W, below which a direction is not held
_OVERLAP = 1e-6  # of unit vectors, below which they are orthogonal
_HORIZON = 1e4  # of a phase, in units of the time in which the new direction grows


class GreedyPath(eqx.Module):
    """The phases of greedy low-rank learning.

    Attributes
    ----------
    weights
        W_0 = 0, W_1, ..., W_R, shape (phase, dim, dim): W_r is positive semi-definite, of rank r at most.
    growth
        mu_1(W_r), the largest eigenvalue of minus the gradient at each of them: the rate at which the next direction of
        U grows; at W_R at most 1e-4 of the first unless a rank was asked for.
    directions
        Its unit eigenvector, shape (phase, dim), of either sign.
    """

    weights: Float[Array, "phase dim dim"]
    growth: Float[Array, " phase"]
    directions: Float[Array, "phase dim"]


def greedy_low_rank(
    gradient: Callable[[Float[Array, "dim dim"]], Float[Array, "dim dim"]],
    dim: int,
    *,
    most_rank: int | None = None,
    seed_size: float = 1e-10,
    dtype: jnp.dtype | type | None = None,
) -> GreedyPath:
    r"""Minimise f(U U^T) one rank at a time: add the steepest direction, then follow the flow to where it rests.

    .. math:: \dot U = -\nabla f(U U^\top)\,U, \qquad U_r(0) = \big(U_{r-1},\, \sqrt\varepsilon\,u_1(W_{r-1})\big),
       \quad \varepsilon \to 0, \qquad W_r = U_r(\infty)\,U_r(\infty)^\top

    Parameters
    ----------
    gradient
        Of f, a function of symmetric W with symmetric values; best a method of an Equinox module.
    dim
        Rows of W.
    most_rank
        Phases after which to stop; left out, the path ends where no direction grows any more.
    seed_size
        epsilon in units of the size of W_1; small enough where a tenth of it changes nothing.
    dtype
        Of the weights; the default floating type if left out.

    Raises
    ------
    OutsideDomain
        A size below 1, a rank below 1, a gradient that is not finite; not from within ``jit``, since the number of
        phases depends on the gradient.

    Notes
    -----
    As the scale alpha of its start vanishes, the gradient flow of U passes W_1, W_2, ... in order, arbitrarily close,
    if the leading growth rates are not multiple; between them at a distance of order alpha^(1 - mu_2/mu_1) from aligned
    weights and alpha^((1 - mu_2/mu_1)/2) from others (``phase_exponent``). Any depth above 2 passes them, too. Every
    W_r is a minimum among those of its rank near the flow, not the best of its rank.

    References
    ----------
    li2021a, Algorithm GLRL.
    """
    check_count("dim", dim)
    most_rank = dim if most_rank is None else most_rank
    check_count("most_rank", most_rank)
    factors = jnp.zeros((dim, dim), jnp.result_type(float) if dtype is None else dtype)
    weights, growth, direction = _look(gradient, factors)
    if not np.isfinite(growth):
        raise OutsideDomain(f"`gradient` at zero weights has the growth rate {growth}; it must be finite.")
    path = [(weights, growth, direction)]
    size = jnp.asarray(seed_size, factors.dtype)
    for rank in range(min(most_rank, dim)):
        if not float(growth) > _LEAST_GROWTH * abs(float(path[0][1])):
            break
        factors = _settle(gradient, factors.at[:, rank].set(jnp.sqrt(size) * direction), _HORIZON / growth)
        weights, growth, direction = _look(gradient, factors)
        path.append((weights, growth, direction))
    return GreedyPath(*(jnp.stack(values) for values in zip(*path, strict=True)))


def greedy_times(
    gradient: Callable[[Float[Array, "dim dim"]], Float[Array, "dim dim"]], path: GreedyPath
) -> Float[Array, " phase"]:
    r"""When the flow from W(0) = alpha I leaves each saddle of a greedy path for the next, as alpha vanishes.

    .. math:: \tau_r = \lim_{\alpha \to 0} \frac{t_r}{\ln(1/\alpha)}, \qquad \tau_1 = \frac{1}{2 \mu_1}

    Parameters
    ----------
    gradient
        Of f, as for ``greedy_low_rank``.
    path
        Its phases.

    Returns
    -------
    Array
        Times in units of ln(1/alpha), ascending, one fewer than there are phases: shape (phase - 1,).

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Around each saddle what is not yet learned grows linearly, every eigenvector of minus the gradient at its own rate.
    To leading order in ln(1/alpha) a direction of the next saddle inherits the largest weight among those that it
    overlaps with. Corrections are of relative order 1/ln(1/alpha): extrapolate in it to compare.

    References
    ----------
    li2021a, greedy low-rank learning at depth 2 [first phase]; the later ones are derived here, as pesme2023 for
    weights that keep their axes.
    """
    maps = np.asarray(path.weights)
    vectors, logs = np.eye(maps.shape[-1]), np.full(maps.shape[-1], -0.5)  # of U, in units of ln(1/alpha)
    times = [0.0]
    for before in maps[:-1]:
        rates, axes = _growth_beside(before, -np.asarray(gradient(jnp.asarray(before))))
        logs = _inherit(axes, vectors, logs)
        span = -logs[-1] / rates[-1]
        times.append(times[-1] + span)
        # The leading direction is learned now; the others remain.
        vectors, logs = axes[:, :-1], (logs + rates * span)[:-1]
    return jnp.asarray(times[1:], path.weights.dtype)


def phase_exponent(growth: Float[Array, " mode"], *, aligned: bool = False) -> Float[Array, ""]:
    r"""Power of the scale alpha by which the first phase differs from the flow out of one direction alone.

    .. math:: \|W(T(\alpha) + t) - W_1^G(t)\| \sim \alpha^{\kappa}, \qquad T(\alpha) = \frac{\ln(1/\alpha)}{2\mu_1},
       \qquad \kappa = \frac{\mu_1 - \mu_2}{2\mu_1}, \quad \text{aligned: } \; \frac{\mu_1 - \mu_2}{\mu_1}

    Parameters
    ----------
    growth
        mu, eigenvalues of minus the gradient at zero weights, descending, at least two; mu_1 > 0.
    aligned
        Whether W_0 has no entry between its eigenvectors u_1 and u_2, as W_0 = I.

    Returns
    -------
    Array
        kappa; 0 where mu_1 = mu_2, at most 1/2, or 1 where aligned.

    Raises
    ------
    OutsideDomain
        Fewer than two eigenvalues.

    Notes
    -----
    For W(0) = alpha W_0 with u_1^T W_0 u_1 = 1, two layers. A negative mu_2 counts as 0: what it stands for does not
    grow, and alpha itself is left. The paper proves the smaller power (mu_1 - mu_2)/(3 mu_1 - mu_2); these are measured
    to be the true ones.

    References
    ----------
    li2021a, convergence of the first phase [their bound is weaker]; derived here from linear growth.
    """
    if growth.shape[0] < 2:
        raise OutsideDomain(f"`growth` holds {growth.shape[0]} eigenvalues; the exponent compares the largest two.")
    share = (1 - jnp.maximum(growth[1], 0) / growth[0]) / (1 if aligned else 2)
    return jnp.maximum(share, 0)


def _growth_beside(weights: np.ndarray, growth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, ascending, and eigenvectors of the growth in the directions that the weights do not hold yet."""
    sizes, axes = np.linalg.eigh(weights)
    free = axes[:, sizes <= _HELD * max(sizes[-1], np.finfo(sizes.dtype).tiny)]
    rates, inside = np.linalg.eigh(free.T @ growth @ free)
    return rates, free @ inside


def _inherit(axes: np.ndarray, vectors: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Logarithm of the weight along each axis, the largest of those along the vectors that it overlaps with."""
    shared = np.abs(axes.T @ vectors) > _OVERLAP
    return np.max(np.where(shared, logs[None, :], -np.inf), axis=1)


@eqx.filter_jit
def _look(gradient, factors: Array) -> tuple[Array, Array, Array]:
    """W of the factors, with the rate and direction in which a new one would grow."""
    weights = factors @ factors.T
    values, vectors = jnp.linalg.eigh(-gradient(weights))
    return weights, values[-1], vectors[:, -1]


@eqx.filter_jit
def _settle(gradient, factors: Array, horizon: Array) -> Array:
    """Where the flow rests; columns of zeros stay zero exactly."""
    flow = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda time, factors, gradient: -gradient(factors @ factors.T) @ factors),
        diffrax.Dopri5(),
        t0=jnp.zeros_like(horizon),
        t1=horizon,
        dt0=None,
        y0=factors,
        args=gradient,
        stepsize_controller=diffrax.PIDController(rtol=1e-9, atol=1e-12),
        event=diffrax.Event(diffrax.steady_state_event(rtol=1e-8, atol=1e-9)),
        max_steps=_MOST_STEPS,
    )
    assert flow.ys is not None
    return flow.ys[-1]
