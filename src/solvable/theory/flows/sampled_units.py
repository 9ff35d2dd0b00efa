"""A finite set of units on a data set from saddle to saddle: ReLU, or any unit homogeneous in its weights.

Nothing is known in advance here: each dormant unit is followed under the residual of the moment, the first of them
that is no longer small joins the active ones, and those flow down to where they rest.
"""

from dataclasses import dataclass, field, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain
from solvable.tasks import Samples
from solvable.theory.flows.dormant import first_activation
from solvable.theory.flows.next_saddle import Saddle, SaddlePath, alternate, stage_time_unit
from solvable.theory.flows.rest import NOTHING_LEFT, UnitMap, flow_to_rest, half_power, residual_of

# Norm at which a dormant unit counts as active.
_ACTIVE = 0.5


@dataclass(frozen=True)
class UnitSaddle(Saddle):
    """A saddle of given units, all of them at every saddle.

    Attributes
    ----------
    directions
        Weights of each unit over their norm, shape (dormant, weights). ``strength`` is the norm of the active ones,
        ``accumulated`` tells that of the others: alpha^(1 - accumulated) for kappa = 2, and
        alpha (1 - accumulated)^(-1/(kappa - 2)) above.
    half_time, settled_time
        Flow time from the activation of ``unit`` until the loss has fallen half of its way here, and 95% of it. The
        theory holds where ``settled_time`` is shorter than the wait for the next activation.

    Raises
    ------
    Nothing of its own.

    References
    ----------
    None: see ``SampledUnits``.
    """

    directions: Float[np.ndarray, "dormant weights"] = field(kw_only=True)
    half_time: float = 0.0
    settled_time: float = 0.0


@dataclass(frozen=True)
class SampledUnits:
    """Units f_i(x; theta_i), each given by its initial weights.

    Attributes
    ----------
    samples
        The data.
    unit
        f_i for one input and the weights of one unit, shape (output_dim,); homogeneous of ``degree`` in the weights.
    weights
        Initial weights of each unit over ``init_scale``, shape (unit, weights).
    init_scale
        alpha, between 0 and 1.
    degree
        kappa.

    Raises
    ------
    OutsideDomain
        A degree or scale without meaning, a unit whose weights are 0 or not small.

    Notes
    -----
    An active unit that falls back below norm alpha is dormant again. Where the loss is below 1e-8 of that of no network
    at all, what is left is what the flow to rest leaves over, and the path ends.

    References
    ----------
    kunin2025, alternating gradient flows.
    """

    samples: Samples
    unit: UnitMap
    weights: Float[Array, "unit weights"]
    init_scale: float
    degree: int

    def __post_init__(self) -> None:
        stage_time_unit(self.degree, self.init_scale)
        norms = self.init_scale * np.linalg.norm(self.weights, axis=1)
        if not np.all((norms > 0) & (norms < _ACTIVE)):
            raise OutsideDomain(
                f"`weights` times `init_scale` has norms from {norms.min():g} to {norms.max():g}; they must lie above "
                f"0 and below {_ACTIVE}: leave out units that are 0, or use a smaller `init_scale`."
            )

    def start(self) -> UnitSaddle:
        """All units dormant. Raises nothing. References: as the class."""
        weights = np.asarray(self.weights, float)
        sizes = np.linalg.norm(weights, axis=1)
        accumulated = self._to_share(np.log(self.init_scale * sizes))
        return self._rest(weights / sizes[:, None], np.zeros_like(sizes), accumulated)

    def wait(self, saddle: UnitSaddle) -> tuple[float, UnitSaddle]:
        """Follow every unit until the first is active. Raises nothing. References: as the class."""
        dormant, residual = saddle.strength == 0, self._residual(saddle)
        if saddle.loss <= NOTHING_LEFT * half_power(self.samples):
            return float("inf"), saddle
        # Active units run along, at norm alpha, where there is nothing for them: so all stages compile once.
        log_norms = self._to_log_norm(np.where(dormant, saddle.accumulated, 0))
        utility = _Utility(residual, self.unit)
        as_array = lambda values: jnp.asarray(values, self.weights.dtype)  # noqa: E731
        found = first_activation(
            utility, as_array(saddle.directions), as_array(log_norms), degree=self.degree, until=_ACTIVE
        )
        active = np.asarray(found.active) & dormant
        if not active.any():
            return float("inf"), saddle
        return float(found.times[active.argmax()]) / stage_time_unit(self.degree, self.init_scale), replace(
            saddle,
            accumulated=np.where(dormant, self._to_share(np.asarray(found.log_norms, float)), saddle.accumulated),
            utility=np.asarray(_utilities(utility, found.directions), float),
            directions=np.where(dormant[:, None], found.directions, saddle.directions),
            unit=int(active.argmax()),
        )

    def descend(self, saddle: UnitSaddle) -> UnitSaddle:
        """Gradient flow of the active units to rest. Raises nothing. References: as the class."""
        strength = saddle.strength.copy()
        strength[saddle.unit] = _ACTIVE
        active = strength > 0
        start = jnp.asarray((saddle.directions * strength[:, None])[active], self.weights.dtype)
        growth_time = float(1 / (self.degree * saddle.utility[saddle.unit]))
        rest = flow_to_rest(self.samples, self.unit, start, before=saddle.loss, time_scale=growth_time)
        rested = np.zeros_like(saddle.directions)
        rested[active] = rest.weights
        sizes = np.linalg.norm(rested, axis=1)
        accumulated = np.where(active, self._to_share(np.log(np.maximum(sizes, self.init_scale))), saddle.accumulated)
        moved = (sizes > 0)[:, None]
        directions = np.where(moved, rested / np.where(moved, sizes[:, None], 1), saddle.directions)
        after = self._rest(directions, np.where(sizes > self.init_scale, sizes, 0), accumulated, saddle.unit)
        return replace(after, half_time=rest.half_time, settled_time=rest.settled_time)

    def _rest(
        self, directions: np.ndarray, strength: np.ndarray, accumulated: np.ndarray, unit: int = -1
    ) -> UnitSaddle:
        saddle = UnitSaddle(0.0, strength, np.zeros_like(strength), accumulated, unit, directions=directions)
        residual = self._residual(saddle)
        utility = _utilities(_Utility(residual, self.unit), jnp.asarray(directions, self.weights.dtype))
        return replace(saddle, loss=float(half_power(residual)), utility=np.asarray(utility, float))

    def _weights(self, saddle: UnitSaddle, strength: np.ndarray) -> Array:
        return jnp.asarray(saddle.directions * strength[:, None], self.weights.dtype)

    def _residual(self, saddle: UnitSaddle) -> Samples:
        return residual_of(self.samples, self.unit, self._weights(saddle, saddle.strength))

    def _to_share(self, log_norms: np.ndarray) -> np.ndarray:
        grown = log_norms - np.log(self.init_scale)
        return grown / -np.log(self.init_scale) if self.degree == 2 else -np.expm1((2 - self.degree) * grown)

    def _to_log_norm(self, accumulated: np.ndarray) -> np.ndarray:
        if self.degree == 2:
            return (1 - accumulated) * np.log(self.init_scale)
        return np.log(self.init_scale) - np.log1p(-accumulated) / (self.degree - 2)


class _Utility(eqx.Module):
    """U(theta) = E[f_i(x; theta) . r], with r the targets of ``residual``."""

    residual: Samples
    unit: UnitMap = eqx.field(static=True)

    def __call__(self, weights: Float[Array, " weights"]) -> Float[Array, ""]:
        outputs = jax.vmap(self.unit, (0, None))(self.residual.inputs, weights)
        return jnp.sum(self.residual.weights[:, None] * outputs * self.residual.targets)


@eqx.filter_jit
def _utilities(utility: _Utility, directions: Array) -> Array:
    return jax.vmap(utility)(directions)


def relu_unit(inputs: Float[Array, " input_dim"], weights: Float[Array, " weights"]) -> Float[Array, " output_dim"]:
    """v relu(u . x) for weights (u, v), which are stacked. Raises nothing. References: boursier2022."""
    inner, outer = jnp.split(weights, [inputs.size])
    return outer * jnp.maximum(inputs @ inner, 0)


def relu_stages(
    samples: Samples,
    first: Float[Array, "width input_dim"],
    second: Float[Array, "output_dim width"],
    *,
    init_scale: float,
) -> SaddlePath:
    """Saddles of the two-layer ReLU network sum_i v_i relu(u_i . x) from given small weights, unit by unit.

    Parameters
    ----------
    samples
        The data.
    first, second
        u_i and v_i over ``init_scale``.
    init_scale
        epsilon, between 0 and 1.

    Returns
    -------
    SaddlePath
        ``units`` are those of the network, ``directions`` are (u_i, v_i) at norm 1, ``strength`` is the norm of the
        active ones. ``flow_times(init_scale)`` are gradient-flow times of the half loss.

    Raises
    ------
    OutsideDomain
        A scale outside (0, 1), or a unit that is 0 or not small.

    Notes
    -----
    From each saddle on the first unit to escape goes first and the others see what it leaves: that many units near
    each other escape together changes what each does, not where they rest. Times are approached as
    1/log(1/init_scale). On orthogonal inputs they are log(1/epsilon)/|D_+| and log(1/epsilon)/|D_-|.

    References
    ----------
    kunin2025, alternating gradient flows; boursier2022, transition times.
    """
    return alternate(SampledUnits(samples, relu_unit, jnp.concatenate([first, second.T], axis=1), init_scale, 2))


def square_unit(inputs: Float[Array, " input_dim"], weights: Float[Array, " weights"]) -> Float[Array, " output_dim"]:
    """v (u . x)^2 for weights (u, v), which are stacked. Raises nothing. References: zhang2026, App. I."""
    inner, outer = jnp.split(weights, [inputs.size])
    return outer * (inputs @ inner) ** 2


def attention_unit(statistics: Float[Array, " size"], weights: Float[Array, " weights"]) -> Float[Array, " output_dim"]:
    """v^T (X X^T / N) k (q . x_q) for a linear head of rank one, from what the sequence tells it.

    Parameters
    ----------
    statistics
        (X X^T / N)_ab x_qc, from ``tasks.ContextStatistics``, of size (d + 1)^2 d for tokens of d + 1 entries.
    weights
        k, q and v, stacked, each of d + 1 entries; the last of q meets the query's missing label.

    Raises
    ------
    Raises nothing.

    References
    ----------
    zhang2026, Eq. 43; zhang2025, separate key and query.
    """
    key, query, value = jnp.split(weights, 3)
    table = statistics.reshape(key.size, key.size, -1)
    return jnp.einsum("a,b,c,abc->", value, key, query[:-1], table)[None]
