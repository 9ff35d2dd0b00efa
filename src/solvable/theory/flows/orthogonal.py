"""ReLU layers on orthogonal inputs: each sign of the targets is learned at once, by units aligned with its points.

A unit of f(x) = sum_j a_j relu(w_j . x) with a_j > 0 can be of use to the positive targets only. While f is small it
feels the pull of the points S of its sign at which it is active,

    D_S = sum_{k in S} p_k |y_k| x_k,        p_k = 1/n unless samples weigh differently,

and since the inputs are orthogonal, S stays and the pull is constant: the unit turns towards D_S and grows at the rate
|D_S|. Units on all the points of a sign are fastest, and the two signs do not meet.

Everything is for the half mean squared error and for balanced weights |a_j| = |w_j| of size lambda, which stay
balanced. Written for arrays: all functions work under ``jit`` and ``vmap``, where data are not checked.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from solvable.errors import OutsideDomain, check_positive, is_concrete
from solvable.tasks import Samples


class Growth(eqx.Module):
    """How units that share their active points grow from small weights, a row for each group of points.

    Attributes
    ----------
    directions
        D_S, shape (group, input_dim): what the units turn towards; its length is the rate.
    rates
        |D_S|, growth rate of their norms in inverse gradient-flow time, shape (group,).
    """

    directions: Float[Array, "group input_dim"]
    rates: Float[Array, " group"]


class Alignment(eqx.Module):
    """A unit while it aligns, along ``times``.

    Attributes
    ----------
    angle
        Between the unit and its pull D_S, in radians.
    log_growth
        Logarithm of its norm in units of the initial one.
    """

    angle: Float[Array, "*units time"]
    log_growth: Float[Array, "*units time"]


class LeastNormMap(eqx.Module):
    """The interpolator relu(w_+ . x) - relu(w_- . x) of smallest variation norm.

    Attributes
    ----------
    positive, negative
        w_+ and w_-, the products |a| w of its two units, shape (input_dim,); 0 for a sign that has no point. Summed
        over units with their signs, sum a_j w_j is w_+ over a_j > 0 and -w_- over a_j < 0.
    """

    positive: Float[Array, " input_dim"]
    negative: Float[Array, " input_dim"]

    @property
    def norm(self) -> Float[Array, ""]:
        """Variation norm F = sum_j |a_j| |w_j| = |w_+| + |w_-|."""
        return jnp.linalg.norm(self.positive) + jnp.linalg.norm(self.negative)

    def __call__(self, inputs: Float[Array, " input_dim"]) -> Float[Array, ""]:
        return jnp.maximum(inputs @ self.positive, 0) - jnp.maximum(inputs @ self.negative, 0)


def sign_growth(samples: Samples) -> Growth:
    """D and |D| of units on all the positive points, and of units on all the negative ones: the fastest of each sign.

    Parameters
    ----------
    samples
        Orthogonal inputs, any norms but 0, with one output and no target 0.

    Returns
    -------
    Growth
        Row 0 is D_+ for units with a_j > 0, row 1 is D_- for a_j < 0; zeros for a sign that no target has.

    Raises
    ------
    OutsideDomain
        Inputs that are not orthogonal, a zero input, target or weight, or several outputs.

    References
    ----------
    boursier2022, D_+ and D_-.
    """
    return group_growth(samples, _signs(samples))


def group_growth(samples: Samples, groups: Bool[Array, "group num_samples"]) -> Growth:
    r"""D_S and |D_S| of units that are active on a part S of the points of one sign.

    .. math:: D_S = \sum_{k \in S} p_k\,|y_k|\,x_k, \qquad |D_S|^2 = \sum_{k \in S} (p_k\,|y_k|\,|x_k|)^2

    Parameters
    ----------
    samples
        As for ``sign_growth``.
    groups
        Which points belong to each S; all of one sign. An empty S has rate 0.

    Raises
    ------
    OutsideDomain
        As ``sign_growth``, or a group with points of both signs, on which no unit stays active.

    Notes
    -----
    Which S is the unit's is decided by its initial weights: points at which it is inactive stay so, points of the
    other sign are lost within a time of order 1/|D|.

    References
    ----------
    boursier2022, early alignment.
    """
    _check_data(samples)
    targets = samples.targets[:, 0]
    _check_groups(groups, targets)
    pulls = (samples.weights * jnp.abs(targets))[:, None] * samples.inputs
    directions = groups.astype(pulls.dtype) @ pulls
    return Growth(directions, jnp.linalg.norm(directions, axis=1))


def align_unit(angle: Float[Array, "*units"], rate: Float[Array, "*units"], times: Float[Array, " time"]) -> Alignment:
    r"""How a small balanced unit turns towards its pull, and grows meanwhile.

    .. math:: \tan\frac{\theta(t)}{2} = e^{-\rho t} \tan\frac{\theta_0}{2}, \qquad
       \frac{|w(t)|}{|w(0)|} = e^{\rho t} \cos^2\frac{\theta_0}{2} + e^{-\rho t} \sin^2\frac{\theta_0}{2}

    Parameters
    ----------
    angle
        theta_0 between w(0) and D_S, in radians, 0 to pi.
    rate
        rho = |D_S|, from ``group_growth``.
    times
        Gradient-flow times t.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Exact for w' = |w| D, while f is much smaller than y, from the moment the unit's active points are S. So the angle
    is of order lambda^eps at t = eps ln(1/lambda)/rho.

    References
    ----------
    boursier2022, early alignment [solved here for a constant pull].
    """
    grown, half = jnp.multiply.outer(rate, times), angle[..., None] / 2
    # The larger exponential outside the logarithm, which would overflow late.
    log_growth = grown + jnp.log(jnp.cos(half) ** 2 + jnp.sin(half) ** 2 * jnp.exp(-2 * grown))
    return Alignment(2 * jnp.arctan2(jnp.sin(half) * jnp.exp(-grown), jnp.cos(half)), log_growth)


def transition_times(samples: Samples, init_scales: float | Float[Array, "*scales"]) -> Float[Array, "*scales 2"]:
    r"""When the positive and the negative points are learned, to leading order in small initial weights.

    .. math:: t_\pm = \frac{\ln(1/\lambda)}{|D_\pm|}

    Parameters
    ----------
    samples
        As for ``sign_growth``.
    init_scales
        lambda, the size of the initial weights, between 0 and 1.

    Returns
    -------
    Array
        Gradient-flow times t_+ and t_- on the last axis; inf for a sign that no target has.

    Raises
    ------
    OutsideDomain
        As ``sign_growth``, or a scale that is not between 0 and 1.

    Notes
    -----
    The next term is a constant, of either sign, that depends on the width and the weights: differences between
    lambdas are sharper than times. Units on all but the weakest point of a sign grow nearly as fast as those on all
    of them where that point contributes little; then differences converge slowly too, as ``norm_excess_exponent`` is
    small. A network so narrow that no unit starts active on all the points of a sign is slower than this.

    References
    ----------
    boursier2022, main theorem, t_+ and t_-; holds for both orders of the signs.
    """
    scales, rates = jnp.asarray(init_scales), sign_growth(samples).rates
    if is_concrete(scales) and not all(0 < scale < 1 for scale in np.ravel(scales)):
        raise OutsideDomain(f"`init_scales` is {init_scales}; every scale must lie between 0 and 1, far below 1.")
    return jnp.multiply.outer(-jnp.log(scales).astype(rates.dtype), 1 / rates)


def plateau_losses(samples: Samples) -> Float[Array, "3"]:
    r"""Loss at the start, at the saddle where one sign is learned, and at the end.

    .. math:: L_0 = \tfrac12 \sum_k p_k\,y_k^2, \qquad L_1 = \tfrac12 \sum_{k\ \mathrm{slow}} p_k\,y_k^2, \qquad 0

    Parameters
    ----------
    samples
        As for ``sign_growth``. The slow sign is the one with the smaller |D|, whichever it is.

    Returns
    -------
    Array
        L_0, L_1, 0; where all targets have one sign there is no saddle in between, and L_1 is 0.

    Raises
    ------
    OutsideDomain
        As ``sign_growth``, or |D_+| = |D_-| to rounding: both signs are learned at once to leading order.

    References
    ----------
    boursier2022, main theorem and Fig. 3 [where the positive points are taken to be first].
    """
    positive, negative = rates = sign_growth(samples).rates
    if is_concrete(rates) and abs(positive - negative) <= _rounding(rates) * max(positive, negative):
        raise OutsideDomain(
            f"|D_+| and |D_-| are both {float(positive):g}, so that neither sign is learned first; change a target for "
            "a plateau in between."
        )
    powers = samples.weights * samples.targets[:, 0] ** 2
    slow = _signs(samples)[jnp.argmin(rates)]
    return jnp.stack([jnp.sum(powers), jnp.sum(jnp.where(slow, powers, 0)), jnp.zeros((), powers.dtype)]) / 2


def interpolate_with_least_norm(samples: Samples) -> LeastNormMap:
    r"""The map that training from small weights ends at: one unit for each sign.

    .. math:: w_\pm = \sum_{\pm y_k > 0} \frac{|y_k|}{|x_k|^2}\,x_k, \qquad
       F = \Big(\sum_{y_k > 0} \frac{y_k^2}{|x_k|^2}\Big)^{1/2} + \Big(\sum_{y_k < 0} \frac{y_k^2}{|x_k|^2}\Big)^{1/2}

    Parameters
    ----------
    samples
        As for ``sign_growth``; how much they weigh does not matter.

    Raises
    ------
    OutsideDomain
        As ``sign_growth``.

    Notes
    -----
    w_+ is parallel to D_+ only where the positive points have equal p_k |x_k|^2: units turn again while they grow.
    From weights of size lambda the norm exceeds F by a power of lambda, ``norm_excess_exponent``. A network in which no
    unit starts active on all the points of a sign needs more units, of larger norm.

    References
    ----------
    boursier2022, main theorem: the interpolator of least variation norm.
    """
    _check_data(samples)
    targets = samples.targets[:, 0]
    neurons = (jnp.abs(targets) / jnp.sum(samples.inputs**2, axis=1))[:, None] * samples.inputs
    positive, negative = _signs(samples).astype(neurons.dtype) @ neurons
    return LeastNormMap(positive, negative)


def norm_excess_exponent(samples: Samples) -> Float[Array, ""]:
    r"""Power of the initial scale with which the variation norm of the trained network exceeds the least one.

    .. math:: F(\lambda) - F \propto \lambda^{2(1 - \max_S |D_S|/|D|)}

    with the maximum over both signs and the proper parts S of their points: all points but the weakest, that with
    the smallest p_k |y_k| |x_k|.

    Parameters
    ----------
    samples
        As for ``sign_growth``, with at least two points of one sign.

    Returns
    -------
    Array
        Between 0 and 2 - sqrt 2; inf under ``jit`` where no sign has two points.

    Raises
    ------
    OutsideDomain
        As ``sign_growth``, or no sign with two points: there no unit is stuck on a part of them.

    Notes
    -----
    When the units on all points of a sign take off, at e^{|D| t} = 1/lambda, those on S have squared norms of order
    lambda^2 e^{2 |D_S| t}. The weaker the weakest point, the smaller the exponent: F is then far from its limit at any
    lambda of practice.

    References
    ----------
    Ours, from the growth rates of boursier2022, early alignment.
    """
    powers = jnp.sum(group_growth(samples, jnp.eye(samples.num_samples, dtype=bool)).directions ** 2, axis=1)
    signs = _signs(samples)
    total = jnp.sum(jnp.where(signs, powers[None, :], 0), axis=1)
    weakest = jnp.min(jnp.where(signs, powers[None, :], jnp.inf), axis=1)
    several = jnp.sum(signs, axis=1) > 1
    share = jnp.where(several, weakest, 0) / jnp.where(several, total, 1)
    # 1 - sqrt(1 - share), without cancellation where the weakest point contributes little.
    exponent = jnp.min(jnp.where(several, -2 * jnp.expm1(jnp.log1p(-share) / 2), jnp.inf))
    if is_concrete(exponent) and not bool(jnp.isfinite(exponent)):
        raise OutsideDomain("no sign has two points, so no unit is stuck on a part of them; F is reached without this.")
    return exponent


def _signs(samples: Samples) -> Bool[Array, "2 num_samples"]:
    """Which points are positive, and which are negative."""
    targets = samples.targets[:, 0]
    return jnp.stack([targets > 0, targets < 0])


def _rounding(values: Array | np.ndarray) -> float:
    """What counts as zero beside 1: half of the digits."""
    return float(np.sqrt(np.finfo(values.dtype).eps))


def _check_groups(groups: Bool[Array, "group _"], targets: Float[Array, " num_samples"]) -> None:
    """Raise OutsideDomain unless each row picks points of one sign; values of tracers pass unchecked."""
    if groups.shape[1] != targets.shape[0]:
        raise OutsideDomain(
            f"`groups` has {groups.shape[1]} columns for {targets.shape[0]} samples; give one for each."
        )
    if not (is_concrete(groups) and is_concrete(targets)):
        return
    members, positive = np.asarray(groups), np.asarray(targets) > 0
    mixed = members[:, positive].any(axis=1) & members[:, ~positive].any(axis=1)
    if mixed.any():
        raise OutsideDomain(
            f"row {np.argmax(mixed)} of `groups` has points of both signs; units leave those of the sign that is not "
            "their own, so give the points of one sign."
        )


def _check_data(samples: Samples) -> None:
    """Raise OutsideDomain unless the setting is the paper's; values of tracers pass unchecked."""
    if samples.inputs.ndim != 2 or samples.targets.shape[1] != 1:
        raise OutsideDomain(
            f"the samples have inputs of shape {samples.inputs.shape} and targets of shape {samples.targets.shape}; "
            "this theory is for vectors (num_samples, input_dim) with one output."
        )
    arrays = (samples.inputs, samples.targets[:, 0], samples.weights)
    if not all(is_concrete(values) for values in arrays):
        return
    # In NumPy, since JAX would compile every operation.
    inputs, targets, weights = (np.asarray(values) for values in arrays)
    norms = np.linalg.norm(inputs, axis=1)
    for name, values in (("|inputs[{}]|", norms), ("|targets[{}]|", np.abs(targets)), ("weights[{}]", weights)):
        index = int(np.argmin(values))
        check_positive(name.format(index), float(values[index]), "leave the sample out")
    cosines = np.abs(inputs @ inputs.T) / np.outer(norms, norms)
    np.fill_diagonal(cosines, 0)
    one, other = np.unravel_index(np.argmax(cosines), cosines.shape)
    if cosines[one, other] > _rounding(norms):
        raise OutsideDomain(
            f"inputs {one} and {other} have |cosine| {cosines[one, other]:.2g}; all inputs must be orthogonal to each "
            "other; see `settle_on_rays` for inputs that are not."
        )
