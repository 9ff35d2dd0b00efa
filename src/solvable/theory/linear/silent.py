"""A two-layer linear network with one output from small weights: it aligns first, in silence, and grows afterwards."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain
from solvable.numerics import integrated_exponential
from solvable.theory.linear.modes import logistic_mode


class SmallStartPath(eqx.Module):
    """Both layers along the flow, to leading order in the size of their start.

    Attributes
    ----------
    first, second
        W(t), shape (record, width, input_dim), and a(t) as a row, shape (record, 1, width).
    strength
        u(t) of the map u beta, beta the unit vector along the task.
    """

    first: Float[Array, "record width input_dim"]
    second: Float[Array, "record 1 width"]
    strength: Float[Array, " record"]


def small_start_path(
    correlation: Float[Array, " input_dim"],
    first: Float[Array, "width input_dim"],
    second: Float[Array, "1 width"],
    times: Float[Array, " record"],
) -> SmallStartPath:
    r"""How f(x) = a W x learns on white inputs from small weights, uniformly in time.

    .. math:: z = \tfrac12 (W_0 \beta + a_0), \quad y = \tfrac12 (W_0 \beta - a_0), \quad u_0 = |z|^2, \qquad
       W \simeq W_0 (I - \beta\beta^\top) + (z g + y e^{-st})\,\beta^\top, \quad a \simeq z g - y e^{-st}, \\
       g = \big[e^{-2st} + 2 u_0 \textstyle\int_0^t e^{-2 s \tau} d\tau\big]^{-1/2}, \qquad u = u_0 g^2

    Parameters
    ----------
    correlation
        s beta = E[y x], of any sign; where it is 0 the weights along no direction are singled out.
    first, second
        W_0 and a_0, of scale sigma.
    times
        t >= 0, in units of 1/learning rate on the half mean squared error.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    The map along beta and the alignment of the kernel are right within order sigma^2, measured 9e-4 and 1e-4 at
    sigma = 0.01 (10 inputs, 20 units); the layers, the kernel and the map across beta within sigma. Alignment takes a
    time 1/s, the fall of the loss ln(s/u_0) / (2s): ``depth_time`` at depth 2 gives it for any share. For random
    weights u_0 is sigma^2 width / 2 on average.

    References
    ----------
    atanasov2021, two phases [derived there for sigma to 0; in this form from the flow, and checked against it].
    """
    strength = jnp.linalg.norm(correlation)
    beta = jnp.where(strength > 0, correlation / jnp.where(strength > 0, strength, 1), 0)
    common, other = (first @ beta + second[0]) / 2, (first @ beta - second[0]) / 2
    start = jnp.sum(common**2)
    fading = jnp.exp(-strength * times)
    growth = 1 / jnp.sqrt(fading**2 + 2 * start * integrated_exponential(-2 * strength, times))
    up, down = growth[:, None] * common[None, :], fading[:, None] * other[None, :]
    across = first - (first @ beta)[:, None] * beta[None, :]
    return SmallStartPath(
        across[None] + (up + down)[:, :, None] * beta[None, None, :],
        (up - down)[:, None, :],
        logistic_mode(times, strength, start),
    )


def kernel_machine_gap(
    first: Float[Array, "width input_dim"],
    second: Float[Array, "1 width"],
    train_inputs: Float[Array, "num_samples input_dim"],
    targets: Float[Array, " num_samples"],
    test_inputs: Float[Array, "num_tests input_dim"],
    *,
    own_kernel: bool = False,
) -> Float[Array, " num_tests"]:
    r"""Trained network minus the machine of its final kernel: what initial weights see outside the data.

    .. math:: f(x) - f_K(x) = \sqrt s\;x^\top (I - P)\,W_0^\top \frac{z}{|z|} + O(\sigma^2), \qquad
       s\beta = \frac1n X^\top y, \quad z = \tfrac12 (W_0 \beta + a_0)

    Parameters
    ----------
    first, second
        W_0 and a_0 of f(x) = a W x, of scale sigma.
    train_inputs, targets
        X and y, with X X^T = n I: fewer samples than dimensions, white on their span, which P projects on.
    test_inputs
        x, one a row.
    own_kernel
        Whether the machine's kernel is that of the trained network itself, and not its limit of vanishing weights,
        ``converged_kernel``. The former shares half of what the network sees outside the data: half the gap.

    Returns
    -------
    Array
        Of relative size sigma sqrt((input_dim - num_samples) / s) on Gaussian inputs; 0 within the data's span.

    Raises
    ------
    OutsideDomain
        More samples than input dimensions.

    References
    ----------
    atanasov2021, kernel machine after training [their statement is the limit sigma to 0; the correction is derived].
    """
    samples, input_dim = train_inputs.shape
    if samples > input_dim:
        raise OutsideDomain(
            f"`train_inputs` holds {samples} samples of {input_dim} dimensions; there must be at most as many samples, "
            "so that X X^T can be a multiple of the identity."
        )
    correlation = train_inputs.T @ targets / samples
    strength = jnp.linalg.norm(correlation)
    beta = jnp.where(strength > 0, correlation / jnp.where(strength > 0, strength, 1), 0)
    common = (first @ beta + second[0]) / 2
    size = jnp.linalg.norm(common)
    direction = jnp.where(size > 0, common / jnp.where(size > 0, size, 1), 0)
    basis = jnp.linalg.qr(train_inputs.T)[0]
    outside = test_inputs - (test_inputs @ basis) @ basis.T
    share = 0.5 if own_kernel else 1.0
    return share * jnp.sqrt(strength) * (outside @ (first.T @ direction))
