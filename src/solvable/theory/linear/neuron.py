r"""One linear hidden neuron, f(x) = a w . x, on white inputs: exact from any start and for any rates of its layers.

.. math:: \dot a = \eta_a\,w \cdot (\beta_* - a w), \qquad \dot w = \eta_w\,a\,(\beta_* - a w), \qquad
   \delta = \eta_w a^2 - \eta_a |w|^2 = \mathrm{const}

The imbalance delta decides what is learned how: lazily where it is large and positive, in one sigmoid where it is 0,
late and through a turn of w where it is large and negative.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from solvable.errors import check_positive
from solvable.numerics import integrated_exponential
from solvable.theory.linear.modes import growth_axes


class NeuronPath(eqx.Module):
    """A linear neuron along its flow.

    Attributes
    ----------
    first, second
        w(t) and a(t), of shapes (record, input_dim) and (record,).

    References
    ----------
    kunin2024, one-neuron model.
    """

    first: Float[Array, "record input_dim"]
    second: Float[Array, " record"]

    @property
    def map(self) -> Float[Array, "record input_dim"]:
        """beta = a w. Raises nothing."""
        return self.second[:, None] * self.first


def neuron_path(
    times: Float[Array, " record"],
    first: Float[Array, " input_dim"],
    second: Float[Array, ""],
    target: Float[Array, " input_dim"],
    *,
    first_rate: float = 1.0,
    second_rate: float = 1.0,
) -> NeuronPath:
    r"""The neuron at any time, for every imbalance, in closed form.

    .. math:: a = \frac{p_a}{\sqrt Z}, \quad w = \frac{p_\parallel \hat\beta_* + p_\perp}{\sqrt Z}, \quad
       \begin{pmatrix} p_a \\ p_\parallel \end{pmatrix} = e^{Fs} \begin{pmatrix} a_0 \\ w_\parallel \end{pmatrix}, \quad
       F = \begin{pmatrix} D/2 & b \\ b & -D/2 \end{pmatrix}, \quad p_\perp = e^{-Ds/2} w_\perp

    with Z = 1 + int_0^s (p_a^2 + |p|^2); at equal rates s = t, D = delta, and b = |beta_*|.

    Parameters
    ----------
    times
        t >= 0.
    first, second
        w and a at the start.
    target
        beta_* = E[y x], with E[x x^T] = I; 0 is allowed.
    first_rate, second_rate
        eta_w and eta_a > 0: learning rates of the layers in units of the one that times are counted in.

    Raises
    ------
    OutsideDomain
        A rate that is not positive.

    Notes
    -----
    Unequal rates are weights in other units, (eta_w/eta_a)^(1/4) a and (eta_a/eta_w)^(1/4) w, and the time
    s = sqrt(eta_a eta_w) t. Never overflows. A start at a = 0 with w orthogonal to the target is a saddle and stays.

    References
    ----------
    kunin2024, exact solutions [given there case by case]; the one form for all cases is that of fukumizu1998 for a
    network of one unit.
    """
    check_positive("first_rate", first_rate)
    check_positive("second_rate", second_rate)
    unit = jnp.asarray((first_rate / second_rate) ** 0.25, first.dtype)
    spans = times * jnp.asarray((first_rate * second_rate) ** 0.5, times.dtype)
    size = jnp.sqrt(jnp.sum(target**2))
    axis = target / jnp.where(size > 0, size, 1.0)
    a, along = unit * second, first @ axis / unit
    across = first / unit - along * axis
    grown_a, grown_along, grown_across = _grow(spans, a, along, jnp.sum(across**2), size)
    path = grown_along[:, None] * axis[None, :] + grown_across[:, None] * across[None, :]
    return NeuronPath(path * unit, grown_a / unit)


def _grow(times: Array, a: Array, along: Array, across: Array, target: Array) -> tuple[Array, Array, Array]:
    """a and w_parallel at each time, and the factor of w_perp, whose square at the start is ``across``."""
    imbalance = a**2 - along**2 - across
    half = jnp.abs(imbalance) / 2
    rate = jnp.hypot(half, target)
    growing, shrinking = growth_axes(imbalance, target)
    grown, shrunk = growing[0] * a + growing[1] * along, shrinking[0] * a + shrinking[1] * along
    # Everything is multiplied by the inverse of what grows fastest, exp(nu t), or on a saddle exp(-Dt/2), and Z by its
    # square; nu + D/2 is taken without cancellation.
    leaves, turns = grown != 0, (imbalance < 0) & (across > 0)
    fastest = jnp.where(leaves, rate, jnp.where(turns, half, 0.0))
    ahead = jnp.where(imbalance < 0, target**2 / jnp.where(rate > 0, rate + half, 1.0), rate + half)
    fall, span = jnp.exp(-2 * fastest * times), integrated_exponential(-2 * rate, times)
    lost = jnp.exp(-(rate + fastest) * times)
    left = jnp.exp(-times * jnp.where(leaves, ahead, jnp.where(turns, 0.0, half)))
    beside = jnp.where(imbalance < 0, left**2, fall) * integrated_exponential(-2 * half, times)
    size = jnp.sqrt(fall + span * (grown**2 + fall * shrunk**2) + beside * across)
    within = [(up * grown + down * lost * shrunk) / size for up, down in zip(growing, shrinking, strict=True)]
    return within[0], within[1], left / size


def neuron_kernel(
    map_: Float[Array, " input_dim"],
    imbalance: Float[Array, ""],
    *,
    first_rate: float = 1.0,
    second_rate: float = 1.0,
) -> Float[Array, "input_dim input_dim"]:
    r"""Tangent kernel of the neuron in input coordinates, from its map and its imbalance alone.

    .. math:: M = \frac{k + \delta}{2}\,I + \frac{k - \delta}{2}\,\frac{\beta\beta^\top}{|\beta|^2}, \qquad
       k = \sqrt{\delta^2 + 4\,\eta_a \eta_w |\beta|^2}, \qquad \dot\beta = M\,(\beta_* - \beta)

    Parameters
    ----------
    map_
        beta; at 0 with delta < 0 it does not tell the direction of w, and the kernel is left at 0.
    imbalance
        delta = eta_w a^2 - eta_a |w|^2, of either sign.
    first_rate, second_rate
        eta_w and eta_a.

    Raises
    ------
    OutsideDomain
        A rate that is not positive.

    References
    ----------
    kunin2024, function-space dynamics.
    """
    check_positive("first_rate", first_rate)
    check_positive("second_rate", second_rate)
    power = jnp.sum(map_**2)
    excess = 4 * jnp.asarray(first_rate * second_rate, map_.dtype) * power
    total = jnp.sqrt(imbalance**2 + excess)
    larger = (total + jnp.abs(imbalance)) / 2
    smaller = jnp.where(larger > 0, excess / 4 / jnp.where(larger > 0, larger, 1.0), 0.0)
    upstream = imbalance >= 0
    isotropic, aligned = jnp.where(upstream, larger, smaller), jnp.where(upstream, smaller, larger)
    direction = map_ / jnp.sqrt(jnp.where(power > 0, power, 1.0))
    return isotropic * jnp.eye(map_.size, dtype=map_.dtype) + aligned * direction[:, None] * direction[None, :]


def kernel_turn(kernels: Float[Array, "record input_dim input_dim"]) -> Float[Array, " record"]:
    """How far a kernel has turned since the first record: 1 minus the cosine between them.

    Parameters
    ----------
    kernels
        Along a path, none of them 0; ``neuron_kernel`` of its maps.

    Raises
    ------
    Raises nothing.

    References
    ----------
    kunin2024, kernel distance from initialisation.
    """
    sizes = jnp.sqrt(jnp.sum(kernels**2, axis=(1, 2)))
    return 1 - jnp.sum(kernels * kernels[:1], axis=(1, 2)) / (sizes * sizes[0])
