"""A start of small weights whose two layers are balanced, unit by unit."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, check_non_negative, is_concrete
from solvable.networks.layer import UnitLayer
from solvable.networks.units import Unit


def balanced_start(
    unit: Unit,
    key: Key[Array, ""],
    *,
    width: int,
    input_shape: tuple[int, ...],
    output_dim: int = 1,
    init_scale: float | Float[Array, ""] = 1e-6,
    signs: Float[Array, " units"] | None = None,
    dtype: jnp.dtype | type | None = None,
) -> UnitLayer:
    r"""A layer with Gaussian first weights and second weights of the same length, unit by unit.

    .. math:: u_i = \lambda\,g_i, \qquad v_i = \lambda\,|g_i|\,s_i, \qquad g_i \sim N(0, I), \quad |s_i| = 1

    Parameters
    ----------
    unit, width, input_shape, output_dim, dtype
        As for ``initialise``.
    key
        Randomness; the same key gives the same weights at any ``init_scale``, up to the factor.
    init_scale
        lambda; may be traced, so that it can be swept by ``vmap``.
    signs
        s_i of every unit, +1 or -1, where second weights are numbers. Left out, s_i is uniform on the sphere: a fair
        sign where they are numbers.

    Raises
    ------
    OutsideDomain
        A width below 1, a negative scale, signs that are not +-1 or not one a unit, or sizes that do not fit the unit.

    Notes
    -----
    Gradient flow keeps |u_i| = |v_i| for units of degree 1 in their weights, such as neurons and kernels with relu or
    identity, and with it the sign of v_i. Gradient descent does so up to its learning rate.

    References
    ----------
    boursier2022, initialisation.
    """
    check_count("width", width)
    check_count("output_dim", output_dim)
    check_non_negative("init_scale", init_scale)
    dtype = jnp.result_type(float) if dtype is None else dtype
    n_u, n_v = unit.sizes(input_shape, output_dim)
    scale, normal = jnp.asarray(init_scale, dtype), jax.random.normal(key, (width, n_u + n_v), dtype)
    first, towards = normal[:, :n_u], normal[:, n_u:]
    if signs is None:
        towards = towards / jnp.linalg.norm(towards, axis=1, keepdims=True)
    else:
        _check_signs(signs, width, n_v)
        towards = signs[:, None].astype(dtype)
    return UnitLayer(scale * first, scale * (jnp.linalg.norm(first, axis=1, keepdims=True) * towards).T, unit)


def _check_signs(signs: Float[Array, " units"], width: int, n_v: int) -> None:
    if signs.shape != (width,) or n_v != 1:
        raise OutsideDomain(
            f"`signs` has shape {signs.shape}, for {width} units with {n_v} second weights each; it must hold one sign "
            "a unit, where second weights are numbers; leave it out otherwise."
        )
    if is_concrete(signs) and not bool(jnp.all(jnp.abs(signs) == 1)):
        raise OutsideDomain(f"`signs` is {signs}; every sign must be +1 or -1.")
