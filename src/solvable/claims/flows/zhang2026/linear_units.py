"""Units linear in their weights: what separates, where training rests, and how it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvable import instruments, networks, numerics, tasks, theory, training
from solvable.claims import Claim, Source, max_curve_gap, max_relative_error, observables

if TYPE_CHECKING:
    import jax
    import xarray as xr


class DirectionExponent(Claim):
    """When weights along the top direction are large, the rest is of order epsilon^(1 - s2/s1)."""

    source = Source("zhang2026", "Theorem 4, Eq. 39", "scaling")
    metric, tolerance = max_relative_error("exponent"), 0.02  # measured: 0.001 to 0.004 over ten seeds

    singular_values: tuple[float, ...] = (1.0, 0.6, 0.3, 0.1)  # s_k of Sigma_yx
    input_dim: int = 6  # N_u
    width: int = 8  # H
    init_scales: tuple[float, ...] = (1e-12, 1e-10, 1e-8, 1e-6, 1e-4)  # epsilon
    large: float = 0.01  # norm along the top direction at which the rest is read
    full = dict(width=64)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        return observables(exponent=theory.flows.separation_exponent(jnp.asarray(self.singular_values)))

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax
        import jax.numpy as jnp
        import numpy as np

        count = len(self.singular_values)
        weights = jnp.zeros((count, self.input_dim)).at[:, :count].set(jnp.diag(jnp.asarray(self.singular_values)))
        task = tasks.linear_teacher(weights)
        # The top direction is the first axis of inputs and of outputs, so that the rest is the other entries.
        split = {
            "top": lambda network: jnp.abs(network.first[:, 0] + network.second[0]) / jnp.sqrt(2.0),
            "total": lambda network: jnp.sqrt(jnp.sum(network.first**2, axis=1) + jnp.sum(network.second**2, axis=0)),
        }
        horizon = 1.3 * np.log(1 / min(self.init_scales)) / self.singular_values[0]
        steps = int(horizon / 0.01)

        def rest(scale):
            network = networks.initialise(
                networks.Neuron(numerics.activations.identity),
                key,
                width=self.width,
                input_shape=(self.input_dim,),
                output_dim=count,
                init_scale=scale,
            )
            run = training.gradient_descent(
                network, task, learning_rate=0.01, steps=steps, record=steps // 4, observables=split
            )
            reached = jnp.argmax(jnp.max(run.observables["top"], axis=1) > self.large)
            top, total = run.observables["top"][reached], run.observables["total"][reached]
            return jnp.sqrt(jnp.sum(total**2 - top**2) / jnp.sum(top**2))

        rests = jax.jit(jax.vmap(rest))(jnp.asarray(self.init_scales))
        slope = np.polyfit(np.log(self.init_scales), np.log(rests), 1)[0]
        return observables(exponent=slope)


def _task(rates: tuple[float, ...], variances: tuple[float, ...]):
    """A linear teacher with diagonal moments turned by fixed rotations, so that no axis is special."""
    import jax
    import jax.numpy as jnp

    outputs, inputs = (
        jnp.linalg.qr(jax.random.normal(jax.random.key(place), (size, size)))[0]
        for place, size in enumerate((len(rates), len(variances)))
    )
    spread = jnp.asarray(variances)
    teacher = jnp.zeros((len(rates), len(variances))).at[:, : len(rates)].set(jnp.diag(jnp.asarray(rates)))
    # A second rotation keeps the covariance from sharing the teacher's axes.
    skew = jnp.linalg.qr(jax.random.normal(jax.random.key(2), (spread.size, spread.size)))[0]
    return tasks.linear_teacher(outputs @ teacher @ inputs.T, (skew * spread[None, :]) @ skew.T)


def _features(task):
    return numerics.Monomials(task.input_shape[0], 1)


def _train(task, key, *, width, init_scale, learning_rate, steps, record: Any = 1000, **watched):
    network = networks.initialise(
        networks.Neuron(numerics.activations.identity),
        key,
        width=width,
        input_shape=task.input_shape,
        output_dim=task.second.shape[0],
        init_scale=init_scale,
    )
    return training.gradient_descent(
        network, task, learning_rate=learning_rate, steps=steps, record=record, observables=watched
    )


class PlateauLevels(Claim):
    """Plateaus of a linear network lie at the loss of its fixed points, learned in order of eigenvalue.

    The last level, 0 here, is not compared: a relative error has no meaning there.
    """

    source = Source("zhang2026", "Lemma 6", "exact")
    metric, tolerance = max_relative_error("level"), 1e-4  # measured: 2e-6 to 3e-6 over ten seeds

    strengths: tuple[float, ...] = (2.0, 1.0, 0.4)  # singular values of the teacher W*
    variances: tuple[float, ...] = (1.6, 1.3, 1.0, 0.8, 0.6)  # eigenvalues of Sigma_xx
    width: int = 60  # H
    init_scale: float = 1e-8  # epsilon
    steps: int = 6000
    full = dict(width=400, init_scale=1e-12, steps=9000)

    def predict(self) -> xr.Dataset:
        task = _task(self.strengths, self.variances)
        points = theory.flows.greedy_fixed_points(task.moments(_features(task)))
        return _levels(2 * points.loss[:-1])

    def measure(self, key: jax.Array) -> xr.Dataset:
        task = _task(self.strengths, self.variances)
        run = _train(task, key, width=self.width, init_scale=self.init_scale, learning_rate=0.02, steps=self.steps)
        plateaus = instruments.find_stages(run.times, run.loss).plateaus
        return _levels([2 * plateau.level for plateau in plateaus[:-1]])


def _levels(levels) -> xr.Dataset:
    return observables(
        coords={"plateau": ("plateau", range(len(levels)), {"long_name": "modes learned"})},
        level=("plateau", levels, {"long_name": "loss at plateau E|y − f|²"}),
    )


class ResidualEscapeRate(Claim):
    """At a saddle small units grow at the largest singular value of the correlation not yet learned."""

    source = Source("zhang2026", "Eq. 42", "asymptotic")
    metric, tolerance = max_relative_error("rate"), 0.001  # measured: 2e-5 over ten seeds

    strengths: tuple[float, ...] = (2.0, 1.0, 0.4)  # singular values of the teacher W*
    variances: tuple[float, ...] = (1.6, 1.3, 1.0, 0.8, 0.6)  # eigenvalues of Sigma_xx
    width: int = 60  # H
    init_scale: float = 1e-10  # epsilon
    steps: int = 6000

    def predict(self) -> xr.Dataset:
        task = _task(self.strengths, self.variances)
        return _rates(theory.flows.greedy_fixed_points(task.moments(_features(task))).escape_rate[:-1])

    def measure(self, key: jax.Array) -> xr.Dataset:
        import numpy as np

        task, modes, rate = _task(self.strengths, self.variances), len(self.strengths), 0.02
        run = _train(
            task,
            key,
            width=self.width,
            init_scale=self.init_scale,
            learning_rate=rate,
            steps=self.steps,
            strength=lambda network: instruments.top_singular_values(network.first, modes),
        )
        strengths, steps = np.asarray(run.observables["strength"]), np.asarray(run.steps)
        rates = []
        for mode in range(modes):
            # The mode that leaves this saddle, from a thousandth to a hundredth of where it ends.
            share = strengths[:, mode] / strengths[-1, mode]
            rising = (share > 1e-3) & (share < 1e-2)
            # Gradient descent multiplies by 1 + learning_rate * rate a step.
            growth = np.polyfit(steps[rising], np.log(strengths[rising, mode]), 1)[0]
            rates.append(np.expm1(growth) / rate)
        return _rates(rates)


def _rates(rates) -> xr.Dataset:
    return observables(
        coords={"saddle": ("saddle", range(len(rates)), {"long_name": "modes learned"})},
        rate=("saddle", rates, {"long_name": "growth rate of small units", "units": "1/time"}),
    )


class NarrowForecast(Claim):
    """From small weights a wide linear network follows the curve of a narrow balanced one."""

    source = Source("zhang2026", "Theorem 3 (iv) and Theorem 4; Appendix C", "asymptotic")
    metric, tolerance = (
        max_curve_gap("loss", over="mean"),
        0.01,
    )  # measured: 0.0007 to 0.003 over ten seeds; one network alone 0.02
    limit = ("width", (10, 40, 160))

    strengths: tuple[float, ...] = (2.0, 1.0, 0.4)  # singular values of the teacher W*
    variances: tuple[float, ...] = (1.6, 1.3, 1.0, 0.8, 0.6)  # eigenvalues of Sigma_xx
    width: int = 1000  # H
    init_scale: float = 1e-6  # epsilon
    steps: int = 3000
    seeds: int = 32
    full = dict(width=4000, seeds=64)

    def _record(self):
        import numpy as np

        return np.arange(0, self.steps + 1, 20)

    def predict(self) -> xr.Dataset:
        import jax.numpy as jnp

        task = _task(self.strengths, self.variances)
        curve = theory.flows.narrow_network_forecast(
            theory.flows.diagonalise(task.moments(_features(task))),
            width=self.width,
            init_scale=self.init_scale,
            learning_rate=0.02,
            record_steps=jnp.asarray(self._record()),
        )
        return self._curve("step", 2 * curve.loss)

    def measure(self, key: jax.Array) -> xr.Dataset:
        import jax

        task = _task(self.strengths, self.variances)

        def run(key):
            return _train(
                task,
                key,
                width=self.width,
                init_scale=self.init_scale,
                learning_rate=0.02,
                steps=self.steps,
                record=self._record(),
            ).loss

        return self._curve(("seed", "step"), 2 * jax.jit(jax.vmap(run))(jax.random.split(key, self.seeds)))

    def _curve(self, dims, loss) -> xr.Dataset:
        step = ("step", self._record(), {"long_name": "gradient step"})
        return observables(coords={"step": step}, loss=(dims, loss, {"long_name": "loss E|y − f|²"}))
