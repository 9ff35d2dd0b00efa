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
