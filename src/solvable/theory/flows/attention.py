"""Early flow of linear attention heads on in-context regression, and the first of many heads to escape.

Near zero weights a head of rank one, with value v, key k and query q, does not feel the others. With rates s_d =
lambda_d^2 on the inputs (x) and the label slot (y), in the eigenbasis of the inputs' covariance,

    v_y' = k_x.(s q),  k_x' = v_y s q,  v_x' = k_y s q,  k_y' = v_x.(s q),  q' = s (v_y k_x + k_y v_x):

the gradient flow of a cubic form, which is infinite after a time inversely proportional to the start.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_positive, is_concrete

# Runge-Kutta steps of this growth leave 1e-4 of a head's time; so many bring the quick heads to size 1e5 and beyond.
_GROWTH_A_STEP = 0.2
_NUM_STEPS = 150


@jax.jit
def head_blow_up_time(
    values: Float[Array, "width token_dim"],
    keys: Float[Array, "width token_dim"],
    queries: Float[Array, "width input_dim"],
    rates: Float[Array, " input_dim"],
) -> Float[Array, " width"]:
    """Time at which the early flow of each head is infinite; inf for heads that hardly move.

    Parameters
    ----------
    values, keys
        v and k of each head in the eigenbasis of the covariance, the label slot last, token_dim = input_dim + 1.
    queries
        q of each head, without the label slot, which is never read.
    rates
        s_d = lambda_d^2, squared eigenvalues of the inputs' covariance, descending and positive.

    Returns
    -------
    Array
        Gradient-flow time of the half loss, for X X^T divided by the context length (N times shorter otherwise).

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Exact for the early flow up to 1e-4 of the time (fourth-order Runge-Kutta in the time scale of the head's size).
    The network's half-drop follows this time by a few 1/s_1, a share O(init_scale) of it.

    References
    ----------
    zhang2026, Eqs. 14 and 69 [Sigma_yZ of linear attention, whose positive eigenvalues are the s_d]; zhang2025.
    """
    start = (values, keys, queries)
    size = _norm(start)
    tick = _GROWTH_A_STEP / jnp.max(rates)

    def step(state, _):
        head, log_size, time = state
        moved = _runge_kutta(head, rates, tick)
        growth = _norm(moved)
        state = _scale(moved, 1 / growth), log_size + jnp.log(growth), time + tick * jnp.exp(-log_size)
        return state, None

    state = (_scale(start, 1 / size), jnp.log(size), jnp.zeros_like(size))
    (head, log_size, time), _ = jax.lax.scan(step, state, length=_NUM_STEPS)
    # A head along its final direction grows as |theta|' = rate |theta|^2.
    rate = sum(jnp.sum(w * dot, axis=1) for w, dot in zip(head, _velocity(head, rates), strict=True))
    return jnp.where(rate > 0, time + jnp.exp(-log_size) / rate, jnp.inf)


def first_escape_quantile(
    rates: Float[Array, " input_dim"], *, width: int, init_scale: float = 1.0, share: float = 0.5, num_nodes: int = 4096
) -> Float[Array, ""]:
    r"""Time by which the first of H heads has escaped from zero in a given share of all draws of the weights.

    .. math:: P(\min_i t_i \le t) = 1 - (1 - F(t))^H \quad\Rightarrow\quad t = F^{-1}\big(1 - (1 - p)^{1/H}\big),

    with F the distribution of ``head_blow_up_time`` for one head with weights from N(0, init_scale^2).

    Parameters
    ----------
    rates
        s_d, as for ``head_blow_up_time``.
    width
        H, number of heads.
    init_scale
        epsilon; times are proportional to 1/epsilon.
    share
        p between 0 and 1; 0.5 gives the median over draws.
    num_nodes
        Points of the Sobol rule that averages over a head's weights, a power of 2; well above 10 H.

    Returns
    -------
    Array
        Gradient-flow time of the half loss.

    Raises
    ------
    OutsideDomain
        A width, scale or number of nodes that is not positive, or a share outside (0, 1).

    Notes
    -----
    No randomness: the rule is a fixed one. Doubling the nodes moves the median by less than 0.7% up to H = 64.

    References
    ----------
    zhang2026, Fig. 2A and Section 6 (more units start closer to each other) [made quantitative].
    """
    check_count("width", width)
    check_positive("init_scale", init_scale)
    check_count("num_nodes", num_nodes, at_least=2)
    if is_concrete(share) and not 0 < share < 1:
        raise OutsideDomain(f"`share` is {share}; it must lie between 0 and 1; 0.5 gives the median.")
    dim = rates.size
    draws = jnp.asarray(_gaussian_nodes(num_nodes, 3 * dim + 2), rates.dtype)
    values, keys, queries = jnp.split(draws, [dim + 1, 2 * dim + 2], axis=1)
    times = head_blow_up_time(values, keys, queries, rates)
    return jnp.quantile(times, 1 - (1 - share) ** (1 / width), method="linear") / init_scale


def _gaussian_nodes(num_nodes: int, dim: int) -> np.ndarray:
    """A Sobol sequence carried over to the Gaussian, half a spacing away from 0."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    return ndtri(qmc.Sobol(dim, scramble=False).random(num_nodes) + 0.5 / num_nodes)


def _velocity(head: tuple[Array, Array, Array], rates: Array) -> tuple[Array, Array, Array]:
    values, keys, queries = head
    inputs, label = slice(None, -1), slice(-1, None)
    pull = rates[None, :] * queries
    along_keys = jnp.sum(keys[:, inputs] * pull, axis=1, keepdims=True)
    along_values = jnp.sum(values[:, inputs] * pull, axis=1, keepdims=True)
    mixed = values[:, label] * keys[:, inputs] + keys[:, label] * values[:, inputs]
    return (
        jnp.concatenate([keys[:, label] * pull, along_keys], axis=1),
        jnp.concatenate([values[:, label] * pull, along_values], axis=1),
        rates[None, :] * mixed,
    )


def _runge_kutta(head: tuple[Array, Array, Array], rates: Array, tick: Array) -> tuple[Array, Array, Array]:
    shifted = lambda slope, share: jax.tree.map(lambda w, d: w + share * tick * d, head, slope)  # noqa: E731
    first = _velocity(head, rates)
    second = _velocity(shifted(first, 0.5), rates)
    third = _velocity(shifted(second, 0.5), rates)
    fourth = _velocity(shifted(third, 1.0), rates)
    mean = jax.tree.map(lambda a, b, c, d: (a + 2 * b + 2 * c + d) / 6, first, second, third, fourth)
    return shifted(mean, 1.0)


def _norm(head: tuple[Array, Array, Array]) -> Array:
    return jnp.sqrt(sum(jnp.sum(weights**2, axis=1) for weights in head))


def _scale(head: tuple[Array, Array, Array], factor: Array) -> tuple[Array, Array, Array]:
    values, keys, queries = (weights * factor[:, None] for weights in head)
    return values, keys, queries
