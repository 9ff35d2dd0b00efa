"""Units that do not vanish at zero weights: what all of them do first, alike.

With phi(x; 0) = c(x) the early flow v_i' = E[(y - f) c] does not know which unit it moves, and is of order one where
everything else is of the order of the initial weights: the outgoing weights go to least squares on c, shared equally.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count
from solvable.tasks import Samples


class ConstantStage(eqx.Module):
    """Where small units are once their values at zero weights have been used up.

    Attributes
    ----------
    outgoing
        v_i, the same for every unit, shape (n_v,).
    loss
        Half mean squared error there.
    slowest_rate
        Rate in inverse gradient-flow time at which the last combination of the v_i settles.
    residual
        The data with what is left to learn, y - f(x), as targets: incoming weights are driven along its correlations.
    """

    outgoing: Float[Array, " n_v"]
    loss: Float[Array, ""]
    slowest_rate: Float[Array, ""]
    residual: Samples


def settle_on_constant(samples: Samples, constant: Callable[[Array], Array], *, width: int) -> ConstantStage:
    r"""The first stage of a layer whose units do not vanish at zero weights.

    .. math:: v_i = \tfrac1H\, E[c c^T]^{-1} E[c\, y], \qquad
       L = \tfrac12\big(E y^2 - E[y c^T] E[c c^T]^{-1} E[c\, y]\big), \qquad \mathrm{rate} = H \lambda_{\min}(E[c c^T])

    Parameters
    ----------
    samples
        The data, with one target.
    constant
        c: maps one input to phi(x; 0), shape (n_v,).
    width
        H, number of units.

    Raises
    ------
    OutsideDomain
        Several targets, or a width below 1.

    Notes
    -----
    Leading order in the initial weights, and in the change of the incoming weights meanwhile, which is slower by the
    factor |v_i| of order 1/H. Where E[c y] = 0 (attention that averages tokens, on the population of in-context
    regression) there is no such stage, and the next order of phi decides.

    References
    ----------
    zhang2026, Section 5, last paragraph, and Fig. 4A, B [units of order 0; the formulas are ours].
    """
    check_count("width", width)
    if samples.targets.shape[1] != 1:
        raise OutsideDomain(
            f"`samples` has {samples.targets.shape[1]} targets; it must have one; train on one of them."
        )
    values = jax.vmap(constant)(samples.inputs)
    targets = samples.targets[:, 0]
    second_moment = (samples.weights[:, None] * values).T @ values
    fit = jnp.linalg.solve(second_moment, values.T @ (samples.weights * targets))
    rest = targets - values @ fit
    return ConstantStage(
        fit / width,
        jnp.sum(samples.weights * rest**2) / 2,
        width * jnp.linalg.eigvalsh(second_moment)[0],
        Samples(samples.inputs, rest[:, None], samples.weights),
    )
