"""Units linear in their weights: directions separate in time.

The gradient flow of f = sum_i v_i u_i^T z on half the mean squared error is

    v_i' = (Sigma_yz - W Sigma_zz) u_i,   u_i' = (Sigma_yz - W Sigma_zz)^T v_i,   W = sum_i v_i u_i^T,

so near zero each unit moves along the singular vectors of Sigma_yz at the rate of the singular value.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_positive


class Modes(eqx.Module):
    """Singular modes of the input-output correlation, Sigma_yz = sum_k s_k q_k r_k^T.

    Attributes
    ----------
    rates
        s_k, descending, shape (mode,): growth rate of mode k in inverse gradient-flow time.
    outputs
        q_k as rows, shape (mode, output_dim).
    inputs
        r_k as rows, shape (mode, features).
    """

    rates: Float[Array, " mode"]
    outputs: Float[Array, "mode output_dim"]
    inputs: Float[Array, "mode features"]


def escape_modes(sigma_yz: Float[Array, "output_dim features"]) -> Modes:
    """Directions along which small weights grow, and how fast.

    Parameters
    ----------
    sigma_yz
        Correlation of targets and features, E[y z^T]; at a later saddle the residual correlation.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, Theorem 4 and Eq. 12.
    """
    outputs, rates, inputs = jnp.linalg.svd(sigma_yz, full_matrices=False)
    return Modes(rates, outputs.T, inputs)


class Projections(eqx.Module):
    """Initial weights of each unit along the growing, the decaying and the still directions (Eq. 35).

    Attributes
    ----------
    growing, decaying
        c_ki and b_ki, shape (mode, width).
    still_outputs, still_inputs
        The part of v_i, shape (output_dim, width), and of u_i, shape (width, features), that does not move.
    """

    growing: Float[Array, "mode width"]
    decaying: Float[Array, "mode width"]
    still_outputs: Float[Array, "output_dim width"]
    still_inputs: Float[Array, "width features"]


def project_weights(
    first: Float[Array, "width features"], second: Float[Array, "output_dim width"], modes: Modes
) -> Projections:
    """Each unit's weights in the eigenvectors of its linear dynamics near zero.

    Parameters
    ----------
    first, second
        u_i and v_i.
    modes
        From ``escape_modes``.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    References
    ----------
    zhang2026, Eq. 35.
    """
    along_outputs, along_inputs = modes.outputs @ second, modes.inputs @ first.T
    return Projections(
        (along_outputs + along_inputs) / 2,
        (along_outputs - along_inputs) / 2,
        second - modes.outputs.T @ along_outputs,
        first - along_inputs.T @ modes.inputs,
    )


class EarlyWeights(eqx.Module):
    """Weights at given times, shapes (time, width, features) and (time, output_dim, width)."""

    first: Float[Array, "time width features"]
    second: Float[Array, "time output_dim width"]


def early_weights(
    first: Float[Array, "width features"],
    second: Float[Array, "output_dim width"],
    sigma_yz: Float[Array, "output_dim features"],
    times: Float[Array, " time"],
) -> EarlyWeights:
    r"""Exact weights of the linearised dynamics v_i' = Sigma_yz u_i, u_i' = Sigma_yz^T v_i.

    .. math:: \theta_i(t) = \sum_k c_{ki} e^{s_k t} (q_k, r_k) + b_{ki} e^{-s_k t} (q_k, -r_k) + \xi_i

    Parameters
    ----------
    first, second
        Weights at time 0.
    sigma_yz
        E[y z^T].
    times
        Gradient-flow times of the half loss.

    Raises
    ------
    OutsideDomain
        Raises nothing.

    Notes
    -----
    Holds for the full dynamics while W Sigma_zz is small against Sigma_yz.

    References
    ----------
    zhang2026, Eq. 34.
    """
    modes = escape_modes(sigma_yz)
    start = project_weights(first, second, modes)
    grow = jnp.exp(modes.rates[None, :] * times[:, None])
    growing = grow[:, :, None] * start.growing[None]
    decaying = start.decaying[None] / grow[:, :, None]
    along_inputs = jnp.einsum("tkh,kd->thd", growing - decaying, modes.inputs)
    along_outputs = jnp.einsum("tkh,kc->tch", growing + decaying, modes.outputs)
    return EarlyWeights(along_inputs + start.still_inputs[None], along_outputs + start.still_outputs[None])


class Separation(eqx.Module):
    """How far the top directions have left the others behind, unit by unit.

    Attributes
    ----------
    time
        T at which a unit's weights along the top directions reach norm 1, shape (width,).
    rest
        Norm of the rest of the unit's weights at T, shape (width,).
    """

    time: Float[Array, " width"]
    rest: Float[Array, " width"]


def separate_directions(
    first: Float[Array, "width features"],
    second: Float[Array, "output_dim width"],
    sigma_yz: Float[Array, "output_dim features"],
    *,
    multiplicity: int = 1,
) -> Separation:
    r"""Time for the top directions to grow to norm 1, and the exact norm of the rest then.

    .. math:: T = \frac{1}{s_1}\ln\frac{1}{\sqrt{2\sum_{k\le r} c_k^2}}, \qquad
        \mathrm{rest}^2 = 2\sum_{k>r} c_k^2 e^{2 s_k T} + 2\sum_k b_k^2 e^{-2 s_k T} + |\xi|^2

    Parameters
    ----------
    first, second
        Initial weights; smaller than 1 along the top directions.
    sigma_yz
        E[y z^T].
    multiplicity
        r, how many singular values equal the largest.

    Raises
    ------
    OutsideDomain
        A multiplicity outside 1..number of modes.

    Notes
    -----
    For weights from N(0, epsilon^2) the rest is O(epsilon^(1 - s_{r+1}/s_1)): see ``separation_exponent``.

    References
    ----------
    zhang2026, Theorem 4, Eq. 36-38.
    """
    modes = escape_modes(sigma_yz)
    _check_multiplicity(multiplicity, modes.rates.size)
    start = project_weights(first, second, modes)
    top = jnp.sqrt(2 * jnp.sum(start.growing[:multiplicity] ** 2, axis=0))
    time = -jnp.log(top) / modes.rates[0]
    exponent = modes.rates[:, None] * time[None, :]
    rest = (
        2 * jnp.sum((start.growing * jnp.exp(exponent))[multiplicity:] ** 2, axis=0)
        + 2 * jnp.sum((start.decaying * jnp.exp(-exponent)) ** 2, axis=0)
        + jnp.sum(start.still_outputs**2, axis=0)
        + jnp.sum(start.still_inputs**2, axis=1)
    )
    return Separation(time, jnp.sqrt(rest))


def separation_exponent(rates: Float[Array, " mode"], *, multiplicity: int = 1) -> Float[Array, ""]:
    """The exponent 1 - s_{r+1}/s_1 with which the rest shrinks as the initial weights do.

    Parameters
    ----------
    rates
        Singular values s_k of Sigma_yz, descending, s_1 > 0.
    multiplicity
        r, how many of them equal the first.

    Raises
    ------
    OutsideDomain
        A multiplicity outside 1..number of modes.

    Notes
    -----
    1 where every mode is among the top ones: the still and the decaying weights stay of order epsilon.

    References
    ----------
    zhang2026, Eq. 39.
    """
    _check_multiplicity(multiplicity, rates.size)
    return 1 - (rates[multiplicity] / rates[0] if multiplicity < rates.size else jnp.zeros((), rates.dtype))


def first_escape_time(
    rate: Float[Array, ""] | float, *, width: int, init_scale: float, share: float = 1.0
) -> Float[Array, ""]:
    r"""Gradient-flow time at which a mode's strength reaches 1 if nothing saturates.

    .. math:: t = \frac{1}{s}\ln\frac{1}{\varepsilon\sqrt{p H/2}}

    Parameters
    ----------
    rate
        s, the mode's growth rate.
    width
        H units with weights from N(0, init_scale^2).
    init_scale
        epsilon.
    share
        p, share of the units that take part: 1 for linear units, 1/2 for ReLU units, whose other half is silent
        along a given direction.

    Raises
    ------
    OutsideDomain
        A width, scale or rate that is not positive.

    References
    ----------
    zhang2026, Eq. 36-37, summed over units: sum_i c_ki^2 has mean H epsilon^2 / 2.
    """
    check_count("width", width)
    check_positive("init_scale", init_scale)
    check_positive("rate", rate)
    return jnp.asarray(-jnp.log(init_scale * jnp.sqrt(share * width / 2)) / rate)


def _check_multiplicity(multiplicity: int, modes: int) -> None:
    check_count("multiplicity", multiplicity)
    if multiplicity > modes:
        raise OutsideDomain(f"`multiplicity` is {multiplicity}; it must be at most the {modes} modes.")
