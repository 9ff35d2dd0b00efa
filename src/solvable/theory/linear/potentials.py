"""What a diagonal network minimises among all predictors that fit: its potential, between the l2 and the l1 norm."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_count, check_positive
from solvable.theory.linear.mirrors import PowerMirror

Scale = float | Float[Array, ""] | Float[Array, " input_dim"]


def hyperbolic_potential(predictor: Float[Array, " input_dim"], scale: Scale) -> Float[Array, ""]:
    r"""Hyperbolic entropy of a predictor, whose least value ``hyperbolic_interpolator`` finds.

    .. math:: Q = \sum_i \Big[\beta_i\,\mathrm{arcsinh}\frac{\beta_i}{2 A_i} - \sqrt{\beta_i^2 + 4 A_i^2} + 2 A_i\Big]

    Parameters
    ----------
    predictor
        beta.
    scale
        A > 0, one number or one a coordinate.

    Raises
    ------
    OutsideDomain
        One scale that is not positive.

    Notes
    -----
    |beta|^2 / (4 A) where A is large; ln(1/A) |beta|_1 + sum |beta_i| (ln|beta_i| - 1) where it is small.

    References
    ----------
    woodworth2020, Q_alpha [A = alpha^2]; pesme2021, phi_alpha [Q/4 - d alpha^2 / 2, A = alpha^2]; even2023, psi_alpha
    [Q/2, A = alpha^2 / 2].
    """
    return _potential(predictor, _log(scale, predictor, "scale"), 2)


def power_potential(predictor: Float[Array, " input_dim"], init_scale: Scale, depth: int) -> Float[Array, ""]:
    r"""What gradient flow of beta = w_+^D - w_-^D from w_+ = w_- = alpha minimises among the predictors that fit.

    .. math:: Q = \sum_i \alpha_i^2\, q_D\Big(\frac{\beta_i}{\alpha_i^D}\Big), \qquad q_D' = h_D^{-1}, \qquad q_D(0) = 0

    Parameters
    ----------
    predictor
        beta.
    init_scale
        alpha > 0, one number or one a coordinate.
    depth
        D: at 1 half the squared l2 norm, at 2 ``hyperbolic_potential`` with A = alpha^2.

    Raises
    ------
    OutsideDomain
        One scale that is not positive, or a depth that is no whole number of at least 1.

    Notes
    -----
    alpha^(2-D) |beta|_1 - (D/2) sum |beta_i|^(2/D) as alpha goes to 0, for D >= 3. Whatever the depth, the l1 norm is
    as sparse as it gets.

    References
    ----------
    woodworth2020, Theorem 3 [theirs is alpha^(D-2) times this].
    """
    check_count("depth", depth)
    log_scale = _log(init_scale, predictor, "init_scale")
    return jnp.sum(predictor**2) / 2 if depth == 1 else _potential(predictor, depth * log_scale, depth)


def loss_integral(predictor: Float[Array, " input_dim"], init_scale: Scale, depth: int = 2) -> Float[Array, ""]:
    r"""Integral of the half mean squared error over all of gradient flow, from the predictor where it ends.

    .. math:: \int_0^\infty L\,dt = \frac{Q(\beta_\infty)}{2 c_D}, \qquad c_1 = 2, \quad c_2 = 4, \quad
       c_D = D (D - 2)

    Parameters
    ----------
    predictor
        beta_inf, which fits the data, as from ``flow_interpolator``.
    init_scale, depth
        As in ``power_potential``.

    Raises
    ------
    OutsideDomain
        As ``power_potential``.

    References
    ----------
    pesme2021, Bregman identity [their L is half of ours, their time twice]; even2023, the same for u v.
    """
    return power_potential(predictor, init_scale, depth) / (2 * dual_rate(depth))


def dual_rate(depth: int) -> int:
    """c_D: how fast the gradient of the potential moves, per gradient with respect to beta.

    Raises OutsideDomain for a depth below 1. References: woodworth2020, proofs of Theorems 1 and 3.
    """
    check_count("depth", depth)
    return {1: 2, 2: 4}.get(depth, depth * (depth - 2))


def strength_along(
    impulse: Float[Array, " input_dim"], init_scale: Scale, depth: int = 2
) -> Float[Array, " input_dim"]:
    r"""Where the predictor is on its way, from the impulse that it has received.

    .. math:: \beta = 2 \alpha^2 \sinh(4 I) \ (D = 2), \qquad \beta = \alpha^D h_D(D (D-2)\,\alpha^{D-2} I) \ (D \ge 3),
       \qquad I = -\int_0^t \nabla_\beta L\,d\tau

    Parameters
    ----------
    impulse
        I, for any loss and any of its prefactors, and any loss weights along the way; for depth 1 beta = 2 I.
    init_scale, depth
        As in ``power_potential``.

    Raises
    ------
    OutsideDomain
        As ``power_potential``.

    References
    ----------
    woodworth2020, trajectories in the proofs of Theorems 1 and 3 [their -S is I].
    """
    log_init = _log(init_scale, impulse, "init_scale")
    if depth == 1:
        return 2 * impulse
    return PowerMirror(depth * log_init, depth).strength(dual_rate(depth) * jnp.exp((depth - 2) * log_init) * impulse)[
        0
    ]


def regime_index(init_scale: Float[Array, "..."], input_dim: int, depth: int = 2) -> Float[Array, "..."]:
    r"""How dearly a sparse predictor is paid for against a spread one of the same length.

    .. math:: R = \frac{Q(e_1)}{Q(\mathbf 1 / \sqrt d)}

    Parameters
    ----------
    init_scale
        alpha > 0, of every coordinate; any shape.
    input_dim
        d.
    depth
        D.

    Returns
    -------
    Array
        1 in the kernel regime, falling to 1/sqrt(d), the ratio of l1 norms, in the rich one.

    Raises
    ------
    OutsideDomain
        A dimension or depth below 1.

    References
    ----------
    woodworth2020, regime index R_alpha.
    """
    check_count("input_dim", input_dim)
    check_count("depth", depth)
    one = jnp.ones_like(init_scale)
    entry = lambda strength: _entries(strength, depth * jnp.log(init_scale), depth)  # noqa: E731
    return one if depth == 1 else entry(one) / (input_dim * entry(one / input_dim**0.5))


def sufficient_rich_scale(l1_norm: float, input_dim: int, excess: float) -> float:
    r"""A scale small enough for an l1 norm within a factor 1 + epsilon of the least one, at depth 2.

    .. math:: \alpha = \min\Big\{\big(2 (1+\epsilon) \|\beta^*\|_1\big)^{-\frac{2+\epsilon}{2\epsilon}},
       \ e^{-d / (\epsilon \|\beta^*\|_1)}\Big\}

    Parameters
    ----------
    l1_norm
        Least l1 norm of a predictor that fits.
    input_dim
        d.
    excess
        epsilon > 0.

    Raises
    ------
    OutsideDomain
        A norm, dimension or excess that is not positive.

    Notes
    -----
    Sufficient only, as quoted: ``flow_interpolator`` gives what a scale really yields, often at far larger ones.

    References
    ----------
    woodworth2020, Theorem 2.
    """
    check_positive("l1_norm", l1_norm)
    check_positive("excess", excess)
    check_count("input_dim", input_dim)
    power = (2 + excess) / (2 * excess)
    log_scale = min(-power * float(jnp.log(2 * (1 + excess) * l1_norm)), -input_dim / (excess * l1_norm))
    return float(jnp.exp(log_scale))


def sufficient_kernel_scale(l2_norm: float, excess: float) -> float:
    r"""A scale large enough for a squared l2 norm within a factor 1 + epsilon of the least one, at depth 2.

    .. math:: \alpha = \sqrt{2 (1+\epsilon)(1 + 2/\epsilon) \|\beta^*\|_2}

    Parameters
    ----------
    l2_norm
        Least l2 norm of a predictor that fits.
    excess
        epsilon > 0.

    Raises
    ------
    OutsideDomain
        A norm or excess that is not positive.

    Notes
    -----
    Sufficient only, as quoted.

    References
    ----------
    woodworth2020, Theorem 2.
    """
    check_positive("l2_norm", l2_norm)
    check_positive("excess", excess)
    return (2 * (1 + excess) * (1 + 2 / excess) * l2_norm) ** 0.5


def _log(scale: Scale, like: Array, name: str) -> Array:
    if jnp.ndim(scale) == 0:
        check_positive(name, scale)
    return jnp.broadcast_to(jnp.log(jnp.asarray(scale, like.dtype)), like.shape)


def _potential(predictor: Array, log_scale: Array, depth: int) -> Array:
    return jnp.sum(_entries(predictor, log_scale, depth))


@jax.jit(static_argnames="depth")
def _entries(predictor: Array, log_scale: Array, depth: int) -> Array:
    """alpha^2 q(beta / alpha^D), by Legendre's transform, in forms that do not cancel."""
    dual, _ = PowerMirror(log_scale, depth).dual(predictor)
    if depth == 2:
        scale, size = jnp.exp(log_scale), jnp.abs(predictor)
        chord = jnp.maximum(jnp.hypot(size, 2 * scale) + 2 * scale, jnp.finfo(scale.dtype).tiny)
        return predictor * dual - size * (size / chord)
    inside = jnp.minimum(jnp.abs(dual), 1 - jnp.finfo(dual.dtype).epsneg)
    # (1-z)^(-a) + (1+z)^(-a) - 2 with a = 2 / (D-2), which is of second order near 0.
    mean, half = -jnp.log1p(-(inside**2)) / (depth - 2), 2 * jnp.arctanh(inside) / (depth - 2)
    conjugate = (depth - 2) * (jnp.expm1(mean) * jnp.cosh(half) + 2 * jnp.sinh(half / 2) ** 2)
    return jnp.exp((2 / depth - 1) * log_scale) * predictor * dual - jnp.exp(2 / depth * log_scale) * conjugate
