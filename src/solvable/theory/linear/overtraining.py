"""Overtraining of linear networks with more units than the teacher: a plateau at which noise is not yet learned."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_non_negative, is_concrete
from solvable.theory.linear.modes import logistic_mode
from solvable.theory.linear.spiked import bulk_rule


def overtraining_levels(
    teacher: Float[Array, "output_dim input_dim"], noise: Float[Array, "_ _"], width: int
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""Test error |W - T|^2 of a network at its minimum and at its end, for one draw of the noise.

    .. math:: G_{\min} \simeq |E|^2 - |U_\perp^\top E V_\perp|^2, \qquad
       G_\infty \simeq G_{\min} + \sum_{i \le H - r} \nu_i^2(U_\perp^\top E V_\perp)

    Parameters
    ----------
    teacher
        T, of rank r, much larger than the noise; its singular directions are U and V.
    noise
        E = S - T, what the noise adds to the correlation with white inputs.
    width
        Units H, at least r.

    Returns
    -------
    tuple
        Minimum and end. With H = r they are equal: nothing is overtrained.

    Raises
    ------
    OutsideDomain
        Fewer units than the rank of the teacher, shapes that differ.

    Notes
    -----
    First order in the noise: the end is right within 0.3% for H > r and 1.6% for H = r at noise entries of 0.005 beside
    singular values of 1 and 2; exact for H = min(output_dim, input_dim). The minimum is up to 12% lower there, on
    average 2%, as surplus modes have not waited for the last teacher mode; it needs small initial weights.

    References
    ----------
    fukumizu1998, asymptotic generalisation error [their sigma^2/N times the integers is E here].
    """
    check_count("width", width)
    if teacher.shape != noise.shape:
        raise OutsideDomain(f"`noise` has shape {noise.shape}; it must have that of `teacher`, {teacher.shape}.")
    left, values, right = jnp.linalg.svd(teacher, full_matrices=False)
    kept = values > max(teacher.shape) * jnp.finfo(values.dtype).eps * values[0]
    rank = jnp.sum(kept)
    if is_concrete(rank) and width < rank:
        raise OutsideDomain(f"`width` is {width}; it must be at least the rank {rank} of the teacher to learn it.")
    left, right = jnp.where(kept[None, :], left, 0), jnp.where(kept[:, None], right, 0)
    outside = noise - left @ (left.T @ noise)
    outside = outside - (outside @ right.T) @ right
    squares = jnp.linalg.svdvals(outside) ** 2
    least = jnp.maximum(jnp.sum(noise**2) - jnp.sum(squares), 0)
    surplus = jnp.arange(squares.shape[0]) < width - rank
    return least, least + jnp.sum(jnp.where(surplus, squares, 0))


def mean_overtraining_levels(
    *, rank: int, width: int, output_dim: int, input_dim: int, noise_power: float | Float[Array, ""]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    r"""``overtraining_levels`` averaged over the noise.

    .. math:: G_{\min} = \frac{\sigma^2}{N}\,r (M + L - r), \qquad
       G_\infty = G_{\min} + \frac{\sigma^2}{N} \sum_{i \le H - r} E\,\nu_i^2

    Parameters
    ----------
    rank, width
        r of the teacher, and H >= r.
    output_dim, input_dim
        M and L, at least r.
    noise_power
        sigma^2/N, the variance of one entry of the sampled correlation.

    Raises
    ------
    OutsideDomain
        Fewer units or dimensions than the rank, a negative power.

    Notes
    -----
    The sum over surplus modes is that of large matrices: exact for H = r and for H >= min(M, L), and in between 1%
    (r = 2, H = 5) to 4% (r = 0, H = 3) low at M = 8, L = 10.

    References
    ----------
    fukumizu1998, asymptotic generalisation error.
    """
    check_count("rank", rank, at_least=0)
    check_non_negative("noise_power", noise_power)
    for name, size in (("width", width), ("output_dim", output_dim), ("input_dim", input_dim)):
        check_count(name, size, at_least=max(rank, 1))
    rows, columns = output_dim - rank, input_dim - rank
    power, least = jnp.asarray(noise_power, jnp.result_type(float)), rank * (output_dim + input_dim - rank)
    most = min(rows, columns)
    if not most:
        return power * least, power * least
    # Of unit entries; the rule's noise has variance 1/columns.
    rule = bulk_rule(rows / columns, min(1.0, (width - rank) / most))
    return power * least, power * (least + columns * most * jnp.sum(rule.weights * rule.nodes**2))


def surplus_error(
    times: Float[Array, " record"], surplus: Float[Array, " mode"], start: float | Float[Array, "..."]
) -> Float[Array, " record"]:
    r"""How far the test error has risen from its minimum, as units beyond the teacher's rank learn noise.

    .. math:: G(t) - G_{\min} \simeq \sum_i u_i(t)^2, \qquad \dot u_i = 2 u_i (\nu_i - u_i)

    Parameters
    ----------
    times
        t >= 0, in units of 1/learning rate; the rise is at ln(nu/u_0) / (2 nu), of order sqrt(N)/sigma.
    surplus
        nu_i, singular values of the noise outside the teacher's directions: the H - r largest.
    start
        u_0 of every mode, or one each: for random weights the later entries of ``gram_schmidt_start``.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    3% off along the rise for one draw at N = 10^4 (balanced weights of 1e-6).

    References
    ----------
    fukumizu1998, overtraining; modes as in saxe2014.
    """
    begin = jnp.broadcast_to(jnp.asarray(start, surplus.dtype), surplus.shape)
    return jnp.sum(logistic_mode(times[:, None], surplus[None, :], begin[None, :]) ** 2, axis=1)
