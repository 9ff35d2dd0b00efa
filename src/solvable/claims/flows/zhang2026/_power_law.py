"""The setting of Figure 2: three modes with a power-law spectrum, for a linear network and for linear attention.

The paper leaves open the context length, the size of the small weights and the learning rate; the claims choose them.
Attention gets inputs whose covariance has eigenvalues lambda_d proportional to sqrt(s_d), because a head grows along
mode d at the rate lambda_d^2: the positive singular values of Sigma_yZ then follow the power law, with sum 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, numerics, tasks, theory, training

if TYPE_CHECKING:
    import jax
    import numpy as np

    from solvable.tasks import Moments
    from solvable.theory.flows import NarrowForecast
    from solvable.training import Trajectory

NUM_MODES = 3
CONTEXT_LENGTH = 31  # N of linear attention
TIME = {"long_name": "time, learning rate × step"}


@dataclass(frozen=True)
class Sweep:
    """Settings trained side by side; of the first three fields, those with one entry hold for all of them."""

    exponents: tuple[float, ...]
    widths: tuple[int, ...]
    init_scales: tuple[float, ...]
    learning_rate: float
    steps: int
    records: int = 160

    def __len__(self) -> int:
        return max(len(self.exponents), len(self.widths), len(self.init_scales))

    @property
    def record_steps(self) -> np.ndarray:
        import numpy as np

        return np.unique(np.linspace(0, self.steps, self.records).astype(int))

    @property
    def times(self) -> np.ndarray:
        return self.learning_rate * self.record_steps

    def arrays(self, moments: Sequence[Any]) -> tuple[Any, jax.Array, jax.Array]:
        """Moments, width and scale of every setting along a leading axis."""
        import jax
        import jax.numpy as jnp

        spread = lambda values: jnp.broadcast_to(values, (len(self), *values.shape[1:]))  # noqa: E731
        stacked = jax.tree.map(lambda *entries: spread(jnp.stack(entries)), *moments)
        return stacked, spread(jnp.asarray(self.widths, float)), spread(jnp.asarray(self.init_scales))


def linear_moments(exponent: float) -> Moments:
    return tasks.power_law_teacher(NUM_MODES, exponent).moments(numerics.Monomials(NUM_MODES, 1))


def covariance_spectrum(exponent: float) -> jax.Array:
    """Eigenvalues lambda_d of the inputs of in-context regression."""
    import jax.numpy as jnp

    return jnp.sqrt(tasks.power_law_spectrum(NUM_MODES, exponent))


def attention_moments(exponent: float) -> Moments:
    import jax.numpy as jnp

    task = tasks.InContextRegression(jnp.diag(covariance_spectrum(exponent)), CONTEXT_LENGTH)
    return task.moments(tasks.ContextStatistics(NUM_MODES, mean_over_context=True))


def forecast_linear(sweep: Sweep) -> NarrowForecast:
    """The narrow-network forecast of every setting."""
    import jax
    import jax.numpy as jnp

    def forecast(moments, width, scale):
        return theory.flows.narrow_network_forecast(
            moments,
            width=width,
            init_scale=scale,
            learning_rate=sweep.learning_rate,
            record_steps=jnp.asarray(sweep.record_steps),
        )

    moments = [theory.flows.diagonalise(linear_moments(exponent)) for exponent in sweep.exponents]
    return jax.vmap(forecast)(*sweep.arrays(moments))


def forecast_escape(sweep: Sweep) -> list[float]:
    """Median time of attention's first escape, for every setting."""
    repeat = lambda values: values * (len(sweep) // len(values))  # noqa: E731
    settings = zip(repeat(sweep.exponents), repeat(sweep.widths), repeat(sweep.init_scales), strict=True)
    return [
        float(
            theory.flows.first_escape_quantile(tasks.power_law_spectrum(NUM_MODES, at), width=width, init_scale=scale)
        )
        for at, width, scale in settings
    ]


def train_linear(sweep: Sweep, key: jax.Array, num_seeds: int) -> Trajectory:
    """Linear networks of every seed and setting (leading axes), with the singular values of their first layer."""
    import jax.numpy as jnp

    unit = networks.Neuron(numerics.activations.identity)
    watched = {"strength": lambda network: jnp.linalg.svdvals(network.first)}
    moments = [linear_moments(exponent) for exponent in sweep.exponents]
    return _train(sweep, unit, (NUM_MODES,), NUM_MODES, moments, key, num_seeds, watched)


def train_attention(sweep: Sweep, key: jax.Array, num_seeds: int) -> Trajectory:
    """Linear attention with heads of rank one, of every seed and setting (leading axes)."""
    unit = networks.AttentionHead(mean_over_context=True)
    moments = [attention_moments(exponent) for exponent in sweep.exponents]
    return _train(sweep, unit, (NUM_MODES + 1, CONTEXT_LENGTH + 1), 1, moments, key, num_seeds, {})


def _train(sweep, unit, input_shape, output_dim, moments, key, num_seeds, watched) -> Trajectory:
    import jax
    import jax.numpy as jnp

    most = max(sweep.widths)

    def train(seed, moments, width, scale):
        network = networks.initialise(
            unit, seed, width=most, input_shape=input_shape, output_dim=output_dim, init_scale=scale
        )
        # Units of zero weight stay there: layers of different widths train as one batch.
        here = (jnp.arange(most, dtype=width.dtype) < width).astype(network.first.dtype)
        network = networks.UnitLayer(network.first * here[:, None], network.second * here[None, :], unit)
        return training.gradient_descent(
            network,
            moments,
            learning_rate=sweep.learning_rate,
            steps=sweep.steps,
            record=sweep.record_steps,
            observables=watched,
        )

    over_settings = jax.vmap(train, (None, 0, 0, 0))
    over_seeds = jax.vmap(over_settings, (0, None, None, None))
    return jax.jit(over_seeds)(jax.random.split(key, num_seeds), *sweep.arrays(moments))


def rise_times(times: np.ndarray, strengths) -> np.ndarray:
    """When each singular value reaches half of its final value; (..., record, mode) to (..., mode)."""
    import numpy as np

    def of_curve(strength: np.ndarray) -> float:
        return numerics.first_crossing(times, strength, strength[-1] / 2)

    return np.apply_along_axis(of_curve, -2, np.asarray(strengths))


def count_drops(times: np.ndarray, loss) -> np.ndarray:
    """Number of abrupt drops of each curve; (..., record) to (...)."""
    import numpy as np

    def of_curve(curve: np.ndarray) -> int:
        return len(instruments.find_stages(times, curve, min_drop=0.002).drops)

    return np.apply_along_axis(of_curve, -1, np.asarray(loss))


def first_drops(times: np.ndarray, loss) -> np.ndarray:
    """When half of each curve's first drop is done, infinite where there is none; (..., record) to (...)."""
    import numpy as np

    def of_curve(curve: np.ndarray) -> float:
        drops = instruments.find_stages(times, curve).drops
        return drops[0].time if drops else np.inf

    return np.apply_along_axis(of_curve, -1, np.asarray(loss))
