"""How long a two-layer linear network learns from unbalanced weights, and how fast it does so at the least."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.theory.linear.modes import imbalanced_rate


def imbalanced_time(
    start: Float[Array, "..."], end: Float[Array, "..."], imbalance: Float[Array, "..."], target: Float[Array, "..."]
) -> Float[Array, "..."]:
    r"""Time that a mode takes from strength u_0 to u_f: the inverse of the product of ``imbalanced_mode``.

    .. math:: \dot u = \sqrt{c^2 + 4u^2}\,(s - u), \qquad t = \frac1K \Big[\ln
       \frac{c^2 + 4 s u + K \sqrt{c^2 + 4 u^2}}{|s - u|}\Big]_{u_0}^{u_f}, \qquad K = \sqrt{c^2 + 4 s^2}

    Parameters
    ----------
    start, end
        u_0 = a_0 b_0 and u_f, of either sign.
    imbalance
        c = a^2 - b^2, of either sign or 0.
    target
        s, of either sign or 0. The four broadcast against each other.

    Returns
    -------
    Array
        In units of 1/learning rate; negative where ``end`` comes before ``start``, NaN where the target lies between
        them, inf at the target itself and, without imbalance, from or beyond a strength of 0.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Without imbalance and for u_0, u_f, s of one sign this is ln(u_f (s - u_0) / (u_0 (s - u_f))) / 2s, the time of the
    logistic mode. With c and s both 0 it is 1/2|u_f| - 1/2|u_0|.

    References
    ----------
    saxe2014, App. A [there with theta, u = (c/2) sinh theta]; tarmoun2021, imbalanced modes.
    """
    start, end, imbalance, target = jnp.broadcast_arrays(start, end, imbalance, target)
    rate = imbalanced_rate(imbalance, target)
    gained = _progress(end, imbalance, target, rate) - _progress(start, imbalance, target, rate)
    passed = (target * end < 0).astype(rate.dtype) - (target * start < 0).astype(rate.dtype)
    through_zero = jnp.where(passed == 0, 0.0, passed * 2 * jnp.log(2 * jnp.abs(imbalance)))
    time = (gained + through_zero) / jnp.where(rate == 0, 1.0, rate)
    algebraic = (1 / jnp.abs(end) - 1 / jnp.abs(start)) / 2
    held = (imbalance == 0) & (jnp.sign(start) * jnp.sign(end) <= 0)
    crossing = (start - target) * (end - target) < 0
    time = jnp.where(held, jnp.inf, jnp.where(rate == 0, algebraic, time))
    return jnp.where(start == end, 0.0, jnp.where(crossing, jnp.nan, time))


def guaranteed_rate(
    first: Float[Array, "width input_dim"], second: Float[Array, "output_dim width"]
) -> Float[Array, ""]:
    r"""A rate c at which a two-layer linear network learns at the least on white inputs, from its start alone.

    .. math:: L(t) - L_{\min} \le e^{-2ct}\,(L(0) - L_{\min}), \qquad
       c = [\lambda_{n}(\Lambda)]_+ + [\lambda_{m}(-\Lambda)]_+, \qquad \Lambda = W_2^\top W_2 - W_1 W_1^\top

    with n outputs, m inputs and eigenvalues in descending order.

    Parameters
    ----------
    first, second
        W_1 and W_2 at the start.

    Returns
    -------
    Array
        0 where the bound says nothing: balanced weights, or fewer units than outputs and than inputs.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    The flow conserves Lambda, and W_2 W_2^T keeps its least eigenvalue above that of Lambda. Often far from sharp; it
    becomes so where one layer outweighs the task by far.

    References
    ----------
    tarmoun2021, convergence rate; Min, Tarmoun, Vidal, Mallada (2021), arXiv:2105.06351 [U = W_2, V = W_1^T].
    """
    eigenvalues = jnp.linalg.eigvalsh(second.T @ second - first @ first.T)
    outputs, inputs, width = second.shape[0], first.shape[1], eigenvalues.size
    nothing = jnp.zeros((), eigenvalues.dtype)
    from_second = jnp.maximum(eigenvalues[width - outputs], 0) if outputs <= width else nothing
    from_first = jnp.maximum(-eigenvalues[inputs - 1], 0) if inputs <= width else nothing
    return from_second + from_first


def _progress(strength: Array, imbalance: Array, target: Array, rate: Array) -> Array:
    """The logarithm; where its argument cancels, at strengths of the other sign than the target, from its conjugate.

    The conjugate lacks 2 ln|2c|, the time to pass strength 0, which is the same for all strengths.
    """
    same, other = imbalance**2 + 4 * target * strength, rate * jnp.hypot(imbalance, 2 * strength)
    opposed = target * strength < 0
    gap = jnp.log(jnp.abs(target - strength))
    direct = jnp.log(jnp.where(opposed, 1.0, same + other)) - gap
    return jnp.where(opposed, gap - jnp.log(jnp.where(opposed, other - same, 1.0)), direct)
