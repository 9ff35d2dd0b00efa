"""Figure 4 A to D: units of order 0 start alike, units of order 1 start with weights of rank one.

The order is that of the first term of phi(x; u) in powers of u. What order 0 does is not worked out in the paper: see
``theory.flows.settle_on_constant``. What comes after the first drop is not claimed: it need not be saddle to saddle.
The quick effort trains on fewer samples than the paper's 8192.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, observables
from solvable.claims.flows.zhang2026 import _panels

if TYPE_CHECKING:
    import jax
    import xarray as xr

    from solvable.numerics import Activation
    from solvable.tasks import Samples


class SoftmaxHeadsStartAlike(Claim):
    """Softmax attention first averages tokens: all its heads get the same values.

    On the population this stage is empty, since the mean token does not correlate with the query's label; on a sample
    it is what least squares makes of chance. Sample and width are small, to train in seconds.
    """

    source = Source("zhang2026", "Fig. 4A", "asymptotic")
    metric, tolerance = max_curve_gap("outgoing"), 0.02  # measured: below 1e-4 over eight seeds

    context_length: int = 32  # N
    num_samples: int = 128  # P
    width: int = 20  # H
    init_scale: float = 1e-6  # epsilon
    learning_rate: float = 0.04  # twice the paper's
    steps: int = 600
    data_seed: int = 0

    def _samples(self) -> Samples:
        import jax.numpy as jnp

        task = tasks.InContextRegression(jnp.eye(2), self.context_length)
        return _panels.draw_samples(task, self.data_seed, self.num_samples)

    def predict(self) -> xr.Dataset:
        mean_token = lambda tokens: tokens.mean(axis=1)  # noqa: E731
        stage = theory.flows.settle_on_constant(self._samples(), mean_token, width=self.width)
        return observables(outgoing=(("entry", "unit"), stage.outgoing[:, None].repeat(self.width, axis=1)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        samples = self._samples()
        unit = networks.AttentionHead(softmax=True)
        network = networks.initialise_for(unit, samples, key, width=self.width, init_scale=self.init_scale)
        run = training.gradient_descent(network, samples, learning_rate=self.learning_rate, steps=self.steps, record=2)
        return observables(outgoing=(("entry", "unit"), run.network.second))


class SigmoidUnitsStartAlike(Claim):
    """Sigmoid units first learn the mean of the target, and all of them point where the rest correlates.

    Read after a time of 1, about 12 times as long as the first drop takes.
    """

    source = Source("zhang2026", "Fig. 4B", "asymptotic")
    metric, tolerance = (
        max_curve_gap("level", "outgoing", "direction"),
        0.01,
    )  # measured: 0.002 to 0.003 over eight seeds

    num_samples: int = 1024  # P
    width: int = 50  # H
    init_scale: float = 1e-6  # epsilon
    learning_rate: float = 0.04  # twice the paper's
    steps: int = 25
    data_seed: int = 0
    full = dict(num_samples=8192)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        activation = numerics.activations.sigmoid
        samples = _teacher(activation, self.data_seed, self.num_samples)
        stage = theory.flows.settle_on_constant(samples, lambda _: activation(jnp.zeros(1)), width=self.width)
        rest = _panels.linear_moments(stage.residual)
        power = jnp.sum(samples.weights[:, None] * samples.targets**2)
        direction = theory.flows.escape_modes(rest.sigma_yz).inputs[0]
        return observables(
            level=("stage", jnp.stack([power, 2 * stage.loss])),
            outgoing=("unit", stage.outgoing.repeat(self.width)),
            direction=(("axis", "unit"), _upward(direction)[:, None].repeat(self.width, axis=1)),
        )

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax.numpy as jnp

        run = _train(numerics.activations.sigmoid, key, self)
        first, second = run.network.first, run.network.second
        directions = first / jnp.linalg.norm(first, axis=1, keepdims=True)
        return observables(
            level=("stage", 2 * run.loss[jnp.array([0, -1])]),
            outgoing=("unit", second[0]),
            direction=(("axis", "unit"), directions.T),
        ).merge(_panels.curve(run.steps, 2 * run.loss, first[None]))

    draw = staticmethod(_panels.draw_stages)


class SinUnitsStartRankOne(Claim):
    """Sinusoid units, linear near zero, first fit the best linear map by weights of rank one."""

    source = Source("zhang2026", "Fig. 4C and Theorem 4", "asymptotic")
    metric, tolerance = max_curve_gap("level", "direction", "rank"), 0.015  # measured: 0.003 to 0.005 over six seeds

    num_samples: int = 1024  # P
    width: int = 50  # H
    init_scale: float = 1e-6  # epsilon
    learning_rate: float = 0.04  # twice the paper's
    steps: int = 700
    data_seed: int = 0
    full = dict(num_samples=8192)

    def predict(self) -> xr.Dataset:
        return _predict_rank_one(numerics.activations.sin, self)

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure_rank_one(numerics.activations.sin, key, self)

    draw = staticmethod(_panels.draw_stages)


class TanhUnitsStartRankOne(Claim):
    """Tanh units, linear near zero, first fit the best linear map by weights of rank one."""

    source = Source("zhang2026", "Fig. 4D and Theorem 4", "asymptotic")
    metric, tolerance = max_curve_gap("level", "direction", "rank"), 0.015  # measured: 0.006 to 0.008 over six seeds

    num_samples: int = 1024  # P
    width: int = 50  # H
    init_scale: float = 1e-6  # epsilon
    learning_rate: float = 0.04  # twice the paper's
    steps: int = 600
    data_seed: int = 0
    full = dict(num_samples=8192)

    def predict(self) -> xr.Dataset:
        return _predict_rank_one(numerics.activations.tanh, self)

    def measure(self, key: jax.Array) -> xr.Dataset:
        return _measure_rank_one(numerics.activations.tanh, key, self)

    draw = staticmethod(_panels.draw_stages)


def _teacher(activation: Activation, data_seed: int, num_samples: int) -> Samples:
    return _panels.width_two_teacher(activation, 2.0, data_seed, num_samples)


def _train(activation: Activation, key: jax.Array, claim: Any) -> training.Trajectory:
    samples = _teacher(activation, claim.data_seed, claim.num_samples)
    unit = networks.Neuron(activation)
    network = networks.initialise_for(unit, samples, key, width=claim.width, init_scale=claim.init_scale)
    return training.gradient_descent(
        network,
        samples,
        learning_rate=claim.learning_rate,
        steps=claim.steps,
        observables={"first": lambda network: network.first},
    )


def _predict_rank_one(activation: Activation, claim: Any) -> xr.Dataset:
    samples = _teacher(activation, claim.data_seed, claim.num_samples)
    moments = _panels.linear_moments(samples)
    # One output: the best linear map is of rank one, and fitted by one unit.
    fit = theory.flows.fit_one_unit(moments, (1, 2))
    return observables(
        level=("stage", (float(moments.target_power), 2 * float(fit.loss))),
        direction=("axis", _upward(fit.factors[1])),
        rank=1.0,
    )


def _measure_rank_one(activation: Activation, key: jax.Array, claim: Any) -> xr.Dataset:
    """Level, direction and stable rank of the first weights at the flattest point after the first drop."""
    import jax.numpy as jnp
    import numpy as np

    run = _train(activation, key, claim)
    steps, loss = np.asarray(run.steps), 2 * np.asarray(run.loss)
    rest = instruments.find_stages(steps, loss).plateaus[1]
    first = run.observables["first"][int(np.argmin(np.abs(steps - rest.time)))]
    return observables(
        level=("stage", [loss[0], rest.level]),
        direction=("axis", _upward(jnp.linalg.svd(first, full_matrices=False)[2][0])),
        rank=instruments.stable_rank(first),
    ).merge(_panels.curve(steps, loss, first[None]))


def _upward(direction: jax.Array) -> jax.Array:
    """The direction or its opposite, whichever has a positive sum."""
    import jax.numpy as jnp

    return direction * jnp.sign(jnp.sum(direction))
