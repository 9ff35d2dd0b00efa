r"""How a deep linear network leaves the origin, where its layers must grow together.

Near 0 the loss falls by H = <-grad C(0), W_L ... W_1>, homogeneous of degree L in the weights. Whatever the start,
weights turn towards the direction in which H is largest, of rank one in every layer, and grow along it:

.. math:: \dot d = s^*\,d^{L - 1}, \qquad d = \|\theta\|
"""

from functools import reduce
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.theory.linear.depth import check_depth

Numbers = float | Float[Array, "..."] | Float[np.ndarray, "..."]
Layers = tuple[Float[Array, "_ _"], ...]

_STEP = 0.1  # of the flow of the direction, next to the inverse of the largest rate
_MOST_STEPS = 100_000


class Escape(eqx.Module):
    """The straight path into which an escape settles: d' = speed d^(L - 1), as if it had begun so at ``distance``.

    Attributes
    ----------
    distance
        d_eff, distance from the origin at which the straight path starts at time 0.
    speed
        s, that of the optimal direction unless the start lies on the way into a saddle; 0 where nothing drives weights.

    References
    ----------
    jacot2021, escape paths.
    """

    distance: Float[Array, ""]
    speed: Float[Array, ""]


def optimal_speed(strength: Numbers, depth: float) -> Float[Array, "..."]:
    r"""The largest speed s* = s_1 L^{-(L - 2)/2} at which the distance from the origin grows: d' = s* d^(L - 1).

    Parameters
    ----------
    strength
        s_1 >= 0, the largest singular value of -grad C(0), which is E[y x^T] for the half mean squared error.
    depth
        L, weight layers, any real number of at least 1.

    Raises
    ------
    OutsideDomain
        A depth below 1.

    References
    ----------
    jacot2021, optimal escape paths.
    """
    check_depth(depth)
    return jnp.asarray(strength) * depth ** (1 - depth / 2)


def optimal_escape(descent: Float[Array, "output_dim input_dim"], widths: tuple[int, ...]) -> Layers:
    r"""The direction of norm 1 along which the origin is left fastest.

    .. math:: \rho^* = L^{-1/2}\,\big(h_1 v_1^\top,\;h_2 h_1^\top,\;\dots,\;u_1 h_{L-1}^\top\big), \quad |h_l| = 1

    Parameters
    ----------
    descent
        -grad C(0); E[y x^T] for the half mean squared error.
    widths
        Units of each hidden layer; none at all is one layer.

    Returns
    -------
    tuple of Array
        Layers from the input up. The hidden vectors h_l are free: here all their entries are equal.

    Raises
    ------
    OutsideDomain
        A width below 1.

    References
    ----------
    jacot2021, optimal escape paths.
    """
    for width in widths:
        check_count("widths", width)
    left, _, right = jnp.linalg.svd(descent, full_matrices=False)
    hidden = [jnp.full(width, width**-0.5, descent.dtype) for width in widths]
    vectors = [right[0], *hidden, left[:, 0]]
    size = (len(widths) + 1) ** -0.5
    return tuple(size * jnp.outer(above, below) for below, above in pairwise(vectors))


def straight_time(start: Numbers, end: Numbers, speed: Numbers, depth: float) -> Float[Array, "..."]:
    r"""Time from distance d_0 to d_1 of the origin along a straight path.

    .. math:: T = \frac{d_0^{-(L-2)} - d_1^{-(L-2)}}{(L - 2)\,s}, \qquad L = 2:\quad T = \frac{1}{s} \ln \frac{d_1}{d_0}

    Parameters
    ----------
    start, end
        d_0 and d_1 >= 0, norms of all weights together.
    speed
        s >= 0, from ``optimal_speed``.
    depth
        L, any real number of at least 1.

    Returns
    -------
    Array
        In units of 1/learning rate; inf from distance 0 (beyond one layer) or at speed 0.

    Raises
    ------
    OutsideDomain
        A depth below 1.

    Notes
    -----
    What ``escape_time`` says of the strength u = (d / sqrt L)^L, said of the distance. Relative corrections are of the
    order of u / s_1 at the end; ``depth_time`` of u is exact on white inputs. With ``distance`` of ``random_escape``
    for d_0 it holds for random starts.

    References
    ----------
    jacot2021, speed of escape.
    """
    check_depth(depth)
    start, end, speed = (jnp.asarray(value) for value in (start, end, speed))
    span = _grown(jnp.log(end), depth) - _grown(jnp.log(start), depth)
    return jnp.where(end == start, 0.0, span / speed)


def straight_distance(times: Numbers, start: Numbers, speed: Numbers, depth: float) -> Float[Array, "..."]:
    r"""Distance from the origin along a straight path: the inverse of ``straight_time``.

    .. math:: d(t) = \big[d_0^{-(L-2)} - (L - 2)\,s\,t\big]^{-1/(L-2)}, \qquad L = 2:\quad d = d_0\,e^{s t}

    Parameters
    ----------
    times
        t >= 0, in units of 1/learning rate.
    start, speed, depth
        As for ``straight_time``.

    Returns
    -------
    Array
        inf from the time on at which the path diverges (L > 2).

    Raises
    ------
    OutsideDomain
        A depth below 1.

    References
    ----------
    jacot2021, speed of escape.
    """
    check_depth(depth)
    times, start, speed = (jnp.asarray(value) for value in (times, start, speed))
    if depth == 2:
        return start * jnp.exp(speed * times)
    order = depth - 2
    if order < 0:
        return (start**-order - order * speed * times) ** (-1 / order)
    left = 1 - order * speed * times * start**order
    return jnp.where(left > 0, start * jnp.where(left > 0, left, 1.0) ** (-1 / order), jnp.inf)


def random_escape(descent: Float[Array, "output_dim input_dim"], weights: Layers) -> Escape:
    r"""The straight path into which small weights of any direction settle, by the homogeneous flow.

    .. math:: \dot\theta = \nabla H(\theta), \qquad
       L \ge 3:\; T\,(L - 2)\,s\,d_0^{L-2} \to c = \Big(\frac{d_0}{d_{\mathrm{eff}}}\Big)^{L-2} \ge 1, \qquad
       L = 2:\; d_{\mathrm{eff}} = d_0\,|\hat\theta_\parallel|

    Parameters
    ----------
    descent
        -grad C(0); E[y x^T] for the half mean squared error.
    weights
        theta_0, layers from the input up, at least two of them; d_eff is proportional to their scale.

    Returns
    -------
    Escape
        Weights reach distance d_1 after ``straight_time(distance, d_1, speed, depth)``. Speed 0 where nothing drives
        the weights: no signal, or weights that are 0.

    Raises
    ------
    OutsideDomain
        Fewer than two layers, or layers that do not fit each other or ``descent``.

    Notes
    -----
    Corrections vanish with the scale. At depth 3 and strengths (2, 1, 0.4), time to d_1 = 0.3: 1% at d_0 = 0.1, 0.03%
    at 0.03; at depth 2 0.2% at 1e-3, from the size of d_1. The direction is followed in the time that its own length
    sets, until it has settled; it never does between equal leading strengths, whose directions are equally good.

    References
    ----------
    jacot2021, escape from the origin at random initialisation [c: the constant of their bound, here computed].
    """
    shapes = [layer.shape for layer in weights]
    tops, bottoms = [top for top, _ in shapes], [bottom for _, bottom in shapes]
    if len(weights) < 2 or [*bottoms[1:], descent.shape[0]] != tops or bottoms[0] != descent.shape[1]:
        raise OutsideDomain(
            f"`weights` has layers of shapes {shapes} for a `descent` of shape {descent.shape}; give two layers or "
            "more, from the input up, whose product has that shape."
        )
    return _settle(descent, weights)


@eqx.filter_jit
def _settle(descent: Array, weights: Layers) -> Escape:
    depth = len(weights)
    power = lambda layers: jnp.sum(descent * reduce(lambda below, above: above @ below, layers))  # noqa: E731
    start, scale = _norm(weights), jnp.linalg.norm(descent, 2)
    moving = (start > 0) & (scale > 0)
    direction = jax.tree.map(lambda layer: layer / jnp.where(moving, start, 1.0), weights)
    step = _STEP / jnp.where(moving, scale, 1.0)
    # Turning this slowly next to growing, the direction is off the optimum by so little that its speed, where the
    # optimum is flat, is exact.
    still = jnp.asarray(0.1 * float(jnp.finfo(descent.dtype).eps) ** 0.25, descent.dtype)

    def turn(state):
        """Rates in the time that the distance itself sets: of the direction, of its logarithm, of time."""
        direction, log, _ = state
        push, rate = jax.grad(power)(direction), depth * power(direction)
        turning = jax.tree.map(lambda force, layer: force - rate * layer, push, direction)
        return turning, rate, jnp.exp(-(depth - 2) * log)

    def advance(state, slopes, share):
        return jax.tree.map(lambda value, slope: value + share * step * slope, state, slopes)

    def runge_kutta(carry):
        state, first, count = carry
        middle = turn(advance(state, first, 0.5))
        again = turn(advance(state, middle, 0.5))
        last = turn(advance(state, again, 1.0))
        state = advance(
            state, jax.tree.map(lambda a, b, c, d: (a + 2 * b + 2 * c + d) / 6, first, middle, again, last), 1.0
        )
        return state, turn(state), count + 1

    def turns(carry):
        _, (turning, rate, _), count = carry
        return moving & (count < _MOST_STEPS) & (_norm(turning) > still * jnp.abs(rate))

    begin = (direction, jnp.zeros((), descent.dtype), jnp.zeros((), descent.dtype))
    (_, log, passed), (_, rate, _), _ = jax.lax.while_loop(turns, runge_kutta, (begin, turn(begin), 0))
    speed = jnp.where(moving, jnp.maximum(rate, 0.0), 0.0)
    # Back along the straight path to time 0, in units of the first distance.
    reached = _grown(log, depth) - speed * passed
    back = reached if depth == 2 else -jnp.log1p(-(depth - 2) * reached) / (depth - 2)
    return Escape(jnp.where(moving, start * jnp.exp(back), start), speed)


def rank_exponent(strengths: Float[Array, " mode"], depth: int) -> Float[Array, ""]:
    r"""Power of the scale of random weights with which the map becomes of rank one on the way out.

    .. math:: \frac{\sigma_2}{\sigma_1} \asymp d_0^{k}, \qquad
       k = L \;\;(L \ge 3), \qquad k = 2\,\Big(1 - \frac{s_2}{s_1}\Big) \;\;(L = 2)

    Parameters
    ----------
    strengths
        Singular values of -grad C(0), in any order, at least one; the largest above 0.
    depth
        L, weight layers, at least 2.

    Raises
    ------
    OutsideDomain
        A depth below 2, from which no start at the origin escapes, or no signal.

    Notes
    -----
    From depth 3 on, nothing but the leading direction grows before all have left: each layer keeps the rest of its
    start, of size d_0. Equal strengths at depth 2 leave together: k = 0.

    References
    ----------
    jacot2021, rank-one escape [their statement is that the ratio vanishes; exponents derived].
    """
    check_count("depth", depth, at_least=2)
    if is_concrete(strengths) and not np.max(np.asarray(strengths), initial=0) > 0:
        raise OutsideDomain(f"`strengths` is {strengths}; the largest must be above 0, or nothing escapes.")
    if depth > 2:
        return jnp.full((), float(depth), strengths.dtype)
    ordered = jnp.sort(jnp.append(strengths, jnp.zeros(1, strengths.dtype)))[::-1]
    return 2 * (1 - ordered[1] / ordered[0])


def _norm(layers: Layers) -> Array:
    return jnp.sqrt(sum((jnp.sum(layer**2) for layer in layers), start=jnp.zeros((), layers[0].dtype)))


def _grown(log: Array, depth: float) -> Array:
    """(1 - d^-(L - 2)) / (L - 2) from ln d; ln d itself at depth 2: what grows at the rate of the speed."""
    return log if depth == 2 else -jnp.expm1(-(depth - 2) * log) / (depth - 2)
