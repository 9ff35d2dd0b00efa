"""Loss levels at which quadratic networks and linear attention pause, and how long a head of attention takes."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from solvable.errors import OutsideDomain, check_count, is_concrete

_MOST_MODES = 20


class Levels(eqx.Module):
    """Fixed points of training, each made of some of the task's modes.

    Attributes
    ----------
    active
        Which modes the network uses.
    loss
        Half mean squared error there.
    strength
        Coefficient of each mode in the network's map; 0 where it is not active.
    """

    active: Bool[Array, "point mode"]
    loss: Float[Array, " point"]
    strength: Float[Array, "point mode"]


def quadratic_network_levels(eigenvalues: Float[Array, " mode"]) -> Levels:
    r"""All 2^D fixed points of sum_i v_i (u_i.x)^2 learning y = x.A x on standard Gaussian inputs.

    With Lambda the sum of the eigenvalues that are left out, and r active modes:

    .. math:: L = \frac{\Lambda^2}{2 + r} + \sum_{k\ \mathrm{out}} \lambda_k^2, \qquad
       \mathrm{strength}_k = \lambda_k + \frac{\Lambda}{2 + r}

    Parameters
    ----------
    eigenvalues
        lambda_k of the symmetric teacher matrix A, any signs and order.

    Returns
    -------
    Levels
        Row i uses the modes whose bits are set in i: from none (row 0) to all (last row, loss 0). The network's matrix
        sum_i v_i u_i u_i^T is diagonal in the eigenbasis of A with ``strength`` on it.

    Raises
    ------
    OutsideDomain
        No eigenvalue or more than 20 of them (2^20 rows), or one that is not finite.

    Notes
    -----
    Exact for the population. Loss of the half convention: half of E(y - f)^2. An active mode acts as a unit with
    |u|^2 v = strength; its sign is that of v, which a unit at hand must be able to take. Equal eigenvalues have
    a continuum of fixed points, at these levels.

    References
    ----------
    zhang2026, App. I, Eq. 71 (setting) and H.1 (flow). Levels derived from E(y - f)^2 = 2 |A - B|_F^2 + tr(A - B)^2,
    whose gradient vanishes on the active modes where 2 (lambda_k - strength_k) + tr(A - B) = 0.
    """
    active = jnp.asarray(_all_subsets(eigenvalues))
    out = jnp.where(active, 0, eigenvalues[None, :])
    missing, rank = jnp.sum(out, axis=1), jnp.sum(active, axis=1).astype(eigenvalues.dtype)
    loss = missing**2 / (2 + rank) + jnp.sum(out**2, axis=1)
    strength = jnp.where(active, eigenvalues[None, :] + (missing / (2 + rank))[:, None], 0)
    return Levels(active, loss, strength)


def greedy_quadratic_levels(eigenvalues: Float[Array, " mode"]) -> Levels:
    """The levels a quadratic network steps down from small weights: the largest eigenvalue left is learned next.

    Parameters
    ----------
    eigenvalues
        lambda_k of the symmetric teacher matrix A, any order; positive.

    Returns
    -------
    Levels
        Rows m = 0 .. D: the m largest eigenvalues are learned. Modes in the order of ``eigenvalues``.

    Raises
    ------
    OutsideDomain
        As ``quadratic_network_levels``, or an eigenvalue that is not positive: which mode is next then depends on
        the units that are left.

    Notes
    -----
    At a stop with r active modes and Lambda left out, small units see S = 2 lambda_k + 2 Lambda / (2 + r) on the modes
    left out and 0 on the active ones: positive, so that every unit that grows does so along the largest lambda_k.

    References
    ----------
    zhang2026, Section 5.2 and H.2, Step 2 [growth along the top eigenvector of S], at the saddles of Eq. 71.
    """
    if is_concrete(eigenvalues) and not jnp.all(eigenvalues > 0):
        raise OutsideDomain(
            f"`eigenvalues` is {eigenvalues}; the order of the stops is known where all are above 0; "
            "use `quadratic_network_levels` for the levels of every order."
        )
    every = quadratic_network_levels(eigenvalues)
    learned = jnp.append(jnp.zeros(1, int), jnp.cumsum(2 ** jnp.argsort(-eigenvalues)))
    return Levels(every.active[learned], every.loss[learned], every.strength[learned])


def linear_attention_levels(eigenvalues: Float[Array, " mode"], context_length: int) -> Levels:
    r"""The levels linear attention steps down while it learns linear regression in context, one head at a time.

    .. math:: L_m = \tfrac12\Big(\mathrm{tr}\,\Lambda - \sum_{d \le m} \frac{\lambda_d^2}{a_d}\Big), \qquad
       a_d = \lambda_d\Big(1 + \frac1N\Big) + \frac{\mathrm{tr}\,\Lambda}{N}

    Parameters
    ----------
    eigenvalues
        lambda_d of the covariance of the inputs, any order; positive. The regression vectors are N(0, I).
    context_length
        N, number of labelled tokens.

    Returns
    -------
    Levels
        Rows m = 0 .. D: the m largest eigenvalues are learned. ``strength`` is 1/a_d, the eigenvalue of M in
        f = beta^T M x_q with beta = (1/N) sum_n y_n x_n; modes in the order of ``eigenvalues``.

    Raises
    ------
    OutsideDomain
        No eigenvalue or one that is not positive, or a context length that is not a whole number of at least 1.

    Notes
    -----
    Exact for the population, for heads of rank one with separate key and query. The levels are the same where the
    tokens are (x_n, y_n), the query's own token (x_q, 0) belongs to X, and G = X X^T is not divided by N (zhang2026,
    Fig. 1F). There f = sum_jkl T_jkl G_jk x_q,l, and w -> -w is a symmetry of the task that leaves the blocks G_xx and
    G_yy as they are and flips G_xy and the target. So the even terms correlate with neither: they add a square of
    their own to the loss, and have no gradient where they are 0. The query's token enters G_xx only. What is left is
    G_xy = N beta, hence M / N in place of M. A finite sample breaks the symmetry: least squares on all 12 monomials
    (D = 2, N = 32, 8192 samples) ends at E(y - f)^2 = 0.1705 on average over 40 samples, with a standard deviation
    of 0.0053 between them; the population value is 0.1714.

    References
    ----------
    zhang2025, fixed points with separate rank-one key and query [their loss has no 1/2]; zhang2026, Eqs. 69-70.
    """
    _check_covariance(eigenvalues, context_length)
    order = jnp.argsort(-eigenvalues)
    learned_at = jnp.argsort(order)
    active = learned_at[None, :] < jnp.arange(eigenvalues.size + 1)[:, None]
    return _attention_points(active, eigenvalues, context_length)


def all_linear_attention_levels(eigenvalues: Float[Array, " mode"], context_length: int) -> Levels:
    """All 2^D fixed points of linear attention on in-context linear regression, whether or not they are visited.

    Parameters
    ----------
    eigenvalues, context_length
        As in ``linear_attention_levels``, at most 20 eigenvalues.

    Returns
    -------
    Levels
        Row i uses the modes whose bits are set in i.

    Raises
    ------
    OutsideDomain
        As ``linear_attention_levels``, or more than 20 eigenvalues (2^20 rows).

    References
    ----------
    zhang2025, fixed points with separate rank-one key and query.
    """
    _check_covariance(eigenvalues, context_length)
    return _attention_points(jnp.asarray(_all_subsets(eigenvalues)), eigenvalues, context_length)


def attention_mode_time(
    eigenvalue: Float[Array, "*#shape"],
    trace: Float[Array, "*#shape"],
    context_length: int,
    start: Float[Array, "*#shape"],
    stop: Float[Array, "*#shape"],
) -> Float[Array, "*shape"]:
    r"""Time a head of linear attention takes to learn one mode, from weight ``start`` to weight ``stop``.

    .. math:: t = \int_{s_0}^{s} \frac{ds'}{\lambda^2 (s'^2 - a s'^5)}
       = \frac1{\lambda^2}\Big[\frac1{s_0} - \frac1s + c\,\big(F(c s) - F(c s_0)\big)\Big], \qquad c = a^{1/3},

    .. math:: F(z) = \tfrac16 \ln\frac{1 + z + z^2}{(1 - z)^2} - \tfrac1{\sqrt3}\arctan\frac{2z + 1}{\sqrt3}, \qquad
       a = \lambda\Big(1 + \frac1N\Big) + \frac{\mathrm{tr}\,\Lambda}{N}

    Parameters
    ----------
    eigenvalue
        lambda of the mode in the covariance of the inputs; positive.
    trace
        tr Lambda of that covariance, at least ``eigenvalue``.
    context_length
        N, number of labelled tokens.
    start, stop
        Weight s = v = |k| = |q| of the balanced head with k and q along the mode, 0 < start <= stop < a^(-1/3).

    Returns
    -------
    Array
        Gradient-flow time of the half loss (zhang2025's own time: no 1/2 in the loss, one in the flow).

    Raises
    ------
    OutsideDomain
        A weight or eigenvalue outside the ranges above, or a context length that is not a whole number of at least 1.

    Notes
    -----
    Exact for the population and aligned heads, which do not interact; 1/(lambda^2 start) for a small start, which is
    ``blow_up_time`` of the head. Where G = X X^T is not divided by N, times are N^(-2/3) of these, with N^(1/3) times
    the weights used there as ``start`` and ``stop``.

    References
    ----------
    zhang2025, scalar flow of one head with separate key and query [integral; its closed form by partial fractions].
    """
    check_count("context_length", context_length)
    slope = _attention_slope(eigenvalue, trace, context_length)
    root = jnp.cbrt(slope)
    if all(map(is_concrete, (eigenvalue, trace, start, stop))):
        _check_head(eigenvalue, trace, start, stop, 1 / root)
    bracket = 1 / start - 1 / stop + root * (_primitive(root * stop) - _primitive(root * start))
    return bracket / eigenvalue**2


def _attention_points(active: Array, eigenvalues: Array, context_length: int) -> Levels:
    trace = jnp.sum(eigenvalues)
    slope = _attention_slope(eigenvalues, trace, context_length)
    loss = (trace - jnp.sum(jnp.where(active, (eigenvalues**2 / slope)[None, :], 0), axis=1)) / 2
    return Levels(active, loss, jnp.where(active, 1 / slope[None, :], 0))


def _attention_slope(eigenvalue: Array, trace: Array, context_length: int) -> Array:
    """a_d, whose inverse is the best coefficient of a mode: E[beta beta^T] = Lambda a in the eigenbasis."""
    return eigenvalue * (1 + 1 / context_length) + trace / context_length


def _primitive(share: Array) -> Array:
    """An integral of z / (1 - z^3) for 0 <= z < 1."""
    logs = jnp.log1p(share + share**2) / 6 - jnp.log1p(-share) / 3
    return logs - jnp.arctan((2 * share + 1) / 3**0.5) / 3**0.5


def _all_subsets(eigenvalues: Array) -> np.ndarray:
    """Membership of each mode in each of the 2^D subsets; row i holds the bits of i."""
    if eigenvalues.ndim != 1 or not 1 <= eigenvalues.size <= _MOST_MODES:
        raise OutsideDomain(
            f"`eigenvalues` has shape {eigenvalues.shape}; it must be one row of 1 to {_MOST_MODES} of them, "
            "for there are 2^D fixed points; keep the leading ones."
        )
    if is_concrete(eigenvalues) and not jnp.all(jnp.isfinite(eigenvalues)):
        raise OutsideDomain(f"`eigenvalues` is {eigenvalues}; all must be finite numbers.")
    return (np.arange(2**eigenvalues.size)[:, None] >> np.arange(eigenvalues.size)[None, :]) % 2 == 1


def _check_covariance(eigenvalues: Array, context_length: int) -> None:
    check_count("context_length", context_length)
    if eigenvalues.ndim != 1 or eigenvalues.size == 0:
        raise OutsideDomain(f"`eigenvalues` has shape {eigenvalues.shape}; it must be one row of at least one.")
    if is_concrete(eigenvalues) and not jnp.all((eigenvalues > 0) & jnp.isfinite(eigenvalues)):
        raise OutsideDomain(f"`eigenvalues` is {eigenvalues}; those of a covariance must be finite and above 0.")


def _check_head(eigenvalue: Array, trace: Array, start: Array, stop: Array, end: Array) -> None:
    if not jnp.all((eigenvalue > 0) & (trace >= eigenvalue) & jnp.isfinite(trace)):
        raise OutsideDomain(
            f"`eigenvalue` is {eigenvalue} and `trace` is {trace}; the first must be above 0 and at most the second."
        )
    if not jnp.all((start > 0) & (start <= stop) & (stop < end)):
        raise OutsideDomain(
            f"`start` is {start} and `stop` is {stop}; the head grows from a start above 0 towards {end}, "
            "which it never reaches: choose 0 < start <= stop below that."
        )
