r"""What a wide layer of units makes of two inputs: mean products of an activation, and of its slope, on Gaussians.

A unit sees the two inputs as (u, v), Gaussian of mean 0 with variances A and B and covariance C.
"""

import math
import warnings
from functools import lru_cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, ValidityWarning, check_count, check_non_negative, is_concrete
from solvable.numerics import Activation, activations, arc_cosines

Values = float | Float[Array, "..."]
_UNRESOLVED = 1e-4  # relative change of mean squares with one node less, from which on the rule says so


class DualActivation(eqx.Module):
    r"""Means under the Gaussian that two inputs make.

    Attributes
    ----------
    values
        :math:`E[\sigma(u)\,\sigma(v)]`.
    slopes
        :math:`E[\sigma'(u)\,\sigma'(v)]`, the derivative of the former in the covariance.

    References
    ----------
    jacot2018, Prop. 1 and Theorem 1.
    """

    values: Float[Array, "*shape"]
    slopes: Float[Array, "*shape"]


def dual_activation(
    activation: Activation, variance: Values, other_variance: Values, covariance: Values, *, nodes: int = 64
) -> DualActivation:
    r"""Mean products of activations and of their slopes, entry by entry.

    .. math:: \sigma = \text{relu}: \quad E[\sigma\sigma] = \frac{\sqrt{AB}\,k_1(\rho)}{2}, \;
       E[\sigma'\sigma'] = \frac{k_0(\rho)}{2}, \qquad \text{else} \quad
       E[\sigma\sigma] = \sum_k c_k(A)\,c_k(B)\,\rho^k, \quad c_k(A) = E_z[\sigma(\sqrt A z)\,h_k(z)]

    with the correlation :math:`\rho = C/\sqrt{AB}`, ``arc_cosines`` k_0, k_1 and normalised Hermite polynomials h_k.

    Parameters
    ----------
    activation
        Closed where it is homogeneous (relu, leaky relu of any slope, the identity) and for erf; a Hermite series else.
    variance, other_variance, covariance
        A, B >= 0 and C; they broadcast. A C beyond :math:`\pm\sqrt{AB}` by rounding counts as there; an input of
        variance 0 is the limit.
    nodes
        Of the Gauss-Hermite rule that finds the c_k, and terms of the series.

    Raises
    ------
    OutsideDomain
        A negative variance, a covariance that the variances do not allow, or shapes that do not broadcast.

    Warns
    -----
    ValidityWarning
        A function that the rule does not resolve at the largest variance: it steps or kinks within a distance of nodes.

    Notes
    -----
    At correlation 1 the series is the Gauss-Hermite rule itself. With 64 nodes tanh is off by 1e-9 and its slopes by
    1e-7 at variance 1, by 2e-3 and 1e-2 at variance 10, of which it warns; GELU and softplus by rounding at 1.
    Derivatives are finite everywhere, and exact through inputs that coincide.

    References
    ----------
    jacot2018, Prop. 1; lee2019, App. C; Cho and Saul (2009), Eqs. 3 to 7; Williams (1997), Eq. 11; Mehler's formula.
    """
    check_count("nodes", nodes, at_least=2)
    dtype = jnp.result_type(*(value for value in (variance, other_variance, covariance)), float(0))
    arrays = [jnp.asarray(value, dtype) for value in (variance, other_variance, covariance)]
    _check_covariance(*arrays)
    for array in arrays[:2]:
        check_resolved(activation, nodes, array)
    rank = max(array.ndim for array in arrays)
    own, other, joint = (array.reshape((1,) * (rank - array.ndim) + array.shape) for array in arrays)
    return _dual(activation, own, other, joint, nodes)


def dual_diagonal(activation: Activation, variance: Values, *, nodes: int = 64) -> DualActivation:
    r"""``dual_activation`` of an input with itself, :math:`E[\sigma(u)^2]` and :math:`E[\sigma'(u)^2]`, free of angles.

    Parameters
    ----------
    activation, nodes
        As for ``dual_activation``.
    variance
        A >= 0.

    Raises
    ------
    OutsideDomain
        A negative variance.

    Warns
    -----
    ValidityWarning
        As ``dual_activation``.

    References
    ----------
    As ``dual_activation``.
    """
    check_count("nodes", nodes, at_least=2)
    check_non_negative("variance", variance)
    check_resolved(activation, nodes, variance)
    return _dual_diagonal(activation, jnp.asarray(variance, jnp.result_type(variance, float(0))), nodes)


def is_closed(activation: Activation) -> bool:
    """Whether the dual needs no series. Raises nothing. References: none."""
    return activation.homogeneous or activation.function is activations.erf.function


def side_slopes(activation: Activation) -> tuple[Array, Array]:
    """Slopes of a homogeneous activation above and below 0. Raises nothing. References: none."""
    ends = activation(jnp.asarray([1.0, -1.0]))
    return ends[0], -ends[1]


@eqx.filter_jit
def _dual(activation: Activation, own: Array, other: Array, joint: Array, nodes: int) -> DualActivation:
    if activation.homogeneous:
        above, below = (slope.astype(joint.dtype) for slope in side_slopes(activation))
        return _homogeneous(above, below, own, other, joint)
    if activation.function is activations.erf.function:
        return _erf(own, other, joint)
    return _series(activation, own, other, joint, nodes)


@eqx.filter_jit
def _dual_diagonal(activation: Activation, own: Array, nodes: int) -> DualActivation:
    if activation.homogeneous:
        above, below = (slope.astype(own.dtype) for slope in side_slopes(activation))
        power = (above**2 + below**2) / 2
        return DualActivation(power * own, jnp.full_like(own, power))
    if activation.function is activations.erf.function:
        return _erf(own, own, own)
    values, slopes = (jnp.sum(part**2, axis=0) for part in _coefficients(activation, own, nodes))
    return DualActivation(values, slopes)


def correlation(own: Array, other: Array, joint: Array) -> tuple[Array, Array]:
    r""":math:`\sqrt{AB}` and C divided by it: 0, by convention, where a variance is.

    Raises nothing. References: none.
    """
    roots, inverses = zip(*(_root(variance) for variance in (own, other)), strict=True)
    return roots[0] * roots[1], joint * inverses[0] * inverses[1]


def _homogeneous(above: Array, below: Array, own: Array, other: Array, joint: Array) -> DualActivation:
    """Of m z + d |z|: parts that are odd and even in z are independent of each other on average."""
    scale, cosines = correlation(own, other, joint)
    slopes, values = arc_cosines(cosines)
    odd, even = ((above + below) / 2) ** 2, ((above - below) / 2) ** 2
    return DualActivation(odd * joint + even * (2 * scale * values - joint), odd + even * (2 * slopes - 1))


def _erf(own: Array, other: Array, joint: Array) -> DualActivation:
    left = jnp.maximum(own * other - joint**2, 0)  # rounding leaves less than nothing
    root = jnp.sqrt(1 + 2 * own + 2 * other + 4 * left)
    return DualActivation(2 / jnp.pi * jnp.arctan2(2 * joint, root), 4 / jnp.pi / root)


def _series(activation: Activation, own: Array, other: Array, joint: Array, nodes: int) -> DualActivation:
    _, cosines = correlation(own, other, joint)
    cosines = jnp.clip(cosines, -1, 1)
    mine = _coefficients(activation, own, nodes)
    theirs = mine if other is own else _coefficients(activation, other, nodes)

    def add(sums, terms):
        (first, first_slope), (second, second_slope) = terms
        return (sums[0] * cosines + first * second, sums[1] * cosines + first_slope * second_slope), None

    shape = jnp.broadcast_shapes(own.shape, other.shape, joint.shape)
    start = (jnp.zeros(shape, joint.dtype),) * 2
    cosines = jnp.broadcast_to(cosines, shape)
    return DualActivation(*jax.lax.scan(add, start, (mine, theirs), reverse=True, unroll=8)[0])


def _coefficients(activation: Activation, variance: Array, nodes: int) -> tuple[Array, Array]:
    """c_k of the activation and of its slope, levels first."""
    points, table = (jnp.asarray(part, variance.dtype) for part in _hermite_rule(nodes))
    root, _ = _root(variance)
    at = points.reshape(-1, *(1,) * variance.ndim) * root[None]
    values, slopes = _with_slopes(activation, at)
    return jnp.tensordot(table, values, 1), jnp.tensordot(table, slopes, 1)


def _root(variance: Array) -> tuple[Array, Array]:
    """Root and inverse root, 0 both where the variance is; their derivatives are finite."""
    some = variance > 0
    root = jnp.sqrt(jnp.where(some, variance, 1))
    return jnp.where(some, root, 0), jnp.where(some, 1 / root, 0)


@lru_cache(maxsize=8)
def _hermite_rule(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Points z_i and w_i h_k(z_i), shape (k, i), from the eigenvectors of the recursion z h_k."""
    off = np.sqrt(np.arange(1, nodes))
    points, vectors = np.linalg.eigh(np.diag(off, 1) + np.diag(off, -1))
    return points, vectors * vectors[:1]


def check_resolved(activation: Activation, nodes: int, variance: Values) -> None:
    """Warn where a series of so many nodes is off at the largest variance. Raises nothing. References: none."""
    if is_closed(activation) or not is_concrete(variance):
        return
    # Up to a power of 4, so that few are looked at.
    largest = max(float(np.max(np.asarray(variance), initial=0)), 1e-3)
    change = _unresolved(activation, nodes, 4.0 ** math.ceil(math.log(largest, 4)))
    if change > _UNRESOLVED:
        warnings.warn(
            f"`activation` {activation.name} is not resolved by {nodes} `nodes` at variance {largest:.3g}: mean "
            f"squares change by {change:.0e} with one node less, and results are as far off; use more nodes, or "
            "an activation that is `homogeneous`.",
            ValidityWarning,
            stacklevel=3,
        )


@lru_cache(maxsize=256)
def _unresolved(activation: Activation, nodes: int, variance: float) -> float:
    with jax.ensure_compile_time_eval():
        powers = []
        for count in (nodes, nodes - 1):
            points, table = _hermite_rule(count)
            values, slopes = _with_slopes(activation, jnp.asarray(variance**0.5 * points))
            powers.append([float(table[0] @ np.asarray(part) ** 2) for part in (values, slopes)])
    return max(abs(more - less) / max(abs(more), 1e-300) for more, less in zip(*powers, strict=True))


@eqx.filter_jit
def _with_slopes(activation: Activation, at: Array) -> tuple[Array, Array]:
    return jax.jvp(activation, (at,), (jnp.ones_like(at),))


def _check_covariance(own: Array, other: Array, joint: Array) -> None:
    check_non_negative("variance", own)
    check_non_negative("other_variance", other)
    try:
        np.broadcast_shapes(own.shape, other.shape, joint.shape)
    except ValueError:
        raise OutsideDomain(
            f"`variance`, `other_variance` and `covariance` have shapes {own.shape}, {other.shape} and {joint.shape}; "
            "they must broadcast."
        ) from None
    if not all(map(is_concrete, (own, other, joint))):
        return
    # By NumPy, as ``jit`` traces what JAX does.
    most = np.sqrt(np.asarray(own) * np.asarray(other)) * (1 + 1e3 * np.finfo(joint.dtype).eps)
    beyond = np.abs(np.asarray(joint)) - most
    if not np.all(beyond <= np.finfo(joint.dtype).tiny):
        raise OutsideDomain(
            f"`covariance` is up to {np.max(beyond):.3g} beyond what the variances allow; it must lie within plus or "
            "minus the root of their product."
        )
