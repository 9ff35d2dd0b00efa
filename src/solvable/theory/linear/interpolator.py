"""Which of the predictors that fit the data a diagonal network ends at: its mirror map on the span of the samples."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.theory.linear.dual_newton import dual_solver

# alpha^(D-2), D >= 3, below which only the l1 norm is left, as a power of the precision: about 1e-6 in float64.
_LEAST_POWER = 0.375


def hyperbolic_interpolator(
    inputs: Float[Array, "num_samples input_dim"],
    targets: Float[Array, " num_samples"],
    scale: float | Float[Array, ""] | Float[Array, " input_dim"],
    shift: float | Float[Array, ""] | Float[Array, " input_dim"] = 0.0,
) -> Float[Array, " input_dim"]:
    r"""The predictor that fits the data and is a hyperbolic sine on the span of the samples.

    .. math:: \beta = 2 A \sinh(X^\top \nu + c), \qquad X \beta = y

    Of all that fit, the nearest to 2 A sinh c in the Bregman divergence of ``hyperbolic_potential``.

    Parameters
    ----------
    inputs, targets
        X and y, any number of samples. Where X does not reach all of y, as it may not with more samples than
        dimensions or repeated ones, y counts by its projection: beta then fits as least squares does, which is where
        a flow on the squared loss ends.
    scale
        A > 0, one number or one a coordinate. alpha^2 for the network w_+^2 - w_-^2 from w = alpha; alpha^2 / 2 for
        u v from u = alpha sqrt2, v = 0.
    shift
        c, one number or one a coordinate.

    Returns
    -------
    Array
        beta, in the dtype of the inputs. A coordinate that no sample sees stays at 2 A sinh c. NaN if 1000 Newton steps
        did not suffice, which no scale down to 1e-100 has been seen to need.

    Raises
    ------
    OutsideDomain
        A scale that is not positive, values that are not finite, or shapes that do not fit.

    Notes
    -----
    Least l1 norm as A goes to 0, least l2 norm as A goes to infinity, for c = 0. Newton's method on the dual, in which
    a coordinate is linearised at its strength where that is large, at its dual variable where it is small; a tiny scale
    is reached through larger ones. Traceable; ``vmap`` runs one problem after the other, each for as long as it needs.

    References
    ----------
    woodworth2020, Theorem 1 [A = alpha^2]; even2023, Theorem 1 [A = alpha_inf^2 / 2].
    """
    scale = _per_coordinate("scale", scale, inputs, positive=True)
    return interpolate(inputs, targets, jnp.log(scale), shift)


def power_interpolator(
    inputs: Float[Array, "num_samples input_dim"],
    targets: Float[Array, " num_samples"],
    init_scale: float | Float[Array, ""] | Float[Array, " input_dim"],
    depth: int,
) -> Float[Array, " input_dim"]:
    r"""The predictor that gradient flow of beta = w_+^D - w_-^D from w_+ = w_- = alpha ends at.

    .. math:: \beta = \alpha^D h_D(\alpha^{D-2} X^\top \nu), \qquad X \beta = y, \qquad
       h_D(z) = (1-z)^{-D/(D-2)} - (1+z)^{-D/(D-2)}

    Parameters
    ----------
    inputs, targets
        As for ``hyperbolic_interpolator``.
    init_scale
        alpha > 0, one number or one a coordinate.
    depth
        D: 1 gives the least l2 norm at any scale, 2 the hyperbolic sine with A = alpha^2.

    Returns
    -------
    Array
        beta, as from ``hyperbolic_interpolator``.

    Raises
    ------
    OutsideDomain
        As ``hyperbolic_interpolator``, or a depth that is no whole number of at least 1.

    Notes
    -----
    Least l1 norm is approached as alpha^(D-2) for D >= 3, as 1/ln(1/alpha) for D = 2. Where alpha^(D-2) is below about
    1e-6 (float64, targets of order 1) it is held there, which moves the predictor by less than 1e-7 of itself: nothing
    but the l1 norm is left to tell predictors apart, and where several share the least one, as with repeated inputs,
    rounding decides between them.

    References
    ----------
    woodworth2020, Theorems 1 and 3 [for alpha that differ the dual variable is rescaled a coordinate].
    """
    check_count("depth", depth)
    init_scale = _per_coordinate("init_scale", init_scale, inputs, positive=True)
    log_init = jnp.log(init_scale)
    return interpolate(inputs, targets, depth * log_init, 0.0, depth, (depth - 2) * log_init)


def interpolate(
    inputs: Array,
    targets: Array,
    log_scale: Array,
    shift: float | Array,
    depth: int = 2,
    log_weight: Array | None = None,
) -> Array:
    """beta = B h_D(weight X^T nu + shift) with X beta = y; scales and weights by their logarithms.

    Raises OutsideDomain as the two above. References: woodworth2020, Theorems 1 and 3.
    """
    if targets.shape != inputs.shape[:1]:
        raise OutsideDomain(
            f"`inputs` and `targets` have shapes {inputs.shape} and {targets.shape}; there must be one target a sample."
        )
    for name, values in (("inputs", inputs), ("targets", targets)):
        if is_concrete(values) and not np.all(np.isfinite(values)):
            raise OutsideDomain(f"`{name}` holds a value that is not finite; remove or replace NaN and infinity.")
    shift = _per_coordinate("shift", shift, inputs)
    weight = jnp.zeros_like(log_scale) if log_weight is None else log_weight
    return _interpolate(inputs, targets, log_scale, weight, shift, depth)


def _per_coordinate(name: str, value: float | Array, inputs: Array, positive: bool = False) -> Array:
    """The value in every coordinate, in the inputs' dtype, checked."""
    if is_concrete(value):
        entries = np.asarray(value)
        if entries.shape not in ((), inputs.shape[1:]):
            raise OutsideDomain(
                f"`{name}` has shape {entries.shape}; it must be one number or one for each of the "
                f"{inputs.shape[1]} coordinates."
            )
        if not np.all(np.isfinite(entries)) or (positive and not np.all(entries > 0)):
            raise OutsideDomain(f"`{name}` is {value}; it must be finite{' and above 0' if positive else ''}.")
    return jnp.broadcast_to(jnp.asarray(value, inputs.dtype), inputs.shape[1:])


@jax.jit(static_argnames="depth")
def _interpolate(inputs: Array, targets: Array, log_scale: Array, log_weight: Array, shift: Array, depth: int) -> Array:
    rows, coordinates = _orthonormalise(inputs, targets)
    least = coordinates @ rows
    if depth == 1:
        return least
    # The same problem for strengths of order 1: beta/size, B/size.
    size = jnp.max(jnp.abs(least))
    size = jnp.where(size > 0, size, 1)
    if depth > 2:
        power = 1 - 2 / depth
        lowest = _LEAST_POWER * jnp.log(jnp.finfo(inputs.dtype).eps) / power + jnp.log(size)
        log_scale = log_scale + jnp.maximum(lowest - jnp.max(log_scale), 0)
    weight = jnp.exp(log_weight - jnp.max(log_weight))
    return size * dual_solver(depth)(rows, coordinates / size, log_scale - jnp.log(size), weight, shift)


def _orthonormalise(inputs: Array, targets: Array) -> tuple[Array, Array]:
    """Orthonormal rows on the span of the samples, 0 where there are fewer, and what the predictor is along them."""
    epsilon = jnp.finfo(inputs.dtype).eps

    def by_singular_values() -> tuple[Array, Array]:
        left, sizes, rows = jnp.linalg.svd(inputs, full_matrices=False)
        seen = sizes > max(inputs.shape) * epsilon * jnp.max(sizes)
        return jnp.where(seen[:, None], rows, 0), jnp.where(seen, left.T @ targets / jnp.where(seen, sizes, 1), 0)

    if inputs.shape[0] >= inputs.shape[1]:
        return by_singular_values()
    # Ten times faster, and as good where the samples are far from dependent.
    squares, left = jnp.linalg.eigh(inputs @ inputs.T)
    sizes = jnp.sqrt(jnp.maximum(squares, epsilon * squares[-1]))
    plain = lambda: (left.T @ inputs / sizes[:, None], left.T @ targets / sizes)  # noqa: E731
    return jax.lax.cond(squares[0] > epsilon**0.5 * squares[-1], plain, by_singular_values)
